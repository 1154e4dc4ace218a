"""`bp export`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from backprop_cli.cli.options import RUNS, Checkpoint, Json, Plugins, RunName, Runs, print_json


def command(
    run: RunName,
    to: Annotated[Literal["onnx", "safetensors", "numpy"], typer.Option("--to", help="The form.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="By default NAME.onnx and the like, here."),
    ] = None,
    checkpoint: Checkpoint = "best",
    plugin: Plugins = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Write a trained model in a form that others read.

    onnx         for onnxruntime and its like: raw features in, the network's outputs out
    safetensors  weights and description in one file, without the state of the training
    numpy        a Python file to be read, which needs NumPy only; for dense and convolutional networks

    \b
    Examples:
      bp export latest --to onnx -o model.onnx
      bp export latest --to numpy -o model.py
      bp export runs/iris-20260801-120000-1a2b --to safetensors -o iris.safetensors
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.export.export import export
    from backprop_cli.commands.trained import load

    model = load(run, checkpoint, runs=runs, plugins=plugin or (), warn=ui.warn)
    exported = export(model, to, output)
    for note in exported.notes:
        ui.note(note)
    if json:
        print_json(exported.as_json())
    else:
        print(exported.path)


def register(app: typer.Typer) -> None:
    app.command("export")(command)
