"""What can be reached that is not the public internet."""

import concurrent.futures
import os
import socket
import struct

from system import Denied

PATIENCE = 3


def gateway():
    with open("/proc/net/route") as lines:
        for line in lines:
            words = line.split()
            if words[1] == "00000000" and words[0] != "Iface":
                return socket.inet_ntoa(struct.pack("<I", int(words[2], 16)))
    raise Denied("there is no gateway")


def connect(host, port):
    """A connection refused by the host's own kernel is an answer of the host, and so reached."""
    def attempt():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.settimeout(PATIENCE)
            try:
                stream.connect((host, port))
            except ConnectionRefusedError:
                return f"{host}:{port} was reached, and nobody listens"
            except TimeoutError as error:
                raise OSError(f"{host}:{port} did not answer") from error
            return f"{host}:{port} took the connection"
    return attempt


def datagram(host, port):
    def attempt():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
            stream.settimeout(PATIENCE)
            stream.connect((host, port))
            stream.send(b"hostile")
            try:
                stream.recv(1)
            except ConnectionRefusedError:
                return f"{host}:{port} was reached, and nobody listens"
            except TimeoutError as error:
                raise OSError(f"{host}:{port} did not answer") from error
            return f"{host}:{port} answered"
    return attempt


def neighbours():
    """Addresses of other previews: those next to our own network, on the port apps listen on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((gateway(), 1))
        own = struct.unpack("!I", socket.inet_aton(probe.getsockname()[0]))[0]
    around = [own + 16 * step for step in range(-8, 9) if step]
    hosts = [socket.inet_ntoa(struct.pack("!I", address)) for address in around]

    def reached(host):
        try:
            return connect(host, 8000)()
        except OSError:
            return None
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = [answer for answer in pool.map(reached, hosts) if answer]
    if found:
        return found[0]
    raise Denied(f"none of {len(hosts)} answered")


def ipv6():
    with open("/proc/net/if_inet6") as lines:
        found = [line.split()[0] for line in lines if line.split()[5] != "lo"]
    if not found:
        raise Denied("no interface has an address")
    return f"{found}"


def attempts(targets):
    rows = [
        ("network: the gateway, ssh", lambda: connect(gateway(), 22)()),
        ("network: the gateway, an engine without TLS", lambda: connect(gateway(), 2375)()),
        ("network: the gateway, previewd", lambda: connect(gateway(), 8000)()),
        ("network: the gateway, names", lambda: datagram(gateway(), 53)()),
        ("network: the engine's own bridge", connect("172.17.0.1", 22)),
        ("network: metadata of a cloud", connect("169.254.169.254", 80)),
        ("network: metadata of a task", connect("169.254.170.2", 80)),
        ("network: link-local", connect("169.254.1.1", 80)),
        ("network: 10.0.0.0/8", connect("10.11.12.13", 80)),
        ("network: 172.16.0.0/12", connect("172.20.0.1", 80)),
        ("network: 192.168.0.0/16", connect("192.168.1.1", 80)),
        ("network: 100.64.0.0/10", connect("100.100.100.200", 80)),
        ("network: 127.0.0.0/8 of the host", connect("127.0.0.1", int(os.environ.get("HOST_PORT", "22")))),
        ("network: other previews", neighbours),
        ("network: IPv6", ipv6),
    ]
    for target in targets:
        host, _, port = target.rpartition(":")
        rows.append((f"network: {target}", connect(host, int(port))))
    # The container's own loopback has nothing of the host: refused there is as it should be.
    return [(name, own_loopback(attempt) if "127.0.0.0/8" in name else attempt) for name, attempt in rows]


def own_loopback(attempt):
    def look():
        said = attempt()
        if "nobody listens" in said:
            raise Denied("the loopback is our own")
        return said
    return look
