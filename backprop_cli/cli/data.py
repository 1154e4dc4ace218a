"""`bp data`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.group import group
from backprop_cli.cli.options import Json, Query, Quiet, Reading, print_json

if TYPE_CHECKING:
    from backprop_cli.data.look import Look
    from backprop_cli.data.look_column import Column

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A dataset, as `bp data ls` names it.",
        show_default=False,
        autocompletion=completion.datasets,
    ),
]
Looked = Annotated[
    str,
    typer.Argument(
        metavar="FILE|CONFIG|NAME",
        help="A table or other data file, a config, or a dataset as `bp data ls` names it.",
        show_default=False,
        autocompletion=completion.datasets,
    ),
]
SourceName = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="sample, synthetic or tfds, where names coincide.",
        autocompletion=completion.of("sample", "synthetic", "tfds"),
    ),
]
All = Annotated[bool, typer.Option("--all", "-a", help="Every name that tensorflow-datasets knows, too.")]
DataDir = Annotated[str | None, typer.Option("--data-dir", metavar="DIR", help="Where TFDS keeps what it prepares.")]
ManualDir = Annotated[
    str | None, typer.Option("--manual-dir", metavar="DIR", help="Raw files to use instead of downloading.")
]


def listing(all: All = False, json: Json = False) -> None:
    """List the datasets that can be loaded by name.

    Those marked as prepared load without a download. Your own files need no name: write
    `dataset: {source: files, path: my.csv, target: species}`.

    \b
    Examples:
      bp data ls
      bp data ls --all
    """
    from backprop_cli.cli import ui
    from backprop_cli.data import catalogue

    rows = catalogue.listing(all)
    if json:
        print_json(rows)
    else:
        ui.table(
            ["name", "source", "prepared", "what it is"],
            [[row["name"], row["source"], "yes" if row["prepared"] else "no", row["about"]] for row in rows],
        )


def info(
    name: Looked,
    source: SourceName = None,
    target: Annotated[str | None, typer.Option("--target", metavar="COL", help="The column to predict.")] = None,
    query: Query = None,
    set_: Reading = None,
    json: Json = False,
) -> None:
    """Look at a table, at a config's data, or at a dataset.

    Of a table: how its file was read, and each column's kind, gaps, values, what it becomes, and what
    looks wrong; of pictures and sounds that it lists, sizes and rates. Of a dataset: splits, shapes,
    classes and size. Nothing is downloaded.

    \b
    Examples:
      bp data info my.csv --target price
      bp data info my.csv --set dataset.skip_rows=2 --set dataset.delimiter=";"
      bp data info my.sqlite --query "SELECT * FROM houses"
      bp data info my.yaml
      bp data info iris
    """
    from backprop_cli.commands.reading import looked
    from backprop_cli.data import catalogue
    from backprop_cli.data.look import balance
    from backprop_cli.errors import UsageError

    table = looked(name, target, query, set_ or ()) if source is None else None
    if table is None and set_:
        raise UsageError(f"{name} is no file; --set says how a file is read: leave it out")
    if table is None:
        show(catalogue.describe(name, source), json)
    elif isinstance(table, dict):
        show(table, json)
    elif json:
        print_json({**table.as_dict(), "balance": balance(table)})
    else:
        _show_table(table)


def _show_table(table: Look) -> None:
    from backprop_cli.cli import ui
    from backprop_cli.data.look import balance

    ui.table(
        ["column", "type", "missing", "distinct", "becomes", "values"],
        [
            [
                column.name + (" (target)" if column.role == "target" else ""),
                column.type,
                column.missing,
                column.distinct,
                _becomes(column),
                _values(column),
            ]
            for column in table.columns
        ],
        right=("missing", "distinct"),
    )
    width = sum(column.width or 0 for column in table.columns if column.role == "feature")
    print(f"{table.rows:,} rows; x has {width:,} column{'s' * (width != 1)}")
    classes = balance(table)
    if classes:
        shares = ", ".join(f"{name} {100 * count / table.rows:.0f} %" for name, count in classes.items())
        print(f"classes: {shares}")
    for text in [*table.notes, *(f"{column.name}: {text}" for column in table.columns for text in column.notes)]:
        print(text)


def _becomes(column: Column) -> str:
    if column.role != "feature":
        return "–"
    return column.type if column.width is None else f"{column.width} column{'s' * (column.width > 1)}"


def _values(column: Column) -> str:
    """The range of numbers and dates, what files are like, else the most frequent values."""
    if column.files is not None:
        return "; ".join(
            ", ".join(f"{value} {count}" for value, count in counted[:3]) + (", …" if len(counted) > 3 else "")
            for counted in column.files.values()
        )
    if column.range is not None:
        low, _, high = column.range
        return f"{low} … {high}" if isinstance(low, str) else f"{low:.6g} … {high:.6g}"
    most = [(" ".join(value.split()), count) for value, count in (column.frequent or [])[:3]]
    return ", ".join(f"{value if len(value) <= 20 else value[:19] + '…'} {count}" for value, count in most)


def get(
    name: Name,
    source: SourceName = None,
    data_dir: DataDir = None,
    manual_dir: ManualDir = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download and prepare a dataset ahead of time.

    \b
    Examples:
      bp data get mnist
      bp data get mnist --manual-dir downloads
    """
    from backprop_cli.cli import ui
    from backprop_cli.data import catalogue

    progress = None if quiet else ui.loading
    show(catalogue.get(name, source, data_dir=data_dir, manual_dir=manual_dir, progress=progress), json)


def show(about: dict[str, Any], json: bool) -> None:
    """A dataset's description, as JSON or as lines."""
    from backprop_cli.cli import ui

    if json:
        print_json(about)
    else:
        shown = {key: value for key, value in about.items() if value is not None and key != "columns"}
        ui.entries({key: text(value) for key, value in shown.items()})


def text(value: Any) -> str:
    """A value of the description in a line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and value.keys() == {"shape", "dtype"}:
        return " ".join(["×".join(map(str, value["shape"])) or "scalar", value["dtype"]])
    if isinstance(value, dict):
        value = [f"{key}: {text(child)}" for key, child in value.items()]
    if isinstance(value, list):
        words = [str(item) for item in value]
        return ", ".join(words[:12]) + (f", … ({len(words)})" if len(words) > 12 else "")
    return f"{value:,}" if isinstance(value, int) else str(value)


def register(app: typer.Typer) -> None:
    data = group("List, describe and prepare datasets.")
    data.command("ls")(listing)
    data.command("info")(info)
    data.command("get")(get)
    app.add_typer(data, name="data")
