"""Arguments that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backprop_cli.cli import completion, keys

ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML config, or bp:NAME for one that ships.",
        show_default=False,
        autocompletion=completion.configs,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run directory, a run id, or `latest`.",
        show_default=False,
        autocompletion=completion.runs,
    ),
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="RUN|MODEL",
        help="A run directory, a run id, `latest`, or the .safetensors file of a model.",
        show_default=False,
        autocompletion=completion.runs,
    ),
]
ModelPlugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="A plugin that the model was trained with. Repeatable."),
]


def _set(help: str) -> Any:
    return typer.Option("--set", "-s", metavar="KEY=VALUE", autocompletion=keys.settings, help=f"{help} Repeatable.")


Set = Annotated[
    list[str] | None,
    _set("Override a value: optimizer.learning_rate=0.01. KEY+=VALUE appends to a list."),
]
Reading = Annotated[list[str] | None, _set("How to read it instead of a guess: dataset.skip_rows=2.")]
Unset = Annotated[
    list[str] | None,
    typer.Option(
        "--unset",
        metavar="KEY",
        autocompletion=keys.unsettings,
        help="Remove a key, before any --set; else as --set '~KEY'. Repeatable.",
    ),
]
Plugins = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Include what this file defines. Repeatable.")
]
Checkpoint = Annotated[
    str,
    typer.Option(
        "--checkpoint", metavar="best|last|FILE", help="Which weights.", autocompletion=completion.of("best", "last")
    ),
]
SPLITS = completion.of("train", "validation", "test")
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of all runs.", envvar="BP_RUNS")]
Query = Annotated[
    str | None,
    typer.Option("--query", metavar="SQL|SHEET", help="The SELECT of a database's rows; the sheet of an .xlsx."),
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
RUNS = Path("runs")


def changes(set_: Sequence[str] | None, unset: Sequence[str] | None) -> list[str]:
    """The overrides of --set and --unset together: what takes the place of something is set after it has gone."""
    return [*(f"~{key}" for key in unset or []), *(set_ or [])]


def is_config(source: str) -> bool:
    """Whether CONFIG|RUN is a config: a file, what is called like one, or `bp:NAME`."""
    return source.startswith("bp:") or Path(source).is_file() or Path(source).suffix in (".yaml", ".yml")


def print_json(value: Any) -> None:
    """One JSON document on stdout; NaN and infinities as null, which is what JSON has."""
    from backprop_cli.runs.json_text import dumps

    print(dumps(value, indent=2))
