"""Loaders, machines, processors, memory sizes and kinds of virtio devices that an image boots on."""
import pytest

from machine import Machine, app, get, make_disk, make_image

ARCHS = ["x86_64"]
OVMF = "/usr/share/ovmf/OVMF.fd"
MICROVM = {"net": "virtio-net-device", "rng": "virtio-rng-device"}


@pytest.fixture(scope="module", params=ARCHS)
def httpd(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("boot") / "httpd"
    return request.param, make_image(request.param, app(request.param, "httpd"),
                                     "apps/httpd/httpd.yaml", out)


def check(arch, image, **how):
    """It boots, gets its address, and answers over the network."""
    with Machine(arch, image, guest_port=8080, **how) as machine:
        with machine.connect() as s:
            status, _, body = get(s)
            assert status == 200 and b"<html" in body.lower()
        assert machine.process.poll() is None
        return machine.console


@pytest.mark.parametrize("cpu", ["qemu64", "max"])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_machine(httpd, machine, cpu):
    check(*httpd, machine=machine, cpu=cpu, **(MICROVM if machine == "microvm" else {}))


@pytest.mark.parametrize("firmware", [None, OVMF], ids=["bios", "uefi"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_disk(httpd, machine, firmware, tmp_path):
    arch, image = httpd
    disk = make_disk(image, tmp_path / "disk.img", "log=info")
    mem = 256 if firmware else 64
    console = check(arch, None, machine=machine, firmware=firmware, disk=disk, mem=mem)
    assert "multiboot2" in console


@pytest.mark.parametrize("mem", ["3M", "4M", "5M", "16M", "1G", "3G", "5G"])
def test_memory(httpd, mem):
    check(*httpd, mem=mem)


def test_memory_64g(httpd):
    """More than the host has: pages are only taken when they are touched."""
    arch, image = httpd
    ram = ["-object", "memory-backend-ram,id=ram,size=64G,reserve=off", "-machine", "memory-backend=ram"]
    check(arch, image, mem="64G", extra=ram)


@pytest.mark.parametrize("net", ["virtio-net-pci,disable-legacy=on", "virtio-net-pci,disable-legacy=off",
                                 "virtio-net-pci,disable-modern=on,disable-legacy=off",
                                 "virtio-net-pci,mrg_rxbuf=off", "virtio-net-pci,event_idx=off",
                                 "virtio-net-pci,rx_queue_size=1024", "virtio-net-pci,vectors=0"])
def test_virtio_net_pci(httpd, net):
    check(*httpd, net=net)


@pytest.mark.parametrize("rng", ["virtio-rng-pci,disable-legacy=on",
                                 "virtio-rng-pci,disable-modern=on,disable-legacy=off"])
def test_virtio_rng_pci(httpd, rng):
    check(*httpd, cpu="qemu64", rng=rng)


@pytest.mark.parametrize("legacy", ["true", "false"])
@pytest.mark.parametrize("machine", ["microvm", "microvm,acpi=off", "microvm,pit=off",
                                     "microvm,pic=off,rtc=off", "microvm,ioapic2=off"])
def test_virtio_mmio(httpd, machine, legacy):
    check(*httpd, machine=machine, extra=["-global", f"virtio-mmio.force-legacy={legacy}"], **MICROVM)


def test_command_line_of_both_loaders(httpd, tmp_path):
    arch, image = httpd
    assert "PVH" in check(arch, image, cmdline="log=info ip=10.0.2.15/24 gw=10.0.2.2")
    disk = make_disk(image, tmp_path / "disk.img", "log=info ip=10.0.2.15/24 gw=10.0.2.2")
    assert "multiboot2" in check(arch, None, disk=disk)
