# Runs a file of SQL on an SQLite file, statement by statement: sqlite_run.py DATABASE SQL
import sqlite3
import sys


def statements(text):
    """Each with the line it begins in."""
    pending, line = "", 1
    for piece in text.replace("\r\n", "\n").split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            empty = len(pending) - len(pending.lstrip())
            yield line + pending[:empty].count("\n"), pending
            line += pending.count("\n")
            pending = ""
    # What follows the last semicolon has got one of ours.
    if pending.strip(" \n\t;"):
        yield line, pending


def main():
    # Transactions are the file's own affair.
    db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
    with open(sys.argv[2], encoding="utf-8-sig") as file:
        text = file.read()
    for line, statement in statements(text):
        try:
            db.execute(statement)
        except (sqlite3.Error, sqlite3.Warning) as error:
            sys.exit(f"error in line {line}: {error}")
    db.close()


main()
