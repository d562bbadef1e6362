# SPDX-License-Identifier: Apache-2.0
# Generated from include/brig.h by `make header`; do not edit.
"""The declarations of brig.h, for  The rest of the package is made of these."""
from __future__ import annotations

import enum
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, List, Tuple

# Where something is stored: an object or a string, or a number.
PLACE = POINTER(c_void_p)
NUMBER = POINTER(c_int)

VERSION = "0.1.0"
SONAME = "libbrig.so.0"


class Status(enum.IntEnum):
    """How a call ended."""

    OK = 0
    """It did what it says."""
    FAILED = -1
    """The operating system refused; see brig_error_errno()."""
    INVALID = -2
    """An argument is wrong, or NULL where NULL is not allowed."""
    NOT_FOUND = -3
    """No such container or process."""
    EXISTS = -4
    """The id is taken."""
    STATE = -5
    """Not in this state of the container."""
    UNSUPPORTED = -6
    """This kernel, or this build, cannot do it."""
    CANCELED = -7
    """Time is up, or `cancel_fd` became readable."""
    FORKED = -8
    """The object was made before fork(2) and is the parent's."""
    BUG = -9
    """A defect of brig; please report it."""
    CONFIG = -10
    """config.json, or the bundle around it, is wrong; see brig_error_pointer()."""
    PROGRAM = -11
    """The container's program is missing or cannot be executed."""
    HOOK = -12
    """A hook failed."""


BRIG_SPEC_ROOTLESS = 1
BRIG_LOG_ERROR = 1
BRIG_LOG_WARNING = 2
BRIG_LOG_INFO = 3
BRIG_LOG_DEBUG = 4
BRIG_LOG_TEXT = 0
BRIG_LOG_JSON = 1
BRIG_CREATE_NO_PIVOT = 1
BRIG_CREATE_SUPERVISED = 2
BRIG_CREATE_NO_NEW_KEYRING = 4
BRIG_CREATE_SYSTEMD_CGROUP = 8
BRIG_CREATE_SECCOMP_FD = 16
BRIG_CREATE_ROOTLESS = 32
BRIG_CREATE_NOT_ROOTLESS = 64
BRIG_SIGNAL_ALL = 1
BRIG_DELETE_FORCE = 1
BRIG_EXEC_IGNORE_PAUSED = 1
BRIG_EXEC_SECCOMP_FD = 2
BRIG_CHECKPOINT_LEAVE_RUNNING = 1
BRIG_CHECKPOINT_PRE_DUMP = 2
BRIG_CHECKPOINT_TCP_ESTABLISHED = 4
BRIG_CHECKPOINT_TCP_SKIP_IN_FLIGHT = 8
BRIG_CHECKPOINT_LINK_REMAP = 16
BRIG_CHECKPOINT_EXT_UNIX_SK = 32
BRIG_CHECKPOINT_SHELL_JOB = 64
BRIG_CHECKPOINT_FILE_LOCKS = 128
BRIG_CHECKPOINT_LAZY_PAGES = 256
BRIG_CHECKPOINT_AUTO_DEDUP = 512
BRIG_RESTORE_TCP_CLOSE = 1024
BRIG_RESTORE_NO_NEW_KEYRING = 2048
BRIG_RESTORE_SYSTEMD_CGROUP = 4096
BRIG_CGROUPS_SOFT = 1
BRIG_CGROUPS_FULL = 2
BRIG_CGROUPS_STRICT = 3
BRIG_CGROUPS_IGNORE = 4
BRIG_MONITOR_STATE = 1
BRIG_MONITOR_EXIT = 2
BRIG_MONITOR_OOM = 4
BRIG_MONITOR_MEMORY_PRESSURE = 8


class CreateOptions(Structure):
    """brig_create_options"""

    _fields_ = [
        ("size", c_size_t),
        ("bundle", c_char_p),
        ("spec", c_char_p),
        ("rootfs", c_char_p),
        ("stdio", NUMBER),
        ("fds", NUMBER),
        ("fd_count", c_size_t),
        ("flags", c_uint64),
        ("rootfs_fd", c_int),
        ("cancel_fd", c_int),
    ]


class Exit(Structure):
    """brig_exit"""

    _fields_ = [
        ("size", c_size_t),
        ("code", c_int32),
        ("signal", c_int32),
    ]


class ExecOptions(Structure):
    """brig_exec_options"""

    _fields_ = [
        ("size", c_size_t),
        ("process", c_char_p),
        ("cgroup", c_char_p),
        ("stdio", NUMBER),
        ("fds", NUMBER),
        ("fd_count", c_size_t),
        ("flags", c_uint64),
        ("cancel_fd", c_int),
        ("reserved", c_int),
    ]


class CheckpointOptions(Structure):
    """brig_checkpoint_options"""

    _fields_ = [
        ("size", c_size_t),
        ("image_dir", c_char_p),
        ("work_dir", c_char_p),
        ("parent_path", c_char_p),
        ("page_server", c_char_p),
        ("flags", c_uint64),
        ("empty_namespaces", c_uint64),
        ("image_fd", c_int),
        ("page_server_port", c_uint32),
        ("manage_cgroups", c_uint32),
        ("status_fd", c_int),
        ("cancel_fd", c_int),
        ("reserved", c_int),
    ]


