"""ext4 on a disk, from inside a program and with Linux's own tools: what one writes the other reads, nothing
synced is lost when the machine is killed, and a disk that can't be used says why."""
import os
import random
import re

import pytest

from ext4 import check_clean, debugfs, mkfs
from gdbstub import INVALID_INSTRUCTION, GdbStub, kernel_address
from machine import ARCHS, Machine, compile_guest, make_image, qemu_status

YAML = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
console: !fd stdout
what: {}
mib: {}
disk: !file {{disk: {}{}}}
"""


@pytest.fixture(scope="module", params=ARCHS)
def program(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("disk") / "disk"
    return request.param, compile_guest(request.param, "tests/guest/disk.c", out)


def start(program, what, data, tmp_path, more=", writable: true", disk="0", mib=0, **how):
    arch, path = program
    image = make_image(arch, path, YAML.format(what, mib, disk, more), tmp_path / f"image-{what}")
    return Machine(arch, image, net=None, data=data, **how)


def run(program, what, data, tmp_path, **how):
    with start(program, what, data, tmp_path, **how) as machine:
        _, status, line = machine.wait_end()
        assert (status, line) == (0, "exit status 0"), machine.console
        return machine.console


def guest_bytes(n, seed):
    out = bytearray()
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) & 0xffffffff
        out.append(seed >> 16 & 0xff)
    return bytes(out)


@pytest.mark.parametrize("options", [(), ("-t", "ext3"), ("-t", "ext2"), ("-b", "1024")])
def test_what_a_program_writes_linux_reads(program, options, tmp_path):
    disk = mkfs(tmp_path / "disk.img", options=options)
    run(program, "write", [disk], tmp_path)
    check_clean(disk)
    assert debugfs(disk, "cat /large") == guest_bytes(3000001, 1)
    assert debugfs(disk, "cat /linked") == guest_bytes(5000, 2)
    assert debugfs(disk, "cat /many/file-7") == b"many/file-7"
    assert debugfs(disk, "cat /many/file-9") == b""  # File not found
    run(program, "read", [disk], tmp_path)
    run(program, "read", [disk], tmp_path, more="")


def test_what_linux_wrote_a_program_reads(program, tmp_path):
    tree = tmp_path / "tree/app"
    (tree / "many").mkdir(parents=True)
    (tree / "large").write_bytes(guest_bytes(3000001, 1))
    (tree / "renamed").write_bytes(guest_bytes(5000, 2))
    os.link(tree / "renamed", tree / "linked")
    os.symlink("large", tree / "soft")
    for i in range(200):
        (tree / f"many/{i}").write_bytes(b"")
    with open(tree / "sparse", "wb") as file:
        file.seek((5 << 20) - 2)
        file.write(b"mapped")
        file.truncate(10 << 20)
    other = mkfs(tmp_path / "other.img", 8)
    disk = mkfs(tmp_path / "disk.img", 32, ["-L", "app data"], tmp_path / "tree")
    run(program, "read", [other, disk], tmp_path, disk="'label=app data'", more=", path: /app")
    check_clean(disk)


def test_a_crash_of_the_program_loses_nothing(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img")
    with start(program, "crash", [disk], tmp_path) as machine:
        assert machine.wait_end()[2] == "killed by SIGABRT"
    check_clean(disk)
    run(program, "read", [disk], tmp_path)


def test_a_panic_does_not_touch_the_disk(program, tmp_path):
    """The kernel dies where it was about to commit."""
    disk = mkfs(tmp_path / "disk.img")
    arch, stub = program[0], str(tmp_path / "gdb")
    address = kernel_address(arch, "journal_commit")
    with start(program, "load", [disk], tmp_path, extra=["-gdb", f"unix:{stub},server=on,wait=off"]) as machine:
        machine.wait_for("safe 3\n")
        with GdbStub(stub) as gdb:
            gdb.run_to(address)
            with open(disk, "rb") as file:
                before = file.read()
            gdb.write_memory(address, INVALID_INSTRUCTION[arch])
        assert machine.wait_end()[2].startswith("panic: ")
    with open(disk, "rb") as file:
        assert file.read() == before
    run(program, "none", [disk], tmp_path)
    check_clean(disk)


def test_read_only_grants_change_nothing(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img")
    with open(disk, "rb") as file:
        before = file.read()
    run(program, "denied", [disk], tmp_path, more="")
    with open(disk, "rb") as file:
        assert file.read() == before


def test_killed_machines_keep_what_was_synced(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 16)
    numbers = random.Random(7)
    for _ in range(int(os.environ.get("VIRGA_KILLS", "3"))):
        with start(program, "load", [disk], tmp_path) as machine:
            machine.wait_for(f"safe {numbers.randrange(3, 30)}\n")
            machine.process.kill()
            machine.process.wait()
            machine.reader.join()
        safe = int(re.findall(r"safe (\d+)\n", machine.console)[-1])
        run(program, "none", [disk], tmp_path)
        check_clean(disk)
        count = int(debugfs(disk, "cat /count"))
        assert safe <= count <= safe + 1


def test_a_full_disk(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 8)
    run(program, "full", [disk], tmp_path)
    check_clean(disk)


def test_a_mapped_file_larger_than_memory(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 96)
    run(program, "map", [disk], tmp_path, mib=64, mem=32)
    check_clean(disk)
    assert debugfs(disk, "cat /huge")[4096 * 9999:4096 * 9999 + 4] == (10000).to_bytes(4, "little")


def test_a_small_machine(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 64)
    for what in ("write", "read", "map"):
        run(program, what, [disk], tmp_path, mib=40, mem=16)
        check_clean(disk)


def test_the_smallest_machine(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 64, options=("-b", "4096"))
    for _ in range(2):
        run(program, "count", [disk], tmp_path, mem=4)
    check_clean(disk)
    assert debugfs(disk, "cat /count") == b"2\n"


def test_without_memory(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 32)
    print(run(program, "squeeze", [disk], tmp_path, mem=24))
    check_clean(disk)
    run(program, "none", [disk], tmp_path)


def test_a_file_written_from_its_own_mapping(program, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 16)
    run(program, "self", [disk], tmp_path)
    check_clean(disk)
    want = guest_bytes(1 << 20, 4)
    have = debugfs(disk, "cat /self")
    assert len(have) == 2 << 20 and have[:300000] == want[:300000]
    assert have[1 << 20:] == have[:1 << 20]


@pytest.mark.parametrize("disk, more, fs, message", [
    ("1", "", True, "the configuration names disk 1, and the machine has 1 disks; add: -drive"),
    ("serial=abc", "", True, "none of the machine's 1 disks has the serial abc; add: -drive"),
    ("label=abc", "", True, "none of the machine's 1 disks has a file system or partition with the label abc"),
    ("0", "", False, "disk0 has no ext4 file system; make one: mkfs.ext4 disk.img"),
    ("0", ", partition: 2", True, "disk0 has no partition 2, but 0 others"),
    ("0", ", path: /no/such", True, "disk0 has no /no/such: make it on Linux, or with `mkfs.ext4 -d"),
    ("0", ", writable: true, path: x", True, "disk0 has no x: make it on Linux, or with `mkfs.ext4 -d")])
def test_a_disk_that_cannot_be_had(program, disk, more, fs, message, tmp_path):
    path = tmp_path / "disk.img"
    if fs:
        mkfs(path, 4)
    else:
        path.write_bytes(bytes(4 << 20))
    with start(program, "none", [str(path)], tmp_path, disk=disk, more=more) as machine:
        code, status, line = machine.wait_end()
        assert (code, status) == (qemu_status(program[0], 127), 127)
        assert line.startswith("boot failed: " + message), line
    if fs:
        check_clean(str(path))
