"""Run directories: made whole, and locked while in use."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from backprop_cli.errors import DamagedError, RunError, UsageError
from backprop_cli.runs.checkpoints import saved
from backprop_cli.runs.contents import INFO, Info
from backprop_cli.runs.files import Folder, write_atomically, write_json
from backprop_cli.runs.lock import Lock, is_held
from backprop_cli.runs.plain import failure, read_plain
from backprop_cli.untrusted.documents import NotJsonError
from backprop_cli.untrusted.regular import real

RUN_JSON, CONFIG, METRICS, CHECKPOINTS, PLUGINS = "run.json", "config.yaml", "metrics.jsonl", "checkpoints", "plugins"
DIAGNOSTICS = "diagnostics.jsonl"
SWEEP = "sweep.json"  # in a folder of runs that `bp sweep` made
MAX_INFO = 16 << 20  # bytes of a run.json that is worth reading
ATTEMPTS = 100  # ids tried; four hex digits a second make a clash rare, not impossible


class RunDirectory:
    """One run on disk. `info` is run.json. Raises UsageError if the path is not a run, DamagedError if the file has
    values that no run has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = _read_info(path)
        self._lock: Lock | None = None

    @property
    def id(self) -> str:
        """What run.json says, if that can be a name; else the directory's name."""
        given = self.info.get("id", "")
        return given if re.fullmatch(r"[^\x00-\x1f\x7f-\x9f/]{1,255}", given) else self.path.name

    @property
    def status(self) -> str:
        """running, completed, interrupted, pruned, failed or diverged. A run whose process died is interrupted."""
        status = self.info["status"]
        return "interrupted" if status == "running" and not self._lock and not is_held(self.path) else status

    @property
    def started(self) -> float:
        """When, in seconds since 1970, as run.json says: neither a copy nor a change of time zone moves it."""
        return moment(self.info.get("started"))

    @property
    def config(self) -> Path:
        """The file of the run's config."""
        return self.path / CONFIG

    @property
    def metrics(self) -> Path:
        """The file of metrics, a line of JSON an epoch."""
        return self.path / METRICS

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints. Raises RunError where it is a link to somewhere else."""
        return self._own(CHECKPOINTS)

    def _own(self, part: str) -> Path:
        if (self.path / part).is_symlink():
            raise failure(f"cannot use {self.path / part}", OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
        return self.path / part

    @property
    def plugins(self) -> Path:
        """The folder of the run's own copies of its plugin files."""
        return self.path / PLUGINS

    def checkpoint(self, name: str) -> Path:
        """The file of a checkpoint: `best`, `last` or a path. The last one stands in for a best that is not there."""
        if name not in ("best", "last"):
            return real(Path(name))
        best, last = self.checkpoints / saved.BEST, self.checkpoints / saved.LAST
        return best if name == "best" and best.exists() else last

    def plugin_copies(self) -> list[Path]:
        """The run's own copies of its plugin files. Raises RunError if one is a link to somewhere else."""
        names = sorted(path.name for path in self._own(PLUGINS).glob("*.py"))
        return [self._own(f"{PLUGINS}/{name}") for name in names]

    @classmethod
    def create(
        cls,
        name: str,
        config: str,
        info: Mapping[str, Any],
        *,
        runs: Path,
        exact: Path | None = None,
        plugins: list[Path] | None = None,
    ) -> RunDirectory:
        """A new run, in `runs` under an id of its own or exactly at `exact`; there whole or not at all, and locked.

        Raises UsageError if `exact` exists with something in it, RunError where it cannot be written.
        """
        parent = exact.parent if exact else runs
        try:
            if exact and os.path.lexists(exact) and (not exact.is_dir() or any(exact.iterdir())):
                raise _taken(exact)
            parent.mkdir(parents=True, exist_ok=True)
            staging = parent / f"{STAGING}{uuid4().hex}"
            staging.mkdir()  # who may read it is for the umask to say
        except OSError as error:
            raise failure(f"cannot write to {parent}", error) from None
        try:
            lock = Lock(staging)
            try:
                _fill(staging, config, plugins or [])
                target = _name(staging, name, info, runs, exact)
            except BaseException:
                lock.release()
                raise
        except BaseException as error:
            shutil.rmtree(staging, ignore_errors=True)
            if isinstance(error, OSError):
                raise failure(f"cannot write {exact or parent}", error) from None
            raise
        run = cls(target)
        run._lock = lock
        return run

    def lock(self) -> None:
        """Keep every other writer out until `release`. Raises RunError, which names the holder, if there is one,
        and where a part of the directory is not what it should be."""
        for part in (RUN_JSON, CONFIG, METRICS, CHECKPOINTS, PLUGINS):
            self._own(part)
        self._lock = Lock(self.path)
        self.info = _read_info(self.path)
        try:
            self.checkpoints.mkdir(exist_ok=True)
            saved.clean(self.path)
            saved.clean(self.checkpoints)
        except OSError as error:
            self.release()
            raise failure(f"cannot write {self.path}", error) from None

    def release(self) -> None:
        """Let others in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def update(self, **changes: Any) -> None:
        """Change entries of run.json. Raises RunError."""
        self.info = cast(Info, {**self.info, **changes})
        write_json(self.path / RUN_JSON, self.info)

    def finish(
        self, status: str, metrics: Mapping[str, Any], best: Mapping[str, Any] | None, reason: str | None
    ) -> None:
        """Note how the run ended."""
        self.update(status=status, ended=now(), metrics=dict(metrics), best=dict(best) if best else None, reason=reason)


STAGING = ".new-run-"


def _taken(path: Path) -> UsageError:
    return UsageError(f"{path} exists and is not empty; choose another --run-dir, or go on with --resume")


def _fill(staging: Path, config: str, plugins: list[Path]) -> None:
    (staging / CHECKPOINTS).mkdir()
    (staging / PLUGINS).mkdir()
    for number, plugin in enumerate(plugins):
        copy = staging / PLUGINS / plugin.name
        write_atomically(copy.with_stem(f"{copy.stem}_{number}") if copy.exists() else copy, [plugin.read_bytes()])
    write_atomically(staging / CONFIG, [config.encode()])


def _name(staging: Path, name: str, info: Mapping[str, Any], runs: Path, exact: Path | None) -> Path:
    """Give a finished directory its name; where another process has taken it, the next one. Raises OSError."""
    for _ in range(ATTEMPTS):
        target = exact or runs / new_id(name)
        write_json(staging / RUN_JSON, {"id": target.name, "status": "running", **info})
        try:
            os.rename(staging, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            if exact:
                raise _taken(exact) from None
            continue
        Folder(target.parent).sync()
        return target
    raise RunError(f"no free id in {runs} after {ATTEMPTS} attempts")


def moment(text: Any) -> float:
    """ISO 8601 to seconds since 1970; 0 for what is no date."""
    try:
        when = datetime.fromisoformat(str(text))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def now() -> str:
    """This moment, ISO 8601 with the local offset."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def new_id(name: str) -> str:
    """<name>-<YYYYmmdd-HHMMSS>-<4 hex>"""
    return f"{name}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _read_info(path: Path) -> Info:
    try:
        return INFO.parse(read_plain(path / RUN_JSON, MAX_INFO))
    except FileNotFoundError:
        raise UsageError(f"{path} is not a run directory: it has no {RUN_JSON}") from None
    except OSError as error:
        raise failure(f"cannot read {path / RUN_JSON}", error) from None
    except NotJsonError as error:
        raise UsageError(f"{path} is not a run directory: its {RUN_JSON} cannot be read ({error})") from None
    except ValueError as error:
        raise DamagedError(f"{path / RUN_JSON}: {error}; the run is damaged") from None
