"""Loads modules, waits for an order, and then runs the app in a child that has them.

An order is a file: folder, number of arguments, arguments, and the variables besides those of this
process, each ended by a NUL. The first may be given with the modules: `--`, folder, arguments. What
was loaded is used only where the app, started anew, would have come to load the same: no variable
that was read meanwhile has another value now, and no module of the app's own has the name of one
that is loaded. Else the app is started anew, in this process's place.

No line of the app ever runs in this process. It passes on what it is told, ends as the child ends,
and on one signal ends the child and takes the next order.
"""

import _signal
import gc
import os
import sys
import time

AGAIN = 16
GRACE_S = 2
PASSED_ON = [_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1,
             _signal.SIGUSR2, _signal.SIGWINCH]
# Read by the interpreter itself and by libraries in C, where nobody can watch.
UNSEEN = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_", "OMP_", "OPENBLAS_", "MKL_")


def called(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)


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


def is_of_the_app(folder):
    return not (folder + "/").startswith((sys.prefix + "/", sys.base_prefix + "/"))


def to_run(program, arguments):
    """Script, module, and the arguments as the interpreter would show them."""
    if is_this_interpreter(program):
        if len(arguments) > 2 and arguments[1] == "-m":
            return None, arguments[2], ["-m", *arguments[3:]]
        if len(arguments) > 1 and not arguments[1].startswith("-"):
            return arguments[1], None, arguments[1:]
        return None
    with open(program, "rb") as file:
        first = file.readline(256).decode("utf-8", "replace").strip()
    if first.startswith("#!") and is_this_interpreter(first[2:].strip()):
        return program, None, [program, *arguments[1:]]
    return None


class Loaded:
    """What is in this process, and what that depends on."""

    def __init__(self, modules):
        # What is in any interpreter, and can have no other.
        self.always = set(sys.modules)
        self.environment = dict(os.environ)
        self.read = set()
        self.is_whole = True
        self.watching(modules)
        self.read = {None if name is None else os.fsdecode(name) for name in self.read}

    def watching(self, modules):
        read, plain = self.read, type(os.environ)

        class Watched(plain):
            """Remembers who asked for what; for all of it, as None."""

            def __getitem__(self, name):
                read.add(name)
                return plain.__getitem__(self, name)

            def __iter__(self):
                read.add(None)
                return plain.__iter__(self)

        os.environ.__class__ = os.environb.__class__ = Watched
        for name in modules:
            try:
                __import__(name)
            except ModuleNotFoundError as error:
                # One that is not installed has loaded nothing; one that lacks another has.
                if not (error.name and (name + ".").startswith(error.name + ".")):
                    self.is_whole = False
            except BaseException:
                self.is_whole = False
        os.environ.__class__ = os.environb.__class__ = plain

    def would_be_the_same(self, variables, places):
        names = {*self.environment, *variables}
        changed = {name for name in names if self.environment.get(name) != variables.get(name)}
        if changed and None in self.read or changed & self.read:
            return False
        if any(name.startswith(UNSEEN) for name in changed):
            return False
        return self.is_whole and not self.is_hidden_by(places)

    def is_hidden_by(self, places):
        return hidden({*sys.modules} - self.always, places)


def hidden(names, places):
    """Whether the app has a module of its own by one of the names."""
    names = names | {"sitecustomize", "usercustomize"}
    folders = {os.path.abspath(place) for place in places if os.path.isdir(place)}
    for folder in filter(is_of_the_app, folders):
        if names & {entry.split(".", 1)[0] for entry in os.listdir(folder)}:
            return True
    return False


