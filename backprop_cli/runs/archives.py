"""Archives of runs, .zip and .tar.zst, opened without trusting anything in them.

A reader gives (name, bytes or None for a folder) member by member. Links, devices, encrypted and sparse members are
refused; headers that would fill the memory, too.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from backprop_cli.errors import RunError, UsageError
from backprop_cli.untrusted.limits import beyond, bound, open_zip, swollen, unpacked
from backprop_cli.untrusted.regular import check_regular

SUFFIXES = (".tar.zst", ".zip")
MAX_FILES = 10_000
MAX_BETWEEN = 1 << 20  # bytes of headers before a member of a .tar
PIECE = 1 << 20

Member = tuple[str, int | None, Callable[[], Iterator[bytes]]]


def check_name(path: Path) -> None:
    """Raise UsageError for a name that does not say the form of an archive."""
    if not path.name.endswith(SUFFIXES):
        raise UsageError(f"{path}: expected a name ending in {' or '.join(SUFFIXES)}")


def check_total(path: Path, number: int, total: int) -> None:
    """Raise RunError where an archive holds more files than a run, or more bytes than a file of its size may."""
    size = path.stat().st_size
    if total > unpacked(size):
        raise RunError(f"{path}: {swollen(size)}")
    if number > bound(MAX_FILES):
        raise RunError(
            f"{path}: more than {bound(MAX_FILES):,} files, which is more than a run has; {beyond(MAX_FILES)}"
        )


def write(path: Path, files: Iterable[tuple[str, int, IO[bytes]]]) -> None:
    """Write (name, size, open file) after each other. Raises OSError."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, _, file in files:
                with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as into:
                    while piece := file.read(PIECE):
                        into.write(piece)
        return
    import pyarrow as pa

    with (
        pa.OSFile(os.fsencode(path), "wb") as raw,
        pa.CompressedOutputStream(raw, "zstd") as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, size, file in files:
            entry = tarfile.TarInfo(name)
            entry.size = size
            tar.addfile(entry, file)


@contextmanager
def reading(path: Path) -> Iterator[Iterator[Member]]:
    """The members of an archive, one after the other. Raises RunError, here and while they are read."""
    import pyarrow as pa

    try:
        if path.name.endswith(".zip"):
            with open_zip(path) as archive:
                yield _zip_members(archive, path)
        else:
            check_regular(path)
            with pa.OSFile(os.fsencode(path), "rb") as raw, pa.CompressedInputStream(raw, "zstd") as unpacked:
                stream = _Limited(unpacked, path)
                with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]  # read() is enough
                    yield _tar_members(tar, stream, path)
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, MemoryError) as error:
        raise _damaged(path, error) from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, tarfile.TarError, pa.ArrowException) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> RunError:
    if isinstance(error, OSError) and error.strerror:
        return RunError(f"cannot read {path}: {error.strerror}")
    return RunError(f"{path}: damaged or not an archive of this form ({' '.join(str(error).split()):.200})")


def _zip_members(archive: zipfile.ZipFile, path: Path) -> Iterator[Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.flag_bits & 1:
            raise RunError(
                f"{path}: {info.filename!r:.100} is a link, a device or encrypted; expected plain files only"
            )
        if info.is_dir():
            yield info.filename.rstrip("/"), None, lambda: iter(())
        else:
            yield info.filename, info.file_size, partial(_packed, archive, info)


def _tar_members(tar: tarfile.TarFile, stream: _Limited, path: Path) -> Iterator[Member]:
    while True:
        stream.allow(MAX_BETWEEN)
        entry = tar.next()
        if entry is None:
            return
        if not (entry.isreg() or entry.isdir()) or entry.issparse():
            raise RunError(f"{path}: {entry.name!r:.100} is a link, a device or sparse; expected plain files only")
        if entry.isdir():
            yield entry.name, None, lambda: iter(())
        else:
            check_total(path, 0, entry.size)
            stream.allow(entry.size + MAX_BETWEEN)
            file = tar.extractfile(entry)
            assert file is not None
            yield entry.name, entry.size, partial(_pieces, file)


def _packed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    yield from _pieces(archive.open(info))


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


class _Limited:
    """A stream that gives no more than it is allowed to: a header must not fill the memory."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path, self._left = stream, path, MAX_BETWEEN

    def allow(self, size: int) -> None:
        self._left = size

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise RunError(f"{self._path}: a header of more than {MAX_BETWEEN:,} bytes")
        data: bytes = self._stream.read(size)
        return data
