#!/usr/bin/python3
"""Boots images in QEMU: the one place that knows the command lines.

    vm.py run      [options] IMAGE   boots IMAGE.elf, shows its console, exits as the program did
    vm.py describe [options] IMAGE   tells what was made and the command line that boots it

IMAGE is the path without its extension. The program's exit status becomes ours; 128 plus the
signal's number if it crashed; 1 when the machine ended without saying how.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MKIMAGE = os.path.join(ROOT, "build/host/mkimage")

# CloudABI's signal numbers, by the names that the kernel prints.
SIGNALS = {name: number for number, name in enumerate(
    "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT KILL PIPE QUIT SEGV STOP SYS TERM TRAP TSTP TTIN TTOU "
    "URG USR1 USR2 VTALRM XCPU XFSZ".split(), 1)}


# UEFI firmware, for disks: `firmware=` of qemu().
FIRMWARE = {"x86_64": "/usr/share/ovmf/OVMF.fd", "aarch64": "/usr/share/AAVMF/AAVMF_CODE.fd"}
SUFFIX = {"x86_64": ".elf", "aarch64": ".image"}  # of what -kernel takes


def qemu(arch, image=None, machine=None, cpu="max", mem=64, ports=(), cmdline="", disk=None,
         net="virtio-net-pci", rng="virtio-rng-pci", firmware=None, data=(), extra=()):
    """The QEMU command for an image. `ports` are pairs of a host port and the guest's; `disk` is what
    is booted from, `data` are further disks in their order."""
    if arch == "x86_64":
        command = ["qemu-system-x86_64", "-machine", machine or "q35", "-cpu", cpu,
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    else:
        command = ["qemu-system-aarch64", "-machine", machine or "virt", "-cpu", cpu,
                   "-semihosting"]
    # For a machine that can only ever have one processor, QEMU up to 7.2 translates memory barriers to
    # nothing, though devices run beside it: now and then a ring's notification is lost.
    command += ["-smp", "1,maxcpus=2"]
    command += ["-m", str(mem), "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"]
    if net:
        forward = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in ports)
        command += ["-netdev", "user,id=n0" + forward, "-device", f"{net},netdev=n0"]
    if rng:
        command += ["-device", rng]
    if firmware:
        command += ["-bios", firmware, "-boot", "menu=on,splash-time=1"]  # no long wait for a key
    if image:
        command += ["-kernel", image]
    if cmdline:
        command += ["-append", cmdline]
    if disk:
        command += ["-drive", f"if=none,id=d0,format=raw,file={disk}", "-device",
                    "virtio-blk-pci,drive=d0"]
    for number, path in enumerate(data, 1 if disk else 0):
        file = path.replace(",", ",,")
        command += ["-drive", f"if=none,id=d{number},format=raw,file={file}", "-device",
                    f"virtio-blk-pci,drive=d{number}"]
    return command + list(extra)


def make_data(path):
    """An empty ext4 file system in a file, unless there is a file."""
    if os.path.exists(path):
        return
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    if subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", path]).returncode != 0:
        os.unlink(path)
        sys.exit(1)


def exit_status(console):
    """The program's status by the console's last line: (status, line), or (None, line)."""
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if match := re.fullmatch(r"exit status (\d+)", last):
        return int(match[1]) & 0xff, last
    if match := re.fullmatch(r"killed by SIG(\w+)", last):
        return 128 + SIGNALS.get(match[1], 0), last
    if re.match(r"(panic|boot failed): ", last):
        return 127, last
    return None, last


def guest_port(program, config):
    """The first TCP port that the YAML file grants, or None. Exits where mkimage refuses the file."""
    run = subprocess.run([MKIMAGE, "--list-ports", "--program", program, "--config", config],
                         stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(run.returncode)
    grants = [line.split() for line in run.stdout.splitlines()]
    return next((int(grant[1]) for grant in grants if grant[0] == "tcp"), None)


def command_of(options):
    port = guest_port(options.program, options.config)
    ports = [(options.port, port)] if port else []
    extra = ["-s", "-S"] if options.gdb else []
    data = options.disk.split()
    for path in data:
        make_data(path)
    return port, qemu(options.arch, options.image + SUFFIX[options.arch], mem=options.mem, ports=ports,
                      cmdline=options.append, data=data, extra=extra)


def describe(options):
    port, command = command_of(options)
    files = [(SUFFIX[options.arch], "the machine: kernel and program"), (".img", "the same, as a disk")]
    if options.arch == "aarch64":
        files += [(".elf", "the same, for the debugger")]
    for suffix, what in files:
        path = options.image + suffix
        if os.path.exists(path):
            print(f"{path}  {os.path.getsize(path)} bytes, {what}")
    if port:
        print(f"The program listens on port {port}; the command below makes it 127.0.0.1:{options.port}.")
    print("\n" + shlex.join(command))
    return 0


def write_gdbinit(options):
    path = os.path.join(os.path.dirname(options.image), "gdbinit")
    with open(path, "w") as out:
        out.write(f"file {options.image}.elf\ntarget remote 127.0.0.1:1234\n"
                  f"source {ROOT}/tools/gdb_virga.py\n")
    print(f"Waiting for a debugger: gdb-multiarch -x {path}")


def run(options):
    port, command = command_of(options)
    if options.gdb:
        write_gdbinit(options)
    if port:
        print(f"http://127.0.0.1:{options.port}/ reaches the program's port {port}. "
              "Ctrl-C ends the machine.", flush=True)
    console = b""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        try:
            while chunk := machine.stdout.read1(65536):
                console = (console + chunk)[-65536:]
                sys.stdout.buffer.write(chunk.replace(b"\r\n", b"\n"))
                sys.stdout.flush()
        except KeyboardInterrupt:
            machine.terminate()
            return 130
    status, last = exit_status(console.decode("utf-8", "replace"))
    if status is None:
        print(f"the machine ended without an exit status; its last line was: {last!r}", file=sys.stderr)
        return 1
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "describe"])
    parser.add_argument("image")
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--mem", type=int, default=64)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--program", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--append", default="")
    parser.add_argument("--disk", default="", help="disks for its data, made where they are missing")
    parser.add_argument("--gdb", action="store_true")
    options = parser.parse_args()
    return {"run": run, "describe": describe}[options.action](options)


if __name__ == "__main__":
    sys.exit(main())
