"""Every exception `bp` raises on purpose, and the exit code each one stands for.

A `BpError` is a message for the person who typed the command: where, what was expected,
what came, what to do. Anything else that escapes is a bug in `bp` and shows a traceback.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PLUGIN_MODULE = "bp_plugin_"  # what the names of modules made from plugin files begin with
MAX_LISTED = 12  # names in an error


class BpError(Exception):
    """Base of everything `bp` raises on purpose; it ran and failed (exit code 1).

    `result` is what a command prints with `--json` all the same: a training that was stopped has its numbers.
    `everywhere`: every rank of a training that several processes share has this error.
    """

    exit_code = 1
    result: dict[str, Any] | None = None
    everywhere = False


class UsageError(BpError):
    """Wrong command line: an unknown run, option or file (exit code 2)."""

    exit_code = 2


class ConsentError(UsageError):
    """Code that came with somebody's run, and that nobody has agreed to (exit code 2)."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a config: `file:line:column: path: message`, lines counted from 1."""

    file: str | None
    line: int | None
    column: int | None
    path: str
    message: str

    def __str__(self) -> str:
        position = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (position, self.path, self.message) if part)

    def as_dict(self) -> dict[str, str | int | None]:
        return asdict(self)


class ConfigError(BpError):
    """The config is wrong; carries every problem found, not only the first (exit code 2)."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownNameError(BpError):
    """A name that no registered class carries (exit code 2)."""

    exit_code = 2


class BuildError(BpError):
    """A network that cannot be built: shapes that do not fit, a missing input (exit code 2).

    `node` names the layer, or the option of an optimizer; the builder adds the line of the config to it.
    """

    exit_code = 2

    def __init__(self, message: str, node: str | None = None) -> None:
        self.node = node
        self.message = message
        super().__init__(f"{node}: {message}" if node else message)


class DataError(BpError):
    """Data that cannot be had or cannot be read (exit code 1)."""


class OptionError(DataError):
    """Options of a dataset that contradict each other or what there is (exit code 2)."""

    exit_code = 2


class DownloadError(DataError):
    """Data that would have to be downloaded and cannot be; a `fallback` may step in."""


class CheckpointError(BpError):
    """A checkpoint that is missing, damaged, of another format, or does not fit the network (exit code 1)."""


class RunError(BpError):
    """A run directory that cannot be written, or is in use by another process (exit code 1)."""


class DamagedError(RunError):
    """A run whose run.json is not what such a file should be (exit code 1)."""


class DivergedError(BpError):
    """A loss, gradient or weight that is no longer finite (exit code 1); `batch` is the (x, y) it happened at."""

    def __init__(self, message: str, batch: tuple[Any, Any] | None = None) -> None:
        self.batch = batch
        super().__init__(message)


class InterruptedRunError(BpError):
    """Stopped by a signal after a checkpoint was written (exit code 128 + signal)."""

    def __init__(self, message: str, signal_number: int) -> None:
        self.exit_code = 128 + signal_number
        super().__init__(message)


class PrunedError(BpError):
    """A trial ended early, since others did better; a checkpoint was written."""


def folded(name: str) -> str:
    """A name without what spellings of it differ in: `BatchNorm1d` and `batch_norm1d` are `batchnorm1d`."""
    return name.lower().replace("_", "").replace("-", "")


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known name nearest to a mistyped one, or None."""
    names = {folded(name): name for name in known}
    match = difflib.get_close_matches(folded(word), names, n=1, cutoff=0.6)
    return names[match[0]] if match else None


def did_you_mean(near: str | None) -> str:
    """The end of an error about a mistyped name: `; did you mean 'dense'?`, nothing where no name is near."""
    return f"; did you mean {near!r}?" if near else ""


def expected(word: str, known: Iterable[str]) -> str:
    """`expected one of …; did you mean …?` for an unknown name, with only the nearest of a long list."""
    names = sorted(set(known))
    if not names:
        return "nothing is expected here"
    near, shown = suggest(word, names), names
    if len(names) > MAX_LISTED:
        shown = (difflib.get_close_matches(word, names, n=5, cutoff=0.3) or names)[:MAX_LISTED]
        shown = [*shown, f"… ({len(names)} in all)"]
    return f"expected one of {', '.join(shown)}" + did_you_mean(near)


def plugin_failure(error: BaseException) -> str | None:
    """`plugin FILE, line N: what was raised` for an exception out of a plugin's code; None for any other."""
    message = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").startswith(PLUGIN_MODULE):
            message = f"plugin {frame.f_code.co_filename}, line {line}: {type(error).__name__}: {error}"
    return message


#: how NumPy begins the ValueError of an array with more entries than can be counted
_UNCOUNTED = ("array is too big", "Maximum allowed", "maximum supported dimension", "negative dimensions")


def out_of_range(error: BaseException) -> str | None:
    """`a number is too large or too small: …` for the error of a calculation with a number that does not fit, such as a
    config or a run may hold; None for any other."""
    uncounted = isinstance(error, ValueError) and str(error).startswith(_UNCOUNTED)
    if not uncounted and not isinstance(error, OverflowError):
        return None
    return f"a number is too large or too small: {error.args[-1]}"


_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


SMALL = 256 << 20  # bytes that any machine has, for which nothing is looked up


def shortage(needed: int) -> str | None:
    """What is wrong with taking so many bytes: `needs 37.3 GiB of memory, and 18.0 GiB are free`; None where they are
    there. Linux gives memory out before it is there, and ends a process that has filled all there is."""
    if needed <= SMALL or needed <= (left := min(_free())):
        return None
    return f"needs {needed / 2**30:,.1f} GiB of memory, and {left / 2**30:,.1f} GiB are free"


def _free() -> Iterator[int]:
    """Bytes that the machine has left, that a container may have, and that this process may still take."""
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        yield int(lines["MemAvailable"].split()[0]) << 10  # proc(5)
    except (OSError, KeyError, ValueError):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # none, or `max`
            yield int(Path(path).read_text())
    import resource

    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    with suppress(OSError):
        if soft != resource.RLIM_INFINITY:
            yield max(0, soft - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize())


def visible(text: str) -> str:
    """Text with control characters, escape sequences and changes of direction written out, as `\\x1b`: a name that
    somebody else chose must not steer a terminal."""
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def to_stderr(message: str) -> None:
    """Say on stderr what must be said also where nobody listens to warnings."""
    print(f"bp: {visible(message)}", file=sys.stderr, flush=True)
