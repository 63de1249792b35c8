"""What a program serves, for the server of a preview. Written by previewd; no part of the app.

Programs make their tables and load their first data under `if __name__ == "__main__"`, and then start a
server meant for their author's machine. Here the program is run as `python FILE` runs it, up to that
start; what it was about to serve is `app` of this module.
"""

import importlib
import importlib.util
import os
import sys
import traceback


class _Served(BaseException):
    """Ends the program where it starts its server; nothing that excepts an Exception holds it up."""

    def __init__(self, app, factory):
        super().__init__()
        self.app = app
        self.factory = factory


def _start(at):
    def start(*arguments, factory=False, **options):
        given = arguments[at] if len(arguments) > at else options.get("app")
        raise _Served(given, factory)

    return start


def _dash(self, *_, **__):
    raise _Served(self.server, False)


def _uvicorn_server(self, *_, **__):
    raise _Served(self.config.app, self.config.factory)


# What starts a server, and which of its arguments it serves.
_STARTS = (
    ("flask", "Flask", "run", _start(0)),
    ("quart", "Quart", "run", _start(0)),
    ("flask_socketio", "SocketIO", "run", _start(1)),
    ("dash", "Dash", "run", _dash),
    ("dash", "Dash", "run_server", _dash),
    ("uvicorn", "", "run", _start(0)),
    ("uvicorn", "Server", "run", _uvicorn_server),
    ("uvicorn", "Server", "serve", _uvicorn_server),
    ("waitress", "", "serve", _start(0)),
    ("bottle", "Bottle", "run", _start(0)),
)


def _take_starts(text):
    """Puts ours in place of each, and gives back how to undo it."""
    likely = "uvicorn" if "uvicorn" in sys.modules else "flask"
    taken = []
    for package, owner, name, start in _STARTS:
        if package != likely and package not in text:
            continue
        try:
            module = importlib.import_module(package)
        except ImportError:
            continue
        # A folder of the app may have a library's name.
        place = getattr(module, owner, None) if owner else module
        if place is None:
            continue
        taken.append((place, name, getattr(place, name, None)))
        setattr(place, name, start)
    return taken


def _run(name, wanted):
    """The module, run as a program, and what it was about to serve."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(f"no module {name}", name=name)
    module = importlib.util.module_from_spec(spec)
    module.__name__ = "__main__"
    # Whoever imports it by its name gets the one that runs, and no second one.
    sys.modules[name] = sys.modules["__main__"] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
    code = spec.loader.get_code(name)
    taken = _take_starts(spec.loader.get_source(name) or "")
    arguments, sys.argv = sys.argv, [spec.origin]
    try:
        exec(code, module.__dict__)
    except _Served as end:
        return module, end
    except (Exception, SystemExit):
        # What is to be served may be there all the same, as it is for whoever imports it.
        if not hasattr(module, wanted):
            raise
        traceback.print_exc()
    finally:
        sys.argv = arguments
        # The server of the preview may be one of them.
        for start in taken:
            setattr(*start)
    return module, _Served(None, False)


def _outside_of_loops(call, *arguments):
    """uvicorn imports in its loop, where a program could not run one of its own."""
    events = sys.modules.get("asyncio.events")
    loop = events and events._get_running_loop()
    if not loop:
        return call(*arguments)
    events._set_running_loop(None)
    try:
        return call(*arguments)
    finally:
        events._set_running_loop(loop)


def _member(module, path):
    found = module
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _served(target):
    name, _, path = target.partition(":")
    module, end = _outside_of_loops(_run, name, path.removesuffix("()").partition(".")[0])
    app = end.app
    if isinstance(app, str):
        of, _, path = app.partition(":")
        own = of.rpartition(".")[2] == name.rpartition(".")[2]
        app = _member(module if own else importlib.import_module(of), path or "app")
    elif app is None:
        made = path.endswith("()")
        app = _member(module, path.removesuffix("()"))
        return app() if made else app
    return app() if end.factory else app


app = _served(os.environ["PREVIEWD_PROGRAM"])
