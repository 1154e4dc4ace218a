"""Decoded datasets on disk: written once, then memory-mapped.

An entry is a folder of .npy files and an `entry.json` that names them. Every file is written
under another name, synced, and moved into place; `entry.json` comes last and holds size, times and hash of
each, and of the files they were made from. So an entry is either whole or absent, whenever a process dies, absent
when a byte of it has changed, and stale as soon as its sources change.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from backprop_cli.data.arrays import Array
from backprop_cli.data.progress import report
from backprop_cli.data.stamps import Stamp, confirmed, times
from backprop_cli.errors import DataError
from backprop_cli.untrusted.documents import Document, lasting
from backprop_cli.untrusted.regular import open_regular, read_regular

FORMAT = 4
MAX_ENTRY = 64 << 20  # bytes of an entry.json


@lasting
class _Stored(TypedDict):
    """entry.json."""

    about: dict[str, Any]
    sources: dict[str, Stamp]
    arrays: dict[str, Annotated[tuple[str, Stamp], Field(strict=False)]]
    digest: str  # of all the rest: a file that was changed is none of ours


ENTRY = Document[_Stored](_Stored)
ANYTHING = Document[dict[str, Any]](dict[str, Any])
Contents = tuple[dict[str, Any], dict[str, Array]]  # what is known of the arrays, and the arrays by name


def root() -> Path:
    """The folder of all entries: $BP_CACHE, or the user's cache folder."""
    if os.environ.get("BP_CACHE"):
        return Path(os.environ["BP_CACHE"]).expanduser().absolute()
    import platformdirs  # not needed where BP_CACHE is set

    return Path(platformdirs.user_cache_dir("bp"))


@dataclass
class Entry:
    """One dataset's folder; `key` is everything that decides which arrays belong there, `about` what is known of them
    besides."""

    kind: str
    name: str
    key: Mapping[str, Any]
    about: Document[Any] = ANYTHING
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(json.dumps([FORMAT, self.key], sort_keys=True).encode()).hexdigest()[:16]
        self.folder = root() / self.kind / f"{self.name.replace('/', '-')}-{digest}"

    def filled(self, fill: Callable[[], None], files: Sequence[Path] | None = None) -> Contents:
        """What `read` gives, after `fill` has written it where need be; one process at a time. Raises DataError."""
        stored = self.read(files)
        if stored is None:
            with self.lock():
                stored = self.read(files)  # another process may have written it meanwhile
                if stored is None:
                    fill()
                    stored = self.read(files)
        if stored is None:
            raise DataError(
                f"{self.name}: its files or the cache {self.folder} changed while they were read; run the command again"
            )
        return stored

    def read(self, files: Sequence[Path] | None = None) -> Contents | None:
        """What `write` stored, the arrays memory-mapped; None if absent, damaged or stale: made from files that have
        changed since, or from others than `files`."""
        try:
            document = ENTRY.parse(read_regular(self.folder / "entry.json", MAX_ENTRY))
            if document["digest"] != _seal(document):
                return None
            if files is not None and {str(path.absolute()) for path in files} != set(document["sources"]):
                return None
            sources = {path: confirmed(path, stamped) for path, stamped in document["sources"].items()}
            if None in sources.values():
                return None
            arrays, written = dict[str, Array](), dict[str, tuple[str, Stamp]]()
            for name, (file, stamped) in document["arrays"].items():
                path = self.folder / Path(file).name
                known = None if path.is_symlink() else confirmed(path, stamped, 0)  # nobody else writes there
                if known is None:
                    return None
                written[name] = (file, known)
                arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
            if (sources, written) != (document["sources"], document["arrays"]):  # so that they are not hashed again
                with suppress(DataError, OSError):
                    _note(self.folder, {**document, "sources": sources, "arrays": written})
            return self.about.check(document["about"]), arrays
        except (OSError, ValueError):
            return None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold this entry alone, across processes; the system releases it if the process dies. Raises DataError."""
        with _as_data_error(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = open_regular(self.folder / "lock", os.O_RDWR | os.O_CREAT, links=False)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report(f"waiting for another process that prepares {self.name}", 0)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """Write new contents; call within `lock`. They replace the old ones only if all goes well."""
        before = set(self.folder.glob("*.npy"))
        for leftover in self.folder.glob("*.part"):  # left by a process that was killed
            leftover.unlink(missing_ok=True)
        writer = Writer(self.folder)
        try:
            yield writer
        except BaseException:
            for file, _ in writer.arrays.values():
                (self.folder / file).unlink(missing_ok=True)
            raise
        for old in before - {self.folder / file for file, _ in writer.arrays.values()}:
            old.unlink(missing_ok=True)  # processes that have it mapped keep it


class Writer:
    """What `Entry.write` hands out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays: dict[str, tuple[str, Stamp]] = {}
        self._generation = os.urandom(4).hex()

    @contextmanager
    def array(
        self, name: str, rows: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Iterator[Callable[[Array], None]]:
        """Hands out a function that appends rows (n, *shape). Raises DataError if not `rows` of them came, or the disk
        is full."""
        file = f"{name}-{self._generation}.npy"
        count, header = 0, io.BytesIO()
        described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *shape)}
        np.lib.format.write_array_header_1_0(header, described)
        digest = hashlib.sha256(header.getvalue())

        def append(chunk: Array) -> None:
            nonlocal count
            with _as_data_error(self.folder / file):
                data = np.ascontiguousarray(chunk, dtype).tobytes()
                handle.write(data)
                digest.update(data)
            count += len(chunk)

        # Plain writes, not a memory map: a full disk is then an error and not a SIGBUS.
        with _replacing(self.folder / file) as handle:
            handle.write(header.getvalue())
            yield append
            if count != rows:
                raise DataError(f"{name}: expected {rows} rows, read {count}; prepare the dataset again")
        self.arrays[name] = (file, (*times(self.folder / file), digest.hexdigest()))

    def commit(self, about: Mapping[str, Any], sources: Mapping[str, Stamp]) -> None:
        """Make what was written the entry's contents. Raises DataError where it cannot be written."""
        _note(self.folder, {"format": FORMAT, "about": about, "sources": sources, "arrays": self.arrays})


def _seal(document: Mapping[str, Any]) -> str:
    """SHA-256 of what an entry.json says."""
    said = [document[name] for name in ("about", "sources", "arrays")]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _note(folder: Path, document: Mapping[str, Any]) -> None:
    with _replacing(folder / "entry.json") as handle:
        handle.write(json.dumps({**document, "digest": _seal(document)}, indent=1).encode())


@contextmanager
def _replacing(path: Path) -> Iterator[Any]:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with _as_data_error(path):
        handle = part.open("wb")
    try:
        yield handle
        with _as_data_error(path):
            handle.flush()
            os.fsync(handle.fileno())
            os.replace(part, path)
    finally:
        with suppress(OSError):  # a full disk, reported already
            handle.close()
        part.unlink(missing_ok=True)


@contextmanager
def _as_data_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cache {path}: cannot write it: {error.strerror or error}; make room, or set the environment "
            "variable BP_CACHE to a folder on another disk"
        ) from error
