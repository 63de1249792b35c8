import { entries } from '@/lib/entries';

export const dynamic = 'force-dynamic';

export default function Home() {
  return (
    <main>
      <h1>Guestbook</h1>
      <ul>
        {entries().map((entry) => (
          <li key={entry.id}>{entry.text}</li>
        ))}
      </ul>
    </main>
  );
}
