"""ext4 against Linux's own tools, through ext4tool (with sanitizers).

Trees that mkfs.ext4 made are read by our code and compared with their source and with what debugfs says; what our code
wrote is read back by debugfs, and e2fsck has not a word to say about it.
"""
import filecmp
import os
import random
import re
import stat
import subprocess

import pytest

TOOL = "build/host/tests/ext4tool"
DAMAGE = 3

# What mkfs.ext4 is told, and whether e2fsck then gives directories an index.
KINDS = {
    "ext4": ("-t ext4", False),
    "ext4-1k-hashed": ("-t ext4 -b 1024", True),
    "ext4-2k-hashed": ("-t ext4 -b 2048", True),
    "ext4-4k-hashed": ("-t ext4 -b 4096", True),
    "ext4-32bit": ("-t ext4 -O ^64bit,^flex_bg -b 1024", False),
    "ext4-no-csum": ("-t ext4 -O ^metadata_csum,uninit_bg", True),
    "ext4-small-inodes": ("-t ext4 -I 128 -O metadata_csum_seed,^has_journal", True),
    "ext4-tea": ("-t ext4 -b 1024 hash_alg=tea", True),
    "ext4-legacy": ("-t ext4 -b 1024 hash_alg=legacy", True),
    "ext3": ("-t ext3 -b 1024", True),
    "ext2": ("-t ext2 -b 1024", False),
    "ext2-4k": ("-t ext2 -b 4096 -O ^dir_index", False),
}


def run(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    said = (done.stdout + done.stderr).decode(errors="replace")[-3000:]
    assert done.returncode == status, f"{command}: exit status {done.returncode}\n{said}"
    return done.stdout


def tool(*arguments, status=0):
    return run(TOOL, *arguments, status=status)


def mkfs(image, options, mib=48, tree=None):
    options, _, hash_alg = options.partition(" hash_alg=")
    with open(image, "wb") as file:
        file.truncate(mib << 20)
    run("mkfs.ext4", "-q", "-F", *options.split(), *(["-d", tree] if tree else []), image)
    if hash_alg:
        run("tune2fs", "-E", f"hash_alg={hash_alg}", image)


def debugfs(image, *requests, write=False):
    script = f"{image}.debugfs"
    with open(script, "wb") as file:
        file.write(b"".join(os.fsencode(r) + b"\n" for r in requests))
    return run("debugfs", *(["-w"] if write else []), "-f", script, image)


def fsck(image):
    """e2fsck has nothing to say: a title, its passes, a summary."""
    said = run("e2fsck", "-fn", image).decode()
    lines = [l for l in said.splitlines() if l and not l.startswith(("Pass ", "e2fsck "))]
    assert len(lines) == 1, said


# ---- Trees ----


def write_pieces(path, count, rng):
    """Data in every other piece of 4 KiB: an extent each."""
    with open(path, "wb") as file:
        for i in range(count):
            file.seek(i * 8192)
            file.write(rng.randbytes(4096))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    rng = random.Random(4)
    root = os.fsencode(str(tmp_path_factory.mktemp("tree") / "tree"))
    join = os.path.join
    os.makedirs(join(root, b"a", b"b", b"c"))
    os.mkdir(join(root, b"empty"))
    os.mkdir(join(root, b"big"))
    for i in range(1500):
        with open(join(root, b"big", b"%d-%s" % (i, b"x" * rng.randrange(40))), "wb") as file:
            file.write(b"%d" % i if i % 30 == 0 else b"")
    os.mkdir(join(root, b"long"))
    for i in range(60):
        open(join(root, b"long", b"%0255d" % i), "wb").close()
    for name in (b"\xff\xfe\x80 no UTF-8", b"line\nfeed", b"back\\slash", "größe".encode(), b" ", b"...", b"-r"):
        with open(join(root, b"a", name), "wb") as file:
            file.write(name)
    for size in (1, 1023, 1024, 4096, 4097, 65537, 300000):
        with open(join(root, b"size%d" % size), "wb") as file:
            file.write(rng.randbytes(size))
    write_pieces(join(root, b"pieces"), 700, rng)
    with open(join(root, b"sparse"), "wb") as file:
        file.seek(40 << 20)
        file.write(b"far away")
    with open(join(root, b"hole"), "wb") as file:
        file.truncate(123456)
    for target in (b"f", b"../..", b"x" * 59, b"x" * 60, b"y" * 900):
        os.symlink(target, join(root, b"a", b"link%d" % len(target)))
    os.link(join(root, b"size4097"), join(root, b"a", b"b", b"hard"))
    os.link(join(root, b"size4097"), join(root, b"hard2"))
    os.mkfifo(join(root, b"fifo"))
    if os.geteuid() == 0:
        os.mknod(join(root, b"char"), stat.S_IFCHR | 0o620, os.makedev(5, 1))
        os.mknod(join(root, b"block"), stat.S_IFBLK | 0o600, os.makedev(259, 70000))
        os.mknod(join(root, b"socket"), stat.S_IFSOCK | 0o755)
        os.chown(join(root, b"size1"), 70000, 80000)
    os.chmod(join(root, b"size1023"), 0o4751)
    os.chmod(join(root, b"empty"), 0o1777)
    os.utime(join(root, b"size1024"), ns=(1234567890123456789, 1034567890987654321))
    os.utime(join(root, b"size4096"), ns=(4294967296 * 10**9, 5000000000 * 10**9 + 7))  # behind 2038, 2106
    return root


def walk(root):
    """Every path below a directory, with a slash before it."""
    for directory, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(directory, name)
            yield path[len(root):], path


LINE = re.compile(rb" *(\d+) (\S{10}) +(\d+) +(\d+) +(\d+) +(\S+) (\S+) (.*)$")


def unescape(text):
    return re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), text)


