#!/usr/bin/python3
"""bench: what booting, requests and memory cost, in guest instructions and bytes.

Wall time means nothing without hardware virtualisation, so a QEMU plugin counts every guest
instruction (icount.c). The score is instructions plus an eighth of the bytes that REP string
instructions move, so that copying by loop and by REP count alike. The peer, a minimal Linux virtual
machine with the same server, runs in the same command. Writes a table to standard output and, with
--write, into docs/performance.md between its two markers.
"""
import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
os.chdir(ROOT)
import vm  # noqa: E402

OUT = "build/bench"
PLUGIN = f"{OUT}/icount.so"
LINUX = f"{OUT}/linux"
# The best boot found for that kernel without building another: unpacked, entered by PVH.
LINUX_CMDLINE = ("console=ttyS0 panic=-1 quiet mitigations=off no_timer_check tsc=reliable "
                 "init_on_alloc=0 audit=0 cryptomgr.notests")
BULK_BYTES = 16 << 20
WARM = 50  # requests before counting
PAUSE = 0.002  # seconds between requests: each finds the machine idle
MAIN, LISTENING, DONE, BULK_BEGIN, BULK_END = "12345"
ANSWER_END = b"Hello, world\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

YAML = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
mode: {mode}
listener: !socket
  bind: 0.0.0.0:8080
log: !fd stdout
bytes: {bytes}
"""


class Virga:
    name = "Virga"

    def __init__(self, arch):
        self.arch = arch

    def image(self, mode):
        """Returns the QEMU arguments that boot the server in a mode."""
        path = f"{OUT}/virga-{self.arch}-{mode}"
        with open(path + ".yaml", "w") as out:
            out.write(YAML.format(mode=mode, bytes=BULK_BYTES))
        kernel = f"build/{self.arch}/kernel"
        suffix = ".elf" if self.arch == "x86_64" else ".image"
        subprocess.run([vm.MKIMAGE, "--kernel", kernel + ".elf", "--symbols", kernel + ".symbols",
                        "--program", f"build/{self.arch}/apps/bench", "--config", path + ".yaml",
                        "-o", path + suffix], check=True)
        return {"image": path + suffix}


class Linux:
    name = "minimal Linux"

    def __init__(self, arch):
        self.arch = arch

    def image(self, mode):
        arguments = mode if mode != "bulk" else f"bulk {BULK_BYTES}"
        return {"image": f"{LINUX}/vmlinux", "cmdline": f"{LINUX_CMDLINE} -- {arguments}",
                "extra": ["-initrd", f"{LINUX}/initramfs.gz"]}


class Guest:
    """One run of a guest under the counting plugin (or, for memory, without it)."""

    def __init__(self, system, mode, machine=None, mem=256, plugin=True, rng=True):
        self.directory = tempfile.TemporaryDirectory()
        self.marks_path = self.directory.name + "/marks"
        self.console_path = self.directory.name + "/console"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        how = system.image(mode)
        how["extra"] = [*how.get("extra", ()), "-accel", "tcg,thread=single", "-smp", "1"]
        if plugin:
            # With icount the guest's clocks follow its instructions, so a busy host changes nothing.
            how["extra"] += ["-plugin", f"{PLUGIN},out={self.marks_path}", "-icount", "shift=0"]
        bus = "device" if machine and machine.startswith("microvm") else "pci"
        self.command = vm.qemu(system.arch, machine=machine, mem=mem, ports=[(self.port, 8080)],
                               net=f"virtio-net-{bus}", rng=f"virtio-rng-{bus}" if rng else None, **how)

    def __enter__(self):
        with open(self.console_path, "wb") as console:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=console,
                                            stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()

    def console(self):
        with open(self.console_path, "rb") as file:
            return file.read().decode("latin1")

    def marks(self):
        if not os.path.exists(self.marks_path):
            return []
        with open(self.marks_path) as file:
            rows = [line.split() for line in file if line.endswith("\n")]
        return [(row[0], int(row[1]) + int(row[2]) + int(row[4]) // 8) for row in rows if len(row) == 5]

    def wait(self, condition, what):
        end = time.monotonic() + 300
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no {what}:\n{self.console()[-2000:]}")
            time.sleep(0.02)

    def wait_mark(self, name, count=1):
        self.wait(lambda: sum(m[0] == name for m in self.marks()) >= count, f"mark {name}")
        return [score for mark, score in self.marks() if mark == name]

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), 60)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s


def ask(s):
    s.sendall(REQUEST)
    got = b""
    while not got.endswith(ANSWER_END):
        data = s.recv(4096)
        if not data:
            raise RuntimeError(f"closed early: {got!r}")
        got += data


def boot(system, machine):
    """Instructions from reset to the program's first line."""
    with Guest(system, "keep", machine) as guest:
        guest.wait_mark(LISTENING)
        with guest.connect() as s:
            ask(s)
        return guest.wait_mark(MAIN)[0]


