"""Tables in SQLite and DuckDB files, and what a query of them gives.

A file may hold views, and those may never end: whoever made the file decides what reading it costs. So a query gets a
bounded time in which it gives no row, and a bounded memory; rows are counted by whoever reads them.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.opened import check_size
from backprop_cli.data.files.parquet import CELL, one_line
from backprop_cli.errors import DataError, OptionError
from backprop_cli.untrusted.limits import beyond, bound, memory, swollen, unpacked

Rows = tuple[list[str], list[list[Any]]]  # the header, and the rows
AT_ONCE, MAX_VALUE = 16, 16 << 20  # rows that are fetched together, bytes of a value in them
OF_A_VECTOR = 256  # the same of DuckDB, which has 2,048 rows in memory anyway
MILLISECONDS = 500  # of processor time that a query may take before its next rows,
PER_SECOND = 8 << 20  # and a second more for so many bytes of the file
OPERATIONS = 100_000  # of SQLite's machine between two looks at the clock: some milliseconds


class Clock:
    """The processor time since a query gave a row. `over` says whether it took more than a file of `size` bytes may."""

    def __init__(self, size: int) -> None:
        self.usual = MILLISECONDS + 1000 * size // PER_SECOND
        self.limit = bound(self.usual) / 1000
        self.over = False
        self.restart()

    def restart(self) -> None:
        """A row has come."""
        self.began = time.process_time()

    def look(self) -> bool:
        """Whether it is over."""
        self.over = self.over or time.process_time() - self.began > self.limit
        return self.over

    def refusal(self, path: Path) -> DataError:
        """The error for a query that gave no row for `limit` seconds of processor time."""
        took = f"gives no row for {self.limit:.3g} s of processor time"
        return DataError(f"{path}: the query, or the view that it reads, {took}; {beyond(self.usual)}")


def sqlite(path: Path, layout: Layout) -> Rows:
    """The header and rows of a table or query of an SQLite file. Raises DataError, OptionError."""
    clock = Clock(path.stat().st_size)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(clock.look, OPERATIONS)  # where Python hears a Ctrl-C, too
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # no query opens another file
            tables = connection.execute("select name from sqlite_master where type in ('table', 'view') order by name")
            return _asked(path, layout.query, [name for (name,) in tables], connection.execute, clock, AT_ONCE)
    except sqlite3.Error as error:
        if clock.over:
            raise clock.refusal(path) from None
        asked = layout.query is not None and isinstance(error, sqlite3.OperationalError)  # others: of the file
        raise (OptionError if asked else DataError)(f"{path}: SQLite says: {error}; check dataset.query") from error


def duckdb(path: Path, layout: Layout) -> Rows:
    """The header and rows of a table or query of a DuckDB file. Raises DataError, OptionError."""
    try:
        import duckdb as package
    except ImportError:
        raise DataError(f"{path}: reading DuckDB files needs duckdb: pip install 'backprop-cli[duckdb]'") from None
    size = path.stat().st_size
    clock = Clock(size)
    config: dict[str, Any] = {"enable_external_access": "false", "memory_limit": f"{unpacked(size) >> 10}KiB"}
    try:
        with (
            closing(package.connect(str(path), read_only=True, config=config)) as connection,
            _watched(clock, connection.interrupt),
            memory(2 * unpacked(size)),  # what DuckDB hands out, of which its own limit knows nothing, and the rows
        ):
            tables = [
                name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()
            ]
            return _asked(path, layout.query, sorted(tables), connection.execute, clock, OF_A_VECTOR)
    except (package.OutOfMemoryException, MemoryError) as error:
        raise DataError(f"{path}: {swollen(size)}") from error
    except package.Error as error:
        if clock.over:
            raise clock.refusal(path) from None
        asked = layout.query is not None and not isinstance(error, package.IOException)
        raise (OptionError if asked else DataError)(
            f"{path}: DuckDB says: {one_line(error)}; check dataset.query"
        ) from error


@contextmanager
def _watched(clock: Clock, interrupt: Callable[[], None]) -> Iterator[None]:
    """Interrupt a query that takes too long; another thread looks at the clock."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            if clock.look():
                interrupt()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _asked(
    path: Path, query: str | None, tables: Sequence[str], execute: Callable[[str], Any], clock: Clock, at_once: int
) -> Rows:
    """What a query gives; without one, the only table there is."""
    if query is None and len(tables) != 1:
        raise OptionError(
            f"{path}: holds the tables {', '.join(tables) or '(none)'}; say which rows: dataset.query: "
            f"SELECT * FROM {tables[0] if tables else 'TABLE'}"
        )
    quoted = tables[0].replace('"', '""') if tables else ""
    cursor = execute(query if query is not None else f'SELECT * FROM "{quoted}"')
    if not cursor.description:
        raise OptionError(f"{path}: dataset.query gives no rows; expected a SELECT, got {query!r}")
    header = [str(described[0]) for described in cursor.description]
    rows: list[list[Any]] = []
    taken = 0
    clock.restart()
    while fetched := cursor.fetchmany(at_once):
        rows += map(list, fetched)
        taken += sum(len(value) if isinstance(value, str | bytes) else CELL for row in fetched for value in row)
        check_size(path, taken)
        clock.restart()
    return header, rows
