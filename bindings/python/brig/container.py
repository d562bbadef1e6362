# SPDX-License-Identifier: Apache-2.0
"""One container."""
from __future__ import annotations

import ctypes
import io
from ctypes import byref
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from . import _abi
from ._files import PIPE, Console, File, OpenFile, Stdio, numbers
from ._library import Handle, Path, as_json, call, descriptor, encoded, parsed
from ._waiting import Cancel
from .errors import NotFound
from .monitor import Monitor
from .process import Completed, Exit, Process


class Container:
    """A container. It outlives every object for it, and this program.

    In a `with` block one that was created is deleted at the end, whatever it does then, unless `keep()` was called;
    one that was opened is only let go.
    """

    def __init__(self, handle: Handle, id: str, stdio: Optional[Stdio] = None) -> None:
        self._handle = handle
        self.id = id
        self._is_ours = stdio is not None
        self._init: Optional[Process] = None
        self.stdin: Optional[io.FileIO] = stdio.ours[0] if stdio else None
        """Our end of a pipe, if it was asked for."""
        self.stdout: Optional[io.FileIO] = stdio.ours[1] if stdio else None
        self.stderr: Optional[io.FileIO] = stdio.ours[2] if stdio else None

    def __repr__(self) -> str:
        return f"<brig.Container {self.id!r}>"

    def start(self) -> None:
        """Lets the init process run the program."""
        self._call("brig_container_start")

    def state(self) -> Dict[str, Any]:
        """The OCI state."""
        state: Dict[str, Any] = self._parsed("brig_container_state")
        return state

    @property
    def status(self) -> str:
        """`created`, `running`, `paused` or `stopped`."""
        return str(self.state()["status"])

    @property
    def init(self) -> Process:
        """The init process."""
        if self._init is None:
            with self._handle as pointer:
                self._init = Process(Handle("process", "brig_container_init", pointer))
        return self._init

    def wait(self, timeout: Optional[float] = None, cancel: Optional[Cancel] = None) -> Exit:
        """Waits for the end of init; see `Process.wait()`. In an event loop: `await container.init`."""
        return self.init.wait(timeout, cancel)

    def signal(self, signal: int, all: bool = False) -> None:
        """Sends a signal to init, or to all processes."""
        self._call("brig_container_signal", int(signal), _abi.BRIG_SIGNAL_ALL if all else 0)

    def pause(self) -> None:
        """Freezes all processes, and waits until they are."""
        self._call("brig_container_pause")

    def resume(self) -> None:
        """Lets them go on."""
        self._call("brig_container_resume")

    def update(
        self,
        resources: Union[str, Mapping[str, Any]],
        intel_rdt: Optional[Union[str, Mapping[str, Any]]] = None,
    ) -> None:
        """Changes limits: the OCI `linux.resources` object, and what its class of service may use: the OCI
        `linux.intelRdt` object. All or nothing."""
        if intel_rdt is None:
            self._call("brig_container_update", as_json(resources))
        else:
            self._call("brig_container_update_rdt", as_json(resources), as_json(intel_rdt))

    def checkpoint(
        self,
        image_dir: Path,
        *,
        work_dir: Optional[Path] = None,
        parent_path: Optional[Path] = None,
        flags: int = 0,
        cancel: Optional[Cancel] = None,
    ) -> None:
        """Writes its processes to images, for `Runtime.restore()`, and ends them; `flags` is any of CHECKPOINT_*."""
        options = _abi.CheckpointOptions(
            size=ctypes.sizeof(_abi.CheckpointOptions),
            image_dir=encoded(image_dir),
            work_dir=encoded(work_dir),
            parent_path=encoded(parent_path),
            flags=flags,
            cancel_fd=cancel.fileno() if cancel else 0,
        )
        self._call("brig_container_checkpoint", byref(options))

    def stats(self) -> Dict[str, Any]:
        """What it has used; docs/events.md has the fields."""
        stats: Dict[str, Any] = self._parsed("brig_container_stats")
        return stats

    def processes(self) -> List[int]:
        """The pids of all processes in it."""
        pids: List[int] = self._parsed("brig_container_processes")
        return pids

    def cgroup_fd(self, controller: Optional[str] = None) -> int:
        """The directory of its cgroup, open with O_PATH; yours to close."""
        with self._handle as pointer:
            return descriptor("brig_container_cgroup_fd", pointer, encoded(controller))

    def seccomp_fd(self) -> int:
        """The listener of its seccomp filter; yours to close. Only once."""
        with self._handle as pointer:
            return descriptor("brig_container_seccomp_fd", pointer)

    def console(self) -> Console:
        """Our side of its terminal. Only once; `NotFound` afterwards, or if there is none."""
        with self._handle as pointer:
            return Console(descriptor("brig_container_console", pointer))

    def monitor(self, flags: int = 0) -> Monitor:
        """Watches it until it is deleted. `flags` is any of MONITOR_*."""
        with self._handle as pointer:
            return Monitor(Handle("monitor", "brig_container_monitor", pointer, flags))

    def process_spec(self) -> Dict[str, Any]:
        """The `process` object of its config.json."""
        spec: Dict[str, Any] = self._parsed("brig_container_process_spec")
        return spec

    def exec(
        self,
        program: Union[Sequence[str], Mapping[str, Any]],
        *,
        stdin: File = None,
        stdout: File = None,
        stderr: File = None,
        env: Optional[Mapping[str, str]] = None,
        cwd: Optional[str] = None,
        terminal: bool = False,
        cgroup: Optional[str] = None,
        fds: Sequence[OpenFile] = (),
        flags: int = 0,
        cancel: Optional[Cancel] = None,
    ) -> Process:
        """Runs one more program.

        `program` is its arguments, with all else as the container's own process has it, or the OCI `process` object.
        `env` is added to the environment. Files are None for our own, a number, a file object, DEVNULL or PIPE.
        """
        process = self._process(program, env, cwd, terminal)
        array, count = numbers(fds)
        stdio = Stdio(stdin, stdout, stderr)
        options = _abi.ExecOptions(
            size=ctypes.sizeof(_abi.ExecOptions),
            process=as_json(process),
            cgroup=encoded(cgroup),
            stdio=stdio.array,
            fds=array,
            fd_count=count,
            flags=flags,
            cancel_fd=cancel.fileno() if cancel else 0,
        )
        try:
            with self._handle as pointer:
                handle = Handle("process", "brig_container_exec", pointer, byref(options))
        except BaseException:
            stdio.close()
            raise
        stdio.given()
        return Process(handle, stdio)

    def run(
        self,
        program: Union[Sequence[str], Mapping[str, Any]],
        input: bytes = b"",
        timeout: Optional[float] = None,
        **options: Any,
    ) -> Completed:
        """Runs one more program to its end, with its output captured; `options` as of `exec()`.

        If time is up it is killed.
        """
        with self.exec(program, stdin=PIPE, stdout=PIPE, stderr=PIPE, **options) as process:
            try:
                return process.communicate(input, timeout)
            except BaseException:
                process.send_signal(9)
                process.wait()
                raise

    def _process(
        self,
        program: Union[Sequence[str], Mapping[str, Any]],
        env: Optional[Mapping[str, str]],
        cwd: Optional[str],
        terminal: bool,
    ) -> Mapping[str, Any]:
        if isinstance(program, Mapping):
            if env is not None or cwd is not None or terminal:
                raise TypeError("env, cwd and terminal are for a list of arguments; a process object has its own")
            return program
        if isinstance(program, (str, bytes)):
            raise TypeError("the program is a list of its arguments, not one text")
        process = self.process_spec()
        process.update(args=list(program), terminal=terminal)
        process.pop("consoleSize", None)
        process.setdefault("env", []).extend(f"{name}={value}" for name, value in (env or {}).items())
        if cwd is not None:
            process["cwd"] = cwd
        return process

    def delete(self, force: bool = False) -> None:
        """Removes a container that has stopped; with `force` it is killed before."""
        self._call("brig_container_delete", _abi.BRIG_DELETE_FORCE if force else 0)

    def keep(self) -> None:
        """Leaves it at the end of the `with` block."""
        self._is_ours = False

    def close(self) -> None:
        """Lets the object and its files go; the container lives on."""
        self._is_ours = False
        for file in (self.stdin, self.stdout, self.stderr):
            if file is not None:
                file.close()
        if self._init is not None:
            self._init.close()
        self._handle.close()

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._is_ours:
                self.delete(force=True)
        except NotFound:
            pass
        finally:
            self.close()

    def _call(self, name: str, *arguments: Any) -> None:
        with self._handle as pointer:
            call(name, pointer, *arguments)

    def _parsed(self, name: str) -> Any:
        with self._handle as pointer:
            return parsed(name, pointer)
