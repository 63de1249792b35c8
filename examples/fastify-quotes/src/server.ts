import Fastify from "fastify";

type Quote = { id: number; text: string };

const quotes: Quote[] = [{ id: 1, text: "Time and tide wait for no man." }];
const app = Fastify({ logger: true });

app.get("/", async () => ({ app: "fastify-quotes", quotes: quotes.length }));

app.get<{ Params: { id: string } }>("/quotes/:id", async (request, reply) => {
  const quote = quotes.find((quote) => quote.id === Number(request.params.id));
  return quote ?? reply.code(404).send({ error: "no such quote" });
});

app.post<{ Body: { text: string } }>("/quotes", async (request, reply) => {
  const quote = { id: quotes.length + 1, text: request.body.text };
  quotes.push(quote);
  return reply.code(201).send(quote);
});

app.get("/healthz", async () => ({ ok: true }));

await app.listen({ port: Number(process.env.PORT ?? 3030), host: "0.0.0.0" });
