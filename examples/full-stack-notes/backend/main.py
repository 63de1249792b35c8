"""The API of the notes: it knows nothing of the pages."""

from fastapi import FastAPI, WebSocket
from pydantic import BaseModel

app = FastAPI(title="Notes")
notes: list[dict] = []


class Note(BaseModel):
    text: str


@app.get("/api/notes")
def all_notes():
    return notes


@app.post("/api/notes", status_code=201)
def add(note: Note):
    notes.append({"id": len(notes) + 1, "text": note.text})
    return notes[-1]


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    await socket.send_text(await socket.receive_text())
