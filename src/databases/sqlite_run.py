# Runs a file of SQL on an SQLite file, statement by statement: sqlite_run.py DATABASE SQL
import sqlite3
import sys


def statements(path):
    pending, start = "", 1
    with open(path, encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not pending.strip():
                pending, start = "", number
            pending += line
            if sqlite3.complete_statement(pending):
                yield start, pending
                pending = ""
    if pending.strip():
        yield start, pending


def main():
    # Transactions are the file's own affair.
    db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
    for start, statement in statements(sys.argv[2]):
        try:
            # Of several on one line each is run.
            db.executescript(statement)
        except (sqlite3.Error, sqlite3.Warning) as error:
            sys.exit(f"error in line {start}: {error}")
    db.close()


main()
