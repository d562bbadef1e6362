#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""picture.py: runs a session of the brig command, and writes what a terminal shows of it as docs/session.svg.

`make picture` calls it with the installed command in PATH, as root. It fails if a command ends other than it should.
"""

import html
import subprocess
import sys
import tempfile
from pathlib import Path

# What is typed, and the exit status it should have.
SESSION = [
    ("brig run --bundle bundle hello", 7),
    ("echo $?", 0),
    ("brig spec --check broken.json", 1),
    ("brig create --bundle bundle waiting && brig list | cut -c 1-35", 0),
    ("brig exec waiting sh -c 'id -u; ps'", 0),
    ("brig delete --force waiting", 0),
    ("brig plan --bundle bundle hello | head -n 8", 0),
]
BROKEN = [
    ('"linux": {', '"linux": { "rootfsPropagation": "sometimes",'),
    ('"cwd": "/"', '"cwd": "tmp"'),
]
COLUMNS, SIZE, LINE = 124, 13, 18


def play(directory: Path) -> list[tuple[str, str]]:
    """The lines, each with its class."""
    lines = []
    last = 0
    for command, expected in SESSION:
        lines.append(("typed", "# " + command))
        script = f"brig() {{ command brig --root '{directory}/state' \"$@\"; }}; (exit {last}); {command}"
        # Not a pipe: a container that is created would hold it open.
        with open(directory / "output", "w+", encoding="utf-8") as output:
            last = subprocess.call(
                ["bash", "-c", script], cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            output.seek(0)
            said = output.read()
        if last != expected:
            sys.exit(f"{command}: status {last}, not {expected}\n{said}")
        lines += [("said", line.replace(f"{directory}/", "")[:COLUMNS]) for line in said.splitlines()]
    return lines


def draw(lines: list[tuple[str, str]]) -> str:
    width, height = COLUMNS * SIZE * 0.602 + 32, len(lines) * LINE + 32
    text = "\n".join(
        f'<text class="{kind}" x="16" y="{16 + LINE * (row + 0.8):.0f}" xml:space="preserve">{html.escape(line)}</text>'
        for row, (kind, line) in enumerate(lines)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}">
<title>A session of the brig command</title>
<style>
text {{ font: {SIZE}px ui-monospace, "DejaVu Sans Mono", monospace; }}
.typed {{ fill: #7ee787; }} .said {{ fill: #e6edf3; }}
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
{text}
</svg>
"""


def main() -> None:
    top = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bundle = directory / "bundle"
        program = 'echo "hello from $(hostname), as pid $$"; exit 7'
        subprocess.run([top / "tests/lab/bundle.sh", bundle, "/bin/sh", "-c", program], check=True)
        config = (bundle / "config.json").read_text()
        for right, wrong in BROKEN:
            config = config.replace(right, wrong)
        (directory / "broken.json").write_text(config)
        (top / "docs/session.svg").write_text(draw(play(directory)))


main()
