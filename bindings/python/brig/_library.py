# SPDX-License-Identifier: Apache-2.0
"""libbrig, loaded once, and how its functions are called."""
from __future__ import annotations

import ctypes
import json
import os
import threading
from ctypes import byref, c_char_p, c_int, c_void_p
from typing import Any, Callable, Optional, Union

from ._abi import FUNCTIONS, SONAME, Status
from .errors import BY_STATUS, Error, Unsupported, WrongState

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(os.environ.get("BRIG_LIBRARY") or SONAME)
    for name, (result, arguments) in FUNCTIONS.items():
        # An older library has fewer functions; to call one of those is an error, and not to import this.
        function = getattr(library, name, None)
        if function is not None:
            function.restype = result
            function.argtypes = arguments
    return library


_library = _load()


def function(name: str) -> Callable[..., Any]:
    """A function of the library."""
    try:
        return getattr(_library, name)  # type: ignore[no-any-return]
    except AttributeError:
        raise Unsupported(f"this libbrig is too old for {name}()") from None


def call(name: str, *arguments: Any) -> None:
    """Calls a function that takes an error last, and raises what it says."""
    error = c_void_p()
    status = function(name)(*arguments, byref(error))
    if status != Status.OK:
        raise _taken(status, error)


def _taken(status: int, error: c_void_p) -> Error:
    try:
        message = function("brig_error_message")(error).decode("utf-8", "replace")
        pointer = function("brig_error_pointer")(error)
        number = function("brig_error_errno")(error)
    finally:
        function("brig_error_free")(error)
    return BY_STATUS.get(status, Error)(message, number, None if pointer is None else pointer.decode())


def text(name: str, *arguments: Any) -> Optional[str]:
    """Calls a function that stores a string; None if it has stored none."""
    place = c_void_p()
    call(name, *arguments, byref(place))
    if not place.value:
        return None
    try:
        return ctypes.string_at(place.value).decode("utf-8", "surrogateescape")
    finally:
        function("brig_string_free")(place)


def parsed(name: str, *arguments: Any) -> Any:
    """Calls a function that stores JSON."""
    return json.loads(text(name, *arguments) or "null")


def descriptor(name: str, *arguments: Any) -> int:
    """Calls a function that stores a file, or another number."""
    place = c_int(-1)
    call(name, *arguments, byref(place))
    return place.value


def encoded(value: Optional[Path]) -> Optional[bytes]:
    """A path or an id, as C has it."""
    if value is None:
        return None
    data = os.fsencode(value)
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data


def as_json(value: Any) -> bytes:
    """JSON for the library: text as it is, everything else dumped."""
    data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else json.dumps(value).encode()
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data


def strings(values: Any) -> "tuple[Any, int]":
    """An array of strings and its length; NULL for None."""
    if values is None:
        return None, 0
    values = [encoded(value) for value in values]
    return (c_char_p * len(values))(*values), len(values)


class Handle:
    """A reference to an object of the library. It can be closed while another thread is within a call."""

    def __init__(self, kind: str, name: str, *arguments: Any) -> None:
        """Calls a function that stores an object; `kind` is such as "runtime"."""
        self._pointer = c_void_p()
        self._unref = function(f"brig_{kind}_unref")
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False
        call(name, *arguments, byref(self._pointer))

    def __enter__(self) -> c_void_p:
        with self._lock:
            if self._closed:
                raise WrongState("it has been closed")
            self._users += 1
        return self._pointer

    def __exit__(self, *_: object) -> None:
        self._leave(1)

    def close(self) -> None:
        """Gives the reference back, once no call uses it any more. May be called again."""
        with self._lock:
            self._closed = True
        self._leave(0)

    def _leave(self, users: int) -> None:
        with self._lock:
            self._users -= users
            if self._users or not self._closed:
                return
            pointer, self._pointer = self._pointer, c_void_p()
        # NULL is fine: it was given back already.
        self._unref(pointer)

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            self._unref(self._pointer)
            self._pointer = c_void_p()
