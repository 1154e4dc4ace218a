"""The runs in some folders, a row of each, looked at again where a file has changed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import isfile  # False for what may not be looked at, where Path.is_file raises
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backprop_cli.errors import UsageError
from backprop_cli.runs.directory import CONFIG, METRICS, RUN_JSON, SWEEP, RunDirectory
from backprop_cli.runs.listing import row_of, value

MAX_RUNS = 20_000
OPEN = 32  # runs that were asked for last, looked at as often as those that train


@dataclass
class Book:
    """One run: where it is, what its files looked like, and its row."""

    path: Path
    sweep: str  # the key of the sweep it belongs to, or ""
    signature: tuple[Any, ...]
    row: dict[str, Any]


class Shelf:
    """Runs by key: a path below one of the folders, so that links stay right. Nothing else leads to a file.

    Raises UsageError for a folder that is not there.
    """

    def __init__(self, folders: list[Path]) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"{folder} is not a folder; expected one that holds runs, or a run")
        self.folders = folders
        self.books: dict[str, Book] = {}
        self.sweeps: dict[str, Path] = {}
        self.cut = False  # whether there are more runs than a board shows
        self._open = deque[str](maxlen=OPEN)  # keys of the runs that were asked for last

    def refresh(self) -> set[str]:
        """Look at every folder; the keys of what is new, changed or gone."""
        runs, changed = dict(self._paths()), set()
        for key in self.books.keys() - runs.keys():
            del self.books[key]
            changed.add(key)
        for key, (path, sweep) in runs.items():
            if self._look(key, path, sweep):
                changed.add(key)
        return changed

    def watch(self) -> set[str]:
        """Look only at runs that train and at those a page shows, which may be resumed; the keys of what changed."""
        chosen = [
            (key, book) for key, book in self.books.items() if book.row["status"] == "running" or key in self._open
        ]
        return {key for key, book in chosen if self._look(key, book.path, book.sweep)}

    def _look(self, key: str, path: Path, sweep: str) -> bool:
        signature, book = _signature(path), self.books.get(key)
        if book is not None and book.signature == signature and book.row["status"] != "running":
            return False
        row = row_of(path)
        same = book is not None and book.signature == signature and book.row["status"] == row["status"]
        row["sweep"] = sweep
        row["of"] = value(row, "trainer.epochs")
        self.books[key] = Book(path, sweep, signature, row)
        return not same

    def _paths(self) -> Iterator[tuple[str, tuple[Path, str]]]:
        """Key -> path and sweep of every run, sweeps opened; links are not followed."""
        self.sweeps.clear()
        self.cut = False
        count = 0
        for number, folder in enumerate(self.folders):
            if isfile(folder / RUN_JSON):
                runs = [(str(number), folder, "")]
            elif isfile(folder / SWEEP):
                self.sweeps[str(number)] = folder
                runs = [(key, path, str(number)) for key, path in _inside(folder, str(number))]
            else:
                runs = []
                for key, path in _inside(folder, str(number)):
                    if isfile(path / SWEEP):
                        self.sweeps[key] = path
                        runs += [(inner, trial, key) for inner, trial in _inside(path, key)]
                    else:
                        runs.append((key, path, ""))
            for key, path, sweep in runs:
                if count == MAX_RUNS:
                    self.cut = True
                    return
                count += 1
                yield key, (path, sweep)

    def run(self, key: str) -> RunDirectory:
        """The run of a key. Raises UsageError for a key that no run has, or a run that cannot be read."""
        book = self.books.get(key)
        if book is None:
            raise UsageError("there is no such run any more")
        if key not in self._open:
            self._open.append(key)
        return RunDirectory(book.path)

    def told(self, key: str) -> dict[str, Any]:
        """The row of a run as a page gets it: without its config and the place it lies at."""
        row = self.books[key].row
        return {"key": key, **{name: row[name] for name in row if name not in ("config", "path")}}


def _inside(folder: Path, key: str) -> Iterator[tuple[str, Path]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield f"{key}/{quote(os.fsencode(entry.name))}", Path(entry.path)


def _signature(path: Path) -> tuple[Any, ...]:
    """What changes when one of a run's files does."""
    parts: list[Any] = []
    for name in (RUN_JSON, METRICS, CONFIG):
        try:
            stat = os.stat(path / name, follow_symlinks=False)
            parts += [stat.st_mtime_ns, stat.st_size, stat.st_ino]
        except OSError:
            parts.append(None)
    return tuple(parts)
