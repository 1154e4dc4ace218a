"""Arguments that several commands share, spelled once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML config.", show_default=False)]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run directory, a run id, or `latest`.", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Override a value: optimizer.learning_rate=0.01; key+=v; ~key."
    ),
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of all runs.", envvar="BP_RUNS")]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
RUNS = Path("runs")


def print_json(value: Any) -> None:
    """One JSON document on stdout; NaN and infinities as null, which is what JSON has."""
    from backprop_cli.runs.metrics_log import finite

    typer.echo(json.dumps(finite(value), indent=2))
