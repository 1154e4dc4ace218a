"""What an option accepts: its annotation, read once into a small tree that checks, schema and words all walk.

Leaf      a value without parts: a number, text, true or false, one of some words
ListOf    items of one type             MapOf     names and values of one type
Named     a registered class: its name, or a mapping of its options
Section   a mapping of the options of a dataclass
OneOf     any of several of these; where `optional`, null too
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, Union

import annotated_types

from backprop_cli import registry
from backprop_cli.registry import Registered

_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "a multiple of"}


@dataclass(frozen=True)
class Leaf:
    """`annotation` is what pydantic checks, `limits` are its bounds in words: `> 0`."""

    annotation: Any
    kind: Any  # int, float, bool, str, Any, or the class of a path
    words: tuple[Any, ...] = ()  # of a Literal
    limits: tuple[str, ...] = ()
    structural: ClassVar[bool] = False


@dataclass(frozen=True)
class ListOf:
    """A list of at least `least` items, and at most `most` where that is given."""

    annotation: Any
    item: OptionType
    least: int = 0
    most: int | None = None

    @property
    def structural(self) -> bool:
        """Whether its items hold registered classes or dataclasses."""
        return self.item.structural


@dataclass(frozen=True)
class MapOf:
    """A mapping of names to values of the type `item`."""

    annotation: Any
    item: OptionType

    @property
    def structural(self) -> bool:
        """Whether its values hold registered classes or dataclasses."""
        return self.item.structural


@dataclass(frozen=True)
class Named:
    """A registered class of the kind that `marker` tells, by its name or as a mapping of its options."""

    marker: Registered
    structural: ClassVar[bool] = True


@dataclass(frozen=True)
class Section:
    """A mapping of the options of the dataclass `cls`."""

    cls: type
    structural: ClassVar[bool] = True


@dataclass(frozen=True)
class OneOf:
    """A value of any of the types `arms`; also null where it is `optional`."""

    annotation: Any
    arms: tuple[OptionType, ...]
    optional: bool

    @property
    def structural(self) -> bool:
        """Whether any of its types holds registered classes or dataclasses."""
        return any(arm.structural for arm in self.arms)


#: `structural`: holds registered classes or dataclasses, which we check; the rest is pydantic's
OptionType: TypeAlias = Leaf | ListOf | MapOf | Named | Section | OneOf


@cache
def option_types(cls: type) -> dict[str, OptionType]:
    """The type of every option of a dataclass, by name."""
    return {name: parse(registry.hints(cls)[name]) for name in registry.options(cls)}


def parse(annotation: Any, marker: Registered | None = None) -> OptionType:
    """The tree of an annotation. A `Registered` around a list or a union means the items in it. Raises TypeError."""
    inner, extras = _bare(annotation)
    marker = next((extra for extra in reversed(extras) if isinstance(extra, Registered)), marker)
    origin, args = typing.get_origin(inner), typing.get_args(inner)
    if origin in (Union, types.UnionType):
        parsed = [parse(arm, marker) for arm in args if arm is not types.NoneType]
        arms = [part for arm in parsed for part in (arm.arms if isinstance(arm, OneOf) else (arm,))]
        optional = types.NoneType in args or any(isinstance(arm, OneOf) and arm.optional for arm in parsed)
        return OneOf(annotation, tuple(arms), optional)
    if origin in (list, tuple, set, frozenset, Sequence) or inner in (list, tuple):
        if origin is tuple and Ellipsis not in args:
            return ListOf(annotation, parse(args[0], marker), len(args), len(args))
        least = max((getattr(extra, "min_length", None) or 0 for extra in extras), default=0)
        most = min((limit for extra in extras if (limit := getattr(extra, "max_length", None))), default=None)
        return ListOf(annotation, parse(args[0] if args else Any, marker), least, most)
    if origin in (dict, Mapping) or inner is dict:
        return MapOf(annotation, parse(args[1] if args else Any, marker))
    if marker and inner is Any:
        return Named(marker)
    if isinstance(inner, type) and dataclasses.is_dataclass(inner):
        return Section(inner)
    if marker:
        raise TypeError(f"{annotation} is no type for an option")
    return Leaf(annotation, inner, args if origin is Literal else (), tuple(_limits(extras)))


def _bare(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without its `Annotated`, and the marks that were in it, groups taken apart."""
    if typing.get_origin(annotation) is not Annotated:
        return annotation, []
    marks: list[Any] = []
    for mark in annotation.__metadata__:
        if isinstance(mark, annotated_types.GroupedMetadata):
            marks.extend(mark)
        else:
            marks.extend(getattr(mark, "metadata", None) or [mark])  # pydantic's Field holds a list
    return typing.get_args(annotation)[0], marks


def _limits(marks: Sequence[Any]) -> Iterator[str]:
    for mark in marks:
        for name, sign in _BOUNDS.items():
            limit = getattr(mark, name, None)
            if limit is not None:
                yield f"{sign} {limit}"


def parts(of: OptionType) -> Iterator[OptionType]:
    """A type and every type inside it."""
    yield of
    if isinstance(of, ListOf | MapOf):
        yield from parts(of.item)
    elif isinstance(of, OneOf):
        for arm in of.arms:
            yield from parts(arm)