class Order:
    def __init__(self, folder, arguments, variables):
        self.folder, self.arguments, self.variables = folder, arguments, variables
        self.program = found(arguments[0], variables.get("PATH", os.defpath))
        try:
            self.run = to_run(self.program, arguments)
        except OSError:
            self.run = None
        # What is named from there is looked for there.
        os.chdir(folder)

    @classmethod
    def read(cls, place, environment):
        with open(place, "rb") as file:
            words = iter([os.fsdecode(part) for part in file.read().split(b"\0")[:-1]])
        os.unlink(place)
        folder = next(words)
        arguments = [next(words) for _ in range(int(next(words)))]
        return cls(folder, arguments, {**environment, **dict(pair.split("=", 1) for pair in words)})

    @classmethod
    def first(cls, place, given):
        """The one that is there already, which is the given one where there is such."""
        is_there = os.path.exists(place)
        if not given:
            # Started again in a container that has waited once.
            return cls.read(place, os.environ) if is_there else None
        if is_there:
            # Not taken before this was started again.
            os.unlink(place)
        return cls(given[0], given[1:], dict(os.environ))

    def start_anew(self):
        os.execve(self.program, self.arguments, self.variables)

    def folder_of_program(self):
        script = self.run[0]
        return os.path.dirname(os.path.realpath(script)) if script else self.folder

    def places(self):
        """Where the app's own modules are looked for."""
        # Servers look for the app where they are started, and where they are told to.
        told = [*self.arguments, *[word.partition("=")[2] for word in self.arguments]]
        return [self.folder_of_program(), self.folder, *sys.path[1:], *told]

    def may_have(self, modules):
        return self.run is not None and not hidden({name.split(".", 1)[0] for name in modules}, self.places())

    def prepared(self, loaded):
        """Everything is as the app finds it when it is started: script, module, and its path."""
        if self.run is None or not loaded.would_be_the_same(self.variables, self.places()):
            self.start_anew()
        script, module, shown = self.run
        first = self.folder_of_program()
        for name in [name for name in os.environ if name not in self.variables]:
            del os.environ[name]
        for name, value in self.variables.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        for path in [path for path in sys.path_importer_cache if is_of_the_app(path)]:
            del sys.path_importer_cache[path]
        sys.path[0] = first
        sys.argv[:] = shown
        sys.orig_argv[:] = self.arguments if is_this_interpreter(self.program) else [sys.executable, *shown]
        return script, module, script and os.path.abspath(script)


class Child:
    """The app, as its parent sees it."""

    def __init__(self):
        self.pid = None
        self.is_to_go = False
        self.early = []
        self.before = {number: _signal.getsignal(number) for number in [*PASSED_ON, AGAIN, _signal.SIGALRM]}
        for number in PASSED_ON:
            _signal.signal(number, self.passed_on)
        _signal.signal(AGAIN, self.ended)
        _signal.signal(_signal.SIGALRM, lambda *_: self.told(_signal.SIGKILL))

    def told(self, number):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def passed_on(self, number, _frame):
        if self.pid:
            self.told(number)
        elif self.pid is None:
            self.early.append(number)

    def ended(self, *_):
        if self.pid:
            self.is_to_go = True
            self.told(_signal.SIGTERM)
            _signal.setitimer(_signal.ITIMER_REAL, GRACE_S)

    def is_born(self):
        """True in the child itself; in the parent false, once the child is to make room for another."""
        self.pid = os.fork()
        if self.pid == 0:
            for number, handler in self.before.items():
                _signal.signal(number, handler)
            return True
        while self.early:
            self.told(self.early.pop(0))
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        if not self.is_to_go:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
        self.is_to_go = False
        return False


def wait(place, words):
    end = words.index("--") if "--" in words else len(words)
    modules, now = words[:end], Order.first(place, words[end + 1:])
    if now and not now.may_have(modules):
        now.start_anew()
    # The app may be there already, and nothing of it is to be loaded here.
    sys.path[0] = sys.prefix
    loaded = Loaded(modules)
    shorten_naps(sys.modules)
    # What is loaded stays. Looking through it would copy every page that a child shares.
    if not now:
        gc.collect()
    gc.freeze()
    # Said by the name of the process, which its container's host can read.
    called("previewd-warm")
    while not (now or os.path.exists(place)):
        time.sleep(0.001)
    # A thread is in no child. Without one, the process itself is the app.
    child = Child() if len(os.listdir("/proc/self/task")) == 1 else None
    while True:
        now = now or Order.read(place, loaded.environment)
        prepared = now.prepared(loaded)
        if child is None or child.is_born():
            called(os.path.basename(now.program))
            return prepared
        now = None


def run(script, module, path):
    """The app, in the module it would be in, started anew."""
    import sys as system

    names = system.modules["__main__"].__dict__
    for name in [name for name in names if name not in ("__name__", "__builtins__")]:
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
        system.excepthook(type(error), error.with_traceback(trace), trace)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None


if __name__ == "__main__":
    run(*wait(sys.argv[1], sys.argv[2:]))
