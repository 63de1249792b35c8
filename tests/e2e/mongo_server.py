"""A server of MongoDB's protocol, for tests: SecantusDB, which is MongoDB's storage engine behind
a server of its own, with users, roles and SCRAM. Every address of this host, a free port; `root`
may do everything, everybody else has to log in. Prints the port once it answers, and ends with its
standard input, however that ends.
"""

import secrets
import sys
import tempfile

from pymongo import MongoClient
from secantus import SecantusDBServer, commands


def users_info(doc, ctx, plain=commands._HANDLERS["usersInfo"]):
    """As MongoDB's manual has it: `forAllDBs` names the users of all databases."""
    if doc.get("usersInfo") == {"forAllDBs": True}:
        users = ctx.storage.list_users(None, limit=1000)
        hidden = "credentials"
        return {"users": [{k: v for k, v in user.items() if k != hidden} for user in users], "ok": 1.0}
    return plain(doc, ctx)


commands._HANDLERS["usersInfo"] = users_info

with tempfile.TemporaryDirectory(prefix="previewd-mongo.") as data:
    with SecantusDBServer("0.0.0.0", 0, data, replica_set_name=None) as server:
        password = secrets.token_hex(16)
        with MongoClient("127.0.0.1", server.port, directConnection=True) as client:
            client.admin.command("createUser", "root", pwd=password, roles=["root"])
        server.require_auth = True
        print(server.port, password, flush=True)
        sys.stdin.read()
