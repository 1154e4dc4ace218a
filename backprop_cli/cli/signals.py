"""The signals that end a command: through every `finally`, with the exit code that a shell expects."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

from backprop_cli.errors import InterruptedRunError


def listen() -> None:
    """Leave with 128 + the signal, through every `finally`; but a signal that is ignored stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as __main__ has left it
        signal.signal(signal.SIGINT, _interrupt)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


received: list[int] = []


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Note it, too: a library in C, or Python where it makes a class, may turn what is raised into something else."""
    received.append(number)
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    received.append(number)
    sys.exit(128 + number)


def stop_listening() -> None:
    """While Python takes itself down, a signal just ends it: an exception has nobody left who would catch it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (_interrupt, _leave):
            signal.signal(number, signal.SIG_DFL)


def unraisable(event: Any) -> None:
    """An exception that a finalizer or a callback cannot pass on: if it is the end that a signal asked for, that is
    asked for again."""
    error = event.exc_value
    if isinstance(error, KeyboardInterrupt):
        _ask_again(signal.SIGINT)
    elif isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:
        _ask_again(error.code - 128)
    elif not isinstance(error, InterruptedRunError):  # of which the training knows
        sys.__unraisablehook__(event)


def _ask_again(number: int) -> None:
    """Raise a signal in a moment: what its handler raises here and now, nobody would catch either."""
    if threading.current_thread() is not threading.main_thread():  # where no handler runs
        signal.raise_signal(number)
        return
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001)
