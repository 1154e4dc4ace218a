"""`bp check`"""

from __future__ import annotations

from typing import Any

import typer

from backprop_cli.cli.options import ConfigFile, Json, Set, print_json


def check(config: ConfigFile, set_: Set = None, json: Json = False) -> None:
    """Validate a config, build it, run one batch forward and backward; print what it is made of.

    bp check configs/mnist.yaml
    """
    from backprop_cli import check as checks
    from backprop_cli.cli import ui

    result = checks.config(config, set_ or [], warn=None if json else ui.warn)
    if json:
        print_json(result)
    elif result["valid"]:
        rows = [[each["name"], each["type"], *cells(each)] for each in result["layers"]]
        ui.table(["layer", "type", "inputs", "output", "parameters", "FLOPs"], rows, right=["parameters", "FLOPs"])
        typer.echo(
            f"{result['parameters']:,} parameters, {result['bytes'] / 1e6:.1f} MB for batches of "
            f"{result['batch_size']}, about {result['seconds_per_epoch']:.3g} s an epoch"
        )
    else:
        for each in result["messages"]:
            typer.echo(each, err=True)
    if not result["valid"]:
        raise typer.Exit(2)


def cells(layer: dict[str, Any]) -> list[Any]:
    """The right-hand columns of a layer's row."""
    shape = "×".join(map(str, layer["output_shape"]))
    return [", ".join(layer["inputs"]), shape, layer["parameters"], layer["flops"]]


def register(app: typer.Typer) -> None:
    app.command()(check)
