# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as exceptions that carry data."""
from __future__ import annotations

from typing import Dict, Optional, Type

from ._abi import Status


class Error(Exception):
    """A call of brig failed. `str()` of it is the message."""

    status: Status = Status.FAILED
    """The kind of failure; the subclass says the same."""
    errno: int
    """The errno(3) at the root, or 0."""
    pointer: Optional[str]
    """The field of config.json that is wrong, as a JSON pointer such as `/process/args/0`."""
    message: str
    """One line of text, causes joined by ": "."""

    def __init__(self, message: str, errno: int = 0, pointer: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        self.pointer = pointer

    def __reduce__(self) -> tuple[Type[Error], tuple[str, int, Optional[str]]]:
        return type(self), (self.message, self.errno, self.pointer)


class InvalidArgument(Error, ValueError):
    """An argument is wrong."""

    status = Status.INVALID


class NotFound(Error, LookupError):
    """No such container or process."""

    status = Status.NOT_FOUND


class Exists(Error):
    """The id is taken."""

    status = Status.EXISTS


class WrongState(Error):
    """Not in this state of the container."""

    status = Status.STATE


class Unsupported(Error):
    """This kernel, or this build, cannot do it."""

    status = Status.UNSUPPORTED


class Canceled(Error):
    """Time is up, or the call was canceled."""

    status = Status.CANCELED


class Forked(Error):
    """The object was made before fork(2) and is the parent's."""

    status = Status.FORKED


class Bug(Error):
    """A defect of brig; please report it."""

    status = Status.BUG


class ConfigError(Error, ValueError):
    """config.json, or the bundle around it, is wrong; `pointer` says where."""

    status = Status.CONFIG


class ProgramError(Error):
    """The container's program is missing or cannot be executed."""

    status = Status.PROGRAM


class HookError(Error):
    """A hook failed."""

    status = Status.HOOK


BY_STATUS: Dict[int, Type[Error]] = {
    int(kind.status): kind
    for kind in (
        InvalidArgument,
        NotFound,
        Exists,
        WrongState,
        Unsupported,
        Canceled,
        Forked,
        Bug,
        ConfigError,
        ProgramError,
        HookError,
    )
}
