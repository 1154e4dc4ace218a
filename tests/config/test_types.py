"""Annotations as the tree that checks, schema and words walk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Interval, MinLen

from backprop_cli.config.types import Leaf, ListOf, MapOf, Named, OneOf, Section, parse
from backprop_cli.config.words import describe
from backprop_cli.registry import Doc, Registered


@dataclasses.dataclass
class Policy:
    every: int = 1
    keep: bool = True


LOSS = Registered("loss")


@pytest.mark.parametrize(
    ("annotation", "kind", "structural", "words"),
    [
        (Annotated[int, Ge(0), Doc("some")], Leaf, False, "a whole number >= 0"),
        (Annotated[float, Interval(gt=0, le=1)], Leaf, False, "a number > 0 and <= 1"),
        (Literal["a", "b"], Leaf, False, "one of 'a', 'b'"),
        (list[Path], ListOf, False, "a list of paths"),
        (Annotated[list[str], MinLen(2)], ListOf, False, "a list of at least 2 strings"),
        (tuple[int, int], ListOf, False, "a list of 2 whole numbers"),
        (dict[str, float], MapOf, False, "a mapping of names to numbers"),
        (Annotated[int | None, Doc("some")], OneOf, False, "a whole number"),
        (Annotated[int, Ge(1)] | Literal["full"], OneOf, False, "a whole number >= 1 or one of 'full'"),
        (Annotated[Any, LOSS], Named, True, "the name of a loss, or a mapping with its options"),
        (Annotated[list[Any], LOSS] | None, OneOf, True, "a list of losses, each a name or a mapping with its options"),
        (bool | Policy, OneOf, True, "true or false or a mapping of every, keep"),
        (list[Policy], ListOf, True, "a list of mappings of every, keep"),
        (Policy, Section, True, "a mapping of every, keep"),
    ],
)
def test_an_annotation_is_read_once(annotation: Any, kind: type, structural: bool, words: str) -> None:
    of = parse(annotation)
    assert isinstance(of, kind)
    assert (of.structural, describe(of)) == (structural, words)


def test_a_mark_around_a_list_or_a_union_means_what_is_in_it() -> None:
    of = parse(Annotated[list[list[Any]], LOSS, MinLen(1)])
    assert isinstance(of, ListOf) and of.least == 1
    assert isinstance(of.item, ListOf) and of.item.item == Named(LOSS)


def test_unions_inside_unions_are_one() -> None:
    of = parse(Literal["same"] | Annotated[int | list[int], Doc("some")] | None)
    assert isinstance(of, OneOf) and of.optional
    assert [type(arm) for arm in of.arms] == [Leaf, Leaf, ListOf]


def test_a_mark_on_what_names_no_class_is_an_error_of_its_author() -> None:
    with pytest.raises(TypeError, match="no type for an option"):
        parse(Annotated[int, LOSS])
