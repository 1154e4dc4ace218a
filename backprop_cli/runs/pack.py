"""A run as one file, for somebody else: packed here, and unpacked as if an enemy had packed it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO
from uuid import uuid4

from backprop_cli.errors import BpError, CheckpointError, RunError, UsageError
from backprop_cli.runs import archives
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.directory import CHECKPOINTS, CONFIG, RUN_JSON, STAGING, RunDirectory
from backprop_cli.runs.files import Folder, destination
from backprop_cli.runs.lock import LOCK
from backprop_cli.runs.plain import failure, open_plain
from backprop_cli.runs.removal import remove
from backprop_cli.untrusted.regular import real

NAME = re.compile(r"[^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*")  # of a file, a folder or a run
MAX_DEPTH = 4
MAX_NAME = 200  # bytes


def pack(run: RunDirectory, path: Path | None = None, *, running: bool = False) -> Path:
    """Write a run into an archive, by default `<id>.tar.zst` in the working directory; its path.

    Links and what begins with a dot stay behind. Raises RunError while the run is running, unless that is `running`
    (only its own process knows when nothing is being written), and where the archive cannot be written; UsageError for
    another ending or a folder that does not exist.
    """
    path = path or Path(f"{real(run.path).name}.tar.zst")
    archives.check_name(path)
    if not running and run.status == "running":
        raise RunError(f"{run.path} is running; pack it when it has ended")
    ending = next(suffix for suffix in archives.SUFFIXES if path.name.endswith(suffix))
    target = destination(path)
    temporary = target.parent / f".{target.name}.{uuid4().hex}.tmp{ending}"
    try:
        archives.write(temporary, _files(run))
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
        Folder(target.parent).sync()
    except UnicodeEncodeError:
        raise UsageError(
            f"{run.path}: a name in it is not UTF-8, which a .zip cannot hold; pack it as .tar.zst"
        ) from None
    except OSError as error:
        raise failure(f"cannot write {path}", error) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _files(run: RunDirectory) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Every plain file of a run, opened, under the run's name."""
    home = real(run.path)
    for folder, folders, names in os.walk(home):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith(".") or path.is_symlink() or path == home / LOCK or not path.is_file():
                continue
            with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
                yield str(PurePosixPath(home.name) / path.relative_to(home)), os.fstat(file.fileno()).st_size, file


def unpack(path: Path, runs: Path, name: str | None = None, *, replace: bool = False) -> RunDirectory:
    """The run of an archive, in the folder `runs` under its own name or another; there whole or not at all. With
    `replace` an older copy of it, which may be there, is deleted.

    Raises RunError for what no run holds: links, devices, paths that lead elsewhere, too much of anything, checkpoints
    that are damaged; UsageError for a name that is taken.
    """
    archives.check_name(path)
    if name is not None and not _good(name):
        raise UsageError(f"--name {name!r:.100}: expected the name of a folder")
    staging = runs / f"{STAGING}{uuid4().hex}"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
    except OSError as error:
        raise failure(f"cannot write to {runs}", error) from None
    try:
        own = _extract(path, staging)
        _check(staging, path)
        target = runs / (name or own)
        if replace and os.path.lexists(target):
            remove(target, runs)
        if os.path.lexists(target):
            raise UsageError(f"{target} is there already; give another name with --name")
        os.rename(staging, target)
        Folder(runs).sync()
    except OSError as error:
        raise failure(f"cannot write to {runs}", error) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return RunDirectory(target)


def _extract(path: Path, staging: Path) -> str:
    """Write the members of an archive into a folder that is empty; the name of the run."""
    homes: set[str] = set()
    seen: set[str] = set()
    total = 0
    with archives.reading(path) as members:
        for number, (name, size, pieces) in enumerate(members, 1):
            inside = _inside(name, path)
            homes.add(PurePosixPath(name).parts[0])
            if len(homes) > 1:
                raise RunError(f"{path}: holds several folders, {', '.join(sorted(homes))[:200]}; expected one run")
            total += size or 0
            archives.check_total(path, number, total)
            if size is None or inside is None:
                continue
            if str(inside) in seen:
                raise RunError(f"{path}: {name!r:.100} is in it twice")
            seen.add(str(inside))
            _write(staging / inside, size, pieces(), path)
    if not seen:
        raise RunError(f"{path}: holds no files; expected a run")
    return homes.pop()


def _inside(name: str, path: Path) -> PurePosixPath | None:
    """Where a member belongs in the run; None for the run's own folder. Raises RunError."""
    parts = name.split("/")
    if len(parts) > MAX_DEPTH or not all(_good(part) for part in parts):
        raise RunError(f"{path}: {name!r:.100} is no place in a run")
    return PurePosixPath(*parts[1:]) if len(parts) > 1 else None


def _good(part: str) -> bool:
    return NAME.fullmatch(part) is not None and len(part.encode("utf-8", "surrogateescape")) <= MAX_NAME


def _write(target: Path, size: int, pieces: Iterator[bytes], path: Path) -> None:
    """Write a file that was not there; not more than it was said to hold, and not less."""
    left = size
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    except OSError as error:
        raise failure(f"cannot write {target.name!r:.100} of {path}", error) from None
    with file:
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                break
            try:
                file.write(piece)
                file.flush()
            except OSError as error:
                raise failure(f"cannot write {target.name!r:.100} of {path}", error) from None
        os.fsync(file.fileno())
    if left:
        raise RunError(f"{path}: {target.name!r:.100} is not as long as its header says")


def _check(staging: Path, path: Path) -> None:
    """Whether a folder is a run whose checkpoints can be read. Raises RunError."""
    try:
        if os.path.lexists(staging / RUN_JSON) and not (staging / CONFIG).is_file():
            raise RunError("it has no config.yaml")
        RunDirectory(staging)
        for checkpoint in sorted((staging / CHECKPOINTS).glob("*.safetensors")):
            file = CheckpointFile(checkpoint)
            for name in file.entries:
                file.read([name])
    except (UsageError, CheckpointError, RunError) as error:
        text = str(error).replace(f"{staging}{os.sep}", "").replace(str(staging), "its folder")
        raise RunError(f"{path}: {text}") from None
    except BpError:
        raise