def listed(image):
    """What ext4tool lists: path → inode, mode, links, uid, gid, size, time, target."""
    found = {}
    for line in tool("list", "-r", image).split(b"\n")[:-1]:
        ino, mode, links, uid, gid, size, when, path = LINE.match(line).groups()
        target = None
        if mode.startswith(b"l"):
            path, target = path.split(b" -> ")
            target = unescape(target)
        path = unescape(path)
        assert path not in found
        found[path] = (int(ino), mode.decode(), int(links), int(uid), int(gid), size.decode(), when.decode(), target)
    return found


TYPES = {"regular": "-", "directory": "d", "symlink": "l", "FIFO": "p", "socket": "s", "character special": "c",
         "block special": "b"}


def decode_time(seconds, extra):
    seconds = int(seconds, 16)
    extra = int(extra or "0", 16)
    return (seconds - (1 << 32) if seconds >> 31 else seconds) + ((extra & 3) << 32), extra >> 2


def debugfs_stats(image, inodes):
    """What debugfs says of inodes: type, mode, links, uid, gid, size or device, seconds, nanoseconds."""
    out = debugfs(image, *(f"stat <{i}>" for i in inodes)).decode(errors="replace")
    stats = {}
    for part in re.split(r"^(?=Inode: )", out, flags=re.M)[1:]:
        one = lambda pattern: re.search(pattern, part).groups()
        (ino, kind, mode), (uid, gid) = one(r"Inode: (\d+) +Type: (.+?) +Mode: +(\d+)"), one(r"User: +(\d+) +Group: +(\d+)")
        links, size = one(r"Links: (\d+)")[0], one(r"Size: (\d+)")[0]
        if "special" in kind:
            size = ",".join(one(r"Device major/minor number: (\d+):(\d+)"))
            size = ",".join(str(int(n)) for n in size.split(","))
        stats[int(ino)] = (TYPES[kind], int(mode, 8), int(links), int(uid), int(gid), size,
                           *decode_time(*one(r"\n *mtime: 0x([0-9a-f]+)(?::([0-9a-f]+))?")))
    return stats


