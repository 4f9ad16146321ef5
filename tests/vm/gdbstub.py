"""QEMU's gdb stub, as far as tests need it: a few packets of the remote protocol, so no debugger is needed.

A Machine that has `-gdb unix:PATH,server=on,wait=off` runs until somebody connects, then stands still
until he leaves.
"""
import re
import socket
import subprocess

from machine import LIMIT, build_dir

INVALID_INSTRUCTION = {"x86_64": b"\x0f\x0b", "aarch64": bytes(4)}  # ud2, udf #0


def kernel_address(arch, name):
    symbols = subprocess.run(["llvm-nm", f"{build_dir(arch)}/kernel.elf"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    return int(re.search(rf"^([0-9a-f]+) [tT] {name}$", symbols, re.M)[1], 16)


class GdbStub:
    """The machine stands still inside the `with`, except in run_to()."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(self.path)
        assert self._answer().startswith("T")  # that it stopped
        return self

    def __exit__(self, *exc):
        self._ask("D")  # detach: it runs on
        self.socket.close()

    def run_to(self, address):
        """Lets the machine run until it is about to execute what is at a virtual address."""
        assert self._ask(f"Z0,{address:x},1") == "OK"
        assert self._ask("c").startswith("T05")
        assert self._ask(f"z0,{address:x},1") == "OK"

    def write_memory(self, address, data):
        """By a virtual address of the mode that the processor is in, whatever is writable there."""
        assert self._ask(f"M{address:x},{len(data):x}:{data.hex()}") == "OK"

    def _ask(self, packet):
        self.socket.sendall(f"${packet}#{sum(packet.encode()) & 0xff:02x}".encode())
        return self._answer()

    def _answer(self):
        data = b""
        while data[-3:-2] != b"#":  # two digits of a checksum are behind it
            chunk = self.socket.recv(1)
            assert chunk, f"the gdb stub has gone, after {data!r}"
            data += chunk
        self.socket.sendall(b"+")
        return data[data.index(b"$") + 1:-3].decode()
