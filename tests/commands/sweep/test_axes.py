"""How axes are written, and what they map [0, 1) to."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.commands.sweep.axes import parse
from backprop_cli.commands.sweep.trials import corners, plan, seconds
from backprop_cli.errors import UsageError

SPELLED = [
    "k=a,b,c",
    "k=choice:a,b,c",
    "k=0..4",
    "k=int:1..8",
    "k=log-int:16..512",
    "k=uniform:0..0.5",
    "k=log:1e-4..1e-1",
]


@given(spelled=st.sampled_from(SPELLED), place=st.floats(0, 1, exclude_max=True))
def test_an_axis_knows_where_its_values_lie(spelled: str, place: float) -> None:
    (axis,), fixed = parse([spelled])
    assert fixed == []
    value = axis.at(place)
    assert axis.at(min(axis.position(value), math.nextafter(1, 0))) == value
    if axis.numeric:
        assert axis.low <= float(value) <= axis.high
    if axis.whole:
        assert value == str(int(value))


@pytest.mark.parametrize("spelled", ["k=int:1..8", "k=log-int:1..8"])
def test_every_whole_number_is_drawn(spelled: str) -> None:
    (axis,), _ = parse([spelled])
    assert {axis.at(i / 1000) for i in range(1000)} == {str(i) for i in range(1, 9)}


def test_what_is_written_out_is_read_as_the_same_axis() -> None:
    for spelled in [*SPELLED, "k=uniform:0..1 if j=a,b", "k=log-int:2..64 if j>=2"]:
        axis = parse(["j=a,b", spelled])[0][1]
        assert parse(["j=a,b", str(axis)])[0][1] == axis


def test_an_axis_under_a_condition() -> None:
    settings = ["layers=1..3", "first=8,16", "second=8,16 if layers>=2", "third=8,16 if layers=3"]
    made = plan(settings)
    assert len(made) == 1 * 2 + 2 * 2 + 2 * 2 * 2
    assert all(("second" in each.varied) == (each.varied["layers"] != "1") for each in made)
    assert all(("third" in each.varied) == (each.varied["layers"] == "3") for each in made)
    drawn = plan(settings, 50)
    assert {each.id for each in drawn} < {each.id for each in made} or {each.id for each in drawn} == {
        each.id for each in made
    }
    chained = plan(["a=x,y", "b=1,2 if a=x", "c=3,4 if b=1"])
    assert [each.settings for each in chained] == [
        ["a=x", "b=1", "c=3"],
        ["a=x", "b=1", "c=4"],
        ["a=x", "b=2"],
        ["a=y"],
    ]


def test_text_with_an_if_in_it_is_a_value() -> None:
    assert parse(["name=what if", "plugins=if,b"])[1] == ["name=what if"]


def test_corners_show_every_value_and_both_ends() -> None:
    axes, _ = parse(["a=x,y,z", "b=log:1e-4..1e-1", "c=uniform:0..1 if a=z"])
    made = corners(axes, ["fixed=1"])
    assert {each.varied["a"] for each in made} == {"x", "y", "z"}
    assert {round(float(each.varied["b"]), 5) for each in made} == {1e-4, 1e-1}
    assert any("c" in each.varied for each in made)


def test_points_of_a_sequence_fill_more_evenly_than_random_ones() -> None:
    settings = ["a=uniform:0..1"]
    points = sorted(float(each.varied["a"]) for each in plan(settings, 64, 0, search="qmc"))
    drawn = sorted(float(each.varied["a"]) for each in plan(settings, 64, 0))
    widest = [max(b - a for a, b in itertools.pairwise(each)) for each in (points, drawn)]
    assert widest[0] < 2 / 64 < widest[1]


@pytest.mark.parametrize(
    "settings",
    [
        ["a=int:1..x"],
        ["a=log-int:0..5"],
        ["a=log-int:5..2"],
        ["a=log-int:1,2"],
        ["a=choice:b"],
        ["a=uniform:0..inf"],
        ["a=1,2", "a=3,4"],
        ["a=1,2 if b=3"],
        ["b=1,2", "a=1,2 if b>x"],
        ["b=1,2", "a=1,2 if b>=1,2"],
    ],
)
def test_what_is_no_axis_is_refused(settings: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        plan(settings, 3)
    assert str(caught.value).startswith(f"--set {settings[-1]}")


def test_a_budget_is_a_time() -> None:
    assert [seconds(text) for text in ("90s", "30m", "1.5h")] == [90, 1800, 5400]
    for text in ("30", "0m", "m", "-1s", "1d"):
        with pytest.raises(UsageError, match="expected a time such as"):
            seconds(text)
