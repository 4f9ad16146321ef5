"""Locks and condition variables under load: many threads, in one process and in several that share memory, in a kernel
that checks itself."""
import pytest

from machine import ARCHS, Machine, compile_guest, make_image

CONFIG = """%TAG ! tag:nuxi.nl,2015:cloudabi/
---
out: !fd stdout
processes: {processes}
threads: {threads}
rounds: {rounds}
seed: {seed}
"""


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("processes, threads, rounds", [(1, 12, 1600), (4, 4, 1600), (12, 1, 1600)])
def test_lock_stress(arch, processes, threads, rounds, tmp_path):
    program = compile_guest(arch, "tests/guest/lock_stress.c", tmp_path / "lock_stress", ["-Wextra"])
    config = CONFIG.format(processes=processes, threads=threads, rounds=rounds, seed=processes)
    image = make_image(arch, program, config, tmp_path / "image", "-debug-ubsan")
    with Machine(arch, image) as machine:
        _, status, last = machine.wait_end()
        assert f"stress {rounds} rounds: 0 errors" in machine.console, machine.console[-3000:]
        assert status == 0, last
