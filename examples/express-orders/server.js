const express = require("express");
const db = require("knex")(require("./knexfile"));

const app = express();
app.use(express.json());

app.get("/health", async (request, response) => {
  await db.raw("SELECT 1");
  response.json({ status: "ok" });
});

app.get("/orders", async (request, response) => {
  response.json(await db("orders").select("item", "amount").orderBy("id"));
});

app.post("/orders", async (request, response) => {
  const [order] = await db("orders").insert({ item: request.body.item, amount: request.body.amount }).returning("id");
  response.status(201).json(order);
});

app.listen(process.env.PORT || 3000, "0.0.0.0", () => console.log("taking orders"));
