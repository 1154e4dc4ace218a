"""`bp layers`, `bp losses`, `bp optimizers` and the like: what a config can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import Json, Plugins, print_json

#: command -> kind, an example, what a description holds beside options and source
COMMANDS = {
    "layers": ("layer", "dense", "equation, gradient, shapes"),
    "activations": ("activation", "gelu", "equation, gradient"),
    "losses": ("loss", "huber", "equation, gradient, the targets it takes"),
    "optimizers": ("optimizer", "adam", "update rule"),
    "schedules": ("schedule", "cosine", "the rate as a function of the step"),
    "initializers": ("initializer", "he_normal", "distribution"),
    "metrics": ("metric", "f1", "definition"),
    "callbacks": ("callback", "stop_at", "when it is told of what, and what it does then"),
    "loggers": ("logger", "tensorboard", "what it writes"),
    "transforms": ("transform", "standardize", "what it does, and what it learns from the training split"),
}
WIDE = 120  # columns from which on the aliases have room beside the summaries


def command(plural: str, kind: str, example: str, about: str) -> Callable[..., None]:
    """The verb that lists one kind, or describes one class of it."""
    argument = typer.Argument(
        None, metavar="NAME", help="Describe this one.", show_default=False, autocompletion=completion.of_kind(kind)
    )

    def verb(name: str | None = argument, plugin: Plugins = None, json: Json = False) -> None:
        from backprop_cli.cli import ui
        from backprop_cli.config import catalogue
        from backprop_cli.config.plugin_files import load_plugin

        for path in plugin or []:
            load_plugin(path, given=True)
        entries = catalogue.listing(kind) if name is None else catalogue.entry(kind, name)
        if json:
            print_json(entries)
        elif isinstance(entries, list):
            _listed(kind, entries)
        else:
            print(f"{entries['name']}   ({', '.join([kind, *entries['aliases']])})\n\n{entries['doc']}\n")
            options = [
                [e["name"], "required" if e["required"] else default(e["default"]), f"{e['about']} ({e['accepts']})"]
                for e in entries["options"]
            ]
            ui.table(["option", "default", "meaning (and what it accepts)"], options)

    verb.__doc__ = f"""List the {plural}, or describe one.

    With NAME: {about}; options with their defaults; source.

    \b
    Examples:
      bp {plural}
      bp {plural} {example}
    """
    return verb


def _listed(kind: str, entries: list[dict[str, Any]]) -> None:
    """A table for every group, the columns of all as wide as those of the widest."""
    from itertools import groupby

    from backprop_cli.cli import ui

    wide = ui.out.width >= WIDE
    name, summary = (max(len(entry[key]) for entry in entries) for key in ("name", "summary"))
    for i, (group, members) in enumerate(groupby(entries, key=lambda entry: entry["group"])):
        if i:
            print()
        rows = [
            [member["name"].ljust(name), member["summary"].ljust(summary if wide else 0), ", ".join(member["aliases"])]
            for member in members
        ]
        columns = [group or kind, "", *(["also called"] if wide else [])]
        ui.table(columns, [row[: len(columns)] for row in rows])


def default(value: object) -> str:
    """A default as one would write it in YAML."""
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


def register(app: typer.Typer) -> None:
    for plural, (kind, example, about) in COMMANDS.items():
        app.command(plural)(command(plural, kind, example, about))
