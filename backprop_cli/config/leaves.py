"""Values that hold no registered class (numbers, text, lists of them): checked by pydantic, in our words.

A config is data as JSON is, so pydantic's strict JSON mode has the right idea of it: a whole
number may stand for a float, a list for a tuple, text for a path; `true` is never a number.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union

import annotated_types
from pydantic import ConfigDict, TypeAdapter, ValidationError

from backprop_cli.config.marked import Keys
from backprop_cli.registry import suggest

NONE = type(None)
_SIMPLE = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
    str: ("text", "texts"),
    NONE: ("null", "null"),
    Any: ("a value", "values"),
}
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@cache
def adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def check(annotation: Any, value: Any) -> tuple[Any, list[tuple[Keys, str]]]:
    """The value as its type wants it, and what is wrong with it: where inside it, in plain words."""
    try:
        return adapter(annotation).validate_json(json.dumps(value)), []
    except ValidationError as error:
        found: dict[Keys, str] = {}
        for failure in error.errors(include_url=False, include_input=False):
            inside, part = _locate(value, failure["loc"])
            own = failure.get("ctx", {}).get("error")
            found.setdefault(inside, str(own) if own else _message(_narrow(annotation, inside), part))
        return None, list(found.items())


def accepts(annotation: Any, value: Any) -> bool:
    return not check(annotation, value)[1]


def _message(annotation: Any, value: Any) -> str:
    return f"expected {describe(annotation)}, got {got(value)}{_hint(annotation, value)}"


def _locate(value: Any, location: tuple[str | int, ...]) -> tuple[Keys, Any]:
    """The part of the value that pydantic's location means; it also names arms of unions there."""
    path: Keys = ()
    for key in location:
        inside = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if inside or (isinstance(value, dict) and key in value):
            value, path = value[key], (*path, key)
    return path, value


def _narrow(annotation: Any, path: Keys) -> Any:
    """The type of a part of a list, tuple or mapping."""
    for key in path:
        annotation, _ = bare(annotation)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in (Union, types.UnionType):
            arms = [bare(arm)[0] for arm in args]
            holders = [arm for arm in arms if typing.get_origin(arm) in (list, tuple, dict)]
            if len(holders) != 1:
                return Any
            origin, args = typing.get_origin(holders[0]), typing.get_args(holders[0])
        if origin is tuple and Ellipsis not in args and isinstance(key, int) and key < len(args):
            annotation = args[key]
        elif origin is dict and args:
            annotation = args[1]
        elif args:
            annotation = args[0]
    return annotation


def bare(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without its `Annotated`, and the constraints that were in it, groups taken apart."""
    if typing.get_origin(annotation) is not Annotated:
        return annotation, []
    extras: list[Any] = []
    for extra in annotation.__metadata__:
        if isinstance(extra, annotated_types.GroupedMetadata):
            extras.extend(extra)
        else:
            extras.extend(getattr(extra, "metadata", None) or [extra])  # pydantic's Field holds a list
    inner, more = bare(typing.get_args(annotation)[0])
    return inner, [*more, *extras]


def describe(annotation: Any, many: bool = False) -> str:
    """What a type accepts, in words: `a number > 0`, `a list of 2 whole numbers`, `one of 'a', 'b'`."""
    inner, extras = bare(annotation)
    origin, args = typing.get_origin(inner), typing.get_args(inner)
    bounds = " and ".join(_bounds(extras))
    lengths = {name: getattr(extra, name) for extra in extras for name in ("min_length", "max_length")
               if getattr(extra, name, None)}  # fmt: skip
    if origin is Literal:
        return "one of " + ", ".join(repr(each) for each in args)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(arm, many) for arm in args if arm is not NONE))
    if origin in (list, tuple, set, frozenset, Sequence) or inner in (list, tuple):
        return _describe_list(origin, args, lengths, many)
    if origin in (dict, Mapping) or inner is dict:
        kind = f" to {describe(args[1], many=True)}" if args else ""
        return f"a mapping of names{kind}"
    if inner in _SIMPLE:
        words = _SIMPLE[inner][many]
    elif isinstance(inner, type) and issubclass(inner, PurePath):
        words = "paths" if many else "a path"
    else:
        words = str(getattr(inner, "__name__", inner)).lower().replace("_", " ")
    return f"{words} {bounds}".strip()


def _describe_list(origin: Any, args: tuple[Any, ...], lengths: dict[str, int], many: bool) -> str:
    if origin is tuple and args and Ellipsis not in args:
        count, kind = f"{len(args)} ", describe(args[0], many=True)
    else:
        low, high = lengths.get("min_length"), lengths.get("max_length")
        count = f"at least {low} " if low else ""
        count = f"{low} " if low and low == high else count
        kind = describe(args[0], many=True) if args else "values"
    return f"{'lists' if many else 'a list'} of {count}{kind}"


def _bounds(extras: list[Any]) -> Iterator[str]:
    for extra in extras:
        for name, sign in _BOUNDS.items():
            limit = getattr(extra, name, None)
            if limit is not None:
                yield f"{sign} {limit}"
        if getattr(extra, "multiple_of", None):
            yield f"a multiple of {extra.multiple_of}"


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


def _hint(annotation: Any, value: Any) -> str:
    inner, _ = bare(annotation)
    arms = [bare(arm)[0] for arm in typing.get_args(inner)] if typing.get_origin(inner) in (
        Union, types.UnionType) else [inner]  # fmt: skip
    names = [str(each) for arm in arms if typing.get_origin(arm) is Literal for each in typing.get_args(arm)]
    if isinstance(value, str):
        near = suggest(value, names)
        if near:
            return f"; did you mean {near!r}?"
        if bool in arms and value.lower() in ("yes", "no", "on", "off", "y", "n"):
            return f"; did you mean {'true' if value.lower() in ('yes', 'on', 'y') else 'false'}?"
        if any(arm in (int, float) for arm in arms):
            number = value.replace("_", "").replace(",", "").strip()
            return f"; did you mean {number} (a number, without quotes)?" if _is_number(number) else ""
    lists = [arm for arm in arms if typing.get_origin(arm) in (list, tuple)]
    if lists and not isinstance(value, list | dict) and accepts(lists[0], [value]):
        return f"; did you mean [{value if isinstance(value, str) else json.dumps(value)}]?"
    if str in arms and isinstance(value, int | float):
        return f'; did you mean "{json.dumps(value)}" (quoted)?'
    return f"; did you mean {int(value)}?" if isinstance(value, float) and int in arms and value.is_integer() else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
