"""The bytes of a text file, compressed or not, and the encoding they are in."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

from backprop_cli.data.files.paths import is_visible, reading
from backprop_cli.errors import DataError, OptionError
from backprop_cli.untrusted.limits import UNPACKED, open_zip, swollen, unpacked

_BLOCK = 1 << 20
_SAMPLE = 1 << 18
_ROWS, _LONGEST = 3, 1 << 23  # of a table with very many columns a sample holds so many rows, if they are no longer
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Scan:
    """What one walk through a file tells."""

    encoding: str
    sample: str  # how it begins
    cut: bool  # whether more follows
    quoted: bool  # whether it has a quote anywhere


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked by what they begin with, whatever its name. Raises DataError."""
    with reading(path), path.open("rb") as file:
        magic = file.read(6)
        file.seek(0)
        try:
            with _unpacking(path, file, magic) as stream:
                yield stream if stream is file else cast("IO[bytes]", _Bounded(stream, file, path))
        except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise DataError(f"{path}: damaged compressed file: {error}; fetch or pack it again") from error
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or a method that zipfile does not know
            raise DataError(f"{path}: cannot be unpacked: {error}; unpack it first") from error


def check_unpacked(path: Path) -> None:
    """Raise DataError where a file unpacks to too much, and so before any of it is kept."""
    with opened(path) as stream:
        while isinstance(stream, _Bounded) and stream.read(_BLOCK):
            pass


def check_size(path: Path, needed: int) -> None:
    """Raise DataError where a file unpacks to `needed` bytes and that is too much."""
    size = path.stat().st_size
    if needed > unpacked(size):
        raise DataError(f"{path}: {swollen(size, needed)}")


class _Bounded(io.BufferedIOBase):
    """What a file unpacks to, as far as what was read of it may. Raises DataError beyond that."""

    def __init__(self, stream: IO[bytes], file: IO[bytes], path: Path) -> None:
        self._stream, self._file, self._path = stream, file, path
        self._total = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes; to the end without it."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        data = self._stream.read(size)
        self._total += len(data)
        if self._total > UNPACKED and self._total > unpacked(self._file.tell()):
            raise DataError(f"{self._path}: {swollen(self._path.stat().st_size)}")
        return data

    read1 = read


@contextmanager
def _unpacking(path: Path, file: IO[bytes], magic: bytes) -> Iterator[IO[bytes]]:
    """What a file unpacks to; the file itself where it is not packed."""
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(file) as stream:
            yield stream  # type: ignore[misc]  # it reads as any file
    elif magic[:3] == b"BZh":
        with bz2.open(file) as stream:
            yield stream
    elif magic == b"\xfd7zXZ\x00":
        with lzma.open(file) as stream:
            yield stream
    elif magic[:4] == b"\x28\xb5\x2f\xfd":
        import pyarrow

        with pyarrow.input_stream(file, compression="zstd") as stream:
            yield stream
    elif magic[:4] == b"PK\x03\x04":
        with open_zip(path) as archive:
            files = (member.filename for member in archive.infolist() if not member.is_dir())
            names = [name for name in files if is_visible(name)]
            if len(names) != 1:
                raise DataError(
                    f"{path}: holds {len(names)} files ({', '.join(names[:5])}); expected one table; unpack it and "
                    "name one"
                )
            file.seek(0, io.SEEK_END)  # its size has been checked
            with archive.open(names[0]) as stream:
                yield stream
    else:
        yield file


