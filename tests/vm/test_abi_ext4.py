"""The calls about files in a directory of an ext4 disk: the checks of tests/guest/abi that tmpfs passes, too."""
import pytest

import abi
from ext4 import check_clean, mkfs
from machine import ARCHS


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("name", abi.ON_DISK)
def test_abi_on_a_disk(arch, name, tmp_path):
    (tmp_path / "files" / "app").mkdir(parents=True)
    disks = [mkfs(tmp_path / "disk0.img", 16, ["-b", "1024"], tmp_path / "files"), mkfs(tmp_path / "disk1.img", 4)]
    image = abi.make(arch, name, tmp_path, on_disk=True)
    results, console = abi.run(arch, name, image, data=disks)
    failed = [f"{call}: {what}" for verdict, call, what in results if verdict != "ok"]
    assert not failed, console
    for disk in disks:
        check_clean(disk)
