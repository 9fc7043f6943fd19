"""Files that gdb may read from us: the programs, and nothing of the host's.

The packets are those of gdb's manual, appendix E.7 (Host I/O Packets).
"""

import re
import struct

_ENOENT, _EBADF, _EINVAL, _ENOSYS = 2, 9, 22, 38  # gdb's numbers, E.13.3
_LONGEST = 0x1F00  # bytes of an answer, escaped at the worst
_MODE = 0o100444
_NAME = re.compile(rb"([0-9a-f]{2,512}),[0-9a-f]{1,8},[0-9a-f]{1,8}")
_READ = re.compile(rb"([0-9a-f]{1,4}),([0-9a-f]{1,8}),([0-9a-f]{1,8})")


class Files:
    """Files by name; a descriptor is the file's number, so that there are few."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._data: list[bytes] = []

    def offer(self, name: str, data: bytes) -> None:
        """Let gdb open a file."""
        if name not in self._names:
            self._names.append(name)
            self._data.append(data)

    def answer(self, request: bytes) -> bytes:
        """Answer what follows ``vFile:``."""
        operation, _, arguments = request.partition(b":")
        match operation:
            case b"setfs":
                return b"F0"
            case b"open":
                return self._open(arguments)
            case b"pread":
                return self._read(arguments)
            case b"fstat":
                return self._stat(arguments)
            case b"close":
                return b"F0"
            case b"readlink" | b"unlink" | b"pwrite" | b"stat":
                return _failed(_ENOSYS)
            case _:
                return b""

    def _open(self, arguments: bytes) -> bytes:
        match = _NAME.fullmatch(arguments)
        if match is None or len(match[1]) % 2:
            return _failed(_EINVAL)
        name = bytes.fromhex(match[1].decode()).decode("utf-8", "replace")
        if name not in self._names:
            return _failed(_ENOENT)
        return b"F%x" % self._names.index(name)

    def _read(self, arguments: bytes) -> bytes:
        match = _READ.fullmatch(arguments)
        if match is None:
            return _failed(_EINVAL)
        number, size, offset = (int(part, 16) for part in match.groups())
        if number >= len(self._data):
            return _failed(_EBADF)
        part = self._data[number][offset : offset + min(size, _LONGEST)]
        return b"F%x;" % len(part) + part

    def _stat(self, arguments: bytes) -> bytes:
        if not re.fullmatch(rb"[0-9a-f]{1,4}", arguments):
            return _failed(_EINVAL)
        number = int(arguments, 16)
        if number >= len(self._data):
            return _failed(_EBADF)
        size = len(self._data[number])
        # dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, three times.
        data = struct.pack(">7I3Q3I", 0, number, _MODE, 1, 0, 0, 0, size, 512, 1, 0, 0, 0)
        return b"F%x;" % len(data) + data


def _failed(number: int) -> bytes:
    return b"F-1,%x" % number
