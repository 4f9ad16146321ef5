"""Random system calls in a kernel that checks itself: tests/guest/fuzz.

By hand, any number of them: VIRGA_FUZZ_CALLS=20000000 VIRGA_FUZZ_SEED=7 make test T=fuzz_calls
"""
import os

import pytest

import abi
from machine import ARCHS, Machine, compile_guest, make_image

CALLS = int(os.environ.get("VIRGA_FUZZ_CALLS", 1000000))
SEED = int(os.environ.get("VIRGA_FUZZ_SEED", 1))
SOURCES = [f"tests/guest/fuzz/{name}.c" for name in ("fuzz", "generate", "judge")]
# What the fuzzer leaves out, and what needs a program, a listener or rights of old programs.
NEVER = {"proc_exit", "proc_exec", "thread_exit", "thread_tcb_set", "sock_accept", "sock_bind", "sock_connect",
         "sock_listen", "sock_stat_get"}


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("threads", [1, 6])
def test_fuzz_calls(arch, threads, tmp_path):
    abi.make_tree(tmp_path)
    program = compile_guest(arch, SOURCES + ["tests/guest/abi/table.c"], tmp_path / "fuzz", ["-Wextra"])
    config = abi.config(("dir", "digits", "tmp")) + f"seed: {SEED}\ncalls: {CALLS // 2}\nthreads: {threads}\n"
    image = make_image(arch, program, config, tmp_path / "image", "-debug-ubsan")
    with Machine(arch, image) as machine:
        _, status, last = machine.wait_end()
        assert (status, last) == (0, "exit status 0"), machine.console[-4000:]
        assert "wrong:" not in machine.console, machine.console[-4000:]  # of a child
        made, succeeded = (int(word, 16) for word in machine.console.split("made ")[1].split()[0:4:3])
        assert made >= CALLS // 2
        assert succeeded > made // 10, "most calls are refused at once: the fuzzer reaches nothing"
        never = set(machine.console.split("never succeeded:")[1].split("\n")[0].split())
        assert not never - NEVER or CALLS < 1000000, "the fuzzer reaches too little"
