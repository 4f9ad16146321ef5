"""How the machine ends: the last console line, QEMU's status, the crash report, refusals to boot."""
import os
import subprocess

import pytest

from machine import ARCHS, Machine, app, compile_guest, make_image, qemu_status

YAML = 'how: "{}"\nstatus: {}\n'


@pytest.fixture(scope="module", params=ARCHS)
def program(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("end") / "end"
    return request.param, compile_guest(request.param, "tests/guest/end.c", out)


@pytest.mark.parametrize("status, code", [(0, 0), (7, 7), (124, 124), (125, 125), (126, 125), (255, 125)])
def test_exit_status(program, status, code, tmp_path):
    arch, path = program
    image = make_image(arch, path, YAML.format("exit", status), tmp_path / "image")
    with Machine(arch, image) as machine:
        assert machine.wait_end() == (qemu_status(arch, code), status, f"exit status {status}")


def test_return_from_main_is_status_0(program, tmp_path):
    arch, path = program
    image = make_image(arch, path, YAML.format("return", 9), tmp_path / "image")
    with Machine(arch, image) as machine:
        assert machine.wait_end() == (qemu_status(arch, 0), 0, "exit status 0")


@pytest.mark.parametrize("how, signal, number, name", [
    ("null", "SIGSEGV", 13, "program_main"), ("kernel", "SIGSEGV", 13, "program_main"),
    ("abort", "SIGABRT", 1, ""), ("illegal", "SIGILL", 8, "program_main"),
    ("stack", "SIGSEGV", 13, "overflow_stack"), ("data", "SIGSEGV", 13, "program: data"),
    ("text", "SIGSEGV", 13, "program_main")])
def test_crash(program, how, signal, number, name, tmp_path):
    arch, path = program
    image = make_image(arch, path, YAML.format(how, 0), tmp_path / "image")
    with Machine(arch, image) as machine:
        assert machine.wait_end() == (qemu_status(arch, 126), 128 + number, f"killed by {signal}")
        if how == "abort":
            return
        assert f"crash: {signal}" in machine.console
        assert name in machine.console, "the report has names"
        assert "stack guard" in machine.console, "the mappings are listed"


# What makes QEMU exit with a status of ours.
EXIT_DEVICE = {"x86_64": ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"], "aarch64": ["-semihosting"]}


def test_without_exit_device_powers_off(program, tmp_path):
    arch, path = program
    image = make_image(arch, path, YAML.format("exit", 7), tmp_path / "image")
    machine = Machine(arch, image)
    device = machine.command.index(EXIT_DEVICE[arch][-1]) + 1
    del machine.command[device - len(EXIT_DEVICE[arch]):device]
    with machine:
        assert machine.wait_end() == (0, 7, "exit status 7")


@pytest.mark.parametrize("arch", ARCHS)
def test_socket_without_network_device(arch, tmp_path):
    image = make_image(arch, app(arch, "webserver"), "apps/webserver/webserver.yaml", tmp_path / "image")
    with Machine(arch, image, net=None) as machine:
        code, status, line = machine.wait_end()
        assert (code, status) == (qemu_status(arch, 127), 127)
        assert line.startswith("boot failed: ")
        assert "-device virtio-net" in line


# A processor without random numbers, on a machine that brings none along.
NO_ENTROPY = {"x86_64": {"cpu": "qemu64"},
              "aarch64": {"cpu": "cortex-a53", "machine": "virt,dtb-randomness=off"}}


def test_no_entropy_is_refused(program, tmp_path):
    arch, path = program
    image = make_image(arch, path, YAML.format("exit", 0), tmp_path / "image")
    with Machine(arch, image, rng=None, **NO_ENTROPY[arch]) as machine:
        code, status, line = machine.wait_end()
        assert (code, status) == (qemu_status(arch, 127), 127)
        assert line.startswith("boot failed: ")
        assert "-device virtio-rng" in line
    with Machine(arch, image, rng=None, cmdline="random=insecure", **NO_ENTROPY[arch]) as machine:
        assert machine.wait_end()[1] == 0


@pytest.mark.parametrize("cmdline, word", [("colour=red", "colour"), ("ip=10.0.0.256/24", "ip"),
                                           ("log=loud", "log=loud"), ("ip=10.0.0.2/33", "ip")])
def test_bad_command_line(program, cmdline, word, tmp_path):
    arch, path = program
    image = make_image(arch, path, YAML.format("exit", 0), tmp_path / "image")
    with Machine(arch, image, cmdline=cmdline) as machine:
        code, status, line = machine.wait_end()
        assert (code, status) == (qemu_status(arch, 127), 127)
        assert line.startswith("boot failed: ") and word in line


@pytest.mark.parametrize("how, status, expected", [("null", 0, 128 + 13), ("exit", 7, 7), ("exit", 0, 0)])
def test_make_run_returns_the_status(program, how, status, expected, tmp_path):
    arch, path = program
    config = tmp_path / "end.yaml"
    config.write_text(YAML.format(how, status))
    # Not the options of a make that runs this test.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    run = subprocess.run(["make", "run", f"ARCH={arch}", f"APP={path}", f"CONFIG={config}"],
                         env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert run.returncode == expected
