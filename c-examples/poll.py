#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Brig from Python, with nothing but the standard library: one poll loop for a terminal and an exec.

    poll.py BUNDLE

The bundle's config.json has "terminal": true. The container is started, one more program is executed in it
with its output captured, and the terminal's output is shown: three files in one loop, no thread.
"""
import ctypes
import json
import os
import select
import sys

brig = ctypes.CDLL("libbrig.so.0")
text, handle, number = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int


class CreateOptions(ctypes.Structure):
    """brig_create_options"""
    _fields_ = [("size", ctypes.c_size_t), ("bundle", text), ("spec", text), ("rootfs", text),
                ("stdio", ctypes.POINTER(number)), ("fds", ctypes.POINTER(number)), ("fd_count", ctypes.c_size_t),
                ("flags", ctypes.c_uint64), ("rootfs_fd", number), ("cancel_fd", number)]


class ExecOptions(ctypes.Structure):
    """brig_exec_options"""
    _fields_ = [("size", ctypes.c_size_t), ("process", text), ("cgroup", text),
                ("stdio", ctypes.POINTER(number)), ("fds", ctypes.POINTER(number)), ("fd_count", ctypes.c_size_t),
                ("flags", ctypes.c_uint64), ("cancel_fd", number), ("reserved", number)]


class Exit(ctypes.Structure):
    """brig_exit"""
    _fields_ = [("size", ctypes.c_size_t), ("code", ctypes.c_int32), ("signal", ctypes.c_int32)]


FORCE = ctypes.c_uint64(1)  # BRIG_DELETE_FORCE
brig.brig_error_message.restype = text
brig.brig_error_message.argtypes = brig.brig_error_free.argtypes = brig.brig_string_free.argtypes = [handle]


def call(name, *arguments):
    """Calls a function that takes an error last; raises what it answers."""
    error = handle()
    if getattr(brig, "brig_" + name)(*arguments, ctypes.byref(error)) != 0:
        message = brig.brig_error_message(error).decode()
        brig.brig_error_free(error)
        raise RuntimeError(f"{name}: {message}")


def new(kind, name, *arguments):
    """The same for one that stores something."""
    place = kind()
    call(name, *arguments, ctypes.byref(place))
    return place


def end_of(process):
    """How it ended, as a shell tells it."""
    end = Exit(ctypes.sizeof(Exit))
    call("process_wait", process, -1, ctypes.byref(end))
    return 128 + end.signal if end.signal else end.code


def execute(container, *command):
    """Starts a program; the process, and a pipe with all that it prints."""
    own = new(handle, "container_process_spec", container)
    process = json.loads(ctypes.string_at(own))
    brig.brig_string_free(own)
    process.update(args=command, terminal=False)
    reader, writer = os.pipe()
    options = ExecOptions(ctypes.sizeof(ExecOptions), json.dumps(process).encode())
    options.stdio = (number * 3)(-1, writer, writer)
    try:
        return new(handle, "container_exec", container, ctypes.byref(options)), reader
    finally:
        os.close(writer)


def main():
    runtime = new(handle, "runtime_open", None)
    options = CreateOptions(ctypes.sizeof(CreateOptions), sys.argv[1].encode())
    container = new(handle, "container_create", runtime, f"poll-{os.getpid()}".encode(), ctypes.byref(options))
    try:
        init = new(handle, "container_init", container)
        console = new(number, "process_console", init).value
        pidfd = new(number, "process_pidfd", init).value
        call("container_start", container)
        process, pipe = execute(container, "sh", "-c", "echo hello from exec; exit 3")

        captured, waiting = b"", {console, pidfd, pipe}
        poll = select.poll()
        for file in waiting:
            poll.register(file, select.POLLIN)
        while waiting:
            for file, _ in poll.poll():
                try:
                    data = b"" if file == pidfd else os.read(file, 4096)
                except OSError:  # EIO: nobody has the terminal open any more
                    data = b""
                if file == console:
                    os.write(1, data)
                elif file == pipe:
                    captured += data
                if not data:
                    poll.unregister(file)
                    waiting.remove(file)
                    if file == pipe:
                        print(f"exec ended with {end_of(process)}: {captured.decode().strip()}", flush=True)
                        os.write(console, b"word\n")
        print(f"init ended with {end_of(init)}", flush=True)
    finally:
        call("container_delete", container, FORCE)


main()
