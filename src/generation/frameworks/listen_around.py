"""Runs a program as `python FILE` does. Written by previewd; no part of the app.

A server meant for its author's machine listens on the loopback address, where nobody reaches it in a
preview: here that is every address, and the first port asked for is the planned one.
"""

import os
import runpy
import socket
import sys

_EVERY = {"127.0.0.1": "0.0.0.0", "localhost": "0.0.0.0", "::1": "::"}


class _NoLoopForUvicorn:
    """uvloop binds by itself. uvicorn does without it when it cannot be imported; the app may have it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "uvloop":
            return None
        frame = sys._getframe(1)
        while frame and "importlib" in frame.f_globals.get("__name__", ""):
            frame = frame.f_back
        if frame and frame.f_globals.get("__name__", "").startswith("uvicorn."):
            raise ModuleNotFoundError("uvicorn does without uvloop here", name=name)
        return None


def _listen_on(planned, is_named):
    bind = socket.socket.bind
    asked = []

    def ours(self, address):
        if self.type == socket.SOCK_STREAM and isinstance(address, tuple) and isinstance(address[1], int):
            host, port, *rest = address
            if port:
                asked.append(port)
                address = (_EVERY.get(host, host), planned if port == asked[0] and not is_named else port, *rest)
        return bind(self, address)

    socket.socket.bind = ours


def _main():
    planned, path = int(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    with open(path, "rb") as source:
        # Where the code names the planned port, the others it listens on are meant as they are.
        is_named = str(planned).encode() in source.read()
    sys.meta_path.insert(0, _NoLoopForUvicorn)
    _listen_on(planned, is_named)
    runpy.run_path(path, run_name="__main__")


_main()
