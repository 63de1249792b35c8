# Looks into an SQLite file for its owner: sqlite_look.py FILE LIMITS look | query SQL
# Prints one line of JSON, {"ok": …} or {"refused": "why"}. Runs in a container of its own.
import json
import os
import sqlite3
import sys
import time

READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def open_for_reading(path, limits):
    if not os.path.exists(path):
        return sqlite3.connect(":memory:")
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    db.execute("PRAGMA trusted_schema = OFF")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024)
    end = time.monotonic() + limits["seconds"]
    db.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    return db


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def look(db, path, limits):
    names = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "ORDER BY name LIMIT ?",
        (limits["tables"] + 1,),
    ).fetchall()
    tables = []
    for (name,) in names[: limits["tables"]]:
        try:
            (rows,) = db.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()
        except sqlite3.Error:
            rows = None
        tables.append([name, rows])
    sizes = [os.path.getsize(path + end) for end in ("", "-wal") if os.path.exists(path + end)]
    return {"tables": tables, "truncated": len(names) > limits["tables"], "bytes": sum(sizes)}


def value(of, limits):
    if isinstance(of, bytes):
        of = "x'" + of[: limits["value"] // 2 + 1].hex() + "'"
    if isinstance(of, float) and (of != of or of in (float("inf"), float("-inf"))):
        of = str(of)
    if isinstance(of, str) and len(of) > limits["value"]:
        of = of[: limits["value"]] + "…"
    return of


def query(db, sql, limits):
    db.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY)
    found = db.execute(sql)
    if found.description is None:
        raise sqlite3.Error("expected one SELECT: this statement gives no rows")
    columns = [column[0] for column in found.description]
    if len(columns) > limits["columns"]:
        raise sqlite3.Error(f"expected at most {limits['columns']} columns")
    rows, size = [], 0
    for row in found:
        row = [value(of, limits) for of in row]
        size += len(json.dumps(row))
        if len(rows) == limits["rows"] or size > limits["bytes"]:
            return {"columns": columns, "rows": rows, "truncated": True}
        rows.append(row)
    return {"columns": columns, "rows": rows, "truncated": False}


def main():
    path, limits, what = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    try:
        db = open_for_reading(path, limits)
        answer = {"ok": look(db, path, limits) if what == "look" else query(db, sys.argv[4], limits)}
    except (sqlite3.Error, sqlite3.Warning, MemoryError) as error:
        answer = {"refused": str(error) or type(error).__name__}
    print(json.dumps(answer))


main()
