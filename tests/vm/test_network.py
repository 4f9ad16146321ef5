"""TCP from outside: addresses, many connections, much data, and the memory that comes back."""
import random
import re
import hashlib
import socket
import threading

import pytest

from machine import ARCHS, Machine, compile_guest, make_image, open_connection, read_all

MIB = 1 << 20
TRANSFER = 64 * MIB
CONNECTIONS = 10000
SOURCE_PORTS = 64
YAML = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
listener: !socket
  bind: 0.0.0.0:8080
log: !fd stdout
count: {count}
bytes: {bytes}
"""


@pytest.fixture(scope="module", params=ARCHS)
def arch(request):
    return request.param


def build(arch, name, out, count=0, size=0):
    program = compile_guest(arch, f"tests/guest/{name}.c", out / name)
    return make_image(arch, program, YAML.format(count=count, bytes=size), out / "image")


def exchange(machine, message):
    with machine.connect() as s:
        s.sendall(message)
        s.shutdown(socket.SHUT_WR)
        return read_all(s)


@pytest.mark.parametrize("cmdline, line", [
    ("log=info", "10.0.2.15/24"), ("log=info ip=10.0.2.77/24 gw=10.0.2.2", "10.0.2.77/24")],
    ids=["dhcp", "static"])
def test_address(arch, cmdline, line, tmp_path):
    image = build(arch, "echo", tmp_path)
    machine = Machine(arch, image, guest_port=8080, cmdline=cmdline)
    machine.command = [re.sub(r"-:8080$", "-10.0.2.77:8080", word) if "77" in line else word
                       for word in machine.command]
    with machine:
        machine.wait_for(line)
        machine.wait_for("ready")
        assert exchange(machine, b"hello") == b"hello"


def source_ports():
    """Ports of our own, bound explicitly for every connection: from below those that systems give out by
    themselves, so that nobody takes one between two connections."""
    ports = []
    for port in random.sample(range(10000, 32768), 20 * SOURCE_PORTS):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == SOURCE_PORTS:
            return ports
    raise AssertionError("no free ports")


def connect_from(machine, port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(60)
    s.bind(("127.0.0.1", port))
    s.connect(("127.0.0.1", machine.port))
    return s


def serve_connections(arch, image, count):
    """`count` connections from few source ports, one after another; returns the console."""
    with Machine(arch, image, guest_port=8080, cmdline="log=info") as machine:
        machine.wait_for("ready")
        ports = source_ports()
        for i in range(count):
            message = b"request %d" % i
            with connect_from(machine, ports[i % len(ports)]) as s:
                s.sendall(message)
                assert read_all(s) == message, f"connection {i}"
        assert machine.wait_end()[1] == 0
        return machine.console


def memory_at_end(console):
    """The kernel's own figures: free pages in KiB, bytes of its heap in use."""
    match = re.search(r"memory at the end: (\d+) KiB free, (\d+) bytes of heap", console)
    assert match, console[-2000:]
    return int(match[1]), int(match[2])


def test_connections_reuse_ports_and_memory_returns(arch, tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir()
    many.mkdir()
    # Both fill the capped list of connections in TIME_WAIT; the second 50 times over.
    free_few, heap_few = memory_at_end(serve_connections(arch, build(arch, "connections", few, 200), 200))
    console = serve_connections(arch, build(arch, "connections", many, CONNECTIONS), CONNECTIONS)
    free_many, heap_many = memory_at_end(console)
    assert heap_many <= heap_few + 16384
    assert free_many >= free_few - 64


def test_concurrent_connections(arch, tmp_path):
    """64 at once, each with data of its own, byte for byte."""
    program = "build/%s/apps/httpd" % arch
    htdocs = tmp_path / "htdocs"
    htdocs.mkdir()
    (htdocs / "empty").write_bytes(b"")
    content = {}
    for i in range(64):
        content[i] = random.Random(i).randbytes(20000 + 997 * i)
        (htdocs / f"{i}.bin").write_bytes(content[i])
    (tmp_path / "c.yaml").write_text(
        "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\nlistener: !socket\n  bind: 0.0.0.0:8080\n"
        "root: !file\n  path: htdocs\nlog: !fd stdout\nthreads: 4\n")
    image = make_image(arch, program, str(tmp_path / "c.yaml"), tmp_path / "image")
    with Machine(arch, image, guest_port=8080) as machine:
        machine.wait_for("serving")
        sockets = [open_connection(machine, "/empty") for _ in range(64)]
        for i, s in enumerate(sockets):
            s.sendall(f"GET /{i}.bin HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
        for i, s in enumerate(sockets):
            assert read_all(s).split(b"\r\n\r\n", 1)[1] == content[i], f"connection {i}"
            s.close()


def test_transfer_both_ways_at_once(arch, tmp_path):
    """64 MiB through an echo: what comes back has the same SHA-256."""
    image = build(arch, "echo", tmp_path)
    block = random.Random(7).randbytes(MIB)
    with Machine(arch, image, guest_port=8080) as machine:
        machine.wait_for("ready")
        sent, received = hashlib.sha256(), hashlib.sha256()
        with machine.connect() as s:
            def send():
                for i in range(TRANSFER // MIB):
                    data = block[i:] + block[:i]
                    sent.update(data)
                    s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            sender = threading.Thread(target=send)
            sender.start()
            total = 0
            while data := s.recv(MIB):
                received.update(data)
                total += len(data)
            sender.join()
        assert total == TRANSFER
        assert received.hexdigest() == sent.hexdigest()


def sequence(seed, n):
    """What tests/guest/upload.c knows as well, made fast: the generator's period is far longer."""
    import array
    values = array.array("B", bytes(n))
    state = seed
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xffffffff
        values[i] = state >> 24
    return values.tobytes()


def test_slow_reader_and_writer(arch, tmp_path):
    """Back-pressure: the guest sends while nobody reads, and waits; nothing is lost."""
    size = MIB
    image = build(arch, "upload", tmp_path, size=size)
    with Machine(arch, image, guest_port=8080, mem=8) as machine:
        machine.wait_for("ready")
        with machine.connect() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            s.sendall(sequence(1, size))
            got = b"".join(iter(lambda: s.recv(1000), b""))
        assert got == sequence(2, size)
        assert machine.wait_end()[1] == 0
