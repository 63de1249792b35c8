"""A ledger in PostgreSQL: its schema is made by Alembic, its first accounts by seed.py."""
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import func, select

from .database import Session
from .models import Account, Entry

app = FastAPI(title="Ledger")


class NewEntry(BaseModel):
    cents: int


@app.get("/health")
def health():
    with Session() as session:
        return {"accounts": session.scalar(select(func.count(Account.id)))}


@app.get("/accounts")
def accounts():
    """Names and balances."""
    balance = func.coalesce(func.sum(Entry.cents), 0)
    query = select(Account.name, balance).outerjoin(Entry).group_by(Account.id).order_by(Account.id)
    with Session() as session:
        return [{"name": name, "cents": int(cents)} for name, cents in session.execute(query)]


@app.post("/accounts/{name}/entries", status_code=201)
def add_entry(name: str, entry: NewEntry):
    with Session.begin() as session:
        account = session.scalar(select(Account).where(Account.name == name))
        if account is None:
            raise HTTPException(404, "no such account")
        session.add(Entry(account_id=account.id, cents=entry.cents))
    return {"name": name, "cents": entry.cents}
