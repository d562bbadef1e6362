#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scenarios of scenarios.txt from Python, against the package that is installed. See run.sh."""
import asyncio
import ctypes
import fcntl
import gc
import itertools
import json
import os
import select
import signal
import struct
import sys
import termios
import threading
import time
import traceback

import brig

BUNDLES = os.environ["TEST_BUNDLES"]
runtime = brig.Runtime(os.environ["TEST_ROOT"])
serial = itertools.count()
NOWHERE = {"stdin": brig.DEVNULL, "stdout": brig.DEVNULL, "stderr": brig.DEVNULL}


def bundle(name):
    return f"{BUNDLES}/{name}"


def unique_id():
    return f"behaviour-py-{os.getpid()}-{next(serial)}"


def create(name, **options):
    return runtime.create(unique_id(), bundle(name), **{**NOWHERE, **options})


def running(name):
    container = create(name)
    container.start()
    return container


def check(condition, what="not true"):
    if not condition:
        raise AssertionError(what)


def equal(found, expected):
    check(found == expected, f"{found!r}, not {expected!r}")


class raises:
    """The block must raise this."""

    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        check(kind is not None, f"no {self.kind.__name__}")
        self.error = error
        return issubclass(kind, self.kind)


def version():
    major, minor, patch = map(int, brig.version().split("."))
    equal(brig.version_number(), major * 1000000 + minor * 1000 + patch)
    equal(brig.version(), os.environ["TEST_VERSION"])


def features():
    check("mount" in brig.features()["linux"]["namespaces"])


def default_spec():
    equal(brig.validate(brig.default_spec()), [])
    check("user" in str(brig.default_spec(brig.SPEC_ROOTLESS)))


def validate():
    spec = brig.default_spec()
    spec["process"]["cwd"] = "relative"
    spec["hostname"] = 7
    equal({it["pointer"] for it in brig.validate(spec)}, {"/process/cwd", "/hostname"})


def exit_code():
    with running("exit-7") as container:
        end = container.wait(timeout=30)
        equal((end.code, end.signal, end.status), (7, 0, 7))


def exit_signal():
    with running("sleep") as container:
        container.signal(signal.SIGKILL)
        end = container.wait(timeout=30)
        equal((end.code, end.signal, end.status), (-1, 9, 137))


def stdio():
    with create("echo", stdin=brig.PIPE, stdout=brig.PIPE) as container:
        container.start()
        container.stdin.write(b"word\n")
        equal(container.stdout.readall(), b"got word\n")
        equal(container.wait(timeout=30).code, 7)


def extra_files():
    reader, writer = os.pipe()
    with create("write-3", fds=[writer]) as container:
        os.close(writer)
        container.start()
        container.wait(timeout=30)
        with open(reader, "rb") as file:
            equal(file.read(), b"three\n")


def spec_in_memory():
    with open(bundle("exit-7") + "/config.json") as file:
        spec = json.load(file)
    with runtime.create(unique_id(), spec=spec, rootfs=bundle("true") + "/rootfs", **NOWHERE) as container:
        container.start()
        equal(container.wait(timeout=30).code, 7)


def state():
    with create("sleep") as container:
        found = container.state()
        equal((found["status"], found["id"], found["bundle"]), ("created", container.id, bundle("sleep")))
        check(found["pid"] > 0)
        container.start()
        equal(container.status, "running")
        container.signal(9)
        container.wait(timeout=30)
        equal(container.status, "stopped")


def list_():
    with create("sleep") as one, create("sleep") as two:
        ids = [it["id"] for it in runtime.list()]
        check(one.id in ids and two.id in ids and ids == sorted(ids), ids)
    check(one.id not in [it["id"] for it in runtime.list()])


def open_():
    with running("sleep") as container, runtime.open(container.id) as other:
        equal(other.status, "running")
        equal(other.init.pid, container.init.pid)
    # A handle is not the container; ours deleted it.
    with raises(brig.NotFound):
        runtime.open(container.id)


