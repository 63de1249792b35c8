"""Runs a program as `python FILE` does. Written by previewd; no part of the app.

A server meant for its author's machine listens on the loopback address, where nobody reaches it in a
preview: here that is every address, and the first port asked for is the planned one.
"""

import os
import runpy
import socket
import sys

_EVERY = {"127.0.0.1": "0.0.0.0", "localhost": "0.0.0.0", "::1": "::"}


def _listen_on(planned):
    bind = socket.socket.bind
    asked = []

    def ours(self, address):
        if self.type == socket.SOCK_STREAM and isinstance(address, tuple) and isinstance(address[1], int):
            host, port, *rest = address
            if port:
                asked.append(port)
                address = (_EVERY.get(host, host), planned if port == asked[0] else port, *rest)
        return bind(self, address)

    socket.socket.bind = ours


def _main():
    planned, path = int(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    with open(path, "rb") as source:
        if b"uvloop" not in source.read():
            # It binds by itself; uvicorn does without it when it cannot be imported.
            sys.modules["uvloop"] = None
    _listen_on(planned)
    runpy.run_path(path, run_name="__main__")


_main()
