"""stdout and stderr as people expect them of a Unix tool: any terminal, any disk, any reader."""

from __future__ import annotations

import codecs
import os
import select
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from backprop_cli.errors import visible

ERRORS = "bp-replace"
#: how signs look where they cannot be shown; any other becomes a question mark
PLAIN = {"–": "-", "—": "-", "−": "-", "─": "-", "×": "x", "·": "*", "…": "...", "→": "->", "│": "|", "’": "'",
         "←": "<-", "≤": "<=", "≥": ">=", "‖": "||", "√": "sqrt", "⊙": "*", "½": "1/2", "²": "^2", "ᵀ": "^T", "ᵗ": "^t",
         "Σ": "sum", "∂": "d", "Δ": "delta ", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "eps", "η": "eta",
         "λ": "lambda", "μ": "mu", "σ": "sigma", "α": "alpha", "ρ": "rho", "∈": "in",
         "₀": "0", "₁": "1", "₂": "2", "ₜ": "_t", "ₖ": "_k"}  # fmt: skip


def fill() -> None:
    """Open /dev/null as every one of the descriptors 0 to 2 that is closed.

    The next file would get that number, and it may be the lock of a run: whoever starts a process replaces 0 to 2.
    """
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one


def prepare() -> None:
    """Let no character fail or steer the terminal: what the encoding of a stream lacks is replaced, what cannot be seen
    is written out. A closed stream becomes /dev/null.

    PYTHONUNBUFFERED would write a line and its end in two pieces, and those of several processes between each other:
    then each line is written when it ends.
    """
    codecs.register_error(ERRORS, _plain)
    fill()
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115  # as long as the process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # as long as the process
        elif hasattr(stream, "reconfigure"):
            by_line = stream.line_buffering or stream.write_through
            stream.reconfigure(errors=ERRORS, write_through=False, line_buffering=by_line)
        setattr(sys, name, Visible(getattr(sys, name)))


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end


def reader_left(stream: TextIO) -> bool:
    """Whether nobody reads this stream any more, as after `bp runs ls | head -1`."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def discard(stream: TextIO) -> None:
    """Send what is still buffered nowhere: at exit Python would try to write it once more, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class Visible:
    """A stream for text in which others may have hidden control characters or changes of direction: they are written
    out, whoever prints. rich, whose gate is `ui.console`, goes past this one by the attribute that it looks for."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)

    def write(self, text: str) -> int:
        """Write text, control characters written out; the number of characters in `text` as it was given."""
        self.rich_proxied_file.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write some lines, control characters written out."""
        self.rich_proxied_file.writelines(map(visible, lines))


class Careful:
    """A stream for progress: what cannot be written is dropped, rather than end the training."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it where that fails; the number of characters."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush the stream; where that fails, discard what is still buffered."""
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)