def exec_output():
    with running("sleep") as container:
        done = container.run(["sh", "-c", "cat; echo $WORD >&2; exit 3"], b"x" * 300000, env={"WORD": "error"})
        equal((done.exit.code, len(done.stdout), done.stderr), (3, 300000, b"error\n"))
        with raises(brig.Error):
            done.check()


def exec_no_program():
    with running("sleep") as container:
        with raises(brig.ProgramError):
            container.run(["/no/such/program"])


def processes():
    with running("sleep") as container:
        equal(container.processes(), [container.init.pid])


def signal_():
    with running("sleep") as container:
        process = container.exec(["sleep", "1000"], **NOWHERE)
        process.send_signal(signal.SIGKILL)
        equal(process.wait(timeout=30).signal, 9)
        second = container.exec(["sleep", "1000"], **NOWHERE)
        container.signal(signal.SIGKILL, all=True)
        equal((second.wait(timeout=30).signal, container.wait(timeout=30).signal), (9, 9))
        with raises(brig.WrongState):
            container.signal(signal.SIGTERM)


def pause_resume():
    with running("sleep") as container:
        container.pause()
        equal(container.status, "paused")
        with raises(brig.WrongState):
            container.run(["true"])
        container.resume()
        equal(container.status, "running")
        with raises(brig.WrongState):
            container.resume()


def update():
    with running("sleep") as container:
        container.update({"pids": {"limit": 37}})
        equal(container.stats()["pids"]["limit"], 37)


def update_refused():
    with running("sleep") as container:
        with raises(brig.ConfigError) as refused:
            container.update({"memory": {"limit": "much"}})
        equal(refused.error.pointer, "/memory/limit")


def stats():
    with running("sleep") as one, running("sleep") as two:
        found = one.stats()
        check(found["memory"]["usage"]["usage"] > 0 and found["pids"]["current"] == 1, found)
        many = runtime.stats([two.id, "nobody", one.id])
        equal([(it["type"], it["id"]) for it in many], [("stats", two.id), ("error", "nobody"), ("stats", one.id)])
        equal(many[1]["status"], brig.Status.NOT_FOUND)


def cgroup_file():
    with running("sleep") as container:
        directory = container.cgroup_fd("pids")
        with open(os.open("cgroup.procs", os.O_RDONLY, dir_fd=directory)) as file:
            equal(file.read().split(), [str(container.init.pid)])
        os.close(directory)


def console():
    with runtime.create(unique_id(), bundle("terminal")) as container:
        with container.console() as terminal:
            terminal.resize(33, 99)
            container.start()
            terminal.write(b"word\n")
            text = terminal.readall().replace(b"\r", b"")
            check(b"33 99\n" in text and b"got word\n" in text, text)
        with raises(brig.NotFound):
            container.console()
        equal(container.wait(timeout=30).code, 7)


def pidfd():
    with running("sleep") as container:
        equal(select.select([container.init], [], [], 0)[0], [])
        container.signal(9)
        equal(select.select([container.init], [], [], 30)[0], [container.init])
        equal(container.init.poll().signal, 9)


def wait_timeout():
    with running("sleep") as container:
        before = time.monotonic()
        with raises(brig.Canceled):
            container.wait(timeout=0.05)
        check(0.04 < time.monotonic() - before < 20)
        equal(container.init.poll(), None)


def wait_cancel():
    with running("sleep") as container, brig.Cancel() as cancel:
        threading.Timer(0.05, cancel.cancel).start()
        with raises(brig.Canceled):
            container.wait(cancel=cancel)
        equal(container.status, "running")


def create_cancel():
    with brig.Cancel() as cancel:
        cancel.cancel()
        id = unique_id()
        with raises(brig.Canceled):
            runtime.create(id, bundle("sleep"), cancel=cancel, **NOWHERE)
        with raises(brig.NotFound):
            runtime.open(id)


def monitor():
    async def watch(container, seen):
        async for event in container.monitor():
            seen.append((event["type"], event.get("status", event.get("code"))))
            if event.get("status") == "created":
                container.start()
            if event["type"] == "exit":
                container.delete()
            if event.get("status") == "deleted":
                return

    async def both(container, seen):
        watching = asyncio.ensure_future(watch(container, seen))
        end = await asyncio.wait_for(container.init, 30)
        await asyncio.wait_for(watching, 30)
        return end

    with create("nap-7") as container:
        seen = []
        equal(asyncio.run(both(container, seen)).code, 7)
    states = [("state", it) for it in ("created", "running", "stopped")]
    equal(seen, [*states, ("exit", 7), ("state", "deleted")])