def check_metadata(image):
    """Our list says what debugfs says. Returns the list."""
    found = listed(image)
    stats = debugfs_stats(image, sorted({entry[0] for entry in found.values()}))
    for path, (ino, mode, links, uid, gid, size, when, _) in found.items():
        kind, bits, *rest = stats[ino]
        expected = stat.filemode({"-": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK, "p": stat.S_IFIFO,
                                  "s": stat.S_IFSOCK, "c": stat.S_IFCHR, "b": stat.S_IFBLK}[kind] | bits)
        seconds, ns = rest.pop(-2), rest.pop()
        assert [mode, links, uid, gid, size] == [expected, *rest], path
        date = run("date", "-u", "-d", f"@{seconds}", "+%Y-%m-%dT%H:%M:%S").decode().strip() if ns or seconds > 2**31 else None
        if date:
            assert when == f"{date}.{ns:09d}Z", path
    return found


def check_same(root, copy):
    """Two trees on the host have the same bytes, modes, targets and seconds; devices and FIFOs aside. Returns whether
    names of one file are that in the copy, too."""
    expected, got, links = dict(walk(root)), dict(walk(copy)), {}
    got.pop(b"/lost+found", None)
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    expected = {p: f for p, f in expected.items() if any(k(os.lstat(f).st_mode) for k in kinds)}
    got = {p: f for p, f in got.items() if any(k(os.lstat(f).st_mode) for k in kinds)}
    assert set(got) == set(expected)
    for path, full in expected.items():
        a, b = os.lstat(full), os.lstat(got[path])
        assert stat.S_IFMT(a.st_mode) == stat.S_IFMT(b.st_mode), path
        if stat.S_ISLNK(a.st_mode):
            assert os.readlink(full) == os.readlink(got[path])
            continue
        assert a.st_mode & 0o777 == b.st_mode & 0o777, path
        if stat.S_ISREG(a.st_mode):
            assert filecmp.cmp(full, got[path], shallow=False), path
            links.setdefault(a.st_ino, set()).add(b.st_ino)
            if a.st_mtime < 2**31 and path != b"/size65537":
                assert int(a.st_mtime) == int(b.st_mtime), path
    return all(len(inodes) == 1 for inodes in links.values())


# ---- Both ways ----


@pytest.mark.parametrize("kind", KINDS)
def test_reads_what_mkfs_made(kind, tree, tmp_path):
    options, hashed = KINDS[kind]
    image, copy = str(tmp_path / "image"), os.fsencode(str(tmp_path / "copy"))
    mkfs(image, options, tree=tree)
    requests = ["sif /size65537 mtime_extra 0x1d6f3454", "sif /size65537 atime_extra 0x4"]
    if "-t ext4" in options:
        requests += ["fallocate /hole 3 60"]
    debugfs(image, *(requests if "-I 128" not in options else requests[2:]), write=True)
    subprocess.run(["e2fsck", "-fy", *(["-D"] if hashed else []), image], stdout=subprocess.DEVNULL, check=False)
    fsck(image)
    found = check_metadata(image)
    assert set(found) == {path for path, _ in walk(tree)} | {b"/lost+found"}
    assert all(found[path][1] == stat.filemode(os.lstat(full).st_mode) for path, full in walk(tree))
    if hashed:
        assert b"0x1000" in debugfs(image, "stat /big").replace(b"0x81000", b"0x1000")
    tool("read", image, "/", copy)
    assert check_same(tree, copy)
    tool("check", image)


