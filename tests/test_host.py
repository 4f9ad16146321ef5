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
# What takes minutes is run in parts, each with other seeds, so that no worker is left alone with it.
PARTS = {"test_ext4_power": [{"VIRGA_IMAGES": "5250", "VIRGA_SEED": str(21 * i)} for i in range(4)]}
FUZZ = "-runs=20000 -max_len=4096"  # or what a fuzzer says in a line "// fuzz: …"


def names(prefix):
    return sorted(os.path.basename(path)[:-2] for path in glob.glob(f"{SOURCES}/{prefix}_*.c"))


def fuzz_options(name):
    with open(f"{SOURCES}/{name}.c") as file:
        found = re.search(r"^// fuzz: (.*)$", file.read(), re.M)
    return (found[1] if found else FUZZ).split()


def units():
    for name in names("test"):
        parts = PARTS.get(name, [{}])
        for i, settings in enumerate(parts):
            yield pytest.param(name, settings, id=name + (f"-{i + 1}" if len(parts) > 1 else ""))


def check(command, settings=None):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace", stdin=subprocess.DEVNULL, env={**(settings or {}), **os.environ})
    assert run.returncode == 0, f"{' '.join(command)}: exit status {run.returncode}\n{run.stdout[-6000:]}"


@pytest.mark.parametrize("name, settings", units())
def test_unit(name, settings):
    check([f"{TESTS}/{name}"], settings)


@pytest.mark.parametrize("name", names("fuzz"))
def test_fuzz(name, tmp_path):
    check([f"{TESTS}/{name}", "-seed=1", *fuzz_options(name), "-timeout=60", "-rss_limit_mb=4096",
           f"-artifact_prefix={tmp_path}/"])