def monitor_all():
    with runtime.monitor(flags=brig.MONITOR_EXIT) as watching:
        with running("exit-7") as container:
            for event in watching:
                if event["id"] == container.id:
                    equal((event["type"], event["code"]), ("exit", 7))
                    break
        equal(watching.next(timeout=0.01), None)


def supervised():
    with create("exit-7", flags=brig.CREATE_SUPERVISED) as container:
        container.start()
        container.wait(timeout=30)
        with runtime.open(container.id) as later:
            equal(later.wait(timeout=30).code, 7)


def plan():
    id = unique_id()
    text = runtime.plan(id, bundle("true"))
    check("mount" in text and "/bin/true" in text, text)
    with raises(brig.NotFound):
        runtime.open(id)


def bad_config():
    with open(bundle("true") + "/config.json") as file:
        spec = json.load(file)
    spec["linux"]["namespaces"][2]["type"] = "nonsense"
    id = unique_id()
    with raises(brig.ConfigError) as wrong:
        runtime.create(id, bundle("true"), spec=spec, **NOWHERE)
    equal((wrong.error.pointer, wrong.error.status), ("/linux/namespaces/2/type", brig.Status.CONFIG))
    check("nonsense" in str(wrong.error))
    with raises(brig.NotFound):
        runtime.open(id)


def no_program():
    with raises(brig.ProgramError) as missing:
        create("no-program")
    equal(missing.error.errno, 2)


def not_found():
    with raises(brig.NotFound) as missing:
        runtime.open("nobody")
    check(len(missing.error.message) > 5 and str(missing.error) == missing.error.message)


def exists():
    with create("sleep") as container:
        with raises(brig.Exists):
            runtime.create(container.id, bundle("sleep"), **NOWHERE)
        equal(container.status, "created")


def wrong_state():
    with running("sleep") as container:
        with raises(brig.WrongState):
            container.start()
        with raises(brig.WrongState):
            container.delete()
        container.close()
        with raises(brig.WrongState):
            container.state()
        with runtime.open(container.id) as again:
            again.delete(force=True)


def invalid_id():
    for id in ("a/b", "", "..", "a" * 256):
        with raises(brig.InvalidArgument):
            runtime.create(id, bundle("true"), **NOWHERE)


def delete_force():
    with running("sleep") as container:
        container.delete(force=True)
        with raises(brig.NotFound):
            container.state()


def many():
    """8 threads, while the garbage collector runs all the time and finds cycles that hold handles."""
    done, stop = [], threading.Event()

    def press():
        while not stop.is_set():
            gc.collect()

    def work():
        for round in range(8):
            container = create("exit-7")
            cycle = [container]
            cycle.append(cycle)
            process = container.init
            container.start()
            id = container.id
            # Nobody holds the container any more but the cycle, and nobody its monitor.
            container.monitor()
            del container, cycle
            equal(process.wait(timeout=60).code, 7)
            with runtime.open(id) as again:
                again.delete()
            done.append(round)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    gc.set_threshold(50)
    presser = threading.Thread(target=press)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in [presser, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    presser.join()
    sys.setswitchinterval(interval)
    gc.set_threshold(700)
    equal(len(done), 64)


NAMES = {"list": list_, "open": open_, "signal": signal_}


def main():
    passed = failed = 0
    with open(sys.argv[1]) as file:
        names = [line.split()[0] for line in file if line.strip() and not line.startswith("#")]
    before = len(os.listdir("/proc/self/fd"))
    for name in names:
        try:
            (NAMES.get(name) or globals()[name])()
            passed += 1
            print(f"ok {name}")
        except Exception:
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}")
    gc.collect()
    after = len(os.listdir("/proc/self/fd"))
    if after != before:
        failed += 1
        print(f"FAILED {after - before} files are still open")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
