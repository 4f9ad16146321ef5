"""gdb commands for Virga's kernel: virga-threads, virga-fds, virga-mappings.

Sourced by the gdbinit that `make run-gdb` writes.
"""
import gdb

STATES = ["ready", "running", "sleeping", "dead"]


def container(link, type_name, member):
    struct = gdb.lookup_type("struct " + type_name)
    offset = next(f.bitpos // 8 for f in struct.fields() if f.name == member)
    address = int(link) - offset
    return gdb.Value(address).cast(struct.pointer())


def elements(head, type_name, member):
    """The structures on a `struct list`, first to last."""
    link = head["next"]
    while int(link) != int(head.address):
        yield container(link, type_name, member)
        link = link["next"]


class Threads(gdb.Command):
    """All threads: tid, state, process."""

    def __init__(self):
        super().__init__("virga-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for t in elements(gdb.parse_and_eval("all_threads"), "thread", "all_link"):
            state = STATES[int(t["state"])]
            dying = ", dying" if t["dying"] else ""
            print(f"{int(t['tid']):6} {state}{dying}, process {t['process']}, stack {t['kstack']}")


class Descriptors(gdb.Command):
    """The program's descriptors: number, operations, rights."""

    def __init__(self):
        super().__init__("virga-fds", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        table = gdb.parse_and_eval("process_first")["fds"]
        for fd in range(int(table["capacity"])):
            entry = table["entries"][fd]
            if int(entry["file"]) == 0:
                continue
            file = entry["file"]
            print(f"{fd:5} {file['ops']} refs {int(file['refs'])} flags {int(file['flags']):#x} "
                  f"rights {int(entry['base']):#x} / {int(entry['inheriting']):#x}")


class Mappings(gdb.Command):
    """The program's mappings, in order of address."""

    def __init__(self):
        super().__init__("virga-mappings", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        self.show(gdb.parse_and_eval("process_first")["aspace"]["root"])

    def show(self, mapping):
        if int(mapping) == 0:
            return
        self.show(mapping["left"])
        prot = int(mapping["prot"])
        bits = "".join(c if prot & bit else "-" for c, bit in (("r", 4), ("w", 2), ("x", 1)))
        print(f"{int(mapping['start']):#018x}-{int(mapping['end']):#018x} {bits} "
              f"{mapping['name'].string() if int(mapping['name']) else ''}")
        self.show(mapping["right"])


Threads()
Descriptors()
Mappings()
