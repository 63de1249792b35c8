"""System calls that an app has no use for."""

import ctypes
import os
import platform
import socket

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

# x86-64, aarch64
NUMBERS = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "swapon": (167, 224), "reboot": (169, 142),
    "sethostname": (170, 161), "iopl": (172, None), "init_module": (175, 105), "quotactl": (179, 60),
    "settimeofday": (164, 170), "pivot_root": (155, 41), "chroot": (161, 51), "acct": (163, 89),
    "syslog": (103, 116), "kexec_load": (246, 104), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "unshare": (272, 97), "perf_event_open": (298, 241), "fanotify_init": (300, 262),
    "open_by_handle_at": (304, 265), "setns": (308, 268), "finit_module": (313, 273), "bpf": (321, 280),
    "userfaultfd": (323, 282), "mknodat": (259, 33), "open_tree": (428, 428), "fsopen": (430, 430),
    "move_pages": (279, 239), "clock_settime": (227, 112), "kcmp": (312, 272), "vhangup": (153, 58),
}

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)


def call(name, *arguments):
    """The result; an OSError when it is negative."""
    number = NUMBERS[name][0 if platform.machine() == "x86_64" else 1]
    if number is None:
        raise OSError(38, "there is no such call on this machine")
    ctypes.set_errno(0)
    words = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return f"{name} gave {result}"


def does(name, *arguments):
    return lambda: call(name, *arguments)


def in_child(work):
    """In a process of its own: what works there would change us."""
    def attempt():
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                said = b"1" + str(work()).encode()
            except OSError as error:
                said = b"0" + str(error).encode()
            os.write(writer, said[:200])
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        if said[:1] == b"1":
            return said[1:].decode()
        raise OSError(said[1:].decode() or "its process was killed")
    return attempt


def enter(kind):
    def attempt():
        handle = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY)
        try:
            return call("setns", handle, 0)
        finally:
            os.close(handle)
    return attempt


def opens(family, kind, protocol=0):
    def attempt():
        socket.socket(family, kind, protocol).close()
        return "it was opened"
    return attempt


def device(kind, major, minor):
    def attempt():
        path = f"/tmp/device-{major}-{minor}".encode()
        made = call("mknodat", -100, path, kind | 0o666, os.makedev(major, minor))
        os.unlink(path)
        return made
    return attempt


def attempts():
    mounts = {
        "tmpfs": (b"none", b"/tmp", b"tmpfs", 0, 0), "proc": (b"proc", b"/tmp", b"proc", 0, 0),
        "cgroup": (b"cgroup", b"/tmp", b"cgroup", 0, b"memory"), "bind of /": (b"/", b"/tmp", b"", 4096, 0),
        "/ for writing": (b"", b"/", b"", 32, 0),
    }
    namespaces = {"user": NEWUSER, "mount": NEWNS, "network": NEWNET, "process": NEWPID, "ipc": NEWIPC, "uts": NEWUTS}
    rows = [(f"mounts: {name}", in_child(does("mount", *arguments))) for name, arguments in mounts.items()]
    rows += [
        ("mounts: taking /proc/kcore's mask off", in_child(does("umount2", b"/proc/kcore", 0))),
        ("mounts: pivot_root", in_child(does("pivot_root", b"/tmp", b"/tmp"))),
        ("mounts: chroot", in_child(does("chroot", b"/tmp"))),
        ("mounts: fsopen", does("fsopen", b"tmpfs", 0)),
        ("mounts: open_tree", does("open_tree", -100, b"/", 1)),
        ("mounts: open_by_handle_at", does("open_by_handle_at", -100, 0, 0)),
    ]
    rows += [(f"namespaces: a new one: {n}", in_child(does("unshare", flag))) for n, flag in namespaces.items()]
    rows += [(f"namespaces: entering {kind}", in_child(enter(kind))) for kind in ("mnt", "net", "pid", "user")]
    rows += [
        ("devices: making a disk", device(0o060000, 8, 0)),
        ("devices: making /dev/mem", device(0o020000, 1, 1)),
        ("sockets: raw", opens(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
        ("sockets: packets", opens(socket.AF_PACKET, socket.SOCK_RAW)),
        ("keyrings: add_key", does("add_key", b"user", b"hostile", b"x", 1, -3)),
        ("keyrings: request_key", does("request_key", b"user", b"hostile", 0, -3)),
        ("keyrings: keyctl", does("keyctl", 0, -3, 0)),
        ("kernel: bpf", does("bpf", 0, 0, 0)),
        ("kernel: perf_event_open", does("perf_event_open", 0, 0, -1, -1, 0)),
        ("kernel: userfaultfd", does("userfaultfd", 0)),
        ("kernel: fanotify", does("fanotify_init", 0, 0)),
        ("kernel: init_module", does("init_module", 0, 0, b"")),
        ("kernel: finit_module", does("finit_module", 0, b"", 0)),
        ("kernel: kexec_load", does("kexec_load", 0, 0, 0, 0)),
        ("kernel: reboot", does("reboot", 0, 0, 0, 0)),
        ("kernel: the log", does("syslog", 3, 0, 0)),
        ("kernel: iopl", does("iopl", 3)),
        ("kernel: swapon", does("swapon", b"/tmp", 0)),
        ("kernel: acct", does("acct", b"/tmp/x")),
        ("kernel: quotactl", does("quotactl", 0, 0, 0, 0)),
        ("kernel: the clock", does("settimeofday", 0, 0)),
        ("kernel: the host's name", does("sethostname", b"hostile", 7)),
        ("kernel: vhangup", does("vhangup")),
        ("kernel: tracing a process of others", does("ptrace", 16, 2, 0, 0)),
    ]
    return rows
