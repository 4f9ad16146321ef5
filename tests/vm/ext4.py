"""ext4 file systems in files, made and looked at by Linux's own tools."""
import subprocess


def mkfs(path, mib=32, options=(), tree=None):
    """A new one; with the files of the directory `tree`. Returns the path."""
    with open(path, "wb") as file:
        file.truncate(mib << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", *options, *(["-d", str(tree)] if tree else []), str(path)],
                   check=True)
    return str(path)


def check_clean(path):
    """e2fsck has not a word to say, and there is nothing in the journal."""
    run = subprocess.run(["/sbin/e2fsck", "-fn", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    words = [line for line in run.stdout.splitlines() if not line.startswith(("e2fsck ", "Pass "))]
    assert run.returncode == 0 and len(words) == 1, run.stdout  # the one is the summary
    state = subprocess.run(["/sbin/dumpe2fs", "-h", path], capture_output=True, text=True, check=True).stdout
    assert "needs_recovery" not in state and "Filesystem state:         clean\n" in state, state


def debugfs(path, command):
    """What debugfs prints: `cat /file` gives the file's bytes."""
    return subprocess.run(["/sbin/debugfs", "-R", command, path], capture_output=True, check=True).stdout
