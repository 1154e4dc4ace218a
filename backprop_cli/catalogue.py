"""What a config can name, described from the classes themselves: docstring, options, defaults."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from backprop_cli import registry
from backprop_cli.config.leaves import describe
from backprop_cli.config.spelling import one


def listing(kind: str) -> list[dict[str, Any]]:
    """Every class of a kind: name, aliases, and the first line of its docstring."""
    return [
        {"name": name, "aliases": list(cls.aliases), "summary": (inspect.getdoc(cls) or "").partition("\n")[0]}  # type: ignore[attr-defined]  # a Component's
        for name, cls in registry.classes(kind).items()
    ]


def entry(kind: str, name: str) -> dict[str, Any]:
    """One class whole: equation, gradient, shapes, source (its docstring); options. Raises UnknownNameError."""
    cls: Any = registry.get(kind, name)
    own = vars(cls).get("__annotations__", {})
    names = sorted(registry.options(cls), key=lambda option: option not in own)
    return {
        "name": cls.type_name,
        "aliases": list(cls.aliases),
        "doc": inspect.getdoc(cls) or "",
        "options": [_option(cls, option, option in own) for option in names],
        "module": cls.__module__,
    }


def _option(cls: Any, name: str, own: bool) -> dict[str, Any]:
    field = registry.options(cls)[name]
    annotation = registry.hints(cls)[name]
    marker = registry.marker_of(annotation)
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = None if required or field.default is dataclasses.MISSING else field.default
    accepts = f"the name of {one(marker.kind)}, or a mapping with its options" if marker else describe(annotation)
    return {"name": name, "accepts": accepts, "default": default, "required": required, "own": own}
