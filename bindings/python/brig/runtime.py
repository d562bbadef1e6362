# SPDX-License-Identifier: Apache-2.0
"""A state directory and the containers in it; and what needs neither."""
from __future__ import annotations

import ctypes
from ctypes import byref
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from . import _abi
from ._files import File, OpenFile, Stdio, numbers
from ._library import Handle, Path, as_json, call, encoded, function, parsed, strings, text
from ._waiting import Cancel
from .container import Container
from .monitor import Monitor

Spec = Union[str, bytes, Mapping[str, Any]]


def version() -> str:
    """The version of the library, such as "0.1.0"."""
    return str(function("brig_version")().decode())


def version_number() -> int:
    """The same as one number: major × 1,000,000 + minor × 1,000 + patch."""
    return int(function("brig_version_number")())


def features() -> Dict[str, Any]:
    """What this build on this kernel can do: the OCI *features* structure."""
    found: Dict[str, Any] = parsed("brig_features")
    return found


def default_spec(flags: int = 0) -> Dict[str, Any]:
    """A config.json to start from; `flags` is any of SPEC_*."""
    spec: Dict[str, Any] = parsed("brig_spec_default", flags)
    return spec


def validate(spec: Spec) -> List[Dict[str, Any]]:
    """All that is wrong with a config.json: `pointer`, `message` and `status` of each mistake."""
    mistakes: List[Dict[str, Any]] = parsed("brig_spec_validate", as_json(spec))
    return mistakes


def log_to(file: File, level: int = _abi.BRIG_LOG_WARNING, json: bool = False) -> None:
    """Sends the library's log to a file; None turns it off."""
    number = -1 if file is None else file if isinstance(file, int) else file.fileno()
    call("brig_log_to_fd", number, level, _abi.BRIG_LOG_JSON if json else _abi.BRIG_LOG_TEXT)


class Runtime:
    """A state directory and the containers in it. May be shared by threads, as all objects may."""

    def __init__(self, root: Optional[Path] = None) -> None:
        """Opens the state directory (/run/brig, or $XDG_RUNTIME_DIR/brig if not root)."""
        self._handle = Handle("runtime", "brig_runtime_open", encoded(root))

    @property
    def root(self) -> str:
        """The state directory, absolute."""
        with self._handle as pointer:
            return text("brig_runtime_root", pointer) or ""

    def list(self) -> List[Dict[str, Any]]:
        """The state of every container, ordered by id."""
        with self._handle as pointer:
            states: List[Dict[str, Any]] = parsed("brig_runtime_list", pointer)
        return states

    def stats(self, ids: Optional[Sequence[str]] = None) -> List[Dict[str, Any]]:
        """What many containers have used, in one call; all, if `ids` is None. docs/events.md has the fields."""
        array, count = strings(ids)
        with self._handle as pointer:
            stats: List[Dict[str, Any]] = parsed("brig_runtime_stats", pointer, array, count)
        return stats

    def monitor(self, ids: Optional[Sequence[str]] = None, flags: int = 0) -> Monitor:
        """Watches many containers, or all: also those that come later. `flags` is any of MONITOR_*."""
        array, count = strings(ids)
        with self._handle as pointer:
            return Monitor(Handle("monitor", "brig_runtime_monitor", pointer, array, count, flags))

    def open(self, id: str) -> Container:
        """Opens a container, whoever created it."""
        with self._handle as pointer:
            return Container(Handle("container", "brig_container_open", pointer, encoded(id)), id)

    def create(
        self,
        id: str,
        bundle: Optional[Path] = None,
        *,
        spec: Optional[Spec] = None,
        rootfs: Union[None, int, Path] = None,
        stdin: File = None,
        stdout: File = None,
        stderr: File = None,
        fds: Sequence[OpenFile] = (),
        flags: int = 0,
        cancel: Optional[Cancel] = None,
    ) -> Container:
        """Creates a container: everything is set up, and its init waits for `start()`.

        `spec` is a config.json in memory instead of the bundle's, `rootfs` a path or an open directory instead of its
        root.path. Files are None for our own, a number, a file object, DEVNULL or PIPE; those of `fds` are 3, 4 and
        so on in the container. `flags` is any of CREATE_*. If anything fails, nothing is left.
        """
        options, stdio, _kept = self._options(bundle, spec, rootfs, (stdin, stdout, stderr), fds, flags, cancel)
        try:
            with self._handle as pointer:
                handle = Handle("container", "brig_container_create", pointer, encoded(id), byref(options))
        except BaseException:
            stdio.close()
            raise
        stdio.given()
        return Container(handle, id, stdio)

    def restore(
        self,
        id: str,
        image_dir: Path,
        bundle: Optional[Path] = None,
        *,
        spec: Optional[Spec] = None,
        rootfs: Optional[Path] = None,
        work_dir: Optional[Path] = None,
        stdin: File = None,
        stdout: File = None,
        stderr: File = None,
        flags: int = 0,
        cancel: Optional[Cancel] = None,
    ) -> Container:
        """Creates a container out of the images of `Container.checkpoint()`; it runs when this returns.

        `flags` is any of RESTORE_*, and those of CHECKPOINT_* that are for a restore too.
        """
        options = _abi.RestoreOptions(
            size=ctypes.sizeof(_abi.RestoreOptions),
            bundle=encoded(bundle),
            spec=None if spec is None else as_json(spec),
            rootfs=encoded(rootfs),
            image_dir=encoded(image_dir),
            work_dir=encoded(work_dir),
            flags=flags,
            cancel_fd=cancel.fileno() if cancel else 0,
        )
        stdio = Stdio(stdin, stdout, stderr)
        options.stdio = stdio.array
        try:
            with self._handle as pointer:
                handle = Handle("container", "brig_container_restore", pointer, encoded(id), byref(options))
        except BaseException:
            stdio.close()
            raise
        stdio.given()
        return Container(handle, id, stdio)

    def plan(self, id: str, bundle: Optional[Path] = None, *, spec: Optional[Spec] = None, flags: int = 0) -> str:
        """What `create()` would do, a step a line, for people to read."""
        options, _stdio, _kept = self._options(bundle, spec, None, (None, None, None), (), flags, None)
        with self._handle as pointer:
            return text("brig_container_plan", pointer, encoded(id), byref(options)) or ""

    def _options(
        self,
        bundle: Optional[Path],
        spec: Optional[Spec],
        rootfs: Union[None, int, Path],
        files: Tuple[File, File, File],
        fds: Sequence[OpenFile],
        flags: int,
        cancel: Optional[Cancel],
    ) -> Tuple[_abi.CreateOptions, Stdio, Any]:
        """The options, and what must live as long as they do."""
        if isinstance(rootfs, int) and rootfs <= 0:
            raise ValueError(f"rootfs is not an open directory: {rootfs}")
        array, count = numbers(fds)
        options = _abi.CreateOptions(
            size=ctypes.sizeof(_abi.CreateOptions),
            bundle=encoded(bundle),
            spec=None if spec is None else as_json(spec),
            rootfs=None if isinstance(rootfs, int) else encoded(rootfs),
            fds=array,
            fd_count=count,
            flags=flags,
            rootfs_fd=rootfs if isinstance(rootfs, int) else 0,
            cancel_fd=cancel.fileno() if cancel else 0,
        )
        stdio = Stdio(*files)
        options.stdio = stdio.array
        return options, stdio, array

    def close(self) -> None:
        """Lets the object go; containers that it gave keep what they need."""
        self._handle.close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
