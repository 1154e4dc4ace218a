"""`bp data`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.group import group
from backprop_cli.cli.options import Json, Quiet, print_json

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A dataset, as `bp data ls` names it.",
        show_default=False,
        autocompletion=completion.datasets,
    ),
]
SourceName = Annotated[
    str | None, typer.Option("--source", metavar="SOURCE", help="sample, synthetic or tfds, where names coincide.")
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
            ["name", "source", "prepared"],
            [[row["name"], row["source"], "yes" if row["prepared"] else "no"] for row in rows],
        )


def info(name: Name, source: SourceName = None, json: Json = False) -> None:
    """Show a dataset's splits, shapes, classes and size.

    Nothing is downloaded.

    \b
    Examples:
      bp data info iris
      bp data info mnist --source tfds
    """
    from backprop_cli.data import catalogue

    show(catalogue.describe(name, source), json)


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
        ui.table(["", ""], [[key, text(value)] for key, value in about.items() if value is not None])


def text(value: Any) -> str:
    """A value of the description in a line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and value.keys() == {"shape", "dtype"}:
        return " ".join(["×".join(map(str, value["shape"])) or "scalar", value["dtype"]])
    if isinstance(value, dict):
        return "\n".join(f"{key}: {text(each)}" for key, each in value.items())
    if isinstance(value, list):
        words = [str(each) for each in value]
        return ", ".join(words[:12]) + (f", … ({len(words)})" if len(words) > 12 else "")
    return f"{value:,}" if isinstance(value, int) else str(value)


def register(app: typer.Typer) -> None:
    data = group("List, describe and prepare datasets.")
    data.command("ls")(listing)
    data.command("info")(info)
    data.command("get")(get)
    app.add_typer(data, name="data")
