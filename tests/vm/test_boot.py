"""Loaders, machines, processors, memory sizes and kinds of virtio devices that an image boots on."""
import pytest

import vm
from machine import ARCHS, Machine, app, get, make_disk, make_image

MMIO = {"net": "virtio-net-device", "rng": "virtio-rng-device"}
GIC3 = "virt,gic-version=3"


def on_each(cases):
    """Parameters (arch, case) for a table of cases by architecture, or one list for all."""
    return [pytest.param(arch, case, id=f"{arch}-{case if isinstance(case, str) else ' '.join(case)}")
            for arch in ARCHS for case in (cases[arch] if isinstance(cases, dict) else cases)]


@pytest.fixture(scope="module")
def httpd(tmp_path_factory):
    """Gives the web server's image for an architecture."""
    made = {}

    def image(arch):
        if arch not in made:
            out = tmp_path_factory.mktemp("boot") / "httpd"
            made[arch] = make_image(arch, app(arch, "httpd"), "apps/httpd/httpd.yaml", out)
        return made[arch]
    return image


def check(arch, image, **how):
    """It boots, gets its address, and answers over the network."""
    with Machine(arch, image, guest_port=8080, **how) as machine:
        machine.wait_for("serving")
        with machine.connect() as s:
            status, _, body = get(s)
            assert status == 200 and b"<html" in body.lower()
        assert machine.process.poll() is None
        return machine.console


@pytest.mark.parametrize("arch, case", on_each({
    "x86_64": [(machine, cpu) for machine in ("pc", "q35", "microvm") for cpu in ("qemu64", "max")],
    "aarch64": [("virt,gic-version=2", "cortex-a53"), ("virt,gic-version=2", "max"),
                (GIC3, "cortex-a72"), (GIC3, "neoverse-n1"), (GIC3, "max"),
                ("virt,gic-version=2,virtualization=on", "cortex-a53"),
                (GIC3 + ",virtualization=on", "cortex-a72"), (GIC3 + ",virtualization=on", "max"),
                ("virt,highmem=off", "cortex-a53")]}))
def test_machine(httpd, arch, case):
    machine, cpu = case
    check(arch, httpd(arch), machine=machine, cpu=cpu, **(MMIO if machine == "microvm" else {}))


@pytest.mark.parametrize("arch, case", on_each({
    "x86_64": [(machine, firmware) for machine in ("pc", "q35") for firmware in ("bios", "uefi")],
    "aarch64": [("virt,gic-version=2", "uefi"), (GIC3, "uefi"), (GIC3 + ",virtualization=on", "uefi"),
                ("virt,acpi=off", "uefi")]}))
def test_disk(httpd, arch, case, tmp_path):
    machine, firmware = case
    disk = make_disk(httpd(arch), tmp_path / "disk.img", "log=info")
    firmware = vm.FIRMWARE[arch] if firmware == "uefi" else None
    console = check(arch, None, machine=machine, firmware=firmware, disk=disk,
                    mem=256 if firmware else 64)
    assert {"x86_64": "multiboot2", "aarch64": "EFI"}[arch] in console


@pytest.mark.parametrize("arch, mem", on_each(["3M", "4M", "5M", "16M", "1G", "3G", "5G"]))
def test_memory(httpd, arch, mem):
    check(arch, httpd(arch), mem=mem)


@pytest.mark.parametrize("arch", ARCHS)
def test_memory_64g(httpd, arch):
    """More than the host has: pages are only taken when they are touched."""
    ram = ["-object", "memory-backend-ram,id=ram,size=64G,reserve=off", "-machine", "memory-backend=ram"]
    check(arch, httpd(arch), mem="64G", extra=ram)


@pytest.mark.parametrize("arch, net", on_each([
    "virtio-net-pci,disable-legacy=on", "virtio-net-pci,disable-legacy=off",
    "virtio-net-pci,disable-modern=on,disable-legacy=off", "virtio-net-pci,mrg_rxbuf=off",
    "virtio-net-pci,event_idx=off", "virtio-net-pci,rx_queue_size=1024", "virtio-net-pci,vectors=0"]))
def test_virtio_net_pci(httpd, arch, net):
    check(arch, httpd(arch), net=net)


@pytest.mark.parametrize("arch, rng", on_each([
    "virtio-rng-pci,disable-legacy=on", "virtio-rng-pci,disable-modern=on,disable-legacy=off"]))
def test_virtio_rng_pci(httpd, arch, rng):
    """The only source of random numbers."""
    if arch == "x86_64":
        check(arch, httpd(arch), rng=rng, cpu="qemu64")
    else:
        check(arch, httpd(arch), rng=rng, cpu="cortex-a53", machine="virt,dtb-randomness=off")


@pytest.mark.parametrize("legacy", ["true", "false"])
@pytest.mark.parametrize("arch, machine", on_each({
    "x86_64": ["microvm", "microvm,acpi=off", "microvm,pit=off", "microvm,pic=off,rtc=off",
               "microvm,ioapic2=off"],
    "aarch64": ["virt", GIC3 + ",its=off"]}))
def test_virtio_mmio(httpd, arch, machine, legacy):
    extra = ["-global", f"virtio-mmio.force-legacy={legacy}"]
    check(arch, httpd(arch), machine=machine, extra=extra, **MMIO)


LOADERS = {"x86_64": ("PVH", "multiboot2"), "aarch64": ("Image", "EFI")}


@pytest.mark.parametrize("arch", ARCHS)
def test_command_line_of_both_loaders(httpd, arch, tmp_path):
    image, cmdline = httpd(arch), "log=info ip=10.0.2.15/24 gw=10.0.2.2"
    direct, other = LOADERS[arch]
    assert direct in check(arch, image, cmdline=cmdline)
    disk = make_disk(image, tmp_path / "disk.img", cmdline)
    firmware = {} if arch == "x86_64" else {"firmware": vm.FIRMWARE[arch], "mem": 256}
    assert other in check(arch, None, disk=disk, **firmware)


@pytest.mark.skipif("aarch64" not in ARCHS, reason="its image is an EFI program")
def test_efi_load_options(httpd):
    """The firmware starts the image itself and hands the command line over as its load options."""
    console = check("aarch64", httpd("aarch64"), firmware=vm.FIRMWARE["aarch64"], mem=256,
                    cmdline="log=info ip=10.0.2.15/24 gw=10.0.2.2")
    assert "EFI" in console and "10.0.2.15/24" in console
