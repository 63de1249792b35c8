// A chat room: what one WebSocket client says, all of them hear; the last messages can be read over HTTP.
import { createServer } from "node:http";
import express from "express";
import { WebSocket, WebSocketServer } from "ws";

const PORT = Number(process.env.PORT ?? 3000);
const HISTORY = 100;

const messages = [];
const app = express();
app.use(express.json());
app.use(express.static("public"));

app.get("/health", (_request, response) => response.json({ status: "ok" }));

app.get("/api/messages", (_request, response) => response.json(messages));

app.post("/api/messages", (request, response) => {
  const text = request.body?.text;
  if (typeof text !== "string" || text === "") {
    return response.status(400).json({ error: "a message needs a text" });
  }
  response.status(201).json(say(text));
});

const server = createServer(app);
const sockets = new WebSocketServer({ server, path: "/ws", maxPayload: 64 * 1024 });

sockets.on("connection", (socket) => {
  socket.on("message", (data) => say(data.toString()));
  socket.on("error", (error) => console.error("socket:", error.message));
});

function say(text) {
  const message = { text, at: new Date().toISOString() };
  messages.push(message);
  messages.splice(0, messages.length - HISTORY);
  for (const client of sockets.clients) {
    if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify(message));
  }
  return message;
}

server.listen(PORT, "0.0.0.0", () => console.log(`chat on port ${PORT}`));

process.on("SIGTERM", () => {
  sockets.clients.forEach((client) => client.terminate());
  server.close(() => process.exit(0));
});