class RestoreOptions(Structure):
    """brig_restore_options"""

    _fields_ = [
        ("size", c_size_t),
        ("bundle", c_char_p),
        ("spec", c_char_p),
        ("rootfs", c_char_p),
        ("image_dir", c_char_p),
        ("work_dir", c_char_p),
        ("lsm_profile", c_char_p),
        ("lsm_mount_context", c_char_p),
        ("stdio", NUMBER),
        ("flags", c_uint64),
        ("empty_namespaces", c_uint64),
        ("rootfs_fd", c_int),
        ("image_fd", c_int),
        ("manage_cgroups", c_uint32),
        ("cancel_fd", c_int),
    ]


# Of each function what it returns and takes.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "brig_error_status": (c_int, [c_void_p]),
    "brig_error_errno": (c_int, [c_void_p]),
    "brig_error_message": (c_char_p, [c_void_p]),
    "brig_error_pointer": (c_char_p, [c_void_p]),
    "brig_error_free": (None, [c_void_p]),
    "brig_version_number": (c_uint32, []),
    "brig_version": (c_char_p, []),
    "brig_features": (c_int, [PLACE, PLACE]),
    "brig_spec_default": (c_int, [c_uint64, PLACE, PLACE]),
    "brig_spec_validate": (c_int, [c_char_p, PLACE, PLACE]),
    "brig_string_free": (None, [c_void_p]),
    "brig_log_to_fd": (c_int, [c_int, c_uint32, c_uint32, PLACE]),
    "brig_runtime_open": (c_int, [c_char_p, PLACE, PLACE]),
    "brig_runtime_ref": (c_void_p, [c_void_p]),
    "brig_runtime_unref": (None, [c_void_p]),
    "brig_runtime_root": (c_int, [c_void_p, PLACE, PLACE]),
    "brig_runtime_list": (c_int, [c_void_p, PLACE, PLACE]),
    "brig_runtime_stats": (c_int, [c_void_p, POINTER(c_char_p), c_size_t, PLACE, PLACE]),
    "brig_container_create": (c_int, [c_void_p, c_char_p, POINTER(CreateOptions), PLACE, PLACE]),
    "brig_container_plan": (c_int, [c_void_p, c_char_p, POINTER(CreateOptions), PLACE, PLACE]),
    "brig_container_open": (c_int, [c_void_p, c_char_p, PLACE, PLACE]),
    "brig_container_ref": (c_void_p, [c_void_p]),
    "brig_container_unref": (None, [c_void_p]),
    "brig_container_start": (c_int, [c_void_p, PLACE]),
    "brig_container_state": (c_int, [c_void_p, PLACE, PLACE]),
    "brig_container_signal": (c_int, [c_void_p, c_int, c_uint64, PLACE]),
    "brig_container_pause": (c_int, [c_void_p, PLACE]),
    "brig_container_resume": (c_int, [c_void_p, PLACE]),
    "brig_container_update": (c_int, [c_void_p, c_char_p, PLACE]),
    "brig_container_update_rdt": (c_int, [c_void_p, c_char_p, c_char_p, PLACE]),
    "brig_container_cgroup_fd": (c_int, [c_void_p, c_char_p, NUMBER, PLACE]),
    "brig_container_processes": (c_int, [c_void_p, PLACE, PLACE]),
    "brig_container_stats": (c_int, [c_void_p, PLACE, PLACE]),
    "brig_container_delete": (c_int, [c_void_p, c_uint64, PLACE]),
    "brig_container_init": (c_int, [c_void_p, PLACE, PLACE]),
    "brig_container_console": (c_int, [c_void_p, NUMBER, PLACE]),
    "brig_container_seccomp_fd": (c_int, [c_void_p, NUMBER, PLACE]),
    "brig_process_ref": (c_void_p, [c_void_p]),
    "brig_process_unref": (None, [c_void_p]),
    "brig_process_pid": (c_int, [c_void_p, NUMBER, PLACE]),
    "brig_process_pidfd": (c_int, [c_void_p, NUMBER, PLACE]),
    "brig_process_console": (c_int, [c_void_p, NUMBER, PLACE]),
    "brig_process_seccomp_fd": (c_int, [c_void_p, NUMBER, PLACE]),
    "brig_process_wait": (c_int, [c_void_p, c_int32, POINTER(Exit), PLACE]),
    "brig_process_wait_cancelable": (c_int, [c_void_p, c_int32, c_int, POINTER(Exit), PLACE]),
    "brig_process_signal": (c_int, [c_void_p, c_int, PLACE]),
    "brig_container_exec": (c_int, [c_void_p, POINTER(ExecOptions), PLACE, PLACE]),
    "brig_container_process_spec": (c_int, [c_void_p, PLACE, PLACE]),
    "brig_container_checkpoint": (c_int, [c_void_p, POINTER(CheckpointOptions), PLACE]),
    "brig_container_restore": (c_int, [c_void_p, c_char_p, POINTER(RestoreOptions), PLACE, PLACE]),
    "brig_container_monitor": (c_int, [c_void_p, c_uint64, PLACE, PLACE]),
    "brig_runtime_monitor": (c_int, [c_void_p, POINTER(c_char_p), c_size_t, c_uint64, PLACE, PLACE]),
    "brig_monitor_ref": (c_void_p, [c_void_p]),
    "brig_monitor_unref": (None, [c_void_p]),
    "brig_monitor_fd": (c_int, [c_void_p, NUMBER, PLACE]),
    "brig_monitor_next": (c_int, [c_void_p, PLACE, PLACE]),
}
