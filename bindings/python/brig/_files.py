# SPDX-License-Identifier: Apache-2.0
"""Files that are given to a container, and the terminal that comes from one."""
from __future__ import annotations

import errno
import fcntl
import io
import os
import struct
import subprocess
import termios
from ctypes import Array, c_int
from typing import IO, Any, List, Optional, Sequence, Union

DEVNULL = subprocess.DEVNULL
PIPE = subprocess.PIPE
STDOUT = subprocess.STDOUT

File = Union[None, int, IO[Any], Any]
"""None for our own, a number, anything with fileno(), or DEVNULL or PIPE (as stderr also STDOUT)."""

OpenFile = Union[int, IO[Any], Any]
"""A number, or anything with fileno()."""


class Stdio:
    """Three files for a program, and our ends of the pipes among them."""

    def __init__(self, stdin: File, stdout: File, stderr: File) -> None:
        self.ours: List[Optional[io.FileIO]] = [None, None, None]
        self._theirs: List[int] = []
        try:
            numbers = [self._number(0, stdin), self._number(1, stdout)]
            numbers.append(numbers[1] if _is(stderr, STDOUT) else self._number(2, stderr))
        except BaseException:
            self.close()
            raise
        self.array: Optional[Array[c_int]] = None if numbers == [0, 1, 2] else (c_int * 3)(*numbers)

    def _number(self, place: int, file: File) -> int:
        if file is None:
            return place
        if _is(file, DEVNULL):
            return -1
        if _is(file, PIPE):
            reader, writer = os.pipe()
            own, their = (writer, reader) if place == 0 else (reader, writer)
            self._theirs.append(their)
            self.ours[place] = io.FileIO(own, "wb" if place == 0 else "rb")
            return their
        number = file if isinstance(file, int) else file.fileno()
        if number < 0:
            raise ValueError(f"not a file: {file!r}")
        return int(number)

    def given(self) -> None:
        """Closes what the program has now."""
        for file in self._theirs:
            os.close(file)
        self._theirs = []

    def close(self) -> None:
        """Closes both ends."""
        self.given()
        for file in self.ours:
            if file is not None:
                file.close()


class Owned:
    """A file that is closed with this object."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        """Its number."""
        if self._fd < 0:
            raise ValueError("it has been closed")
        return self._fd

    def close(self) -> None:
        """Closes it. May be called again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def _is(file: File, what: int) -> bool:
    return isinstance(file, int) and file == what


def numbers(files: Sequence[OpenFile]) -> "tuple[Optional[Array[c_int]], int]":
    """More files, as C takes them."""
    found = [file if isinstance(file, int) else file.fileno() for file in files]
    return ((c_int * len(found))(*found), len(found)) if found else (None, 0)


class Console(io.FileIO):
    """Our side of a container's terminal: a raw binary file. Its end is the end, and not an error."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "r+")

    def read(self, size: Optional[int] = -1) -> Any:
        """Up to `size` bytes, or all until the end; b"" at the end."""
        if size is None or size < 0:
            return self.readall()
        try:
            return super().read(size)
        except OSError as error:
            return _end(error)

    def readall(self) -> bytes:
        """All until nobody has the terminal open any more."""
        parts: List[bytes] = []
        while True:
            part = self.read(65536)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def readinto(self, buffer: Any) -> Any:
        """As of any raw file."""
        try:
            return super().readinto(buffer)
        except OSError as error:
            return len(_end(error))

    def resize(self, rows: int, columns: int) -> None:
        """Says how large it is."""
        fcntl.ioctl(self.fileno(), termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def _end(error: OSError) -> bytes:
    if error.errno == errno.EIO:
        return b""
    raise error
