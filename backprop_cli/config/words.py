"""Types and values in words, for errors and for the reference."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

from backprop_cli import registry
from backprop_cli.config.types import Leaf, ListOf, MapOf, Named, OneOf, OptionType

_SIMPLE = {  # one of it, several
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
    str: ("text", "strings"),
    Any: ("a value", "values"),
}


def one(kind: str) -> str:
    """A kind with its article: `a layer`, `an optimizer`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def describe(of: OptionType, many: bool = False) -> str:
    """What a type accepts: `a number > 0`, `a list of 2 whole numbers`, `the name of a loss, or a mapping …`."""
    if isinstance(of, OneOf):
        return " or ".join(dict.fromkeys(describe(arm, many) for arm in of.arms))
    if isinstance(of, ListOf):
        count = f"at least {of.least} " if of.least else ""
        count = f"{of.least} " if of.least and of.least == of.most else count
        return f"{'lists' if many else 'a list'} of {count}{describe(of.item, many=True)}"
    if isinstance(of, MapOf):
        return f"{'mappings' if many else 'a mapping'} of names to {describe(of.item, many=True)}"
    if isinstance(of, Leaf):
        return _leaf(of, many)
    if isinstance(of, Named) and of.marker.kind != "section":
        kind = of.marker.kind
        return f"{kind}{'es' if kind.endswith('s') else 's'}, each a name or a mapping with its options" if many else (
            f"the name of {one(kind)}, or a mapping with its options"
        )  # fmt: skip
    options = "its options" if isinstance(of, Named) else ", ".join(registry.options(of.cls))
    return f"{'mappings' if many else 'a mapping'} of {options}"


def _leaf(of: Leaf, many: bool) -> str:
    if of.words:
        return "one of " + ", ".join(repr(word) for word in of.words)
    if of.kind in _SIMPLE:
        words = _SIMPLE[of.kind][many]
    elif isinstance(of.kind, type) and issubclass(of.kind, PurePath):
        words = "paths" if many else "a path"
    else:
        words = str(getattr(of.kind, "__name__", of.kind)).lower().replace("_", " ")
    return f"{words} {' and '.join(of.limits)}".strip()


def got(value: Any) -> str:
    """A value as a person wrote it, kinds of collection named, long ones cut."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        short = json.dumps(value)
        return f"the list {short}" if len(short) <= 40 else f"a list of {len(value)}"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    return str(value).lower() if isinstance(value, bool) else str(value)
