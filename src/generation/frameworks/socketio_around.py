"""Runs an app on Flask-SocketIO's own server, at the planned port. Written by previewd; no part of the app.

The module is run as `python -m MODULE` runs it where it starts its server itself, and imported otherwise.
What it imports first, and what that patches, is up to it: ours is put in place of what starts the server
once the app has imported that.
"""

import importlib
import importlib.util
import os
import runpy
import sys


class _Once:
    """Sees one package being imported."""

    def __init__(self, package, then):
        self.package, self.then = package, then

    def find_spec(self, name, path=None, target=None):
        if name != self.package:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                self.then(module)

            spec.loader.exec_module = exec_module
        return spec


def _main():
    planned, module, attribute = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    starts_itself = len(sys.argv) > 4
    sys.argv = [module]
    sys.path[0] = os.getcwd()
    serving = []

    def on_every_address(package):
        run = package.SocketIO.run

        def ours(self, app, host=None, port=None, **options):
            # A reloader would start it all once more. Only the server of threads knows the other.
            options["use_reloader"] = False
            if self.server is not None and self.server.eio.async_mode == "threading":
                options["allow_unsafe_werkzeug"] = True
            serving.append(self)
            return run(self, app, host="0.0.0.0", port=planned, **options)

        package.SocketIO.run = ours

    def by_the_librarys_server(package):
        run = package.Flask.run

        def ours(self, host=None, port=None, *given, **options):
            of_app = getattr(self, "extensions", {}).get("socketio")
            if of_app is not None and not serving:
                return of_app.run(self)
            if serving:
                # The server of threads is Flask's own.
                return run(self, host, port, *given, **options)
            options["use_reloader"] = False
            return run(self, "0.0.0.0", planned, *given, **options)

        package.Flask.run = ours

    for package, then in (("flask_socketio", on_every_address), ("flask", by_the_librarys_server)):
        if package in sys.modules:
            then(sys.modules[package])
        else:
            sys.meta_path.insert(0, _Once(package, then))
    if starts_itself:
        made = runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        made = vars(importlib.import_module(module))
    if serving:
        return
    # It left the start to whoever imports it.
    app = made[attribute[:-2]]() if attribute.endswith("()") else made[attribute]
    app.run()


_main()