@pytest.mark.parametrize("kind", KINDS)
def test_writes_what_linux_reads(kind, tree, tmp_path):
    options, _ = KINDS[kind]
    image, copy = str(tmp_path / "image"), str(tmp_path / "copy")
    mkfs(image, options)
    tool("write", image, tree + b"/.", "/")
    fsck(image)
    tool("check", image)
    found = check_metadata(image)
    for path, full in walk(tree):
        assert path not in found or found[path][1] == stat.filemode(os.lstat(full).st_mode)
        if "-I 128" not in options and path in found:
            assert found[path][6][-11:-1] == f".{os.lstat(full).st_mtime_ns % 10**9:09d}", path
    os.mkdir(copy)
    debugfs(image, f"rdump / {copy}")
    check_same(tree, os.fsencode(copy))
    assert found[b"/size4097"][0] == found[b"/hard2"][0] == found[b"/a/b/hard"][0]
    tool("mv", image, "/a", "/empty/a")
    tool("mv", image, "/size300000", "/size1")
    tool("ln", image, "/pieces", "/empty/again")
    tool("ln", "-s", image, "z" * 200, "/soft")
    tool("mkdir", "-p", image, "/new/er/est")
    tool("rm", "-r", image, "/big", "/sparse", "/size4097")
    fsck(image)
    tool("check", image)
    found = check_metadata(image)
    assert b"/empty/a/b/hard" in found and b"/big" not in found and found[b"/soft"][-1] == b"z" * 200
    assert found[b"/pieces"][2] == 2 and found[b"/size1"][5] == "300000"
    tool("rm", "-r", image, "/long", "/empty", "/new", "/pieces", "/hole")
    fsck(image)


def test_a_partition(tree, tmp_path):
    image = str(tmp_path / "image")
    with open(image, "wb") as file:
        file.truncate(24 << 20)
    entry = bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (40960).to_bytes(4, "little")
    run("mkfs.ext4", "-q", "-F", "-E", f"offset={2048 * 512}", image, f"{40960 // 2}k")
    with open(image, "r+b") as file:
        file.seek(446)
        file.write(entry + bytes(48) + b"\x55\xaa")
    tool("-p", "1", "write", image, tree + b"/a", "/")
    assert b"hard" in tool("-p", "1", "list", image, "/a/b")
    tool("-p", "1", "check", image)
    run("e2fsck", "-fn", f"{image}?offset={2048 * 512}")
    assert tool("-p", "2", "list", image, status=4) == b""


