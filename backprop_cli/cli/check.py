"""`bp check`"""

from __future__ import annotations

from typing import Any

import typer

from backprop_cli.cli.options import ConfigFile, Json, Set, Unset, changes, print_json


def check(config: ConfigFile, set_: Set = None, unset: Unset = None, json: Json = False) -> None:
    """Check a config before it runs: errors, layers, memory, time.

    The config is read, its data loaded, its network built, and one batch goes forward and backward.
    What passes trains. Every mistake is shown at once, as file:line:column: path: what is wrong;
    the exit code is then 2.

    \b
    Examples:
      bp check configs/mnist.yaml
      bp check configs/mnist.yaml --set architecture.1.units=512
      bp check configs/mnist.yaml --json
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.check import check_config

    result, error = check_config(config, changes(set_, unset), warn=None if json else ui.warn)
    if error is not None and not json:
        raise error
    if json:
        print_json(result)
    else:
        rows = [[row["name"], row["type"], *cells(row)] for row in result["layers"]]
        ui.table(["layer", "type", "inputs", "output", "parameters", "FLOPs"], rows, right=["parameters", "FLOPs"])
        print(
            f"{result['parameters']:,} parameters, {ui.size(result['bytes'])} for batches of "
            f"{result['batch_size']}, about {result['seconds_per_epoch']:.2g} s an epoch"
        )
    if error is not None:
        raise typer.Exit(error.exit_code)


def cells(layer: dict[str, Any]) -> list[Any]:
    """The right-hand columns of a layer's row."""
    shape = "×".join(map(str, layer["output_shape"]))
    return [", ".join(layer["inputs"]), shape, layer["parameters"], layer["flops"]]


def register(app: typer.Typer) -> None:
    app.command()(check)
