"""`python -m backprop_cli` is `bp`."""

# what `signal` is made of: importing that takes time, in which Ctrl-C would give a traceback
import _signal  # type: ignore[import-not-found]  # a part of CPython without types

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # while modules are imported, Ctrl-C just ends bp
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress

gc.set_threshold(50_000)  # imports make many objects and no garbage; looking for it takes a tenth of a short command

from backprop_cli.cli import main as cli  # noqa: E402  # after what makes imports quick and quiet


def main() -> None:
    """Entry point of `bp`; see `cli.main`.

    Python is not taken down piece by piece: that takes a sixth of a short command, and aborts it where a library's
    thread still holds something of Python's. What has to be done at the end is done.
    """
    try:
        cli.main()
    except SystemExit as done:
        if not isinstance(done.code, int):
            raise
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as multiprocessing's processes do
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(done.code)


if __name__ == "__main__":
    main()
