"""ext4 on every kind of virtio-blk device and partition, by every name that the configuration has for it; and
disks that fail while they are in use, or that nobody can use at all."""
import re
import subprocess

import pytest

from ext4 import check_clean, debugfs, mkfs
from machine import ARCHS, Machine, compile_guest, make_image, qemu_status, qmp
from nbd import Disk

HEAD = "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\nconsole: !fd stdout\n"
WRITABLE = "disk: !file {disk: 0, writable: true}\n"
MMIO = {"net": None, "rng": "virtio-rng-device"}
MODERN_MMIO = ["-global", "virtio-mmio.force-legacy=false"]
BLOCKS_4096 = "disable-legacy=on,logical_block_size=4096,physical_block_size=4096"
CASES = [  # architectures, machine, device, its options, options of mkfs
    ("x86_64 aarch64", {}, "virtio-blk-pci", "", "-b 4096"),
    ("x86_64 aarch64", {}, "virtio-blk-pci", BLOCKS_4096, "-b 4096"),
    ("x86_64 aarch64", {}, "virtio-blk-pci", "disable-legacy=on,write-cache=off,discard=off,write-zeroes=off", "-b 2048"),
    ("x86_64", {"machine": "pc"}, "virtio-blk-pci", "disable-modern=on", "-b 1024"),
    ("x86_64", {"machine": "pc"}, "virtio-blk-pci", "disable-legacy=off,disable-modern=off", "-t ext3"),
    ("x86_64", {"machine": "microvm", **MMIO}, "virtio-blk-device", "", "-b 1024"),
    ("x86_64", {"machine": "microvm", "extra": MODERN_MMIO, **MMIO}, "virtio-blk-device", "", "-b 4096"),
    ("aarch64", MMIO, "virtio-blk-device", "", "-b 1024"),
    ("aarch64", {"extra": MODERN_MMIO, **MMIO}, "virtio-blk-device", "", "-b 4096"),
]
EACH = [(arch, *case) for archs, *case in CASES for arch in archs.split() if arch in ARCHS]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    out = tmp_path_factory.mktemp("disk")
    return {arch: compile_guest(arch, "tests/guest/disk.c", out / arch) for arch in ARCHS}


def drive(number, path, device="virtio-blk-pci", options="", of_drive=""):
    """QEMU's words for a disk."""
    return ["-drive", f"if=none,id=b{number},format=raw,file={path}{of_drive}", "-device",
            ",".join([device, f"drive=b{number}"] + [options] * bool(options))]


def boot(programs, arch, tmp_path, what, drives, grants=WRITABLE, extra=(), **how):
    image = make_image(arch, programs[arch], f"{HEAD}{grants}what: {what}\n", tmp_path / f"image-{what}")
    return Machine(arch, image, **{"net": None, **how, "extra": [*drives, *how.get("extra", []), *extra]})


def run(programs, arch, *arguments, **how):
    with boot(programs, arch, *arguments, **how) as machine:
        assert machine.wait_end() == (qemu_status(arch, 0), 0, "exit status 0"), machine.console


def refused(programs, arch, *arguments, **how):
    """The message of a boot that fails."""
    with boot(programs, arch, *arguments, **how) as machine:
        assert machine.wait_end()[1] == 127, machine.console
        return machine.console.splitlines()[-1]


@pytest.mark.parametrize("arch, how, device, options, kind", EACH)
def test_every_device_serves(programs, arch, how, device, options, kind, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 8, kind.split())
    for number in (1, 2):
        run(programs, arch, tmp_path, "count", drive(0, disk, device, options), **how)
        check_clean(disk)
        assert debugfs(disk, "cat /count") == b"%d\n" % number


# ---- Names of disks ------------------------------------------------------------------------------------------------


def make_gpt(disk, start, sectors):
    end = start + sectors - 1
    subprocess.run(["/sbin/sgdisk", "-a", "1", "-n", "1:64:1000", "-n", f"3:{start}:{end}", "-c", "3:third", disk],
                   check=True, stdout=subprocess.DEVNULL)


def make_mbr(disk, start, sectors):
    with open(disk, "r+b") as file:
        for number, (first, count) in {1: (64, 900), 3: (start, sectors)}.items():
            file.seek(446 + 16 * (number - 1) + 4)
            file.write(b"\x83\xff\xff\xff" + first.to_bytes(4, "little") + count.to_bytes(4, "little"))
        file.seek(510)
        file.write(b"\x55\xaa")


