#!/usr/bin/python3
"""bench: what booting, requests and memory cost, in guest instructions and bytes.

Wall time means nothing without hardware virtualisation, so a QEMU plugin counts every guest
instruction (icount.c). The score is instructions plus an eighth of the bytes that REP string
instructions move, so that copying by loop and by REP count alike. The peer, a minimal Linux virtual
machine with the same server, runs in the same command. Writes a table to standard output and, with
--write, into docs/performance.md between its two markers.
"""
import argparse
import functools
import os
import re
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
BUSY = 16  # connections that ask all at once
IDLE = 1000  # connections that ask once and stay
DISK_MIB = 256  # of the file `data`, and of memory:
DISK_MEM = 96
MAIN, LISTENING, DONE, BEGIN, END = "12345"
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
DISK_YAML = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
mode: disk
data: !file
  disk: 0
  writable: true
log: !fd stdout
"""


# What apps/bench/disk.c does, and by how much its counts are divided.
with open("apps/bench/disk.h") as header:
    DISK = {name: int(n) for name, n in re.findall(r"(DISK_\w+) = (\d+)", header.read())}
DISK_ROWS = [("4 KiB random read, uncached", "read pages", DISK["DISK_PAGES"]),
             ("4 KiB random write", "write pages", DISK["DISK_PAGES"]),
             ("sequential read, per MiB", "read", DISK_MIB),
             ("sequential write, per MiB", "write", DISK["DISK_WRITTEN_MIB"]),
             ("create, write 100 bytes, fsync", "create", DISK["DISK_FILES"])]


class Virga:
    name = "Virga"

    def __init__(self, arch):
        self.arch = arch
        self.kernel = f"build/{arch}/kernel"
        self.suffix = ".elf" if arch == "x86_64" else ".image"

    def pack(self, program, config, out, *options):
        subprocess.run([vm.MKIMAGE, *options, "--kernel", self.kernel + ".elf", "--symbols",
                        self.kernel + ".symbols", "--program", program, "--config", config, "-o", out],
                       check=True)
        return out

    def symbol(self, name):
        """The address of a variable of the kernel."""
        names = subprocess.run(["llvm-nm", self.kernel + ".elf"], check=True, capture_output=True,
                               text=True).stdout
        return int(re.search(rf"^([0-9a-f]+) . {name}$", names, re.M)[1], 16)

    def image(self, mode):
        """Returns the QEMU arguments that boot the server in a mode."""
        path = f"{OUT}/virga-{self.arch}-{mode}"
        with open(path + ".yaml", "w") as out:
            out.write(DISK_YAML if mode == "disk" else YAML.format(mode=mode, bytes=BULK_BYTES))
        return {"image": self.pack(f"build/{self.arch}/apps/bench", path + ".yaml", path + self.suffix)}


class Linux:
    name = "minimal Linux"

    def __init__(self, arch):
        self.arch = arch

    def image(self, mode):
        arguments = {"bulk": f"bulk {BULK_BYTES}", "direct": "disk 1"}.get(mode, mode)
        return {"image": f"{LINUX}/vmlinux", "cmdline": f"{LINUX_CMDLINE} -- {arguments}",
                "extra": ["-initrd", f"{LINUX}/initramfs.gz"]}


class Guest:
    """One run of a guest under the counting plugin (or, for memory, without it)."""

    def __init__(self, system, mode, machine=None, mem=256, plugin=True, rng=True, extra=()):
        self.directory = tempfile.TemporaryDirectory()
        self.marks_path = self.directory.name + "/marks"
        self.console_path = self.directory.name + "/console"
        self.monitor_path = self.directory.name + "/monitor"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        how = system.image(mode)
        how["extra"] = [*how.get("extra", ()), *extra, "-accel", "tcg,thread=single", "-smp", "1",
                        "-monitor", f"unix:{self.monitor_path},server,nowait"]
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

    def read_word(self, address):
        """Eight bytes of the guest's memory, by QEMU's monitor."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.monitor_path)
            s.sendall(f"x /1gx {address:#x}\n".encode())
            answer = ""
            while not (found := re.search(r"[0-9a-f]{16}: (0x[0-9a-f]{16})", answer)):
                answer += s.recv(4096).decode("latin1")
            return int(found[1], 16)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), 60)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s


def ask(s):
    s.sendall(REQUEST)
    take_answer(s)


def take_answer(s):
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
                if s.recv(1):  # closing first, at some moment or other, would change what is sent
                    raise RuntimeError("more than one answer")
        scores = guest.wait_mark(DONE, count + WARM)[WARM:]
    return statistics.median(b - a for a, b in zip(scores, scores[1:]))


