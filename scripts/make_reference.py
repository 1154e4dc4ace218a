"""Write docs/config.md and configs/bp.schema.json from the classes: python scripts/make_reference.py

Run it after a change to what a config can name; a test holds the files to it.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.config import catalogue
from backprop_cli.config.jsonschema import schema
from backprop_cli.config.schema import Options
from backprop_cli.engine.layer import Layer
from backprop_cli.engine.optimizers.base import Optimizer

ROOT = Path(__file__).parents[1]
TOP = """\
# Config reference

Made by `scripts/make_reference.py` from the classes that check a config; do not edit it by hand.
On the command line `bp layers`, `bp losses`, `bp optimizers`, … say the same.

A config is a YAML file. `dataset`, `architecture` and `loss` must be given. A name alone, as in
`loss: mse`, is short for a mapping, `loss: {type: mse}`, in which the options of the class can stand.
Other spellings, those of Keras and PyTorch among them, are given in parentheses and mean the same class.
"""
SECTIONS = [
    ("section", "trainer", "The keys under `trainer:`."),
    ("source", "dataset", "Where the data come from: `source` names one of these."),
    ("synthetic", "Synthetic datasets", "`dataset: {source: synthetic, name: …}`"),
    ("transform", "Transforms", "`dataset: {transforms: [{type: …}]}`, applied in this order to every batch."),
    ("layer", "Layers", "Items of `architecture`, each `{type: …}` or a bare name."),
    ("sugar", "Shorthand for layers", "Items of `architecture` that become several layers."),
    ("activation", "Activations", "Values of a layer's `activation`; each is a layer, too."),
    ("loss", "Losses", "`loss: {type: …}`"),
    ("optimizer", "Optimizers", "`optimizer: {type: …}`"),
    ("schedule", "Schedules", "`optimizer: {schedule: {type: …}}`, the learning rate as a function of the step."),
    ("initializer", "Initializers", "Values of `kernel_initializer` and its like."),
    ("constraint", "Constraints", "Values of a layer's `constraint`."),
    ("metric", "Metrics", "Items of `trainer.metrics`."),
    ("callback", "Callbacks", "Items of `trainer.callbacks`."),
    ("logger", "Loggers", "Items of `trainer.loggers`."),
]
TOP_DEFAULTS = {"name": {"default": "the file's name", "required": False}, "trainer": {"default": None}}
EXTENDS = {
    "name": "extends",
    "default": None,
    "required": False,
    "about": "the config that this one changes; what is said here wins",
    "accepts": "a path",
}
SHARED: dict[str, type] = {"layer": Layer, "optimizer": Optimizer}


def reference() -> str:
    """The text of docs/config.md."""
    top = [each | TOP_DEFAULTS.get(each["name"], {}) for each in catalogue.options(Options)]
    return "\n".join([TOP, *_table([*top, EXTENDS]), *_nested(Options), *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    activations = registry.classes("activation")
    for kind, title, about in SECTIONS:
        yield f"\n## {title}\n\n{about}\n"
        shared = SHARED.get(kind)
        if shared is not None:
            yield "Every one of them also takes:\n"
            yield from _table(catalogue.options(shared))
            yield from _nested(shared)
        for name in registry.classes(kind):
            if kind == "layer" and name in activations:
                continue
            yield from _class(kind, name, shared)


def _class(kind: str, name: str, shared: type | None) -> Iterator[str]:
    cls: Any = registry.get(kind, name)
    also = f" ({', '.join(cls.aliases)})" if cls.aliases else ""
    if kind != "section":
        yield f"\n### {name}{also}\n"
    yield f"```text\n{inspect.getdoc(cls)}\n```\n"
    of_base = set(registry.options(shared)) if shared else set()
    hidden = of_base if kind == "layer" else of_base - set(vars(cls).get("__annotations__", {}))
    if kind == "activation":
        hidden = set(registry.options(Layer))
    yield from _table([each for each in catalogue.options(cls) if each["name"] not in hidden])
    if shared is None:
        yield from _nested(cls)


def _nested(cls: type) -> Iterator[str]:
    for name, part in catalogue.nested(cls).items():
        yield f"\n`{name}`:\n\n```text\n{inspect.getdoc(part)}\n```\n"
        yield from _table(catalogue.options(part))


def _table(options: list[dict[str, Any]]) -> Iterator[str]:
    if not options:
        return
    yield "| option | default | accepts | meaning |"
    yield "|---|---|---|---|"
    for each in options:
        default = "required" if each["required"] else _written(each["default"])
        yield f"| `{each['name']}` | {default} | {each['accepts']} | {each['about']} |".replace("| |", "|  |")


def _written(value: Any) -> str:
    """A default as one would write it in YAML."""
    if value is None:
        return "–"
    return f"`{json.dumps(value) if isinstance(value, bool | list | dict) else value}`"


def schema_text() -> str:
    """The text of configs/bp.schema.json: JSON with a definition a line, so that changes can be read."""
    made = schema()
    definitions = made.pop("definitions")
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in definitions.items())
    return json.dumps(made, indent=1)[:-2] + ',\n "definitions": {\n' + lines + "\n }\n}\n"


FILES = {"docs/config.md": reference, "configs/bp.schema.json": schema_text}

if __name__ == "__main__":
    for path, make in FILES.items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(make(), encoding="utf-8")
