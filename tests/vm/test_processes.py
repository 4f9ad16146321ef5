"""Processes as the machine sees them: what they leave behind, how the machine ends, and what they can't break.

All runs are in a kernel that checks its own structures (DEBUG=1 UBSAN=1).
"""
import re

import pytest

import abi
from machine import ARCHS, Machine, compile_guest, make_image, qemu_status

VARIANT = "-debug-ubsan"


@pytest.fixture(scope="module", params=ARCHS)
def program(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("processes") / "processes"
    return request.param, compile_guest(request.param, "tests/guest/processes.c", out, ["-Wextra"])


def image_of(program, how, times, out):
    arch, path = program
    config = f"%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\nout: !fd stdout\nself: !executable\nhow: {how}\ntimes: {times}\n"
    return make_image(arch, path, config, out, VARIANT)


def run(program, how, times, out, **options):
    """Boots it; returns ((QEMU's status, the program's, the last line), console)."""
    with Machine(program[0], image_of(program, how, times, out), **options) as machine:
        end = machine.wait_end()
        assert "panic" not in machine.console, machine.console[-3000:]
        return end, machine.console


def memory_at_the_end(console):
    match = re.search(r"memory at the end: (\d+) KiB free, (\d+) bytes of heap", console)
    return int(match[1]), int(match[2])


@pytest.mark.parametrize("how, few, many", [("fork", 20, 1500), ("closing", 20, 1500), ("threads", 20, 400),
                                            ("exec", 20, 200), ("kill-anywhere", 24, 400), ("children-crash", 60, 200)])
def test_nothing_stays_behind(program, how, few, many, tmp_path):
    """As much memory is free after many children as after a few, in a small machine."""
    left = []
    for times in (few, many):
        end, console = run(program, how, times, tmp_path / f"image{times}", mem=16, cmdline="log=info")
        assert end[1:] == (42, "exit status 42"), console[-3000:]
        left.append(memory_at_the_end(console))
    (free, heap), (free_later, heap_later) = left
    assert free_later >= free - 64, "KiB free"
    assert heap_later <= heap + 2048, "bytes of heap in use"


@pytest.mark.parametrize("how", ["bomb", "children"])
@pytest.mark.parametrize("mem", [20, 256])
def test_as_many_as_there_can_be(program, how, mem, tmp_path):
    end, console = run(program, how, 0, tmp_path / "image", mem=mem)
    assert end[1:] == (42, "exit status 42"), console[-3000:]
    counts = [int(n) for n in re.findall(r"^(\d+) processes$", console, re.M)]
    assert len(counts) == 2 and min(counts) > 20, "the second round has as much room"


def test_the_machine_ends_with_the_first_process(program, tmp_path):
    end, _ = run(program, "end-with-children", 0, tmp_path / "image")
    assert end == (qemu_status(program[0], 7), 7, "exit status 7")


def test_crash_of_the_first_process(program, tmp_path):
    end, console = run(program, "crash-with-children", 0, tmp_path / "image")
    assert end == (qemu_status(program[0], 126), 128 + 13, "killed by SIGSEGV")
    assert "stack guard" in console, "the first process gets the whole report"


def test_crash_of_a_child(program, tmp_path):
    end, console = run(program, "children-crash", 1, tmp_path / "image")
    assert end[1:] == (42, "exit status 42")
    assert re.search(r"crash: SIGSEGV \(page fault\) at crash\+0x\w+, address 0x0, process 2, thread \d+\n", console)
    assert "mappings (" not in console and "killed by" not in console, "its report is a short one"


def test_reports_of_children_have_an_end(program, tmp_path):
    _, console = run(program, "children-crash", 200, tmp_path / "image")
    assert console.count("crash: SIGSEGV") == 50
    assert console.count("further crashes of child processes are not reported") == 1


def test_names_in_a_report_of_a_program_that_was_started(program, tmp_path):
    end, console = run(program, "exec-crashes", 1, tmp_path / "image")
    assert end[1:] == (42, "exit status 42")
    assert re.search(r"crash: SIGSEGV \(page fault\) at \w+\+0x", console)


def test_a_program_that_stops_itself(program, tmp_path):
    image = image_of(program, "stop-the-first", 0, tmp_path / "image")
    with Machine(program[0], image) as machine:
        machine.wait_for("the program has stopped itself (signal 14); nothing can make it go on")


def test_pipes(program, tmp_path):
    end, console = run(program, "pipes", 30, tmp_path / "image")
    assert end[1:] == (42, "exit status 42"), console[-3000:]


def test_a_child_that_dies_closes_its_sockets(program, tmp_path):
    end, console = run(program, "broken-pipe", 0, tmp_path / "image")
    assert end[1:] == (42, "exit status 42"), console[-3000:]


@pytest.mark.parametrize("arch", ARCHS)
def test_the_sdks_processes(arch, tmp_path):
    """program_spawn, program_exec, pdfork and pdwait."""
    abi.make_tree(tmp_path)
    path = compile_guest(arch, "tests/guest/spawn.c", tmp_path / "spawn", ["-Wextra"])
    image = make_image(arch, path, abi.config(("dir", "self")) + "role: parent\n", tmp_path / "image", VARIANT)
    with Machine(arch, image) as machine:
        assert machine.wait_end()[1:] == (0, "exit status 0"), machine.console[-3000:]
        lines = machine.console.splitlines()
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert f"checks {sum(line.startswith('ok ') for line in lines)}" in lines