def busy(system, rounds):
    """Mean instructions per request when many connections ask at once."""
    with Guest(system, "keep") as guest:
        guest.wait_mark(LISTENING)
        connections = [guest.connect() for _ in range(BUSY)]
        for _ in range(rounds):
            for s in connections:
                s.sendall(REQUEST)
            for s in connections:
                take_answer(s)
        scores = guest.wait_mark(DONE, rounds * BUSY)
    first = len(scores) // 5
    return (scores[-1] - scores[first]) / (len(scores) - 1 - first)


def idle_bytes(system):
    """Memory that a connection takes which has been answered and stays open."""
    if not isinstance(system, Virga):
        return None
    free_pages = system.symbol("pages_free")
    with Guest(system, "idle", mem=64, plugin=False) as guest:
        guest.wait(lambda: "listening" in guest.console(), "listening")
        connections, free = [], []
        for wanted in (WARM, WARM + IDLE):
            while len(connections) < wanted:
                connections.append(guest.connect())
                ask(connections[-1])
            time.sleep(1)
            free.append(guest.read_word(free_pages))
        for s in connections:
            s.close()
    return (free[0] - free[1]) * 4096 / IDLE


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
        end = guest.wait_mark(END)[0]
        return (end - guest.wait_mark(BEGIN)[0]) / BULK_BYTES


def make_disk():
    """An ext4 file system with a large file; a guest's changes are thrown away with its machine."""
    path, tree = f"{OUT}/disk.img", f"{OUT}/disk"
    if not os.path.exists(path):
        os.makedirs(tree, exist_ok=True)
        with open(tree + "/data", "wb") as file:
            file.write(os.urandom(1 << 20) * DISK_MIB)
        with open(path + ".new", "wb") as file:
            file.truncate(DISK_MIB * 3 << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", "-d", tree, path + ".new"], check=True)
        os.unlink(tree + "/data")
        os.rename(path + ".new", path)
    return ["-drive", f"if=none,id=b0,format=raw,snapshot=on,file={path}", "-device", "virtio-blk-pci,drive=b0"]


@functools.cache
def disk(system, mode="disk"):
    """Instructions that each phase of apps/bench/disk.c takes."""
    phases = ["read", "read pages", "write pages", "write", "create"]
    with Guest(system, mode, mem=DISK_MEM, extra=make_disk()) as guest:
        ends = guest.wait_mark(END, len(phases))
        begins = guest.wait_mark(BEGIN)
    return {phase: end - begin for phase, begin, end in zip(phases, begins, ends)}


def direct(system, phase, n):
    """The same past Linux's page cache."""
    return disk(system, "direct")[phase] / n if isinstance(system, Linux) else None


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
    program = f"{OUT}/hello-stripped"
    subprocess.run(["llvm-strip", "-o", program, f"build/{system.arch}/apps/hello"], check=True)
    return os.path.getsize(system.pack(program, "apps/hello/hello.yaml", program + system.suffix, "--strip"))


def rows_for(arch, count):
    """(what, function of a system) for every line of the table."""
    machines = ["q35", "microvm"] if arch == "x86_64" else ["virt"]
    for machine in machines:
        yield f"reset to the program's first line, {machine}, instructions", lambda s, m=machine: boot(s, m)
    yield "one keep-alive request, instructions", lambda s: requests(s, "keep", count)
    yield f"the same, mean of {BUSY} busy connections", lambda s: busy(s, count // 5)
    yield "one connection per request, instructions", lambda s: requests(s, "conn", count)
    yield "TCP send, instructions per byte", bulk
    for what, phase, n in DISK_ROWS:
        yield f"{what}, instructions", lambda s, p=phase, n=n: disk(s)[p] / n
    for what, phase, n in DISK_ROWS[:2]:
        yield f"{what}, O_DIRECT", lambda s, p=phase, n=n: direct(s, p, n)
    yield "least memory that serves 200 requests, MiB", lambda s: (
        least_memory(s, 1, 16) if isinstance(s, Virga) else least_memory(s, 40, 128))
    yield "memory per idle connection, bytes", idle_bytes
    yield "bytes that boot, stripped, program included", stripped_bytes


def show(value):
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"


def table(arch, count, systems, only):
    lines = ["| " + " | ".join(["what", *(s.name for s in systems)]) + " |", "| --- " * (len(systems) + 1) + "|"]
    for what, measure in rows_for(arch, count):
        if only not in what:
            continue
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
    parser.add_argument("--only", default="", help="rows that contain this, not written")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    subprocess.run(["clang", "-O2", "-shared", "-fPIC", "-o", PLUGIN, "tests/bench/icount.c"], check=True)
    systems = [Virga(options.arch)]
    if not options.no_peer and options.arch == "x86_64":
        subprocess.run(["tests/bench/build-linux", LINUX], check=True)
        systems.append(Linux(options.arch))
    text = table(options.arch, options.count, systems, options.only)
    print(text)
    if options.write and not options.only:
        write_doc(options.arch, text)


if __name__ == "__main__":
    main()
