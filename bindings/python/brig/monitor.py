# SPDX-License-Identifier: Apache-2.0
"""What happens to containers, as it happens."""
from __future__ import annotations

import json
import time
from typing import Any, AsyncIterator, Dict, Iterator, Optional

from ._files import Owned
from ._library import Handle, descriptor, text
from ._waiting import readable, readable_async

Event = Dict[str, Any]
"""An event has a `type` and an `id`; docs/events.md has examples."""


class Monitor:
    """Watches containers. Iterate over it, with `for` or `async for`, or poll its `fileno()` and call `next(0)`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        with handle as pointer:
            self._file = Owned(descriptor("brig_monitor_fd", pointer))

    def fileno(self) -> int:
        """Readable when there may be something: then call `next(0)` until it is None."""
        return self._file.fileno()

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None if there is none within `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            event = self._next()
            if event is not None:
                return event
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            readable(self.fileno(), left)

    async def next_async(self) -> Event:
        """The next event, in the running event loop."""
        while True:
            event = self._next()
            if event is not None:
                return event
            await readable_async(self.fileno())

    def _next(self) -> Optional[Event]:
        with self._handle as pointer:
            event = text("brig_monitor_next", pointer)
        return None if event is None else json.loads(event)

    def __iter__(self) -> Iterator[Event]:
        while True:
            event = self.next()
            if event is not None:
                yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self.next_async()

    def close(self) -> None:
        """Ends the watching."""
        self._file.close()
        self._handle.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
