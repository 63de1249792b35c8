"""What an ordinary process may read, write and become."""

import glob
import os
import resource
import stat


class Denied(Exception):
    """The attempt did not work, without an error of the kernel's."""


def status(field):
    with open("/proc/self/status") as lines:
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(field + ":"))


def expect(field, wanted):
    def look():
        found = status(field)
        if found == wanted:
            raise Denied(f"{field} is {found}")
        return f"{field} is {found}"
    return look


def no_capability(field):
    return expect(field, "0" * 16)


def write(path, text="1"):
    def attempt():
        with open(path, "w") as file:
            file.write(text)
        return f"{path} was written"
    return attempt


def write_any(pattern, text):
    """The first path of the pattern that takes it."""
    def attempt():
        paths = sorted(glob.glob(pattern, recursive=True))[:50]
        last = Denied(f"there is no {pattern}")
        for path in paths:
            try:
                return write(path, text)()
            except OSError as error:
                last = error
        raise last
    return attempt


def read(path):
    """Masked files are empty, or are devices that are."""
    def attempt():
        with open(path, "rb") as file:
            found = file.read(64)
        if not found.strip(b"\0"):
            raise Denied(f"{path} is empty")
        return f"{path} begins with {found[:16]!r}"
    return attempt


def listing(path):
    def attempt():
        found = os.listdir(path)
        if not found:
            raise Denied(f"{path} is empty")
        return f"{path} holds {found[:5]}"
    return attempt


def exists(*paths):
    def attempt():
        found = [path for path in paths if os.path.exists(path)]
        if not found:
            raise Denied("none is there")
        return f"there is {found}"
    return attempt


def root():
    if os.getuid() and os.geteuid() and os.getgid() and 0 not in os.getgroups():
        raise Denied(f"user {os.getuid()}, group {os.getgid()}")
    return f"user {os.getuid()}, group {os.getgid()}, groups {os.getgroups()}"


def become_root():
    os.setuid(0)
    return "is root"


def become_group():
    os.setgroups([0])
    return "is of group 0"


def set_user_bit():
    """A program of one's own that would be somebody else's."""
    path = "/tmp/other"
    with open(path, "wb") as file:
        file.write(b"#!/bin/sh\n")
    try:
        os.chown(path, 0, 0)
        return "a file was given to root"
    finally:
        os.unlink(path)


def kernel_addresses():
    with open("/proc/kallsyms") as lines:
        shown = [line for line in lines if not line.startswith("0" * 16)][:1]
    if not shown:
        raise Denied("all addresses are 0")
    return shown[0].strip()


