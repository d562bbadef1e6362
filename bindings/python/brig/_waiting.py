# SPDX-License-Identifier: Apache-2.0
"""Waiting until a file is readable, with and without an event loop; and ending a call from elsewhere."""
from __future__ import annotations

import asyncio
import os
import select
from types import TracebackType
from typing import Optional, Type


def readable(fd: int, timeout: Optional[float]) -> bool:
    """Waits `timeout` seconds, or for ever. A signal handler, such as that of Ctrl-C, runs meanwhile."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(None if timeout is None else max(0, timeout) * 1000))


async def readable_async(fd: int) -> None:
    """The same in the running event loop, with no thread."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def found() -> None:
        if not done.done():
            done.set_result(None)

    # A loop knows one reader a file, and there may be others who wait.
    own = os.dup(fd)
    try:
        loop.add_reader(own, found)
        try:
            await done
        finally:
            loop.remove_reader(own)
    finally:
        os.close(own)


class Cancel:
    """Ends calls that are given it, from any thread or signal handler: they raise `Canceled`.

    One `Cancel` can end many calls, and stays canceled.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def cancel(self) -> None:
        """Ends what waits, and whatever will be given this."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    def fileno(self) -> int:
        """The file that becomes readable."""
        return self._reader

    def close(self) -> None:
        """Cancels and closes the file."""
        self.cancel()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def __enter__(self) -> Cancel:
        return self

    def __exit__(
        self, _kind: Optional[Type[BaseException]], _error: Optional[BaseException], _trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_writer"):
            self.close()
