"""`bp` on the PATH of a test: python -I -S tests/bp_forked.py SOCKET ARGUMENT…

It asks the process of tests/forked.py that listens there for a fork with its own arguments, folder, environment and
streams; signals are handed on, and its exit code is that of the fork. It imports little: it starts in 0.03 s.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

MESSAGE = 1 << 20  # bytes


def ask(
    address: str, arguments: list[str], cwd: str, env: dict[str, str], descriptors: list[int]
) -> tuple[socket.socket, int]:
    """Start `bp ARGUMENTS`: a connection that will tell its exit code (minus the signal that ended it), its process."""
    os.umask(mask := os.umask(0))
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asked.connect(address)
    message = json.dumps({"arguments": arguments, "cwd": cwd, "env": env, "umask": mask}).encode()
    socket.send_fds(asked, [message], descriptors)
    return asked, json.loads(asked.recv(MESSAGE))


def main() -> None:
    """Be `bp` to whoever has started this."""
    asked, pid = ask(sys.argv[1], sys.argv[2:], os.getcwd(), dict(os.environ), [0, 1, 2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    code = json.loads(asked.recv(MESSAGE))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
