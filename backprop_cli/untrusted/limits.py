"""How much a file may unpack to, and how the user raises that.

Seven megabytes can unpack to gigabytes. All bounds are raised by a variable of the environment, $BP_LIMITS, and not by
a key of the config: that could be set by whoever sends the trap along with it.
"""

from __future__ import annotations

import errno
import io
import math
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backprop_cli.errors import UsageError
from backprop_cli.untrusted.regular import open_regular

FACTOR = "BP_LIMITS"  # the variable of the environment
UNPACKED = 64 << 20  # bytes that any file may unpack to
#: a file that unpacks to more, and to that many times its size, is a trap: data shrink 2 to 50 times, nothing but zeros
#: 1,000 times and more
RATIO = 200
MAX_DIRECTORY = 4 << 20  # bytes of a zip's list of what it holds: some 40,000 files


def bound(usual: int) -> int:
    """An upper bound: the usual one, times $BP_LIMITS. Raises UsageError where that is no number."""
    text = os.environ.get(FACTOR) or "1"
    try:
        factor = float(text)
        if not 1 <= factor < math.inf:
            raise ValueError
    except ValueError:
        raise UsageError(f"{FACTOR}={text:.40}: expected a number from 1 on, such as 10") from None
    return int(usual * factor)


def unpacked(size: int) -> int:
    """To how many bytes a file of `size` bytes may unpack."""
    return bound(max(UNPACKED, RATIO * size))


def beyond(usual: int, needed: int | None = None) -> str:
    """What to do about a bound: to a message that names it. `needed`: where that is known."""
    most = bound(usual)
    factor = math.ceil(needed / usual) if needed is not None else math.ceil(most / usual) * 10
    return f"if that is no trap, set the environment variable {FACTOR}={factor}"


def swollen(size: int, needed: int | None = None) -> str:
    """That a file of `size` bytes unpacks to more than it may, and what to do."""
    most = megabytes(unpacked(size))
    what = f"more than {most}" if needed is None else f"{megabytes(needed)}, expected at most {most}"
    return f"{megabytes(size)} that unpack to {what}; {beyond(max(UNPACKED, RATIO * size), needed)}"


def megabytes(size: int) -> str:
    """A size in the unit that suits it."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 1024:,.1f} KiB"


@contextmanager
def memory(more: int) -> Iterator[None]:
    """Let this process take so many bytes more than it has, where the system can say how many that is (proc(5))."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + more
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(most, *limits) if limits else most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip whose list of members is not too long, and of which no member unpacks to more than all may together.

    Raises OSError, and zipfile.BadZipFile where it is damaged.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        listed = _directory(file, size)
        if listed > bound(MAX_DIRECTORY):
            what = f"a list of files that takes {megabytes(listed)}, expected at most {megabytes(bound(MAX_DIRECTORY))}"
            raise OSError(errno.EFBIG, f"{what}; {beyond(MAX_DIRECTORY, listed)}")
        with zipfile.ZipFile(file) as archive:
            total = sum(member.file_size for member in archive.infolist())
            if total > unpacked(size):
                raise OSError(errno.EFBIG, swollen(size, total))
            yield archive


def _directory(file: io.BufferedReader, size: int) -> int:
    """How many bytes the list of the members takes, as the end of a zip says (APPNOTE.TXT 4.3.14 to 4.3.16)."""
    start = max(0, size - (1 << 16) - 22 - 20)
    file.seek(start)
    tail = file.read(size - start)
    end = tail.rfind(b"PK\5\6")
    if not 0 <= end <= len(tail) - 22:
        return 0  # zipfile will say that it is none
    (listed,) = struct.unpack_from("<I", tail, end + 12)
    if listed == 0xFFFFFFFF and tail[max(0, end - 20) : end].startswith(b"PK\6\7"):
        file.seek(min(struct.unpack_from("<Q", tail, end - 12)[0], size))
        record = file.read(56)
        listed = struct.unpack_from("<Q", record, 40)[0] if len(record) == 56 else listed
    return int(listed)
