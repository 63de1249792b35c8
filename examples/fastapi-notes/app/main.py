"""Notes kept in memory, with one endpoint for each way of talking HTTP: JSON, uploads, streams, WebSockets."""

import asyncio
import os

from fastapi import FastAPI, HTTPException, Request, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from .notes import Note, NoteDraft, Notes

GENERATION = os.environ.get("GENERATION", "fastapi-notes")

app = FastAPI(title="Notes", version="1.0.0")
notes = Notes()


@app.get("/", summary="What this app is")
async def index() -> dict[str, str | int]:
    return {"app": "fastapi-notes", "generation": GENERATION, "notes": len(notes)}


@app.get("/health", tags=["system"])
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/notes", tags=["notes"], summary="List the notes, newest first")
async def list_notes(limit: int = 50) -> list[Note]:
    return notes.newest(limit)


@app.post("/notes", status_code=201, tags=["notes"], summary="Write a note")
async def create_note(draft: NoteDraft) -> Note:
    return notes.add(draft)


@app.get("/notes/{note_id}", tags=["notes"], summary="Read a note")
async def read_note(note_id: int) -> Note:
    note = notes.get(note_id)
    if note is None:
        raise HTTPException(status_code=404, detail="no such note")
    return note


@app.delete("/notes/{note_id}", status_code=204, tags=["notes"], summary="Delete a note")
async def delete_note(note_id: int) -> None:
    if not notes.remove(note_id):
        raise HTTPException(status_code=404, detail="no such note")


@app.post("/upload", tags=["files"], summary="Count the bytes of a file in a form")
async def upload(file: UploadFile) -> dict[str, str | int | None]:
    size = 0
    while chunk := await file.read(1 << 16):
        size += len(chunk)
    return {"name": file.filename, "size": size}


@app.put("/upload", tags=["files"], summary="Count the bytes of a plain body, as they come")
async def upload_stream(request: Request) -> dict[str, int]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return {"size": size}


@app.get("/events", tags=["streams"], summary="Server-sent events: a count")
async def events(count: int = 5, interval: float = 0.2) -> StreamingResponse:
    async def ticks():
        for number in range(1, count + 1):
            yield f"id: {number}\ndata: {number}\n\n"
            await asyncio.sleep(interval)

    return StreamingResponse(ticks(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@app.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect:
        return
