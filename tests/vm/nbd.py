"""A disk whose power can be cut: an NBD server, for QEMU in the same test, with a volatile write cache.

What was written is in the cache until a flush; a cut loses any part of it, sector by sector, in any order,
as a disk may that writes its cache back as it likes. What a flush has answered for is on the medium.
"""
import mmap
import os
import socket
import struct
import threading

SECTOR = 512
GREETING = b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3)  # fixed newstyle, no padding
OPTION = struct.Struct(">8sII")
OPTION_REPLY = struct.Struct(">QIII")
REQUEST = struct.Struct(">IHHQQI")
REPLY = struct.Struct(">IIQ")
FLAGS = 1 | 4  # these flags, and flush
OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
EIO = 5
REP_ACK, REP_INFO, REP_UNSUPPORTED = 1, 3, 0x80000001
CMD_READ, CMD_WRITE, CMD_DISCONNECT, CMD_FLUSH = 0, 1, 2, 3


class Closed(Exception):
    """The other end is gone."""


def receive(s, count):
    data = bytearray()
    while len(data) < count:
        try:
            chunk = s.recv(count - len(data))
        except OSError:
            chunk = b""
        if not chunk:
            raise Closed
        data += chunk
    return bytes(data)


class Disk:
    """The medium is the file `path`. Give `url` to QEMU; kill QEMU, then cut(), then start it again."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.medium = mmap.mmap(self.file.fileno(), 0)
        self.contents = bytearray(self.medium)  # as who reads it sees it
        self.cache = []  # what is not on the medium: (offset, data), the oldest first
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)  # told of each flush
        self.left = None  # requests that are still carried out; None: all
        self.dead = threading.Event()  # no more are
        self.failing = False  # every request is answered by an error
        self.connections = []
        self.writes = self.flushes = 0
        socket_path = str(path) + ".nbd"
        self.url = "nbd+unix:///?socket=" + socket_path
        if os.path.exists(socket_path):
            os.unlink(socket_path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(socket_path)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.medium.close()
        self.file.close()

    def die_after(self, requests):
        """After so many more writes and flushes nothing is carried out or answered: `dead` is set."""
        with self.lock:
            self.left = requests

    def vanish(self):
        """Nobody answers any more, nor whoever connects again."""
        os.unlink(self.listener.getsockname())
        with self.lock:
            for s in self.connections:
                s.shutdown(socket.SHUT_RDWR)

    def cut(self, rng, chance):
        """Power off and on: each sector in the cache gets to the medium with this chance. Returns how many
        of how many were lost."""
        sectors = lost = 0
        with self.lock:
            for offset, data in self.cache:
                for begin in range(0, len(data), SECTOR):
                    sectors += 1
                    if rng.random() < chance:
                        sector = data[begin:begin + SECTOR]
                        self.medium[offset + begin:offset + begin + len(sector)] = sector
                    else:
                        lost += 1
            self.cache = []
            self.contents[:] = self.medium
            self.left = None
            self.dead.clear()
        return lost, sectors

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        self.connections.append(s)
        with s:
            try:
                if self._negotiate(s):
                    self._transmit(s)
            except (Closed, OSError):
                pass

    def _negotiate(self, s):
        s.sendall(GREETING)
        receive(s, 4)
        export = struct.pack(">QH", len(self.contents), FLAGS)
        while True:
            _, option, length = OPTION.unpack(receive(s, OPTION.size))
            receive(s, length)

            def reply(kind, data=b""):
                s.sendall(OPTION_REPLY.pack(0x3e889045565a9, option, kind, len(data)) + data)

            if option == OPT_EXPORT_NAME:
                s.sendall(export)
                return True
            if option in (OPT_INFO, OPT_GO):
                reply(REP_INFO, struct.pack(">H", 0) + export)
                reply(REP_ACK)
            else:
                reply(REP_ACK if option == OPT_ABORT else REP_UNSUPPORTED)
            if option in (OPT_GO, OPT_ABORT):
                return option == OPT_GO

    def _transmit(self, s):
        while True:
            _, _, command, cookie, offset, length = REQUEST.unpack(receive(s, REQUEST.size))
            data = receive(s, length) if command == CMD_WRITE else b""
            if command == CMD_DISCONNECT:
                return
            with self.lock:
                error = EIO if self.failing else 0
                answer = b"" if error else self._carry_out(command, offset, length, data)
            if answer is not None:
                s.sendall(REPLY.pack(0x67446698, error, cookie) + answer)

    def _carry_out(self, command, offset, length, data):
        """What is to be sent behind the reply, or None: the disk is dead."""
        if command in (CMD_WRITE, CMD_FLUSH) and self.left is not None:
            if self.left == 0:
                self.dead.set()
            else:
                self.left -= 1
        if self.dead.is_set():
            return None
        if command == CMD_READ:
            return bytes(self.contents[offset:offset + length])
        if command == CMD_WRITE:
            self.writes += 1
            self.contents[offset:offset + length] = data
            self.cache.append((offset, data))
        elif command == CMD_FLUSH:
            self.flushes += 1
            self.changed.notify_all()
            for begin, piece in self.cache:
                self.medium[begin:begin + len(piece)] = piece
            self.cache = []
        return b""
