"""Results on stdout: tables that fit the terminal, CSV, JSON, and values as people read them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from textwrap import TextWrapper
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from backprop_cli.cli.ui.console import err, out
from backprop_cli.errors import visible
from backprop_cli.runs.json_text import dumps

IDS = ("run_id", "run", "best_run")  # columns whose cells are pasted elsewhere
LEGIBLE = 16  # columns that a folded cell takes at least


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """A table on stdout. In a narrow terminal its widest column folds, except those that stay `whole`, or every row
    becomes a block of lines."""
    columns = [visible(column) for column in columns]
    right = [visible(column) for column in right]
    cells = [[visible(cell if isinstance(cell, str) else number(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    if sum(widths) + 2 * len(widths) <= out.width and not any("\n" in cell for row in cells for cell in row):
        lines = ("  ".join(_padded(row, widths, [name in right for name in columns])) for row in [columns, *cells])
        out.print(Text(next(lines).rstrip(), style="bold"), soft_wrap=True)
        out.file.writelines(f"{line.rstrip()}\n" for line in lines)  # rich would take a second for 2,000 rows
    elif fits(columns, rows, whole):
        _folded(columns, cells, [name in right for name in columns], whole)
    else:
        _blocks(columns, cells)


def fits(columns: Sequence[str], rows: Sequence[Sequence[Any]], whole: Sequence[str] = ()) -> bool:
    """Whether these rows are legible as a table in this terminal: only their widest column needs to fold, of those
    that need not stay `whole`."""
    widths = _folded_widths(
        columns, [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in rows]
    )
    widest = max(_foldable(columns, widths, whole), default=0)
    return sum(widths) - widest + min(widest, LEGIBLE) + 2 * len(widths) <= out.width


def _foldable(columns: Sequence[str], widths: Sequence[int], whole: Sequence[str]) -> list[int]:
    return [width for column, width in zip(columns, widths, strict=True) if column not in whole]


def _folded_widths(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column, its header in two lines."""
    formatted = zip(*[[_broken(column) for column in columns], *cells], strict=True)
    return [max(cell_len(line) for text in column for line in text.split("\n")) for column in formatted]


def _broken(header: str) -> str:
    """`validation/loss` in two lines."""
    return header.replace("/", "/\n")


def _padded(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    for cell, width, to_the_right in zip(row, widths, right, strict=True):
        space = " " * (width - cell_len(cell))
        yield space + cell if to_the_right else cell + space


def _folded(
    columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], whole: Sequence[str]
) -> None:
    """A table wider than the terminal: headers take two lines, the cells of the widest column several."""
    widths = _folded_widths(columns, cells)
    folds = next((i for i in sorted(range(len(columns)), key=lambda i: -widths[i]) if columns[i] not in whole), None)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        justify: Any = "right" if right[i] else "left"
        drawn.add_column(Text(_broken(column)), justify=justify, overflow="fold", no_wrap=i != folds)
    for row in cells:
        drawn.add_row(*map(Text, row))
    if out.is_terminal:
        out.print(drawn)
    else:
        with out.capture() as text:
            out.print(drawn)
        out.out("\n".join(line.rstrip() for line in text.get().splitlines()))


def _blocks(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Rows too wide for a folded table: one `name value` line a cell, an empty line between rows."""
    indent = max(map(cell_len, columns)) + 2
    lines = TextWrapper(out.width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    rows = [[lines.fill(f"{name:<{indent}}{cell}") for name, cell in zip(columns, row, strict=True)] for row in cells]
    out.file.write("\n\n".join(map("\n".join, rows)) + "\n")


def entries(named: Mapping[str, str]) -> None:
    """One `name  value` line each on stdout. Long values go on below where they began; ids and paths stay whole."""
    _blocks([visible(name) for name in named], [[visible(value) for value in named.values()]])


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str) -> None:
    """Rows on stdout as table, csv, json (a list of objects) or jsonl."""
    if format == "table":
        numeric = [name for i, name in enumerate(columns) if any(isinstance(row[i], int | float) for row in rows)]
        table(columns, rows, numeric, [name for name in columns if name in IDS])
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    else:
        objects = [dict(zip(columns, row, strict=True)) for row in rows]
        if format == "json":
            print(dumps(objects, indent=2))
        else:
            for entry in objects:
                print(dumps(entry))


def brief(value: Any) -> str:
    """Nested values in one line."""
    if isinstance(value, dict):
        return "  ".join(f"{key} {brief(child)}" for key, child in value.items())
    if isinstance(value, list):
        return " ".join(map(brief, value))
    return number(value)


def number(value: Any) -> str:
    """A number as people read it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def sections(parts: Sequence[tuple[str, Sequence[str]]], wait: bool = False) -> None:
    """Headings with their lines on a terminal: equations dim, results bright. `wait` for Enter after each."""
    for i, (heading, lines) in enumerate(parts):
        if i and wait and not _enter():
            return
        out.print(Text(heading, style="bold"))
        out.print(Text("─" * min(cell_len(heading), out.width), style="dim"))
        for line in lines:
            if line.startswith("    "):
                out.print(Text(line, style="dim italic"))
            else:
                left, equals, result = line.rpartition(" = ")
                out.print(Text.assemble(left, equals, (result, "bold cyan" if equals else "")))
        out.print()


def _enter() -> bool:
    """Wait for Enter; False if something else was typed. Where nobody can type, go on."""
    if not sys.stdin.isatty():
        return True
    err.print("Enter: go on, q: end ", end="", style="dim")
    return sys.stdin.readline() == "\n"
