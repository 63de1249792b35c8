// Books on shelves in MySQL, whose address is in the environment.
const express = require("express");
const mysql = require("mysql2/promise");

const pool = mysql.createPool({ uri: process.env.DATABASE_URL, connectionLimit: 4 });
const app = express();
app.use(express.json());

app.get("/books", async (_request, response) => {
  const [books] = await pool.query(
    "SELECT books.title, shelves.name AS shelf FROM books JOIN shelves ON shelves.id = books.shelf_id ORDER BY books.id",
  );
  response.json(books);
});

app.post("/books", async (request, response) => {
  const { title, shelfId } = request.body;
  await pool.execute("INSERT INTO books (title, shelf_id) VALUES (?, ?)", [title, shelfId]);
  response.status(201).json({ title });
});

app.get("/health", async (_request, response) => {
  await pool.query("SELECT 1");
  response.json({ status: "ok" });
});

app.listen(Number(process.env.PORT ?? 3000), "0.0.0.0", () => console.log("open"));
