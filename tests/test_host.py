"""Runs every host unit (cmocka) and gives every fuzzer a short seeded run.

`make test` has built them under build/host/tests, with AddressSanitizer and UBSan.
"""
import glob
import os
import re
import subprocess

import pytest

TESTS = "build/host/tests"
SOURCES = "tests/host"
FUZZ = "-runs=20000 -max_len=4096"  # or what a fuzzer says in a line "// fuzz: …"


def names(prefix):
    return sorted(os.path.basename(path)[:-2] for path in glob.glob(f"{SOURCES}/{prefix}_*.c"))


def fuzz_options(name):
    with open(f"{SOURCES}/{name}.c") as file:
        found = re.search(r"^// fuzz: (.*)$", file.read(), re.M)
    return (found[1] if found else FUZZ).split()


def check(command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace", stdin=subprocess.DEVNULL)
    assert run.returncode == 0, f"{' '.join(command)}: exit status {run.returncode}\n{run.stdout[-6000:]}"


@pytest.mark.parametrize("name", names("test"))
def test_unit(name):
    check([f"{TESTS}/{name}"])


@pytest.mark.parametrize("name", names("fuzz"))
def test_fuzz(name, tmp_path):
    check([f"{TESTS}/{name}", "-seed=1", *fuzz_options(name), "-timeout=60", "-rss_limit_mb=4096",
           f"-artifact_prefix={tmp_path}/"])
