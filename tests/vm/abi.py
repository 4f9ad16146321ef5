"""Runs the programs of tests/guest/abi, which check the system calls from inside, and reads their lines.

Used by test_abi.py, and by tools/conformance for docs/conformance.md.
"""
import os
import re
import socket
import subprocess

from machine import LIMIT, Machine, compile_guest, make_image

GUEST = "tests/guest"
ERA = ("dir", "digits", "tmp", "listener")
# Program and what it is granted besides "out".
PROGRAMS = {"clock": (), "random": (), "fd": ("dir", "digits"), "mem": ("dir", "pages"), "file": ("dir", "digits"),
            "names": ("dir", "digits"), "lock": (), "poll": ("dir", "digits"), "thread": (), "proc": ("dir", "digits"), "exec": ("dir", "digits", "tmp", "self"), "start": (),
            "order": ("dir", "digits"), "pointers": ("dir", "digits"), "limits": ("dir", "digits"),
            "sock": ("dir", "listener"), "pair": (), "passing": ("dir", "digits"), "local": ("tmp", "dir"), "fifo": ("tmp",),
            "libc_socket": ("listener",), "sock_limits": (), "grants": ("limited",), "lock_shared": ("tmp",), "lock_fork": (), "shm": (),
            "mem_fork": (),
            "tmp_names": ("tmp", "other", "dir"), "tmp_open": ("tmp",), "tmp_files": ("tmp",), "tmp_dirs": ("tmp",),
            "tmp_stat": ("tmp", "other"), "tmp_rights": ("tmp",), "tmp_room": ("small", "large"),
            "traps": ("tmp", "listener"), "poll_fd": ("listener",), "v01": (), **dict.fromkeys(("era_now", "era_names", "era_traps"), ERA)}
GRANTS = {"dir": "dir: !file\n  path: tree\n", "digits": "file: !file\n  path: digits\n",
          "tmp": "tmp: !file {tmpfs: 4M}\n", "other": "other: !file {tmpfs: 1M}\n", "self": "self: !executable\n",
          "small": "tmp: !file {tmpfs: 64K}\n", "large": "large: !file {tmpfs: 1G}\n",
          "limited": """log: !fd {fd: stdout, rights: [fd_write]}
nothing: !fd {fd: stdout, rights: []}
readonly: !file {path: tree, rights: read-only}
noexec: !file {path: tree, rights: [-proc_exec, -mem_map_exec]}
lister: !file {path: tree, rights: [file_readdir]}
opener: !file {path: tree, rights: [file_open, file_stat_get], inheriting: [fd_read, fd_tell]}
file: !file {path: digits, rights: [fd_read]}
self: !executable {rights: [file_stat_fget]}
tmp: !file {tmpfs: 64K}
shrine: !file {tmpfs: 64K, rights: read-only}
inbox: !file {tmpfs: 64K, rights: [file_open, file_create_file], inheriting: [fd_write]}
listener: !socket {bind: 0.0.0.0:8080, rights: [sock_accept, fd_read]}
""",
          "pages": "file: !file\n  path: pages\n", "listener": "listener: !socket\n  bind: 0.0.0.0:8080\n"}

# Programs that work in a directory of an ext4 disk as they do in one in memory.
ON_DISK = ("tmp_names", "tmp_open", "tmp_files", "tmp_dirs", "tmp_stat", "tmp_rights", "lock_shared", "exec", "local",
           "fifo")
DISK_GRANTS = {"tmp": "tmp: !file {disk: 0, path: app, writable: true}\non_disk: true\n",
               "other": "other: !file {disk: 1, writable: true}\n"}


def sources(arch, name):
    """The C files of a program: its own, the table of calls, and the machine's part if it has one."""
    own = [f"{GUEST}/abi/{name}.c", f"{GUEST}/abi/table.c"]
    if name in ("order", "pointers"):
        own.append(f"{GUEST}/abi/cases.c")
    machine = [f"{GUEST}/{arch}/{name}{suffix}" for suffix in (".c", ".S")]
    return own + [path for path in machine if os.path.exists(path)]


# How programs of v0.1 were linked.
LAYOUTS = {"fixed": ["--image-base=0x400000"],  # offsets equal addresses within a page
           "one-text": ["--image-base=0x400000", "--no-rosegment"],
           "aligned": ["--image-base=0x400000", "-zmax-page-size=4096", "-zseparate-loadable-segments"],
           "2M-pages": ["--image-base=0x400000", "-zmax-page-size=0x200000"],
           "64K-pages": ["--image-base=0x10000", "-zmax-page-size=0x10000"]}


