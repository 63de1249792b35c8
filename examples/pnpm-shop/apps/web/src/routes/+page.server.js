const api = process.env.API_URL ?? 'http://localhost:3000';

export async function load({ fetch }) {
  const answer = await fetch(`${api}/api/items`);
  return { items: await answer.json() };
}
