"""The process that trains: a line of JSON in is a command, a line out an answer, a model or a picture.

    python -m backprop_cli.browser.play.process

It ends when its standard input does. What plugins print goes to stderr.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

from backprop_cli.browser.play.engine import Engine


def main() -> None:
    """Serve the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it, and then its input ends
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    inbox: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            inbox.put(line)
        inbox.put(None)

    threading.Thread(target=read, daemon=True).start()
    Engine(out).serve(inbox)
    os._exit(0)


if __name__ == "__main__":
    main()
