"""`bp layers`, `bp losses`, `bp optimizers` and the like: what a config can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from backprop_cli.cli.options import Json, print_json

COMMANDS = {
    "layers": "layer",
    "activations": "activation",
    "losses": "loss",
    "optimizers": "optimizer",
    "schedules": "schedule",
    "initializers": "initializer",
    "metrics": "metric",
    "transforms": "transform",
}
Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Describe this one.", show_default=False)]


def command(plural: str, kind: str) -> Callable[..., None]:
    """The verb that lists one kind, or describes one class of it."""

    def verb(name: Name = None, json: Json = False) -> None:
        from backprop_cli import catalogue
        from backprop_cli.cli import ui

        found = catalogue.listing(kind) if name is None else catalogue.entry(kind, name)
        if json:
            print_json(found)
        elif isinstance(found, list):
            ui.table([kind, "also called", ""], [[e["name"], ", ".join(e["aliases"]), e["summary"]] for e in found])
        else:
            typer.echo(f"{found['name']}   ({', '.join([kind, *found['aliases']])})\n\n{found['doc']}\n")
            rows = [
                [e["name"], "required" if e["required"] else default(e["default"]), e["accepts"]]
                for e in found["options"]
            ]
            ui.table(["option", "default", "accepts"], rows)

    verb.__doc__ = f"""List the {plural}; with NAME: equation, gradient, shapes, options and source.

    bp {plural}
    """
    return verb


def default(value: object) -> str:
    """A default as one would write it in YAML."""
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


def register(app: typer.Typer) -> None:
    for plural, kind in COMMANDS.items():
        app.command(plural)(command(plural, kind))
