# SPDX-License-Identifier: Apache-2.0
"""Run OCI containers from Python, through libbrig.

    import brig

    with brig.Runtime() as runtime, runtime.create("one", "/path/to/bundle") as container:
        container.start()
        print(container.run(["uname", "-a"]).stdout.decode())
        print(container.wait().status)

Nothing is executed for that, no daemon asked, and no thread started. Objects may be shared by threads; calls release
the interpreter's lock. What fails raises an `Error` with `status`, `errno`, `pointer` and `message`.
"""
from __future__ import annotations

from ._abi import (
    BRIG_CHECKPOINT_LEAVE_RUNNING as CHECKPOINT_LEAVE_RUNNING,
    BRIG_CHECKPOINT_PRE_DUMP as CHECKPOINT_PRE_DUMP,
    BRIG_CHECKPOINT_TCP_ESTABLISHED as CHECKPOINT_TCP_ESTABLISHED,
    BRIG_CHECKPOINT_TCP_SKIP_IN_FLIGHT as CHECKPOINT_TCP_SKIP_IN_FLIGHT,
    BRIG_CHECKPOINT_LINK_REMAP as CHECKPOINT_LINK_REMAP,
    BRIG_CHECKPOINT_EXT_UNIX_SK as CHECKPOINT_EXT_UNIX_SK,
    BRIG_CHECKPOINT_SHELL_JOB as CHECKPOINT_SHELL_JOB,
    BRIG_CHECKPOINT_FILE_LOCKS as CHECKPOINT_FILE_LOCKS,
    BRIG_CHECKPOINT_LAZY_PAGES as CHECKPOINT_LAZY_PAGES,
    BRIG_CHECKPOINT_AUTO_DEDUP as CHECKPOINT_AUTO_DEDUP,
    BRIG_RESTORE_TCP_CLOSE as RESTORE_TCP_CLOSE,
    BRIG_RESTORE_NO_NEW_KEYRING as RESTORE_NO_NEW_KEYRING,
    BRIG_RESTORE_SYSTEMD_CGROUP as RESTORE_SYSTEMD_CGROUP,
    BRIG_CREATE_NO_NEW_KEYRING as CREATE_NO_NEW_KEYRING,
    BRIG_CREATE_NO_PIVOT as CREATE_NO_PIVOT,
    BRIG_CREATE_NOT_ROOTLESS as CREATE_NOT_ROOTLESS,
    BRIG_CREATE_ROOTLESS as CREATE_ROOTLESS,
    BRIG_CREATE_SECCOMP_FD as CREATE_SECCOMP_FD,
    BRIG_CREATE_SUPERVISED as CREATE_SUPERVISED,
    BRIG_CREATE_SYSTEMD_CGROUP as CREATE_SYSTEMD_CGROUP,
    BRIG_EXEC_IGNORE_PAUSED as EXEC_IGNORE_PAUSED,
    BRIG_EXEC_SECCOMP_FD as EXEC_SECCOMP_FD,
    BRIG_LOG_DEBUG as LOG_DEBUG,
    BRIG_LOG_ERROR as LOG_ERROR,
    BRIG_LOG_INFO as LOG_INFO,
    BRIG_LOG_WARNING as LOG_WARNING,
    BRIG_MONITOR_EXIT as MONITOR_EXIT,
    BRIG_MONITOR_MEMORY_PRESSURE as MONITOR_MEMORY_PRESSURE,
    BRIG_MONITOR_OOM as MONITOR_OOM,
    BRIG_MONITOR_STATE as MONITOR_STATE,
    BRIG_SPEC_ROOTLESS as SPEC_ROOTLESS,
    Status,
)
from ._files import DEVNULL, PIPE, STDOUT, Console
from ._waiting import Cancel
from .container import Container
from .errors import (
    Bug,
    Canceled,
    ConfigError,
    Error,
    Exists,
    Forked,
    HookError,
    InvalidArgument,
    NotFound,
    ProgramError,
    Unsupported,
    WrongState,
)
from .monitor import Event, Monitor
from .process import Completed, Exit, Process
from .runtime import Runtime, default_spec, features, log_to, validate, version, version_number

__all__ = [
    "CHECKPOINT_LEAVE_RUNNING",
    "CHECKPOINT_PRE_DUMP",
    "CHECKPOINT_TCP_ESTABLISHED",
    "CHECKPOINT_TCP_SKIP_IN_FLIGHT",
    "CHECKPOINT_LINK_REMAP",
    "CHECKPOINT_EXT_UNIX_SK",
    "CHECKPOINT_SHELL_JOB",
    "CHECKPOINT_FILE_LOCKS",
    "CHECKPOINT_LAZY_PAGES",
    "CHECKPOINT_AUTO_DEDUP",
    "RESTORE_TCP_CLOSE",
    "RESTORE_NO_NEW_KEYRING",
    "RESTORE_SYSTEMD_CGROUP",
    "Bug",
    "CREATE_NO_NEW_KEYRING",
    "CREATE_NO_PIVOT",
    "CREATE_NOT_ROOTLESS",
    "CREATE_ROOTLESS",
    "CREATE_SECCOMP_FD",
    "CREATE_SUPERVISED",
    "CREATE_SYSTEMD_CGROUP",
    "Cancel",
    "Canceled",
    "Completed",
    "ConfigError",
    "Console",
    "Container",
    "DEVNULL",
    "EXEC_IGNORE_PAUSED",
    "EXEC_SECCOMP_FD",
    "Error",
    "Event",
    "Exists",
    "Exit",
    "Forked",
    "HookError",
    "InvalidArgument",
    "LOG_DEBUG",
    "LOG_ERROR",
    "LOG_INFO",
    "LOG_WARNING",
    "MONITOR_EXIT",
    "MONITOR_MEMORY_PRESSURE",
    "MONITOR_OOM",
    "MONITOR_STATE",
    "Monitor",
    "NotFound",
    "PIPE",
    "Process",
    "ProgramError",
    "Runtime",
    "SPEC_ROOTLESS",
    "STDOUT",
    "Status",
    "Unsupported",
    "WrongState",
    "default_spec",
    "features",
    "log_to",
    "validate",
    "version",
    "version_number",
]
