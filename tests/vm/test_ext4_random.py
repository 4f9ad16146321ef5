"""Random work on ext4 inside a machine with little memory, by several threads against a model; afterwards e2fsck has
not a word to say and debugfs reads what the model has. VIRGA_SEEDS: how many of each architecture."""
import os
import re
import subprocess
import zlib

import pytest

from ext4 import check_clean, mkfs
from machine import ARCHS, Machine, compile_guest, make_image

SEEDS = int(os.environ.get("VIRGA_SEEDS", "3"))
STEPS = int(os.environ.get("VIRGA_STEPS", "300"))
KINDS = ["-b 1024", "-b 4096", "-t ext3 -b 4096", "-b 4096 -J size=4", "-t ext2", "-b 2048 -O ^metadata_csum"]
CONFIG = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
console: !fd stdout
disk: !file {{disk: 0, writable: true}}
seed: {}
steps: {}
threads: {}
"""


def files_of(disk, out):
    """What debugfs finds, by path: (size, checksum)."""
    out.mkdir()
    subprocess.run(["/sbin/debugfs", "-R", f"rdump / {out}", disk], check=True, stderr=subprocess.DEVNULL)
    found = {}
    for where, _, names in os.walk(out):
        for name in names:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    data = file.read()
                found[os.path.relpath(path, out)] = (len(data), zlib.crc32(data))
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("arch", ARCHS)
def test_random_work_on_a_disk(arch, seed, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 48, KINDS[seed % len(KINDS)].split())
    program = compile_guest(arch, "tests/guest/disk_random.c", tmp_path / "program")
    threads = 1 + seed % 3
    image = make_image(arch, program, CONFIG.format(seed, STEPS, threads), tmp_path / "image")
    with Machine(arch, image, net=None, mem=16 + 6 * threads, data=[disk]) as machine:
        _, status, line = machine.wait_end()
        assert (status, line) == (0, "exit status 0"), machine.console
    check_clean(disk)
    told = re.findall(r"^file (.*)\t(\d+) (\w+)$", machine.console, re.M)
    assert len(told) > 6 * threads
    assert {path: (int(size), int(crc, 16)) for path, size, crc in told} == files_of(disk, tmp_path / "out")