def scan(path: Path, encoding: str | None = None) -> Scan:
    """Walk through a file once: the encoding that fits all of it, and how it begins. Raises DataError.

    Without a mark at its start, it is UTF-8, else UTF-16 where every other byte is 0, else cp1252. A given encoding
    is held to: the line of a byte that does not fit is named.
    """
    stat = path.stat() if path.is_file() else None
    return _scan(path, encoding, stat and (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


@lru_cache(maxsize=8)
def _scan(path: Path, encoding: str | None, stamp: tuple[int, int, int] | None) -> Scan:
    """`scan` of a file that has this size and these times: it is asked for more than once."""
    with opened(path) as stream:
        head = stream.read(_SAMPLE)
        given = encoding is not None
        encoding = encoding or _marked(head) or "utf-8"
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise OptionError(
                f"dataset.encoding: {encoding!r} is unknown; expected such as utf-8, cp1252, utf-16"
            ) from None
        failure = _Failure(path, encoding)
        decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
        sample, block, total, quoted = "", head, 0, False
        while True:
            text = failure.decode(decoder, block, final=not block)
            if len(sample) < _SAMPLE or (len(sample) < _LONGEST and sample.count("\n") < _ROWS):
                sample += text
            if not block:
                break
            total += len(block)
            quoted = quoted or '"' in text
            if "\0" in text:
                raise DataError(
                    f"{path}: holds NUL bytes: not a text, or in another encoding; expected a CSV file saved as UTF-8"
                )
            if failure.found:
                break
            block = stream.read(_BLOCK)
    if failure.found and (given or encoding != "utf-8"):
        raise DataError(f"{failure.found}; set dataset.encoding to what the file was saved in")
    if failure.found:
        return _as_windows(path, failure.found)
    return Scan(encoding, sample, total > len(head), quoted)


def _as_windows(path: Path, why: str) -> Scan:
    try:
        return scan(path, "cp1252")
    except DataError:
        raise DataError(
            f"{why}, and the file is not cp1252 either; save it as UTF-8, or set dataset.encoding"
        ) from None


class _Failure:
    """Decodes blocks, and notes where a byte did not fit."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self.lines = 1
        self.found = ""

    def decode(self, decoder: Any, block: bytes, final: bool) -> str:
        try:
            text: str = decoder.decode(block, final)
        except UnicodeError as error:
            start = getattr(error, "start", 0)
            bad = getattr(error, "object", block)
            line = self.lines + bad[:start].count(b"\n")
            byte = f"byte {bad[start]:#04x} " if start < len(bad) else ""
            self.found = f"{self.path}:{line}: {byte}is not {self.encoding.upper()}"
            return ""
        self.lines += text.count("\n")
        return text


def _marked(head: bytes) -> str | None:
    """The encoding that a byte order mark, or zeros in every other byte, tell."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[:4096:2], head[1:4096:2]
    if len(odd) > 1 and odd.count(0) > 0.4 * len(odd) and even.count(0) < 0.05 * len(even):
        return "utf-16-le"
    if len(even) > 1 and even.count(0) > 0.4 * len(even) and odd.count(0) < 0.05 * len(odd):
        return "utf-16-be"
    return None


@contextmanager
def text_of(path: Path, encoding: str) -> Iterator[IO[str]]:
    """The text of a file, unpacked, line ends as they are. Raises DataError."""
    with (
        opened(path) as stream,
        io.TextIOWrapper(stream, "utf-8-sig" if encoding == "utf-8" else encoding, newline="") as text,
    ):
        yield text


@contextmanager
def arrow_input(path: Path, encoding: str = "utf-8") -> Iterator[Any]:
    """The bytes of a file for Arrow to read, unpacked and in UTF-8, without a Python object behind them.

    Arrow's threads let go of what they have read a while after they are done. Should that be a Python object while
    Python ends, the process is aborted (github.com/apache/arrow/issues/34314). Raises DataError.
    """
    import pyarrow

    with opened(path) as stream:
        if isinstance(stream, io.BufferedReader) and encoding == "utf-8":
            with pyarrow.OSFile(str(path)) as file:
                yield file
            return
        decoder, unpacked = codecs.getincrementaldecoder(encoding)(), pyarrow.BufferOutputStream()
        while block := stream.read(_BLOCK):
            unpacked.write(block if encoding == "utf-8" else decoder.decode(block).encode())
        unpacked.write(decoder.decode(b"", True).encode())
    yield pyarrow.BufferReader(unpacked.getvalue())