def test_a_journal_that_has_changes(tmp_path):
    image, block = str(tmp_path / "image"), str(tmp_path / "block")
    mkfs(image, "-t ext4 -b 1024", mib=16)
    with open(block, "wb") as file:
        file.write(b"A" * 1024)
    debugfs(image, "jo", f"jw -b 9000 {block}", "jc", write=True)
    for command in ("list", "check"):
        done = subprocess.run([TOOL, command, image], stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 4 and "check -w replays it" in done.stderr
    tool("check", "-w", image)
    tool("list", image)
    fsck(image)
    with open(image, "rb") as file:
        file.seek(9000 * 1024)
        assert file.read(1024) == b"A" * 1024


# ---- What is refused, and what check finds ----


@pytest.mark.parametrize("feature", ["bigalloc", "inline_data", "encrypt", "casefold", "mmp", "ea_inode", "large_dir",
                                     "meta_bg,^resize_inode", "quota", "verity", "project"])
def test_features_that_are_refused(feature, tree, tmp_path):
    image = str(tmp_path / "image")
    mkfs(image, f"-O {feature}")
    done = subprocess.run([TOOL, "mkdir", image, "/d"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4 and feature.split(",")[0] in done.stderr


DAMAGES = {
    "an inode that was cleared": ["clri /d/f"],
    "names": ["sif /d/f links_count 7"],
    "no name": ["unlink /d/f"],
    "another name": ["ln /d /e"],
    "type": ["sif /d/f mode 010644"],
    "free blocks": ["freeb {block}"],
    "blocks in use": ["setb 5000 20"],
    "inodes in use": ["seti <100>"],
    "counter of blocks": ["ssv free_blocks_count 77"],
    "counter of inodes": ["ssv free_inodes_count 77"],
    "a group's counter": ["set_bg 0 free_blocks_count 5", "set_bg 0 checksum calc"],
    "a group's directories": ["set_bg 0 used_dirs_count 50", "set_bg 0 checksum calc"],
    "sectors": ["sif /d/f blocks 2"],
    "two owners": ["sif /d/g block[5] {block}"],
    "outside": ["sif /d/g block[5] 0xfffffff0"],
    "extents": ["sif /d/g block[0] 0"],
    "size of a directory": ["sif /d size 1000"],
    "orphans": ["ssv last_orphan 4000000"],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_check_finds(name, tmp_path):
    image = str(tmp_path / "image")
    (tmp_path / "d").mkdir()
    for file in "fg":
        (tmp_path / "d" / file).write_bytes(file.encode() * 5000)
    mkfs(image, "-t ext4 -b 1024", mib=16)
    tool("write", image, str(tmp_path / "d"), "/")
    tool("check", image)
    block = int(debugfs(image, "bmap /d/f 1").split()[-1])
    debugfs(image, *(request.format(block=block) for request in DAMAGES[name]), write=True)
    said = tool("check", image, status=DAMAGE).decode()
    assert re.match(r"inode \d+, block \d+: .", said) and re.search(r"^\d+ damages$", said, re.M), said


@pytest.mark.parametrize("offset", [0, 40, 500, 1020])
@pytest.mark.parametrize("what", ["bitmap", "inodes", "directory", "descriptors"])
def test_check_finds_wrong_checksums(what, offset, tmp_path):
    image = str(tmp_path / "image")
    mkfs(image, "-t ext4 -b 1024", mib=16)
    said = run("dumpe2fs", image).decode()
    block = {"bitmap": int(re.search(r"Block bitmap at (\d+)", said)[1]),
             "inodes": int(re.search(r"Inode table at (\d+)", said)[1]),
             "directory": int(debugfs(image, "bmap / 0").split()[-1]), "descriptors": 2}[what]
    with open(image, "r+b") as file:
        file.seek(block * 1024 + offset + (256 if what == "inodes" and offset < 256 else 0))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x10]))
    done = subprocess.run([TOOL, "check", image], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (DAMAGE, 4) or what in ("inodes", "descriptors"), done.stdout
    assert "Sanitizer" not in done.stderr


# ---- The command line ----


@pytest.mark.parametrize("arguments, status, says", [
    (["--help"], 0, ""),
    ([], 2, "expected a command"),
    (["look"], 2, "look: expected a command"),
    (["list", "-x", "IMAGE"], 2, "no such option"),
    (["mv", "IMAGE", "/a"], 2, "too few"),
    (["list", "IMAGE", "/a", "/b"], 2, "too many"),
    (["list", "/nowhere"], 4, "can't be opened"),
    (["list", "README.md"], 4, "no ext2, ext3 or ext4"),
    (["-p", "x", "list", "IMAGE"], 2, "number of a partition"),
    (["list", "IMAGE", "/none"], 1, "/none: there is nothing of that name"),
    (["read", "IMAGE", "/lost+found"], 1, "no regular file"),
    (["read", "IMAGE", "/lost+found", "README.md"], 1, "exists already"),
    (["rm", "IMAGE", "/lost+found"], 1, "rm -r"),
    (["mkdir", "IMAGE", "/lost+found"], 1, "something of that name"),
    (["mkdir", "IMAGE", "/"], 1, "that can't be"),
    (["mv", "IMAGE", "/lost+found", "/lost+found/x"], 1, "that can't be"),
    (["write", "IMAGE", "/nowhere", "/x"], 1, "No such file"),
    (["ln", "IMAGE", "/lost+found", "/x"], 1, "it is a directory"),
])
def test_command_line(arguments, status, says, tmp_path):
    image = str(tmp_path / "image")
    mkfs(image, "-t ext4", mib=8)
    done = subprocess.run([TOOL] + [image if a == "IMAGE" else a for a in arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == status and says in done.stderr, done.stderr
    assert status != 0 or done.stdout.startswith("usage: ext4tool")
    fsck(image)
