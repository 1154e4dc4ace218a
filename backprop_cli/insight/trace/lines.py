"""Lines of a trace, each with the numbers in it, so that a worksheet can hide results and refer to them later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from backprop_cli.engine.node import INPUT

BLANK = "________"
Result: TypeAlias = tuple[Any, ...]  # what a number is: ("y", "dense_1", 0) is the first output of dense_1
Section: TypeAlias = tuple[str, list["Line | str"]]  # heading, lines; a string is given on a worksheet too


def number(value: float) -> str:
    """Nine decimals, as the worked examples print them; scientific where that would lose digits."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:.9f}".rstrip("0").rstrip(".") if value else "0"
    return f"{value:.6g}"


@dataclass(frozen=True)
class Value:
    """A number that a line begins from. Where it is a `result` of an earlier line, a worksheet refers to that line."""

    value: float
    result: Result | None = None
    bracketed: bool = False  # a factor: brackets where it is negative

    def __str__(self) -> str:
        return f"({number(self.value)})" if self.bracketed and self.value < 0 else number(self.value)


def signed(value: float) -> str:
    """A number as a factor: in brackets where it is negative."""
    return str(Value(value, bracketed=True))


def products(pairs: Sequence[tuple[Value, Value]]) -> list[str | Value]:
    """`0.15·0.05 + 0.2·0.1`: the first factor of a sum needs no brackets."""
    sum_: list[str | Value] = []
    for i, (a, b) in enumerate(pairs):
        first = Value(a.value, a.result, bracketed=bool(i))
        sum_ += [*([" + "] if i else []), first, "·", Value(b.value, b.result, bracketed=True)]
    return sum_


def total(values: Any) -> str:
    """`0.1 + (-0.2) = -0.1`; of one number, that number."""
    numbers = [float(value) for value in values]
    told = " + ".join(signed(value) if i else number(value) for i, value in enumerate(numbers))
    return f"{told} = {number(sum(numbers))}" if len(numbers) > 1 else told


def source(name: str, i: int) -> Result | None:
    """What the i-th number of a layer's output is a result of; None for the data, which are given."""
    return None if name == INPUT else ("y", name, i)


@dataclass(frozen=True)
class Line:
    """`shown` stays on a worksheet; `answer` goes into its key; `result` is what the answer ends with."""

    shown: tuple[str | Value, ...]
    answer: str
    result: Result | None = None

    def __str__(self) -> str:
        return " ".join(["".join(map(str, self.shown)), self.answer]).strip()


def worksheet(sections: Sequence[Section]) -> list[Section]:
    """The same with every answer hidden, and the key at the end.

    A number that is a result is replaced by the place of its answer in the key: `(2)`, and `(2)[3]` for the third
    number of an answer that is an array.
    """
    sheet: list[Section] = []
    key: list[Line | str] = []
    places: dict[Result, str] = {}

    def referred(part: str | Value) -> str:
        if isinstance(part, str) or part.result is None:
            return str(part)
        whole, index = part.result[:-1], part.result[-1]
        if part.result in places:
            return places[part.result]
        return f"{places[whole]}[{index + 1}]" if whole in places else str(part)

    for heading, lines in sections:
        hidden: list[Line | str] = []
        for line in lines:
            if isinstance(line, str):
                hidden.append(line)
                continue
            text = "".join(map(referred, line.shown))
            if line.answer:
                key.append(f"({len(key) + 1})  {line.answer}")
                text += f" {BLANK} ({len(key)})"
                if line.result is not None:
                    places.setdefault(line.result, f"({len(key)})")
            hidden.append(text)
        sheet.append((heading, hidden))
    return [*sheet, ("key", key)]
