import { Pool, neon, neonConfig } from '@neondatabase/serverless';
import express from 'express';
import ws from 'ws';

neonConfig.webSocketConstructor = ws;

const pool = new Pool({ connectionString: process.env.DATABASE_URL });
const sql = neon(process.env.DATABASE_URL);
await pool.query('CREATE TABLE IF NOT EXISTS guests (id serial PRIMARY KEY, name text NOT NULL)');

const app = express();
app.use(express.json());

app.get('/guests', async (_req, res) => {
  res.json(await sql`SELECT id, name FROM guests ORDER BY id`);
});

app.post('/guests', async (req, res) => {
  const { rows } = await pool.query('INSERT INTO guests (name) VALUES ($1) RETURNING *', [req.body.name]);
  res.status(201).json(rows[0]);
});

// All of them or none.
app.post('/parties', async (req, res) => {
  try {
    const asked = (name) => sql`INSERT INTO guests (name) VALUES (${name}) RETURNING id`;
    const answers = await sql.transaction(req.body.map(asked));
    res.status(201).json(answers.map(([guest]) => guest.id));
  } catch (error) {
    res.status(409).json({ error: error.message });
  }
});

app.listen(Number(process.env.PORT ?? 5000), '0.0.0.0', () => console.log('the door is open'));