def make_partitioned(path, table, contents, start=2048):
    with open(contents, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.truncate(start * 512 + len(data) + (1 << 20))
        file.seek(start * 512)
        file.write(data)
    table(str(path), start, len(data) // 512)
    return str(path)


@pytest.mark.parametrize("table, place", [(make_gpt, "disk: 0, partition: 3"), (make_gpt, "disk: label=third"),
                                          (make_mbr, "disk: 0, partition: 3"), (make_mbr, "disk: label=volume")])
@pytest.mark.parametrize("arch", ARCHS)
def test_partitions(programs, arch, table, place, tmp_path):
    inner = mkfs(tmp_path / "inner.img", 4, ["-L", "volume"])
    disk = make_partitioned(tmp_path / "disk.img", table, inner)
    grants = f"disk: !file {{{place}, writable: true}}\n"
    run(programs, arch, tmp_path, "count", drive(0, disk), grants)
    with open(disk, "rb") as whole:
        whole.seek(2048 * 512)
        data = whole.read(4 << 20)
    with open(inner, "wb") as file:
        file.write(data)
    check_clean(inner)
    assert debugfs(inner, "cat /count") == b"1\n"


GRANTS = """disk: !file {disk: 0}
file: !file {disk: 0, path: /conf/words, writable: true}
second: !file {disk: serial=number-two, path: /, writable: true}
third: !file {disk: label=the third, writable: true}
"""


@pytest.mark.parametrize("arch", ARCHS)
def test_files_and_several_disks(programs, arch, tmp_path):
    (tmp_path / "tree/conf").mkdir(parents=True)
    (tmp_path / "tree/conf/words").write_bytes(b"old")
    disks = [mkfs(tmp_path / "0.img", 4, (), tmp_path / "tree"), mkfs(tmp_path / "1.img", 4, ["-L", "the third"]),
             mkfs(tmp_path / "2.img", 4)]
    drives = drive(0, disks[0]) + drive(1, disks[1]) + drive(2, disks[2], options="serial=number-two")
    run(programs, arch, tmp_path, "grants", drives, GRANTS)
    for disk, path, words in zip(disks, ("/conf/words", "/word", "/word"), (b"new words", b"three", b"two")):
        check_clean(disk)
        assert debugfs(disk, "cat " + path) == words


# ---- What can't be used --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, grant, message", [
    ("-O inline_data", "{disk: 0}", "it has the feature inline_data; make it without"),
    ("-O casefold -E encoding=utf8", "{disk: 0}", "it has the feature casefold; make it without"),
    ("-O large_dir", "{disk: 0}", "it has the feature large_dir; make it without"),
    ("-O bigalloc", "{disk: 0}", "it has the feature bigalloc; make it without"),
    ("-b 65536", "{disk: 0}", "its blocks are larger than 4096 bytes; make it with: mkfs.ext4 -b 4096"),
    ("-O quota", "{disk: 0, writable: true}", "it has the feature quota; take it away: tune2fs -O ^quota"),
    ("-O verity", "{disk: 0, writable: true}", "it has the feature verity; make it without")])
@pytest.mark.parametrize("arch", ARCHS)
def test_features_that_are_not_served(programs, arch, kind, grant, message, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 16, kind.split())
    line = refused(programs, arch, tmp_path, "none", drive(0, disk), f"disk: !file {grant}\n")
    assert line == "boot failed: disk0 can't be mounted: " + message
    if "writable" in grant:
        run(programs, arch, tmp_path, "denied", drive(0, disk), "disk: !file {disk: 0}\n")


@pytest.mark.parametrize("arch", ARCHS)
def test_damage_that_the_mount_sees(programs, arch, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 4)
    with open(disk, "r+b") as file:
        file.seek(1024 + 0x60)
        byte = file.read(1)[0]
        file.seek(1024 + 0x34)  # the number of mounts, which the checksum covers
        file.write(bytes([byte ^ 255]))
    line = refused(programs, arch, tmp_path, "none", drive(0, disk))
    assert line == "boot failed: disk0 can't be mounted: its superblock is damaged; run e2fsck on it"


