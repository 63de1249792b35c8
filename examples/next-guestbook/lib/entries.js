// One list for pages and routes, which are bundled apart.
export function entries() {
  globalThis.guestbook ??= [{ id: 1, text: 'First here' }];
  return globalThis.guestbook;
}
