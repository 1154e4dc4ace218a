"""Run directories: made whole, found by path, id or `latest`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from backprop_cli.errors import RunError, UsageError
from backprop_cli.registry import suggest
from backprop_cli.runs.files import sync_folder, write_json

RUN_JSON = "run.json"


class RunDirectory:
    """One run on disk. `info` is run.json."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info: dict[str, Any] = _read_info(path)

    @property
    def id(self) -> str:
        return str(self.info.get("id", self.path.name))

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

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
        """A new run, in `runs` under an id of its own or exactly at `exact`; there whole or not at all.

        Raises UsageError if `exact` exists with something in it, RunError where it cannot be written.
        """
        identifier = exact.name if exact else new_id(name)
        target = exact or runs / identifier
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UsageError(f"{target} exists and is not empty; choose another --run-dir, or go on with --resume")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=f".{identifier}.", dir=target.parent))
        except OSError as error:
            raise RunError(f"cannot write to {target.parent}: {error.strerror}") from None
        try:
            staging.chmod(0o755)
            (staging / "checkpoints").mkdir()
            (staging / "plugins").mkdir()
            for plugin in plugins or []:
                shutil.copy2(plugin, staging / "plugins" / plugin.name)
            (staging / "config.yaml").write_text(config, encoding="utf-8")
            write_json(staging / RUN_JSON, {"id": identifier, "status": "running", **info})
            os.rename(staging, target)
            sync_folder(target.parent)
        except OSError as error:
            shutil.rmtree(staging, ignore_errors=True)
            raise RunError(f"cannot write {target}: {error.strerror}") from None
        return cls(target)

    def update(self, **changes: Any) -> None:
        """Change entries of run.json."""
        self.info |= changes
        write_json(self.path / RUN_JSON, self.info)

    def finish(
        self, status: str, metrics: Mapping[str, Any], best: Mapping[str, Any] | None, reason: str | None
    ) -> None:
        """Note how the run ended."""
        self.update(status=status, ended=now(), metrics=dict(metrics), best=dict(best) if best else None, reason=reason)


def now() -> str:
    """This moment, ISO 8601 with the local offset."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def new_id(name: str) -> str:
    """<name>-<YYYYmmdd-HHMMSS>-<4 hex>"""
    return f"{name}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _read_info(path: Path) -> dict[str, Any]:
    try:
        found = json.loads((path / RUN_JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"{path} is not a run directory: it has no readable {RUN_JSON}") from None
    return found if isinstance(found, dict) else {}


def list_runs(runs: Path) -> Iterator[RunDirectory]:
    """The runs in a folder, oldest first; what is not a run is passed over."""
    found = []
    if runs.is_dir():
        for path in runs.iterdir():
            if (path / RUN_JSON).is_file():
                try:
                    found.append(RunDirectory(path))
                except UsageError:
                    continue
    return iter(sorted(found, key=lambda run: str(run.info.get("started", ""))))


def find_run(name: str, runs: Path) -> RunDirectory:
    """A run by path, by id under `runs`, or `latest`. Raises UsageError with the nearest id."""
    for candidate in (Path(name), runs / name):
        if (candidate / RUN_JSON).is_file():
            return RunDirectory(candidate)
    known = list(list_runs(runs))
    if name == "latest" and known:
        return known[-1]
    nearest = suggest(name, [run.id for run in known])
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    raise UsageError(f"no run {name!r} in {runs} (it holds {len(known)} runs){hint}; `bp runs ls` lists them")
