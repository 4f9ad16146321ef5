"""The system calls as programs see them: every check of tests/guest/abi, in a machine."""
import pytest

import abi
from machine import ARCHS


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("name", abi.PROGRAMS)
def test_abi(arch, name, tmp_path):
    results, _ = abi.run(arch, name, abi.make(arch, name, tmp_path))
    failed = [f"{call}: {what}" for verdict, call, what in results if verdict != "ok"]
    assert not failed