def foreign_processes():
    """Every process in sight descends from our own first one."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                number, rest = file.read().split(" (", 1)
            parents[int(number)] = int(rest.rsplit(") ", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
    strangers = [pid for pid, parent in parents.items() if parent not in parents and parent != 0]
    if len(parents) < 64 and not strangers:
        raise Denied(f"{len(parents)} processes, all ours")
    return f"{len(parents)} processes, strangers {strangers[:5]}"


def foreign_environment():
    """The variables of anything that is not of our user."""
    for path in glob.glob("/proc/[0-9]*/environ"):
        if os.stat(path).st_uid != os.getuid():
            with open(path, "rb") as file:
                return f"{path}: {file.read(40)!r}"
    raise Denied("no process of another user is in sight")


def host_mounts():
    """Folders of the host besides what an engine puts there for names, and our own volumes."""
    usual = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/app"}
    found = []
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            words = line.split()
            kind = words[words.index("-") + 1]
            if kind not in {"overlay", "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"}:
                if words[4] not in usual and not words[4].startswith(("/proc", "/sys")) and not words[4].endswith("/docker-init"):
                    found.append(words[4])
    if not found:
        raise Denied("none but those of names and our own volumes")
    return f"{found}"


def careless_mounts():
    """Writable places where set-user-id bits and devices count."""
    found = []
    with open("/proc/self/mounts") as lines:
        for line in lines:
            _, place, kind, options = line.split()[:4]
            options = options.split(",")
            if kind == "tmpfs" and "rw" in options and not {"nosuid", "nodev"} <= set(options):
                if place != "/dev" and not place.startswith(("/proc/", "/sys/")):
                    found.append(place)
    if not found:
        raise Denied("every writable tmpfs is nosuid,nodev")
    return f"{found}"


def block_device():
    for path in glob.glob("/dev/*"):
        if stat.S_ISBLK(os.stat(path).st_mode):
            return f"{path} is there"
    raise Denied("no block device is there")


def raises(limit, to):
    def attempt():
        try:
            resource.setrlimit(limit, (to, to))
        except ValueError as error:
            raise Denied(str(error)) from error
        return f"it is {to} now"
    return attempt


def priority():
    os.nice(-10)
    return "runs before others"


def real_time():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    return "runs in real time"


def attempts():
    cgroup = "/sys/fs/cgroup/**/"
    return [
        ("identity: root, or a group of it", root),
        ("identity: setuid(0)", become_root),
        ("identity: setgroups(0)", become_group),
        ("identity: giving a file to root", set_user_bit),
        ("capabilities: effective", no_capability("CapEff")),
        ("capabilities: permitted", no_capability("CapPrm")),
        ("capabilities: bounding", no_capability("CapBnd")),
        ("capabilities: ambient", no_capability("CapAmb")),
        ("capabilities: new privileges by exec", expect("NoNewPrivs", "1")),
        ("capabilities: system calls without seccomp", expect("Seccomp", "2")),
        ("files: write /etc", write("/etc/hostile")),
        ("files: write /usr/bin", write("/usr/bin/hostile")),
        ("files: write /etc/hosts", write("/etc/hosts")),
        ("files: write /etc/resolv.conf", write("/etc/resolv.conf")),
        ("files: write our first process's program", write("/proc/1/exe")),
        ("files: mounts of the host", host_mounts),
        ("files: tmpfs with set-user-id bits or devices", careless_mounts),
        ("files: the engine's socket", exists("/var/run/docker.sock", "/run/docker.sock",
                                              "/run/containerd/containerd.sock", "/run/podman/podman.sock")),
        ("files: the engine's data", exists("/var/lib/docker", "/var/lib/containerd", "/host", "/rootfs")),
        ("proc: core_pattern", write("/proc/sys/kernel/core_pattern", "|/tmp/x")),
        ("proc: modprobe", write("/proc/sys/kernel/modprobe", "/tmp/x")),
        ("proc: sysrq-trigger", write("/proc/sysrq-trigger", "h")),
        ("proc: drop_caches", write("/proc/sys/vm/drop_caches")),
        ("proc: ip_forward", write("/proc/sys/net/ipv4/ip_forward")),
        ("proc: a lower oom_score_adj", write("/proc/self/oom_score_adj", "-1000")),
        ("proc: uid_map", write("/proc/self/uid_map", "0 0 1")),
        ("proc: kcore", read("/proc/kcore")),
        ("proc: keys", read("/proc/keys")),
        ("proc: timer_list", read("/proc/timer_list")),
        ("proc: sched_debug", read("/proc/sched_debug")),
        ("proc: addresses of the kernel", kernel_addresses),
        ("proc: processes of others", foreign_processes),
        ("proc: environment of others", foreign_environment),
        ("sys: firmware", listing("/sys/firmware")),
        ("sys: uevent_helper", write("/sys/kernel/uevent_helper", "/tmp/x")),
        ("sys: any setting of the kernel", write_any("/sys/kernel/mm/**/enabled", "always")),
        ("cgroup: release_agent", write_any(cgroup + "release_agent", "/tmp/x")),
        ("cgroup: notify_on_release", write_any(cgroup + "notify_on_release", "1")),
        ("cgroup: more memory", write_any(cgroup + "memory.limit_in_bytes", "-1")),
        ("cgroup: more memory (v2)", write_any(cgroup + "memory.max", "max")),
        ("cgroup: more processes", write_any(cgroup + "pids.max", "max")),
        ("cgroup: more CPU", write_any(cgroup + "cpu.cfs_quota_us", "-1")),
        ("cgroup: moving ourselves", write_any(cgroup + "cgroup.procs", "0")),
        ("cgroup: devices", write_any(cgroup + "devices.allow", "a")),
        ("devices: block devices", block_device),
        ("devices: /dev/mem", read("/dev/mem")),
        ("devices: /dev/kmsg", read("/dev/kmsg")),
        ("devices: fuse, kvm, tun", exists("/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/vhost-net")),
        ("limits: more open files", raises(resource.RLIMIT_NOFILE, 1 << 20)),
        ("limits: core dumps", raises(resource.RLIMIT_CORE, 1 << 30)),
        ("limits: a higher priority", priority),
        ("limits: real time", real_time),
    ]
