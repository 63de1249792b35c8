import { entries } from '@/lib/entries';

// Lists what guests wrote.
export async function GET() {
  return Response.json(entries());
}

export async function POST(request) {
  const { text } = await request.json();
  const entry = { id: entries().length + 1, text: String(text) };
  entries().push(entry);
  return Response.json(entry, { status: 201 });
}
