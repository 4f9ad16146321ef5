"""The console loses nothing: not when a program prints faster than the port, not at a panic."""
import json
import re
import socket

import pytest

from machine import ARCHS, LIMIT, Machine, compile_guest, make_image

YAML = "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\nlog: !fd stdout\ncount: {}\n"


def chatter(arch, tmp_path, count):
    program = compile_guest(arch, "tests/guest/chatter.c", tmp_path / "chatter")
    return make_image(arch, program, YAML.format(count), tmp_path / "image")


def line(i):
    return f"line {i} of a console that loses nothing"


@pytest.mark.parametrize("arch", ARCHS)
def test_every_line_arrives(arch, tmp_path):
    with Machine(arch, chatter(arch, tmp_path, 5000)) as machine:
        assert machine.wait_end()[1] == 0
        assert machine.console.splitlines() == [line(i) for i in range(5000)] + ["exit status 0"]


def inject_nmi(path):
    """Asks QEMU for a non-maskable interrupt, which the kernel takes for a panic."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(path)
        lines = s.makefile("rw")
        lines.readline()
        for command in ("qmp_capabilities", "inject-nmi"):
            lines.write(json.dumps({"execute": command}))
            lines.flush()
            lines.readline()


@pytest.mark.skipif("x86_64" not in ARCHS, reason="QEMU's aarch64 machine has no NMI to ask for")
@pytest.mark.skipif("x86_64" not in ARCHS, reason="QEMU's ARM machine has no interrupt to inject")
def test_panic_has_names_and_loses_no_line(tmp_path):
    monitor = str(tmp_path / "qmp")
    image = chatter("x86_64", tmp_path, 10**9)
    with Machine("x86_64", image, extra=["-qmp", f"unix:{monitor},server=on,wait=off"]) as machine:
        machine.wait_for(line(100))
        inject_nmi(monitor)
        code, status, last = machine.wait_end()
        assert (code, status) == (255, 127) and last.startswith("panic: ")
        lines = machine.console.splitlines()
        complete = 0
        while lines[complete] == line(complete):
            complete += 1
        assert complete >= 100
        # The interrupt may come between giving bytes to the port and noting it: then the next line has a few of
        # them twice. Behind it is the report, and no line of the program's.
        report = "\n".join(lines[complete + 1:])
        assert "kernel panic: " in report and "of a console" not in report
        assert re.search(r"#0 [a-z_0-9]+\+0x", report), report
