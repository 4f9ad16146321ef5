"""A virtual machine under test: makes an image, boots it, talks to it, reads its end.

Tests wait for events (a line on the console, an answer), with one generous limit so that a hang
fails instead of lasting for ever. Every port is on 127.0.0.1.
"""
import json
import os
import socket
import subprocess
import threading
import time

import vm

ARCHS = os.environ.get("VIRGA_ARCHS", "x86_64").split()  # `make test` says which it has built
LIMIT = 300  # seconds until a wait is called a hang


def build_dir(arch):
    return f"build/{arch}"


def app(arch, name):
    return f"{build_dir(arch)}/apps/{name}"


def make_image(arch, program, config, out, variant=""):
    """Runs the image builder; `config` is YAML text or a path. Returns the image's path. `variant` names
    a kernel built with other options, such as "-debug-ubsan"."""
    if "\n" in config:
        path = str(out) + ".yaml"
        with open(path, "w") as file:
            file.write(config)
        config = path
    image = str(out) + vm.SUFFIX[arch]
    kernel = f"{build_dir(arch)}/kernel{variant}"
    subprocess.run(["build/host/mkimage", "--kernel", kernel + ".elf", "--symbols",
                    kernel + ".symbols", "--program", program, "--config", config, "-o", image],
                   check=True)
    return image


def qemu_status(arch, code):
    """What QEMU exits with for our power-off code: isa-debug-exit doubles it."""
    return 2 * code + 1 if arch == "x86_64" else code


def make_disk(image, disk, cmdline=""):
    subprocess.run(["images/mkdisk", image, str(disk), cmdline], check=True)
    return str(disk)


def compile_guest(arch, source, out, flags=()):
    """Compiles a C file, or a list of them, with the SDK. Returns the program's path."""
    sources = [source] if isinstance(source, str) else source
    subprocess.run([f"build/sdk/bin/{arch}-unknown-cloudabi-cc", "-Os", "-Wall", *flags, "-o", str(out),
                    *sources], check=True)
    return str(out)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def qmp(path, command, **arguments):
    """One command to QEMU's monitor: a Machine with `-qmp unix:PATH,server=on,wait=off`."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(path)
        lines = s.makefile("rw")
        lines.readline()
        for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
            lines.write(json.dumps(request))
            lines.flush()
            while "return" not in (answer := json.loads(lines.readline())):  # events may come between
                assert "error" not in answer, answer


class Machine:
    """Boots when entered, is killed when left. Keyword arguments are those of vm.qemu()."""

    def __init__(self, arch, image=None, guest_port=None, **how):
        self.port = free_port() if guest_port else None
        ports = [(self.port, guest_port)] if guest_port else []
        self.command = vm.qemu(arch, image, ports=ports, **how)
        self.output = b""
        self.changed = threading.Condition()
        self.ended = False

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def _read(self):
        while chunk := self.process.stdout.read1(65536):
            with self.changed:
                self.output += chunk
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    @property
    def console(self):
        return self.output.decode("utf-8", "replace").replace("\r\n", "\n")

    def wait_for(self, text):
        """Until `text` is on the console. Fails when the machine ends first."""
        with self.changed:
            self.changed.wait_for(lambda: text in self.console or self.ended, LIMIT)
            assert text in self.console, f"no {text!r} on the console:\n{self.console[-4000:]}"

    def wait_end(self):
        """Until QEMU is gone. Returns (QEMU's status, the program's status, the last line)."""
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the machine did not end:\n{self.console[-4000:]}") from None
        self.reader.join()
        status, line = vm.exit_status(self.console)
        return self.process.returncode, status, line

    def connect(self):
        """A connection to the guest's port. QEMU accepts it before the guest listens, but tells the guest only
        once and again after 7 seconds: wait for the console to say that it listens, if it does."""
        while True:
            try:
                s = socket.create_connection(("127.0.0.1", self.port), LIMIT)
                break
            except ConnectionRefusedError:  # QEMU is not up yet
                assert self.process.poll() is None, f"the machine ended:\n{self.console[-4000:]}"
                time.sleep(0.01)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s


def read_all(s):
    parts = []
    while data := s.recv(65536):
        parts.append(data)
    return b"".join(parts)


def get(s, path="/", close=False):
    """One HTTP GET on a connection: (status, headers, body)."""
    extra = "Connection: close\r\n" if close else ""
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n{extra}\r\n".encode())
    return read_response(s)


def open_connection(machine, path):
    """A connection that has answered once and is kept. QEMU's forwarder has a backlog of one and drops what
    comes faster, so many connections at once have to be made one after the other."""
    s = machine.connect()
    status, _, _ = get(s, path)
    assert status == 200
    return s


def read_response(s):
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = s.recv(65536)
        assert chunk, f"the connection ended inside the headers: {data!r}"
        data += chunk
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (l.split(":", 1) for l in lines[1:])}
    length = int(headers["content-length"])
    while len(body) < length:
        chunk = s.recv(65536)
        assert chunk, "the connection ended inside the body"
        body += chunk
    return int(lines[0].split()[1]), headers, body
