"""Disks: every kind of virtio-blk device is found, with its serial, size and abilities."""
import pytest

from machine import ARCHS, Machine, app, make_image, qemu_status, qmp

MMIO = {"net": "virtio-net-device", "rng": "virtio-rng-device"}
MODERN_MMIO = ["-global", "virtio-mmio.force-legacy=false"]
CASES = [  # architectures, machine, device, its options, what else is found of it
    ("x86_64 aarch64", {}, "virtio-blk-pci", "", "512 bytes, write cache, discard, write-zeroes"),
    ("x86_64 aarch64", {}, "virtio-blk-pci", "write-cache=off,discard=off,write-zeroes=off", "512 bytes"),
    ("x86_64 aarch64", {}, "virtio-blk-pci",
     "disable-legacy=on,logical_block_size=4096,physical_block_size=4096,queue-size=16",
     "4096 bytes, write cache, discard, write-zeroes"),
    ("x86_64", {"machine": "pc"}, "virtio-blk-pci", "disable-modern=on", "512 bytes, write cache"),
    ("x86_64", {"machine": "pc"}, "virtio-blk-pci", "disable-modern=on,vectors=0", "512 bytes, write cache"),
    ("x86_64", {"machine": "pc"}, "virtio-blk-pci", "disable-modern=on,config-wce=off,seg-max-adjust=off",
     "512 bytes, write cache"),
    ("x86_64", {"machine": "microvm", **MMIO}, "virtio-blk-device", "", "512 bytes, write cache"),
    ("x86_64", {"machine": "microvm", "extra": MODERN_MMIO, **MMIO}, "virtio-blk-device", "",
     "512 bytes, write cache"),
    ("aarch64", MMIO, "virtio-blk-device", "", "512 bytes, write cache"),
    ("aarch64", {"extra": MODERN_MMIO, **MMIO}, "virtio-blk-device", "", "512 bytes, write cache"),
]


def disk(path, number, device, options="", size_kib=4096, readonly=False):
    """QEMU's words for a disk of zeroes."""
    file = path / f"disk{number}"
    with open(file, "wb") as f:
        f.truncate(size_kib * 1024)
    read_only = ",readonly=on" if readonly else ""
    return ["-drive", f"if=none,id=b{number},format=raw,file={file}{read_only}", "-device",
            ",".join([device, f"drive=b{number},serial=serial-{number}"] + [options] * bool(options))]


def hello(arch, tmp_path):
    return make_image(arch, app(arch, "hello"), "apps/hello/hello.yaml", tmp_path / "image")


def boot(arch, tmp_path, disks, extra=(), **how):
    with Machine(arch, hello(arch, tmp_path), cmdline="log=info", extra=[*disks, *extra], **how) as machine:
        assert machine.wait_end() == (qemu_status(arch, 0), 0, "exit status 0")
        return machine.console


@pytest.mark.parametrize("arch, how, device, options, ability",
                         [(arch, *case) for archs, *case in CASES for arch in archs.split() if arch in ARCHS])
def test_disk_is_found(arch, how, device, options, ability, tmp_path):
    console = boot(arch, tmp_path, disk(tmp_path, 0, device, options), **how)
    line = next(line for line in console.splitlines() if line.startswith("disk0: "))
    assert f' virtio-blk, serial "serial-0", 4096 KiB in blocks of {ability}' in line, console


@pytest.mark.parametrize("arch", ARCHS)
def test_several_disks(arch, tmp_path):
    disks = [word for n in range(4)
             for word in disk(tmp_path, n, "virtio-blk-pci", size_kib=1024 << n, readonly=n == 3)]
    lines = [line for line in boot(arch, tmp_path, disks).splitlines() if line.startswith("disk")]
    assert len(lines) == 4
    for n, line in enumerate(lines):
        assert line.startswith(f"disk{n}: ") and f'serial "serial-{n}", {1024 << n} KiB' in line
        assert ("read-only" in line) == (n == 3)


@pytest.mark.parametrize("arch", ARCHS)
def test_useless_disk_does_not_stop_the_boot(arch, tmp_path):
    console = boot(arch, tmp_path, disk(tmp_path, 0, "virtio-blk-pci",
                                        "logical_block_size=8192,physical_block_size=8192"))
    assert "virtio-blk: blocks of 8192 bytes" in console and "disk0" not in console


@pytest.mark.parametrize("arch, how, device",
                         [(arch, *case) for arch in ARCHS for case in (
                             ({}, "virtio-blk-pci"), ({"extra": MODERN_MMIO, **MMIO}, "virtio-blk-device"),
                             (MMIO, "virtio-blk-device"))
                          if arch == "aarch64" or case[1] == "virtio-blk-pci"])
def test_size_change_is_noticed(arch, how, device, tmp_path):
    monitor = str(tmp_path / "qmp")
    extra = [*disk(tmp_path, 0, device), *how.get("extra", []), "-qmp", f"unix:{monitor},server=on,wait=off"]
    image = make_image(arch, app(arch, "httpd"), "apps/httpd/httpd.yaml", tmp_path / "image")
    with Machine(arch, image, cmdline="log=info", **{**how, "extra": extra}) as machine:
        machine.wait_for("disk0: ")
        qmp(monitor, "block_resize", device="b0", size=8192 * 1024)
        machine.wait_for("disk0: has 8192 KiB now, and had 4096")
