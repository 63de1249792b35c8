// Counts visits in Redis, whose address is in the environment.
const express = require("express");
const Redis = require("ioredis");

const redis = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: 20 });
redis.on("error", (error) => console.error("redis:", error.message));
const app = express();

app.get("/", async (_request, response) => response.json({ visits: await redis.incr("visits") }));
app.get("/health", async (_request, response) => response.json({ redis: await redis.ping() }));

app.listen(Number(process.env.PORT ?? 3000), "0.0.0.0", () => console.log("counting"));
