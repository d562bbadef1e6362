#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Brig from Python: one event loop for a terminal, an exec and what happens to a container.

    poll.py BUNDLE

The bundle's config.json has "terminal": true. The container is started, one more program is executed in it with its
output captured, the terminal's output is shown and every event told: no thread, no signal handler. The package is in
bindings/python.
"""
import asyncio
import os
import sys

import brig


async def show(terminal: brig.Console) -> None:
    """Prints what comes from the terminal until nobody has it open any more."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def more() -> None:
        data = terminal.read(4096)
        os.write(1, data)
        if not data:
            loop.remove_reader(terminal)
            over.set()

    loop.add_reader(terminal, more)
    await over.wait()


async def tell(monitor: brig.Monitor) -> None:
    """Prints each event."""
    async for event in monitor:
        print(event, flush=True)


async def talk(container: brig.Container, terminal: brig.Console) -> None:
    """Runs a program, and answers the container's own once that has ended."""
    program = ["sh", "-c", "echo hello from exec; exit 3"]
    with container.exec(program, stdin=brig.DEVNULL, stdout=brig.PIPE) as process:
        end = await process
        print(f"exec ended with {end.status}: {process.stdout.read().decode().strip()}", flush=True)
    terminal.write(b"word\n")


async def main() -> None:
    with brig.Runtime() as runtime, runtime.create(f"poll-{os.getpid()}", sys.argv[1]) as container:
        with container.console() as terminal, container.monitor() as monitor:
            container.start()
            events = asyncio.create_task(tell(monitor))
            _, _, end = await asyncio.gather(show(terminal), talk(container, terminal), container.init)
            events.cancel()
            print(f"init ended with {end.status}", flush=True)


try:
    asyncio.run(main())
except brig.Error as error:
    sys.exit(f"poll.py: {error}")
