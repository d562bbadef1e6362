# SPDX-License-Identifier: Apache-2.0
"""Programs in containers, and how they end."""
from __future__ import annotations

import ctypes
import io
import os
import selectors
import threading
import time
from ctypes import byref
from dataclasses import dataclass
from typing import Any, Dict, Generator, List, Optional

from . import _abi
from ._files import Console, Owned, Stdio
from ._library import Handle, call, descriptor
from ._waiting import Cancel, readable, readable_async
from .errors import Canceled, Error, WrongState


@dataclass(frozen=True)
class Exit:
    """How a process ended."""

    code: int
    """The exit code, or -1 when a signal ended it."""
    signal: int = 0
    """That signal, or 0."""

    @property
    def status(self) -> int:
        """As a shell tells it: the code, or 128 and the signal."""
        return 128 + self.signal if self.signal else self.code

    def __bool__(self) -> bool:
        """Whether it did well."""
        return self.status == 0


@dataclass(frozen=True)
class Completed:
    """How a program ended, and what it wrote."""

    exit: Exit
    stdout: bytes
    stderr: bytes

    def check(self) -> Completed:
        """Itself, unless it failed."""
        if not self.exit:
            raise Error(f"the program ended with {self.exit.status}: {self.stderr.decode(errors='replace').strip()}")
        return self


class Process:
    """A process of a container: its init, or one that `Container.exec()` started.

    It is a file of sorts: `fileno()` is a pidfd, readable once the process is gone. In an event loop, `await` it.
    """

    def __init__(self, handle: Handle, stdio: Optional[Stdio] = None) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._pidfd: Optional[Owned] = None
        self.stdin: Optional[io.FileIO] = stdio.ours[0] if stdio else None
        """Our end of a pipe, if it was asked for."""
        self.stdout: Optional[io.FileIO] = stdio.ours[1] if stdio else None
        self.stderr: Optional[io.FileIO] = stdio.ours[2] if stdio else None

    @property
    def pid(self) -> int:
        """As our pid namespace has it. It may be reused once the process has been waited for."""
        with self._handle as pointer:
            return descriptor("brig_process_pid", pointer)

    def fileno(self) -> int:
        """The pidfd, which belongs to this object."""
        with self._lock:
            if self._pidfd is None:
                with self._handle as pointer:
                    self._pidfd = Owned(descriptor("brig_process_pidfd", pointer))
            return self._pidfd.fileno()

    def console(self) -> Console:
        """Our side of its terminal. Only once; `NotFound` afterwards, or if there is none."""
        with self._handle as pointer:
            return Console(descriptor("brig_process_console", pointer))

    def seccomp_fd(self) -> int:
        """The listener of its seccomp filter, which is yours to close."""
        with self._handle as pointer:
            return descriptor("brig_process_seccomp_fd", pointer)

    def poll(self) -> Optional[Exit]:
        """How it ended, or None if it has not."""
        try:
            return self._wait(0)
        except Canceled:
            return None

    def wait(self, timeout: Optional[float] = None, cancel: Optional[Cancel] = None) -> Exit:
        """Waits for the end, `timeout` seconds at most. Raises `Canceled` if it did not come.

        Signal handlers run meanwhile, so that Ctrl-C ends it.
        """
        if cancel is not None:
            return self._wait(-1 if timeout is None else max(0, int(timeout * 1000)), cancel.fileno())
        try:
            pidfd = self.fileno()
        except WrongState:
            # It was gone before: the answer is there.
            return self._wait(0)
        readable(pidfd, timeout)
        return self._wait(0)

    def __await__(self) -> Generator[Any, None, Exit]:
        return self.wait_async().__await__()

    async def wait_async(self) -> Exit:
        """Waits in the running event loop: for the pidfd, with no thread."""
        try:
            pidfd = self.fileno()
        except WrongState:
            return self._wait(0)
        await readable_async(pidfd)
        return self._wait(0)

    def _wait(self, milliseconds: int, cancel_fd: Optional[int] = None) -> Exit:
        end = _abi.Exit(size=ctypes.sizeof(_abi.Exit))
        with self._handle as pointer:
            if cancel_fd is None:
                call("brig_process_wait", pointer, milliseconds, byref(end))
            else:
                call("brig_process_wait_cancelable", pointer, milliseconds, cancel_fd, byref(end))
        return Exit(end.code, end.signal)

    def send_signal(self, signal: int) -> None:
        """Sends a signal to this process, and to no other."""
        with self._handle as pointer:
            call("brig_process_signal", pointer, int(signal))

    def communicate(self, data: bytes = b"", timeout: Optional[float] = None) -> Completed:
        """Writes `data`, reads all that it writes until the end of its files, and waits for its end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        found: Dict[int, List[bytes]] = {1: [], 2: []}
        rest = memoryview(data)
        with selectors.DefaultSelector() as selector:
            for place, file in ((1, self.stdout), (2, self.stderr)):
                if file is not None:
                    selector.register(file, selectors.EVENT_READ, place)
            if self.stdin is not None:
                os.set_blocking(self.stdin.fileno(), False)
                selector.register(self.stdin, selectors.EVENT_WRITE, 0)
            while selector.get_map():
                ready = selector.select(_left(deadline))
                if not ready and deadline is not None and time.monotonic() >= deadline:
                    raise Canceled("time is up")
                for key, _ in ready:
                    if key.data == 0:
                        rest = _write(key.fd, rest)
                        part = bytes(rest)
                    else:
                        part = os.read(key.fd, 65536)
                        found[key.data].append(part)
                    if not part:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
        return Completed(self.wait(_left(deadline)), b"".join(found[1]), b"".join(found[2]))

    def close(self) -> None:
        """Gives the files and the handle back; the process lives on."""
        for file in (self.stdin, self.stdout, self.stderr, self._pidfd):
            if file is not None:
                file.close()
        self._handle.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(fd: int, rest: memoryview) -> memoryview:
    """What is left to write; nothing if nobody reads it any more."""
    try:
        return rest[os.write(fd, rest[:65536]) :] if rest else rest
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return rest[:0]


def _left(deadline: Optional[float]) -> Optional[float]:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
