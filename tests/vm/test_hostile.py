"""Programs that attack the machine: they die of it or get an error, the kernel never does.

Every attack runs in a kernel that checks itself (DEBUG=1 UBSAN=1).
"""
import pytest

import abi
from machine import ARCHS, Machine, compile_guest, make_image, qemu_status

SIGNALS = {"SIGABRT": 1, "SIGALRM": 2, "SIGBUS": 3, "SIGFPE": 6, "SIGILL": 8, "SIGKILL": 10, "SIGSEGV": 13, "SIGTERM": 16,
           "SIGTRAP": 17, "SIGXFSZ": 26}
LIVES = "exit status 42"

# How each may end; the first word is the usual end.
EVERYWHERE = {
    "SIGSEGV": "exec-stack exec-memory exec-constants exec-null exec-kernel read-kernel read-kernel-memory write-kernel "
               "write-constant read-nothing write-read-only unmap-stack unmap-program unmap-everything stack-overflow "
               "thread-overflow thread-at-data thread-at-nothing thread-return crash-among-many",
    "SIGBUS": "read-behind-file read-behind-shared write-after-shrinking exec-after-shrinking",
    "SIGKILL": "use-all-memory raise-10", "SIGKILL exit status 43": "use-all-shared", "SIGABRT": "raise-1", "SIGALRM": "raise-2",
    "SIGTERM": "raise-16", "SIGXFSZ": "raise-26",
    LIVES: "exec-made exit-among-many fill-shared", "exit status 0": "last-thread-exits exit-with-bad-lock"}
MACHINE = {
    "x86_64": {
        "SIGSEGV": "hlt cli sti in_port out_port wrmsr rdmsr read_cr0 write_cr3 write_dr7 invlpg swapgs sysret lgdt lidt "
                   "ltr wbinvd int_0x80 int_2 int_8 int_14 int_32 not_canonical_read not_canonical_jump "
                   "not_canonical_stack kernel_stack kernel_code kernel_data far_selector iret_to_ring_0 "
                   "iret_not_canonical flag_iopl clear_fs call_at_the_end",
        "SIGTRAP": "int3 flag_trap trap_step trap_mov_ss int3_mov_ss", "SIGFPE": "divide",
        "SIGILL": "ud2 bad_frame looping_frame odd_frame flag_nested_fault flag_direction_fault kernel_rsp_call",
        "SIGILL SIGSEGV": "vmcall sysenter wrgsbase",
        # QEMU's own processor knows neither exception.
        "SIGFPE " + LIVES: "float_exception", "SIGSEGV " + LIVES: "bad_mxcsr",
        LIVES: "flag_direction flag_nested flag_alignment flag_id clear_gs call_numbers",
        "SIGSEGV SIGILL SIGTRAP SIGBUS " + LIVES: "vdso_middle"},
    "aarch64": {
        "SIGILL SIGSEGV SIGBUS": "read_sctlr write_ttbr write_vbar mask_interrupts tlbi_all hypercall secure_call "
                                 "return_from_exception undefined jump_odd",
        # QEMU's own processor lets a misaligned stack pointer be used.
        "SIGBUS " + LIVES: "stack_odd", "SIGSEGV SIGBUS": "jump_beyond read_beyond kernel_stack bad_frame",
        "SIGTRAP": "breakpoint", LIVES + " SIGILL SIGSEGV": "wait_for_interrupt call_immediates call_numbers"}}


def attacks():
    for arch in ARCHS:
        for table in (EVERYWHERE, MACHINE[arch]):
            for ends, names in table.items():
                for name in names.split():
                    yield pytest.param(arch, name, ends, id=f"{arch}-{name}")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """One program an architecture, and what it is granted."""
    out = tmp_path_factory.mktemp("hostile")
    abi.make_tree(out)
    made = {}
    for arch in ARCHS:
        sources = ["tests/guest/hostile.c", f"tests/guest/{arch}/hostile.c"]
        made[arch] = compile_guest(arch, sources, out / f"hostile-{arch}",
                                 ["-Wextra", f"-Itests/guest/{arch}"])
    return out, made


@pytest.mark.parametrize("arch, name, ends", attacks())
def test_attack(programs, arch, name, ends):
    out, made = programs
    config = abi.config(("pages",)) + f"how: {name}\n"
    image = make_image(arch, made[arch], config, out / f"{arch}-{name}", "-debug-ubsan")
    with Machine(arch, image) as machine:
        code, status, last = machine.wait_end()
        console = machine.console
    allowed = ends.replace("exit status ", "exit_status_").split()
    assert last.replace("killed by ", "").replace(" ", "_") in allowed, console[-3000:]
    assert "kernel panic" not in console
    if not last.startswith("killed by "):
        return
    signal = last.split()[-1]
    assert (code, status) == (qemu_status(arch, 126), 128 + SIGNALS[signal])
    if not name.startswith("raise-"):
        assert f"crash: {signal} (" in console and "mappings (" in console, "there is a report"


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("name", ["passing", "sock_limits"])
def test_sockets(arch, name, tmp_path):
    """Everything that sockets hold is used up, lost in rings, and counted afterwards."""
    results, _ = abi.run(arch, name, abi.make(arch, name, tmp_path, "-debug-ubsan"))
    assert not [result for result in results if result[0] != "ok"]
