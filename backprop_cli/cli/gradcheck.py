"""`bp gradcheck`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import Json, Set, Unset, changes, print_json

Config = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="Check this network.", autocompletion=completion.configs)
]
LayerName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Only this layer or loss; with CONFIG, the layer of that name.",
        autocompletion=completion.of_kind("layer", "loss"),
    ),
]


def gradcheck(
    config: Config = None,
    set_: Set = None,
    unset: Unset = None,
    layer: LayerName = None,
    plugin: Annotated[Path | None, typer.Option(metavar="FILE", help="Check what this plugin defines.")] = None,
    json: Json = False,
) -> None:
    """Compare gradients with finite differences.

    With nothing, every registered layer and loss is checked; with CONFIG that very network, on examples
    of its own data; with --plugin what a file of yours defines. The worst parameter is named, and the
    exit code is 1, where a relative error is too large.

    \b
    Examples:
      bp gradcheck
      bp gradcheck --layer lstm
      bp gradcheck configs/xor.yaml
      bp gradcheck --plugin my_layers.py
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.check import config_gradients, registered_gradients
    from backprop_cli.errors import UsageError

    if config is not None and plugin is not None:
        raise UsageError("--plugin cannot be combined with CONFIG, which names its plugins itself")
    if config is not None:
        result = config_gradients(config, changes(set_, unset), layer, warn=None if json else ui.warn)
    else:
        result = registered_gradients(layer, plugin, None if json else ui.loading)
    if json:
        print_json(result)
    else:
        rows = [summary(name, result["checks"]) for name in dict.fromkeys(check["name"] for check in result["checks"])]
        ui.table(["", "name", "worst error", "where"], rows, right=["worst error"])
        wrong = sum(not check["passed"] for check in result["checks"])
        total = len(result["checks"])
        print(f"{total - wrong} of {total} checks passed (relative error < {result['tolerance']:g})")
    if not result["passed"]:
        raise typer.Exit(1)


def summary(name: str, checks: list[dict[str, Any]]) -> list[str]:
    """One row for a layer or loss: the worst of its cases."""
    worst = max((check for check in checks if check["name"] == name), key=lambda row: row["max_relative_error"])
    where = worst["worst"] if worst["passed"] else f"{worst['worst']}  ({worst['case']})"
    return ["ok" if worst["passed"] else "WRONG", name, f"{worst['max_relative_error']:.1e}", where]


def register(app: typer.Typer) -> None:
    app.command()(gradcheck)
