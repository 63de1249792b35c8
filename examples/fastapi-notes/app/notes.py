"""The notes and where they are kept: in memory, for as long as the process lives."""

from datetime import datetime, timezone

from pydantic import BaseModel, Field


class NoteDraft(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    text: str = ""


class Note(NoteDraft):
    id: int
    created_at: datetime


class Notes:
    def __init__(self) -> None:
        self._notes: dict[int, Note] = {}
        self._next_id = 1

    def __len__(self) -> int:
        return len(self._notes)

    def add(self, draft: NoteDraft) -> Note:
        note = Note(id=self._next_id, created_at=datetime.now(timezone.utc), **draft.model_dump())
        self._notes[note.id] = note
        self._next_id += 1
        return note

    def get(self, note_id: int) -> Note | None:
        return self._notes.get(note_id)

    def remove(self, note_id: int) -> bool:
        return self._notes.pop(note_id, None) is not None

    def newest(self, limit: int) -> list[Note]:
        return list(reversed(self._notes.values()))[: max(limit, 0)]
