"""What a config can name, described from the classes themselves: docstring, options, defaults."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from backprop_cli import registry
from backprop_cli.config.types import Section, option_types, parts
from backprop_cli.config.words import describe

#: headings in the order of listings; any other comes after them
GROUPS = (
    "Used most",
    "Dense and embedding",
    "Convolution",
    "Pooling",
    "Sequences",
    "Normalization",
    "Activations",
    "Noise and dropout",
    "Merging",
    "Shape",
)


def listing(kind: str) -> list[dict[str, Any]]:
    """Every class of a kind, group by group: name, aliases, group, and the first line of its docstring."""
    classes = [
        {
            "name": name,
            "aliases": list(cls.aliases),
            "group": cls.listed_under,
            "summary": (inspect.getdoc(cls) or "").partition("\n")[0],
        }
        for name, cls in registry.classes(kind).items()
    ]
    return sorted(classes, key=lambda row: (row["group"] not in GROUPS, *map(GROUPS.index, {row["group"]} & {*GROUPS})))


def entry(kind: str, name: str) -> dict[str, Any]:
    """One class whole: equation, gradient, shapes, source (its docstring); options. Raises UnknownNameError."""
    cls: Any = registry.get(kind, name)
    return {
        "name": cls.type_name,
        "aliases": list(cls.aliases),
        "doc": inspect.getdoc(cls) or "",
        "options": options(cls),
        "module": cls.__module__,
    }


def options(cls: type) -> list[dict[str, Any]]:
    """Every option of a dataclass, its `own` before inherited ones: what it means and accepts, and its default."""
    return [_option(cls, name, own) for name, own in registry.own_first(cls).items()]


def _option(cls: type, name: str, own: bool) -> dict[str, Any]:
    field = registry.options(cls)[name]
    marker = registry.registered_fields(cls).get(name)
    required = registry.required(cls, name) and not (marker and marker.default)
    default = None if field.default is dataclasses.MISSING else field.default
    if field.default_factory in (list, dict):
        default = field.default_factory()
    return {
        "name": name,
        "about": registry.about(cls, name),
        "accepts": describe(option_types(cls)[name]),
        "default": default,
        "required": required,
        "own": own,
    }


def nested(cls: type) -> dict[str, type]:
    """The options of a dataclass that are mappings of their own, with the dataclasses that describe them."""
    sections = {
        name: [part.cls for part in parts(of) if isinstance(part, Section)] for name, of in option_types(cls).items()
    }
    return {name: classes[0] for name, classes in sections.items() if classes}