@pytest.mark.parametrize("arch", ARCHS)
def test_blocks_smaller_than_the_disks(programs, arch, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 4, ["-b", "1024"])
    line = refused(programs, arch, tmp_path, "none", drive(0, disk, options=BLOCKS_4096))
    assert line == "boot failed: disk0 can't be mounted: its blocks are smaller than the disk's"


@pytest.mark.parametrize("arch", ARCHS)
def test_a_disk_that_can_only_be_read(programs, arch, tmp_path):
    disk = mkfs(tmp_path / "disk.img", 8)
    only_read = drive(0, disk, of_drive=",readonly=on")
    cannot = "boot failed: disk0 can't be mounted: "
    line = refused(programs, arch, tmp_path, "none", only_read)
    assert line == cannot + "the disk can only be read, and the configuration wants to write"
    run(programs, arch, tmp_path, "denied", only_read, "disk: !file {disk: 0}\n")
    with boot(programs, arch, tmp_path, "load", drive(0, disk)) as machine:
        machine.wait_for("safe 2\n")
    line = refused(programs, arch, tmp_path, "none", only_read, "disk: !file {disk: 0}\n")
    assert line == cannot + "its journal has changes, and the disk can't be written"


# ---- What happens meanwhile ----------------------------------------------------------------------------------------


def make_fails(disk, monitor):
    disk.failing = True


def make_vanish(disk, monitor):
    disk.vanish()


def make_short(disk, monitor):
    qmp(monitor, "block_resize", device="b0", size=1 << 20)


@pytest.mark.parametrize("how", [make_fails, make_vanish, make_short])
@pytest.mark.parametrize("arch", ARCHS)
def test_a_disk_that_fails(programs, arch, how, tmp_path):
    """The program is told, the console too, once a request; and the machine ends as the program does."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/large").write_bytes(b"large" * 600000)
    path, monitor = mkfs(tmp_path / "disk.img", 16, ["-b", "4096"], tmp_path / "tree"), str(tmp_path / "qmp")
    extra = ["-qmp", f"unix:{monitor},server=on,wait=off"]
    with Disk(path) as disk:
        url = path if how is make_short else disk.url
        with boot(programs, arch, tmp_path, "fail", drive(0, url), extra=extra) as machine:
            machine.wait_for("ready\n")
            how(disk, monitor)
            assert machine.wait_end() == (qemu_status(arch, 0), 0, "exit status 0"), machine.console
    lines = [line for line in machine.console.splitlines() if re.match("disk0|ext4|panic", line)]
    assert lines.count("ext4 disk0: the disk can't be written; it is read-only from now on") == 1, machine.console
    assert all(re.match(r"disk0: (can't|has \d+ KiB now)|ext4 disk0: (the|not)", line) for line in lines), lines
    assert len(lines) <= 12, machine.console


@pytest.mark.parametrize("arch", ARCHS)
def test_a_disk_that_grows(programs, arch, tmp_path):
    disk, monitor = mkfs(tmp_path / "disk.img", 8), str(tmp_path / "qmp")
    extra = ["-qmp", f"unix:{monitor},server=on,wait=off"]
    with boot(programs, arch, tmp_path, "load", drive(0, disk), extra=extra) as machine:
        machine.wait_for("safe 2\n")
        qmp(monitor, "block_resize", device="b0", size=12 << 20)
        machine.wait_for("disk0: has 12288 KiB now, and had 8192\n")
        before = machine.console.count("safe ")
        machine.wait_for(f"safe {before + 3}\n")
    run(programs, arch, tmp_path, "none", drive(0, disk))
    check_clean(disk)


@pytest.mark.parametrize("arch", ARCHS)
def test_what_nobody_syncs_gets_to_the_disk(programs, arch, tmp_path):
    """Five seconds after the change, and then a kill does not take it away."""
    path = mkfs(tmp_path / "disk.img", 8)
    with Disk(path) as disk:
        with boot(programs, arch, tmp_path, "idle", drive(0, disk.url)) as machine:
            machine.wait_for("written\n")
            flushes = disk.flushes
            with disk.changed:
                disk.changed.wait_for(lambda: disk.flushes >= flushes + 2, 60)
        disk.cut(None, 0)
    run(programs, arch, tmp_path, "none", drive(0, path))
    check_clean(path)
    assert debugfs(path, "cat /word") == b"nobody has synced these words"
