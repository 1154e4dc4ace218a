"""`bp predict`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli.options import RUNS, Json, RunName, Runs, print_json

Input = Annotated[
    Path, typer.Argument(metavar="INPUT", help="A .npy, .npz, CSV, TSV, Parquet or text file, or images.")
]


def command(
    run: RunName,
    source: Input,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help=".csv, .json or .npy")] = None,
    checkpoint: Annotated[str, typer.Option(metavar="best|last|FILE", help="Which weights.")] = "best",
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Predict for new data, transformed as in training.

    INPUT holds rows without targets: a table with the columns of the training data, an array of inputs,
    or images. CSV goes to stdout; --output writes .csv, .json or .npy instead.

    \b
    Examples:
      bp predict latest new.csv
      bp predict latest digit.png --json
      bp predict latest inputs.npy --output outputs.npy --checkpoint last
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.predict import as_csv, as_json, predict, save
    from backprop_cli.runs.directory import find_run

    found = predict(find_run(run, runs), source, checkpoint, warn=ui.warn, progress=None if json else ui.loading)
    if output is not None:
        save(found, output)
        print(str(output))
    elif json:
        print_json(as_json(found))
    else:
        print(as_csv(found), end="")


def register(app: typer.Typer) -> None:
    app.command("predict")(command)
