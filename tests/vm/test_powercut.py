"""Files on an ext4 disk whose machine is cut off under load: QEMU by SIGKILL, and the disk's power as well.

After each cut the machine is started again and lists what its kernel finds, e2fsck has nothing to say, and
debugfs reads what the model (powermodel.py) asks for; and so it does from a copy that e2fsck recovered alone. VIRGA_CUTS: how many cuts of each architecture and kind.
"""
import os
import random
import re
import shutil
import subprocess
import zlib

import pytest

import nbd
from machine import ARCHS, LIMIT, Machine, compile_guest, make_image, qemu_status
from powermodel import Run

CUTS = int(os.environ.get("VIRGA_CUTS", "3"))
CUTS_EACH = 10  # of one disk; then it is the next format's turn
CONFIG = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
data: !file
  disk: 0
  writable: true
log: !fd stdout
run: {run}
"""
FORMATS = ["-b 1024", "-b 4096", "-b 1024 -J size=1", "-b 4096 -O ^64bit,^metadata_csum", "-b 1024 -t ext3"]


class Kill:
    """The disk is a file: what QEMU was told is in the host's memory and survives it."""

    def __init__(self, medium):
        self.url = medium

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def wait(self, machine, rng):
        with machine.changed:
            machine.changed.wait_for(lambda: machine.ended, rng.uniform(0, 0.05))

    def cut(self, rng):
        pass


class Cut(nbd.Disk):
    """The disk's cache loses any part of what was not flushed."""

    def wait(self, machine, rng):
        self.die_after(rng.randint(0, 40))
        for _ in range(LIMIT * 20):
            if self.dead.wait(0.05) or machine.ended:  # one that only lists files may end
                return
        raise AssertionError(f"the disk is not written:\n{machine.console[-4000:]}")

    def cut(self, rng):
        super().cut(rng, rng.choice([0, 0.5, 0.9]))


def lines_seen(machine, count):
    """Until the run has said so many lines."""
    with machine.changed:
        machine.changed.wait_for(lambda: machine.output.count(b"\n") >= count or machine.ended, LIMIT)
        assert not machine.ended and machine.output.count(b"\n") >= count, machine.console


class Rig:
    def __init__(self, arch, tmp_path, disk, medium, rng):
        self.arch, self.path, self.disk, self.medium, self.rng = arch, tmp_path, disk, medium, rng
        self.program = compile_guest(arch, "tests/guest/powercut.c", tmp_path / "powercut")
        self.lister = self.image(0)

    def image(self, run):
        return make_image(self.arch, self.program, CONFIG.format(run=run), self.path / f"image{run > 0}")

    def boot_and_cut(self, image, lines):
        with Machine(self.arch, image, data=[self.disk.url]) as machine:
            lines_seen(machine, lines)
            self.disk.wait(machine, self.rng)
        self.disk.cut(self.rng)
        assert "powercut: " not in machine.console, machine.console
        return Run(machine.console)

    def recover(self):
        """All files, by path, as our kernel and debugfs agree on them."""
        with Machine(self.arch, self.lister, data=[self.disk.url]) as machine:
            assert machine.wait_end() == (qemu_status(self.arch, 0), 0, "exit status 0"), machine.console
        e2fsck = subprocess.run(["/sbin/e2fsck", "-fn", self.medium], text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        assert e2fsck.returncode == 0, e2fsck.stdout
        files = self.dump(self.medium)
        listed = re.findall(r"^file (\d+) (\w+) /(.*)$", machine.console, re.M)
        assert {path: (int(size), int(crc, 16)) for size, crc, path in listed} == \
            {path: (len(data), zlib.crc32(data)) for path, data in files.items()}
        return files

    def recover_by_linux(self):
        """The same of a copy that e2fsck has recovered, as it does unattended before Linux mounts."""
        copy = self.path / "copy"
        shutil.copyfile(self.medium, copy)
        e2fsck = subprocess.run(["/sbin/e2fsck", "-fp", copy], text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        assert e2fsck.returncode in (0, 1), e2fsck.stdout
        return self.dump(copy)

    def dump(self, medium):
        out = self.path / "dump"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        subprocess.run(["/sbin/debugfs", "-R", f"rdump / {out}", medium], check=True,
                       stderr=subprocess.DEVNULL)
        return {os.path.relpath(os.path.join(where, name), out): open(os.path.join(where, name), "rb").read()
                for where, _, names in os.walk(out) for name in names}


def in_directory(files, name):
    return {path[len(name) + 1:]: data for path, data in files.items() if path.startswith(name + "/")}


def check_older(files, kept, dropping):
    """The directories of the runs before are as they were; one that was being removed has lost files at most."""
    for name, contents in kept.items():
        now = in_directory(files, name)
        if name == dropping:
            assert now.items() <= contents.items(), f"{name} has other files"
        else:
            assert now == contents, f"{name} has changed"


def series(arch, kind, rng, number, cuts, path):
    """One disk, cut off again and again."""
    path.mkdir()
    medium = str(path / "medium")
    with open(medium, "wb") as file:
        file.truncate(48 << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", *FORMATS[number % len(FORMATS)].split(), medium], check=True)
    kept = {}
    with kind(medium) as disk:
        rig = Rig(arch, path, disk, medium, rng)
        for number in range(1, cuts + 1):
            run = rig.boot_and_cut(rig.image(number), rng.choice([1, 5, 50, 200, 500]))
            run.check(in_directory(rig.recover_by_linux(), f"run{number}"))
            while rng.random() < 0.2:  # and again while our kernel recovers
                rig.boot_and_cut(rig.lister, 0)
            files = rig.recover()
            mine = in_directory(files, f"run{number}")
            run.check(mine)
            check_older(files, kept, run.dropping)
            kept[f"run{number}"] = mine
            kept.pop(run.dropping, None)
    os.unlink(medium)


@pytest.mark.parametrize("kind", [Kill, Cut])
@pytest.mark.parametrize("arch", ARCHS)
def test_files_survive(arch, kind, tmp_path):
    rng = random.Random(f"{arch} {kind.__name__}")
    first = [(a, k) for a in ARCHS for k in (Kill, Cut)].index((arch, kind))
    for number, done in enumerate(range(0, CUTS, CUTS_EACH)):
        series(arch, kind, rng, first + number, min(CUTS - done, CUTS_EACH), tmp_path / f"disk{number}")