def requests(system, mode, count):
    """Median instructions per request: on one connection (keep), or one connection each (conn)."""
    with Guest(system, mode) as guest:
        guest.wait_mark(LISTENING)
        kept = guest.connect() if mode == "keep" else None
        for _ in range(count + WARM):
            time.sleep(PAUSE)
            if kept:
                ask(kept)
                continue
            with guest.connect() as s:
                ask(s)
        scores = guest.wait_mark(DONE, count + WARM)[WARM:]
    return statistics.median(b - a for a, b in zip(scores, scores[1:]))


def bulk(system):
    """Instructions per byte that the guest sends."""
    with Guest(system, "bulk") as guest:
        guest.wait_mark(LISTENING)
        with guest.connect() as s:
            s.sendall(REQUEST)
            got = 0
            while data := s.recv(1 << 20):
                got += len(data)
        if got != BULK_BYTES:
            raise RuntimeError(f"{got} bytes of {BULK_BYTES}")
        end = guest.wait_mark(BULK_END)[0]
        return (end - guest.wait_mark(BULK_BEGIN)[0]) / BULK_BYTES


def serves(system, mem):
    try:
        with Guest(system, "keep", mem=mem, plugin=False) as guest:
            guest.wait(lambda: "listening" in guest.console(), "listening")
            with guest.connect() as s:
                for _ in range(200):
                    ask(s)
        return True
    except (OSError, RuntimeError):
        return False


def least_memory(system, low, high):
    """The least -m, in MiB, with which 200 requests are served."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if serves(system, middle) else (middle, high)
    return high


def stripped_bytes(system):
    """The bytes that boot, program included."""
    if isinstance(system, Linux):
        return os.path.getsize(f"{LINUX}/vmlinuz") + os.path.getsize(f"{LINUX}/initramfs.gz")
    out = f"{OUT}/hello-stripped.elf"
    subprocess.run([vm.MKIMAGE, "--strip", "--kernel", f"build/{system.arch}/kernel.elf", "--symbols",
                    f"build/{system.arch}/kernel.symbols", "--program",
                    f"build/{system.arch}/apps/hello", "--config", "apps/hello/hello.yaml", "-o", out],
                   check=True)
    return os.path.getsize(out)


def rows_for(arch, count):
    """(what, function of a system) for every line of the table."""
    machines = ["q35", "microvm"] if arch == "x86_64" else ["virt"]
    for machine in machines:
        yield f"reset to the program's first line, {machine}, instructions", lambda s, m=machine: boot(s, m)
    yield "one keep-alive request, instructions", lambda s: requests(s, "keep", count)
    yield "one connection per request, instructions", lambda s: requests(s, "conn", count)
    yield "TCP send, instructions per byte", bulk
    yield "least memory that serves 200 requests, MiB", lambda s: (
        least_memory(s, 1, 16) if isinstance(s, Virga) else least_memory(s, 40, 128))
    yield "bytes that boot, stripped, program included", stripped_bytes


def show(value):
    return f"{value:.2f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"


def table(arch, count, systems):
    lines = ["| " + " | ".join(["what", *(s.name for s in systems)]) + " |", "| --- " * (len(systems) + 1) + "|"]
    for what, measure in rows_for(arch, count):
        values = [show(measure(system)) for system in systems]
        lines.append("| " + " | ".join([what, *values]) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def write_doc(arch, text, path="docs/performance.md"):
    begin, end = f"<!-- {arch} begin -->", f"<!-- {arch} end -->"
    with open(path) as file:
        doc = file.read()
    head, rest = doc.split(begin)
    _, tail = rest.split(end)
    with open(path, "w") as file:
        file.write(f"{head}{begin}\n{text}\n{end}{tail}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--count", type=int, default=300, help="requests counted")
    parser.add_argument("--no-peer", action="store_true", help="Virga alone")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    subprocess.run(["clang", "-O2", "-shared", "-fPIC", "-o", PLUGIN, "tests/bench/icount.c"], check=True)
    systems = [Virga(options.arch)]
    if not options.no_peer and options.arch == "x86_64":
        subprocess.run(["tests/bench/build-linux", LINUX], check=True)
        systems.append(Linux(options.arch))
    text = table(options.arch, options.count, systems)
    print(text)
    if options.write:
        write_doc(options.arch, text)


if __name__ == "__main__":
    main()
