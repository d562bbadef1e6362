# SPDX-License-Identifier: Apache-2.0
"""console.py CREATE... -- START...: creates a container with a terminal, starts it, and prints what it says there.

The word @SOCKET@ in CREATE becomes the path of the socket for --console-socket.
"""
import array
import os
import socket
import subprocess
import sys

words = sys.argv[1:]
create, start = words[:words.index("--")], words[words.index("--") + 1:]
path = os.path.join(os.getcwd(), "console")
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(path)
    listener.listen()
    listener.settimeout(20)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run([path if word == "@SOCKET@" else word for word in create], check=True, **quiet)
    connection, _ = listener.accept()
    _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    terminal = array.array("i", ancillary[0][2])[0]
subprocess.run(start, check=True, **quiet)
try:
    while said := os.read(terminal, 4096):
        sys.stdout.write(said.decode().replace("\r\n", "\n"))
except OSError:
    pass  # EIO: nobody has the other side any more
