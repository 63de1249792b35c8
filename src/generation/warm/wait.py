"""Loads modules, waits for an order, and then is the app's process.

An order is a file: folder, number of arguments, arguments, number of variables that are no more,
their names, and the other variables, each ended by a NUL. What was loaded is used only where the app, started anew, would have come to load the same: no variable
that was read meanwhile has another value now, and no module of the app's own has the name of one
that is loaded. Else the app is started anew, in this process's place.
"""


def wait(os, sys, order, modules):
    import time

    # What is in any interpreter, and can have no other.
    always = set(sys.modules)
    environment, read = os.environ, set()
    plain = type(environment)

    class Watched(plain):
        """Remembers who asked for what; for all of it, under None."""

        def __getitem__(self, name):
            read.add(name)
            return plain.__getitem__(self, name)

        def __iter__(self):
            read.add(None)
            return plain.__iter__(self)

    def started_anew(program, arguments, variables):
        os.execve(program, arguments, variables)

    def found(program, path):
        if "/" in program:
            return program
        for folder in path.split(":"):
            if os.access(os.path.join(folder, program), os.X_OK):
                return os.path.join(folder, program)
        return program

    def is_this_interpreter(path):
        same = os.path.dirname(path) == os.path.dirname(sys.executable)
        return same and os.path.basename(path) in ("python", "python3", "python%d.%d" % sys.version_info[:2])

    def to_run(program, arguments):
        """Script, module, and the arguments as the interpreter would show them."""
        if is_this_interpreter(program):
            if len(arguments) > 2 and arguments[1] == "-m":
                return None, arguments[2], ["-m", *arguments[3:]]
            if len(arguments) > 1 and not arguments[1].startswith("-"):
                return arguments[1], None, arguments[1:]
            return None, None, None
        with open(program, "rb") as file:
            first = file.readline(256).decode("utf-8", "replace").strip()
        if first.startswith("#!") and is_this_interpreter(first[2:].strip()):
            return program, None, [program, *arguments[1:]]
        return None, None, None

    def is_of_the_app(folder):
        return not (folder + "/").startswith((sys.prefix + "/", sys.base_prefix + "/"))

    def hides_what_is_loaded(folders):
        for folder in folders:
            try:
                names = {entry.split(".", 1)[0] for entry in os.listdir(folder)}
            except OSError:
                continue
            if names & {"sitecustomize", "usercustomize"} or names & (set(sys.modules) - always):
                return True
        return False

    def taken():
        with open(order, "rb") as file:
            words = iter([os.fsdecode(part) for part in file.read().split(b"\0")[:-1]])
        os.unlink(order)
        folder = next(words)
        arguments = [next(words) for _ in range(int(next(words)))]
        variables = dict(environment)
        for _ in range(int(next(words))):
            variables.pop(next(words), None)
        variables.update(pair.split("=", 1) for pair in words)
        return folder, arguments, variables

    if os.path.exists(order):
        # Started again in a container that was warm once.
        folder, arguments, variables = taken()
        os.chdir(folder)
        started_anew(found(arguments[0], variables.get("PATH", os.defpath)), arguments, variables)
    spoiled = False
    environment.__class__ = os.environb.__class__ = Watched
    for name in modules:
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            # One that is not installed has loaded nothing; one that lacks another has.
            if not (error.name and (name + ".").startswith(error.name + ".")):
                spoiled = True
        except BaseException:
            spoiled = True
    environment.__class__ = os.environb.__class__ = plain

    def called(name):
        with open("/proc/self/comm", "w") as comm:
            comm.write(name)

    # Said by the name of the process, which its container's host can read.
    called("previewd-warm")
    while not os.path.exists(order):
        time.sleep(0.001)
    folder, arguments, variables = taken()
    before = dict(environment)
    changed = {name for name in {*before, *variables} if before.get(name) != variables.get(name)}
    for name in changed:
        if name in variables:
            environment[name] = variables[name]
        else:
            del environment[name]
    os.chdir(folder)
    program = found(arguments[0], variables.get("PATH", os.defpath))
    # Read by the interpreter itself and by libraries in C, which nobody can watch.
    unseen = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_", "OMP_", "OPENBLAS_", "MKL_")
    read = {None if name is None else os.fsdecode(name) for name in read}
    if spoiled or changed and None in read or changed & read or any(n.startswith(unseen) for n in changed):
        started_anew(program, arguments, variables)
    try:
        script, module, shown = to_run(program, arguments)
    except OSError:
        script, module, shown = None, None, None
    if not shown:
        started_anew(program, arguments, variables)
    first = os.path.dirname(os.path.realpath(script)) if script else folder
    # Servers look for the app where they are started, and where they are told to.
    places = [first, folder, *sys.path[1:], *arguments, *[word.partition("=")[2] for word in arguments]]
    if hides_what_is_loaded(filter(is_of_the_app, map(os.path.abspath, filter(os.path.isdir, places)))):
        started_anew(program, arguments, variables)
    for path in [path for path in sys.path_importer_cache if is_of_the_app(path)]:
        del sys.path_importer_cache[path]
    called(os.path.basename(program))
    sys.path[0] = first
    sys.argv[:] = shown
    if is_this_interpreter(program):
        sys.orig_argv[:] = arguments
    else:
        sys.orig_argv[:] = [sys.executable, *shown]
    return script, module, script and os.path.abspath(script)


def run(script, module, path):
    """The app, in the module it would be in, started anew."""
    import sys

    names = sys.modules["__main__"].__dict__
    kept = ("__name__", "__builtins__")
    for name in [name for name in names if name not in kept]:
        del names[name]
    nothing = dict.fromkeys(("__doc__", "__package__", "__loader__", "__spec__", "__cached__"))
    names.update(nothing, __annotations__={})
    try:
        if module:
            import runpy

            runpy._run_module_as_main(module)
        else:
            from importlib.machinery import SourceFileLoader

            names.update(__file__=path, __loader__=SourceFileLoader("__main__", path))
            with open(script, "rb") as file:
                code = compile(file.read(), path, "exec", dont_inherit=True)
            exec(code, names)
    except SystemExit:
        raise
    except BaseException as error:
        # Without the frames of this file, which are none of the app's.
        trace = error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None


if __name__ == "__main__":
    import os
    import sys

    run(*wait(os, sys, sys.argv[1], sys.argv[2:]))
