"""SQLite, compiled by our SDK, on an ext4 disk whose power is cut again and again.

The program in tests/guest/sqlite/bank.c checks after each start what it finds and says how many transactions
there are; none may be missing of which it said before that they were committed.
"""
import os
import random
import re
import subprocess

import pytest

import nbd
from machine import ARCHS, LIMIT, Machine, build_dir, make_image, qemu_status

CUTS = int(os.environ.get("VIRGA_CUTS", "13"))  # of each architecture and journal mode
CONFIG = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
data: !file
  disk: 0
  writable: true
log: !fd stdout
mode: {mode}
seed: 1
threads: {threads}
transactions: {transactions}
"""
MODES = [("delete", 1), ("wal", 3)]  # SQLite's journal mode, and how many threads write


def image(arch, mode, threads, transactions, out):
    config = CONFIG.format(mode=mode, threads=threads, transactions=transactions)
    return make_image(arch, f"{build_dir(arch)}/sqlite/bank", config, out)


def make_medium(path, block_bytes):
    with open(path, "wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", "-b", str(block_bytes), path], check=True)


def last_number(pattern, console):
    numbers = re.findall(pattern + r"(?=\D)", console)
    return int(numbers[-1]) if numbers else None


def run_until_cut(machine, disk, rng):
    """Lets the power go at one of the next requests after something was seen on the console."""
    if rng.random() < 0.2:
        machine.wait_for("opening\n")  # while it recovers from the cut before
    else:
        machine.wait_for(" transactions\n")
        found = last_number(r"found (\d+)", machine.console)
        machine.wait_for(f"commit {found + rng.randint(1, 12)}\n")
    disk.die_after(rng.randint(0, 60))
    assert disk.dead.wait(LIMIT), machine.console


@pytest.mark.parametrize("mode, threads", MODES)
@pytest.mark.parametrize("arch", ARCHS)
def test_no_commit_is_lost(arch, mode, threads, tmp_path):
    rng = random.Random(f"{arch} {mode}")
    medium = str(tmp_path / "medium")
    make_medium(medium, rng.choice([1024, 4096]))
    load = image(arch, mode, threads, 1000000, tmp_path / "load")
    committed = 0
    with nbd.Disk(medium) as disk:
        for number in range(CUTS):
            with Machine(arch, load, data=[disk.url]) as machine:
                run_until_cut(machine, disk, rng)
            lost, of = disk.cut(rng, rng.choice([0, 0.5, 0.9, 1]))
            committed = check(machine.console, committed, f"cut {number}, {lost} of {of} sectors lost")
        finish(arch, image(arch, mode, threads, 5, tmp_path / "last"), disk, committed, 5 * threads)
    subprocess.run(["/sbin/e2fsck", "-fn", medium], check=True)


def check(console, committed, where):
    """What was found holds all that was committed before. Returns how much that is now."""
    assert "bank: " not in console, f"{where}:\n{console}"
    found = last_number(r"found (\d+)", console)
    if found is None:  # it did not get so far
        return committed
    assert found >= committed, f"{where}: {committed} transactions were committed:\n{console}"
    return max(found, last_number(r"commit (\d+)", console) or 0)


def finish(arch, program, disk, committed, more):
    with Machine(arch, program, data=[disk.url]) as machine:
        assert machine.wait_end() == (qemu_status(arch, 0), 0, "exit status 0"), machine.console
    check(machine.console, committed, "the last start")
    found = last_number(r"found (\d+)", machine.console)
    assert f"closed with {found + more} transactions" in machine.console


@pytest.mark.parametrize("mode", ["delete", "truncate", "wal"])
@pytest.mark.parametrize("arch", ARCHS)
def test_threads(arch, mode, tmp_path):
    """Connections of several threads exclude each other: no transaction goes astray."""
    medium = str(tmp_path / "medium")
    make_medium(medium, 4096)
    with Machine(arch, image(arch, mode, 4, 15, tmp_path / "image"), data=[medium]) as machine:
        assert machine.wait_end() == (qemu_status(arch, 0), 0, "exit status 0"), machine.console
    assert "closed with 60 transactions" in machine.console


SPEED = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
data: !file
  disk: 0
  writable: true
stdout: !fd stdout
options: --verify --size 2 {options}
"""


@pytest.mark.parametrize("arch", ARCHS)
def test_speedtest(arch, tmp_path):
    """SQLite's speedtest1 gets the same answers from files as from memory."""
    medium = str(tmp_path / "medium")
    make_medium(medium, 4096)
    hashes = {options: speed(arch, options, medium, tmp_path / "image") for options in (
        "--memdb", "--journal delete d.db", "--journal truncate --mmap 10000000 t.db",
        "--journal wal --mmap 10000000 --checkpoint w.db", "--journal persist --temp 9 --pagesize 1024 p.db")}
    assert len(set(hashes.values())) == 1, hashes
    subprocess.run(["/sbin/e2fsck", "-fn", medium], check=True)


def speed(arch, options, medium, out):
    program = make_image(arch, f"{build_dir(arch)}/sqlite/speed", SPEED.format(options=options), out)
    with Machine(arch, program, data=[medium], mem=128) as machine:
        assert machine.wait_end() == (qemu_status(arch, 0), 0, "exit status 0"), machine.console
    return re.search(r"Verification Hash: (.*)", machine.console)[1]
