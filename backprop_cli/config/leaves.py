"""Values that hold no registered class (numbers, text, lists of them): checked by pydantic, in our words.

A config is data as JSON is, so pydantic's strict JSON mode has the right idea of it: a whole
number may stand for a float, a list for a tuple, text for a path; `true` is never a number.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from backprop_cli.config.marked import Keys
from backprop_cli.config.types import Leaf, ListOf, MapOf, OneOf, OptionType
from backprop_cli.config.words import describe, got
from backprop_cli.errors import did_you_mean, suggest

ANYTHING = Leaf(Any, Any)


@cache
def adapter(annotation: Any) -> TypeAdapter[Any]:
    """The pydantic checker for an annotation: strict, without NaN and infinity. Made once for each annotation."""
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def check(of: Leaf | ListOf | MapOf | OneOf, value: Any) -> tuple[Any, list[tuple[Keys, str]]]:
    """The value as its type wants it, None where it is wrong; and what is wrong: where inside it, in plain words."""
    try:
        return adapter(of.annotation).validate_json(json.dumps(value)), []
    except ValidationError as error:
        problems: dict[Keys, str] = {}
        for failure in error.errors(include_url=False, include_input=False):
            inside, part = _locate(value, failure["loc"])
            own = failure.get("ctx", {}).get("error")
            problems.setdefault(inside, str(own) if own else _message(_inside(of, inside), part))
        return None, list(problems.items())


def accepts(of: Leaf | ListOf | MapOf | OneOf, value: Any) -> bool:
    """Whether `check` finds nothing wrong with a value."""
    return not check(of, value)[1]


def _message(of: OptionType, value: Any) -> str:
    return f"expected {describe(of)}, got {got(value)}{_hint(of, value)}"


def _locate(value: Any, location: tuple[str | int, ...]) -> tuple[Keys, Any]:
    """The part of the value that pydantic's location means; it also names arms of unions there."""
    path: Keys = ()
    for key in location:
        inside = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if inside or (isinstance(value, dict) and key in value):
            value, path = value[key], (*path, key)
    return path, value


def _inside(of: OptionType, path: Keys) -> OptionType:
    """The type of a part of a list or mapping."""
    for _ in path:
        holders = [arm for arm in _arms(of) if isinstance(arm, ListOf | MapOf)]
        if len(holders) != 1:
            return ANYTHING
        of = holders[0].item
    return of


def _arms(of: OptionType) -> tuple[OptionType, ...]:
    return of.arms if isinstance(of, OneOf) else (of,)


def _hint(of: OptionType, value: Any) -> str:
    """The value that was meant, where that can be told."""
    arms = _arms(of)
    leaves = [arm for arm in arms if isinstance(arm, Leaf)]
    kinds = [leaf.kind for leaf in leaves]
    if isinstance(value, str):
        near = suggest(value, [str(word) for leaf in leaves for word in leaf.words])
        if near:
            return did_you_mean(near)
        if bool in kinds and value.lower() in ("yes", "no", "on", "off", "y", "n"):
            return f"; did you mean {'true' if value.lower() in ('yes', 'on', 'y') else 'false'}?"
        if any(kind in (int, float) for kind in kinds):
            number = value.replace("_", "").replace(",", "").strip()
            return f"; did you mean {number} (a number, without quotes)?" if _is_number(number) else ""
    lists = [arm for arm in arms if isinstance(arm, ListOf) and not arm.structural]
    if lists and not isinstance(value, list | dict) and accepts(lists[0], [value]):
        return f"; did you mean [{value if isinstance(value, str) else json.dumps(value)}]?"
    if str in kinds and isinstance(value, int | float):
        return f'; did you mean "{json.dumps(value)}" (quoted)?'
    return f"; did you mean {int(value)}?" if isinstance(value, float) and int in kinds and value.is_integer() else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
