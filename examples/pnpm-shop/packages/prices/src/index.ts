/** A price in cents as it is shown. */
export const shown = (cents: number): string => `€${(cents / 100).toFixed(2)}`;
