"""Runs, but nobody outside its container can reach it: it listens on 127.0.0.1 only, and its code does not say so."""

import json
import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    settings = json.loads(Path("settings.json").read_text())
    uvicorn.run(app, host=settings["host"], port=int(os.environ.get("PORT", "8000")))