def link_v01(arch, layout, out):
    """A program with a C library of its own time, which is none."""
    sdk = f"build/sdk/{arch}/include"
    subprocess.run(["clang", f"--target={arch}-unknown-cloudabi", "-O1", "-Wall", "-Wextra", "-Werror", "-ffreestanding",
                    "-fno-sanitize=safe-stack", "-fno-stack-protector", "-fno-pic", "-fno-asynchronous-unwind-tables",
                    "-isystem", sdk, f"-I{GUEST}/{arch}", "-c", f"{GUEST}/abi/v01.c", "-o", f"{out}.o"],
                   check=True)
    subprocess.run(["ld.lld", "-static", "--no-pie", *LAYOUTS[layout], "-o", str(out), f"{out}.o"], check=True)
    return str(out)


def build(arch, name, out):
    if name == "v01":
        return link_v01(arch, "fixed", out / name)
    flags = ["-Wextra", "-I" + f"{GUEST}/{arch}"]
    if name in ("start", "exec"):
        flags.append("-Wl,-e,test_entry")
    return compile_guest(arch, sources(arch, name), out / name, flags)


def make_tree(root):
    """The directory that the programs are granted: what tests/guest/abi/file.c expects."""
    tree = root / "tree"
    (tree / "sub" / "deep").mkdir(parents=True)
    (tree / "many").mkdir()
    (tree / "void").mkdir()
    (tree / "a.txt").write_bytes(b"letter a\n")
    (tree / "empty").write_bytes(b"")
    (tree / "sub" / "b.txt").write_bytes(b"letter b\n")
    (tree / "sub" / "deep" / "c.txt").write_bytes(b"letter c\n")
    (tree / ("n" * 255)).write_bytes(b"long name\n")
    for i in range(300):
        (tree / "many" / f"entry{i:03}").write_bytes(b"%d\n" % i)
    for name, target in {"link": "a.txt", "dirlink": "sub", "loop": "loop", "dangling": "nothing",
                         "absolute": "/etc/passwd", "escape": "../../etc/passwd", "sub/up": "../a.txt",
                         "sub/out": "../../tree/a.txt", "slashed": "sub/", "chain1": "chain2",
                         "chain2": "chain3", "chain3": "sub/b.txt", "dotlink": "."}.items():
        (tree / name).symlink_to(target)
    os.utime(tree / "a.txt", (1500000000, 1500000000))
    (root / "digits").write_bytes(b"0123456789")
    (root / "pages").write_bytes(bytes(i % 251 for i in range(5000)))


def config(grants, table=GRANTS):
    return "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\nout: !fd stdout\n" + "".join(table[g] for g in grants)


def make(arch, name, out, variant="", on_disk=False):
    make_tree(out)
    table = {**GRANTS, **DISK_GRANTS} if on_disk else GRANTS
    return make_image(arch, build(arch, name, out), config(PROGRAMS[name], table), out / "image", variant)


class Peer:
    """The other end of the connections that a program asks for by lines "peer: COMMAND"."""

    def __init__(self, machine):
        self.machine, self.s, self.done = machine, None, 0

    def serve(self):
        """Does what the lines say until the machine ends."""
        machine = self.machine
        while True:
            with machine.changed:
                machine.changed.wait_for(lambda: self._lines()[self.done:] or machine.ended, LIMIT)
                lines = self._lines()[self.done:]
                if not lines:
                    return
            for line in lines:
                self.done += 1
                self.act(*line.split())

    def _lines(self):
        return re.findall(r"^peer: (.*)\n", self.machine.console, re.M)

    def act(self, command, argument="0"):
        if command == "connect":
            self.s = self.machine.connect()
        elif command == "send":
            self.s.sendall(bytes(i % 251 for i in range(int(argument))))
        elif command == "expect":
            want, got = bytes(i % 251 for i in range(int(argument))), bytearray()
            while len(got) < len(want) and (data := self.s.recv(len(want) - len(got))):
                got += data
            self.s.sendall(b"y" if got == want else b"n")
        elif command == "expect-end":
            self.s.sendall(b"y" if self.s.recv(1) == b"" else b"n")
        elif command == "shutdown":
            self.s.shutdown(socket.SHUT_WR)
        elif command == "close":
            self.s.close()
        elif command == "reset":
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.s.close()
        else:
            raise AssertionError(f"the program asks its peer for {command!r}")


LINE = re.compile(r"^(ok|FAIL|nosys) (\w+): (.*)$")


def run(arch, name, image, **how):
    """Boots it; returns (results, console): a list of (verdict, call, what), in order."""
    port = 8080 if "listener" in PROGRAMS[name] else None
    with Machine(arch, image, guest_port=port, **how) as machine:
        if port:
            Peer(machine).serve()
        _, status, last = machine.wait_end()
        console = machine.console
    results = [match.groups() for line in console.splitlines() if (match := LINE.match(line))]
    assert status == 0, f"the program ended by {last!r}:\n{console[-3000:]}"
    total = re.search(r"^checks (\d+)$", console, re.M)
    assert total and int(total[1]) == len(results), f"checks are missing:\n{console[-3000:]}"
    return results + [("ok", "proc_exit", f"status 0, of the program {name}")], console
