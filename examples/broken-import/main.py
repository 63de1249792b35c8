"""Built, but ends as soon as it is imported: a setting that it insists on is missing."""

import os

from fastapi import FastAPI

API_KEY = os.environ["WEATHER_API_KEY"]

app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
