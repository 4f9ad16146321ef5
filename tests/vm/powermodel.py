"""What has to be on the disk after a cut, by what tests/guest/powercut.c said before it.

A run's directory is checked strictly right after its cut. After that nobody writes in it, so from then on it
has to stay as it was found.
"""
import struct

PERIOD = 4093
KEY_LOG, KEY_JUNK, KEY_SAVE, KEY_FILE = 1, 10, 1000, 50000
SECTOR, SECTORS = 512, 128


def make_base():
    x, base = 1, bytearray()
    for _ in range(PERIOD):
        x = (x * 1664525 + 1013904223) & 0xffffffff
        base.append(x >> 16 & 0xff)
    return bytes(base)


BASE = make_base()


def pattern(key, length):
    start = key * 977 % PERIOD
    data = (BASE * ((start + length) // PERIOD + 1))[start:start + length]
    return data.translate(bytes(i ^ key & 0xff for i in range(256)))


def sector(version, number):
    return struct.pack("<II", version, number) + pattern(version * SECTORS + number, SECTOR - 8)


def many_name(n):
    return f"many/n{n}-" + "a name that is as long as its number says, to split leaves of the tree"[:n % 60]


class Run:
    """What one run said: lines of its console."""

    def __init__(self, console):
        self.lines = [line.split() for line in console.split("\n")[:-1]]
        self.begun = ["begun"] in self.lines
        dropping = [line[1] for line in self.lines if line[0:1] == ["dropping"]]
        self.dropping = dropping[0] if dropping else None

    def numbers(self, word):
        return [tuple(map(int, line[1:])) for line in self.lines if line[0:1] == [word]]

    def check(self, files):
        """`files` is what the run's directory holds: path to contents. Raises what is wrong."""
        if self.begun:
            self.check_logs(files)
            self.check_saves(files)
            self.check_files(files)
            for number, name in enumerate(("blocks", "mapped")):
                self.check_sectors(files, number, name)
            self.check_names(files)
        for name, data in files.items():
            if name.startswith("junk"):
                only_own(name, data, KEY_JUNK + int(name[4:]))

    def check_logs(self, files):
        for k in range(3):
            name, size = f"log{k}", max([size for n, size in self.numbers("log") if n == k], default=0)
            data = files.get(name, b"")
            assert len(data) >= size, f"{name} has {len(data)} bytes and {size} were synced"
            assert data[:size] == pattern(KEY_LOG + k, size), f"{name}: what was synced is something else"
            only_own(name, data, KEY_LOG + k)

    def check_saves(self, files):
        for k in range(4):
            name = f"save{k}"
            saved = max([v for n, v in self.numbers("saved") if n == k], default=0)
            begun = max([v for n, v in self.numbers("saving") if n == k], default=0)
            allowed = [None] * (saved == 0) + [pattern(KEY_SAVE + 100 * v + k, 100 + v * 977 % 12000)
                                               for v in range(max(saved, 1), begun + 1)]
            assert files.get(name) in allowed, f"{name} is no version from {saved} to {begun}"

    def check_files(self, files):
        said = {word: {line[0] for line in self.numbers(word)}
                for word in ("moving", "moved", "removing", "removed")}
        for n, size in self.numbers("created"):
            found = [files[name] for name in (f"f{n}", f"sub/f{n}") if name in files]
            if n in said["removed"]:
                assert not found, f"f{n} was removed and is there"
                continue
            assert len(found) == 1 or (not found and n in said["removing"]), f"f{n} is there {len(found)} times"
            assert not found or found[0] == pattern(KEY_FILE + n, size), f"f{n} has other contents"
            assert n in said["moving"] or f"sub/f{n}" not in files, f"f{n} is in sub"
            assert n not in said["moved"] or f"f{n}" not in files, f"f{n} was moved to sub"

    def check_sectors(self, files, number, name):
        """Each sector is the last one that is safe or one that was written later."""
        safe, writes = -1, {n: [0] for n in range(SECTORS)}
        for word, *values in self.lines:
            values = list(map(int, values)) if word in ("over", "safe") else [None]
            if values[0] != number:
                continue
            if word == "safe":
                safe = values[1]
                writes = {n: versions[-1:] for n, versions in writes.items()}
            else:
                _, version, first, count = values
                for n in range(first, first + count):
                    writes[n].append(version)
        assert len(files[name]) == SECTORS * SECTOR and safe >= 0
        for n, versions in writes.items():
            data = files[name][n * SECTOR:(n + 1) * SECTOR]
            assert data in [sector(v, n) for v in versions], \
                f"{name}: sector {n} is none of versions {versions}; safe is {safe}: {data[:16].hex()}"

    def check_names(self, files):
        count = max([n for n, in self.numbers("many")], default=0)
        missing = [n for n in range(count) if many_name(n) not in files]
        assert not missing, f"many: of {count} synced names {len(missing)} are missing: {missing[:9]}"


def only_own(name, data, key):
    """Not synced: bytes that were written there, or zeroes; no others."""
    own = pattern(key, len(data))
    if data != own:
        wrong = [i for i, (a, b) in enumerate(zip(data, own)) if a != b and a != 0]
        assert not wrong, f"{name} shows bytes that nobody wrote: {len(wrong)} from {wrong[0]}"
