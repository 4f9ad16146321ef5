"""Programs of older versions: how they were linked, and how one comes to run after another."""
import struct

import pytest

import abi
from machine import ARCHS, Machine, compile_guest, make_image


def checks(arch, image):
    """Boots it; returns the lines of checks that did not pass."""
    with Machine(arch, image) as machine:
        _, status, last = machine.wait_end()
        lines = machine.console.splitlines()
    assert status == 0, f"{last!r}:\n{machine.console[-3000:]}"
    passed = [line for line in lines if line.startswith("ok v01: ")]
    assert f"checks {len(passed)}" in lines and passed, machine.console[-3000:]
    return [line for line in lines if line.startswith("FAIL")]


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("layout", abi.LAYOUTS)
def test_layout(arch, layout, tmp_path):
    program = abi.link_v01(arch, layout, tmp_path / "v01")
    assert checks(arch, make_image(arch, program, abi.config(()), tmp_path / "image")) == []


@pytest.mark.parametrize("arch", ARCHS)
def test_flags_of_the_machine(arch, tmp_path):
    """The processor's flags in the header mean nothing here."""
    program = tmp_path / "v01"
    abi.link_v01(arch, "fixed", program)
    with open(program, "r+b") as file:
        file.seek(48)
        file.write(struct.pack("<I", 0x05000000))
    assert checks(arch, make_image(arch, str(program), abi.config(()), tmp_path / "image")) == []


@pytest.mark.parametrize("arch", ARCHS)
def test_exec(arch, tmp_path):
    """A program of today becomes one of v0.1, which gets what it expects."""
    abi.link_v01(arch, "fixed", tmp_path / "v01")
    first = compile_guest(arch, "tests/guest/exec_v01.c", tmp_path / "first")
    config = abi.config(()) + "v01: !file {path: v01}\n"
    assert checks(arch, make_image(arch, first, config, tmp_path / "image")) == []
