"""The console loses nothing: not when a program prints faster than the port, not at a panic."""
import re

import pytest

from gdbstub import INVALID_INSTRUCTION, GdbStub, kernel_address
from machine import ARCHS, Machine, compile_guest, make_image, qemu_status, qmp

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


def panic_report(arch, machine):
    """The machine panics: returns how many lines of the program came, all of them, and what came then."""
    code, status, last = machine.wait_end()
    assert (code, status) == (qemu_status(arch, 127), 127) and last.startswith("panic: ")
    lines = machine.console.splitlines()
    complete = 0
    while lines[complete] == line(complete):
        complete += 1
    report = "\n".join(lines[complete:])
    assert "kernel panic: " + last[len("panic: "):] in report
    assert re.search(r"#0 [a-z_0-9]+\+0x", report), report
    return complete, report


@pytest.mark.parametrize("arch", ARCHS)
def test_panic_has_names_and_loses_no_line(arch, tmp_path):
    """The first instruction of a kernel function becomes an invalid one, under the program's feet."""
    stub = str(tmp_path / "gdb")
    function = "console_file_write"  # where all earlier lines are written, and the next has not begun
    address = kernel_address(arch, function)
    with Machine(arch, chatter(arch, tmp_path, 10**9),
                 extra=["-gdb", f"unix:{stub},server=on,wait=off"]) as machine:
        machine.wait_for(line(100))
        with GdbStub(stub) as gdb:
            gdb.run_to(address)
            gdb.write_memory(address, INVALID_INSTRUCTION[arch])
        complete, report = panic_report(arch, machine)
        assert complete >= 100 and "of a console" not in report
        # The second name: where the processor looks first whether the function may be called by pointer.
        assert re.search(f"panic: (invalid instruction|branch target exception) at 0x{address:x}, ", report), report
        assert re.search(rf"#\d+ {function}\+0x0\n +#\d+ [a-z0-9_]*syscall", report), report


@pytest.mark.skipif("x86_64" not in ARCHS, reason="QEMU's aarch64 machine has no such interrupt to ask for")
def test_panic_by_an_interrupt(tmp_path):
    monitor = str(tmp_path / "qmp")
    image = chatter("x86_64", tmp_path, 10**9)
    with Machine("x86_64", image, extra=["-qmp", f"unix:{monitor},server=on,wait=off"]) as machine:
        machine.wait_for(line(100))
        qmp(monitor, "inject-nmi")  # which the kernel takes for a panic
        complete, report = panic_report("x86_64", machine)
        assert complete >= 100
        # The interrupt may come between giving bytes to the port and noting it: then the next line has a few of
        # them twice. Behind it is the report, and no line of the program's.
        assert "of a console" not in report.split("\n", 1)[1]
