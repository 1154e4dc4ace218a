"""What a config can name, described from the classes themselves: docstring, options, defaults."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from typing import Any, Union

from backprop_cli import registry
from backprop_cli.config.leaves import NONE, bare, describe
from backprop_cli.config.spelling import one
from backprop_cli.config.validate import structural


def listing(kind: str) -> list[dict[str, Any]]:
    """Every class of a kind: name, aliases, and the first line of its docstring."""
    return [
        {"name": name, "aliases": list(cls.aliases), "summary": (inspect.getdoc(cls) or "").partition("\n")[0]}
        for name, cls in registry.classes(kind).items()
    ]


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
    own = vars(cls).get("__annotations__", {})
    names = sorted(registry.options(cls), key=lambda option: option not in own)
    return [_option(cls, name, name in own) for name in names]


def _option(cls: type, name: str, own: bool) -> dict[str, Any]:
    field = registry.options(cls)[name]
    missing = dataclasses.MISSING
    required = field.default is missing and field.default_factory is missing
    marker = registry.registered_fields(cls).get(name)
    if marker and marker.default:
        required = False
    default = None if field.default is missing else field.default
    if field.default_factory in (list, dict):
        default = field.default_factory()
    return {
        "name": name,
        "about": registry.about(cls, name),
        "accepts": accepts(registry.hints(cls)[name]),
        "default": default,
        "required": required,
        "own": own,
    }


def accepts(annotation: Any) -> str:
    """What an option takes, in words, with the keys of a mapping."""
    marker, inner = registry.marker_of(annotation), bare(annotation)[0]
    if typing.get_origin(inner) in (Union, types.UnionType):
        return " or ".join(accepts(arm) for arm in typing.get_args(inner) if arm is not NONE)
    if marker and marker.kind == "section":
        return "a mapping of its options"
    if typing.get_origin(inner) is list and structural(annotation):
        items = f"{marker.kind}s, each a name or a mapping with its options" if marker else "mappings of its options"
        return f"a list of {items}"
    if marker:
        return f"the name of {one(marker.kind)}, or a mapping with its options"
    if isinstance(inner, type) and dataclasses.is_dataclass(inner):
        return f"a mapping of {', '.join(registry.options(inner))}"
    return describe(annotation)


def nested(cls: type) -> dict[str, type]:
    """The options of a dataclass that are mappings of their own, with the dataclasses that describe them."""
    found = {}
    for name in registry.options(cls):
        parts = [registry.hints(cls)[name]]
        for part in parts:
            parts += typing.get_args(part)
            if isinstance(part, type) and dataclasses.is_dataclass(part):
                found[name] = part
    return found
