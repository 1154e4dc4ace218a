"""What a sweep varies, as it is written with `--set`.

    key=a,b,c              one of these; also `choice:a,b,c`
    key=0..4               whole numbers; also `int:0..4`
    key=log-int:16..512    whole numbers, every factor as likely as every other
    key=uniform:0..0.5     any number between
    key=log:1e-4..1e-1     any number between, every factor as likely as every other

Each may end with ` if other=a,b` (or ` if other>=2`): it is varied only where `other`, an axis before it, has such a
value. One spelling for grids, random searches and those that learn; an axis maps [0, 1) to its values.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from backprop_cli.errors import UsageError, expected

MAX_TRIALS = 10_000
_WHOLE = re.compile(r"^(?:int:)?(-?\d+)\.\.(-?\d+)$")
_DRAWN = re.compile(r"^(log|uniform|int|log-int):(.*)$", re.DOTALL)
_IF = re.compile(r"^(.*\S)\s+if\s+([\w.\-]+)\s*(<=|>=|<|>|=)\s*(\S.*)$", re.DOTALL)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Condition:
    """`key=a,b` or `key>=2` of another axis."""

    key: str
    sign: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}{self.sign}{','.join(self.values)}"

    def met(self, varied: Mapping[str, str]) -> bool:
        """Whether a trial with these values has the axis; not where the other axis is not varied itself."""
        value = varied.get(self.key)
        if value is None or self.sign == "=":
            return value in self.values
        try:
            return _SIGNS[self.sign](float(value), float(self.values[0]))
        except ValueError:
            return False


@dataclass(frozen=True)
class Axis:
    """One varied key: its values, or the bounds it is drawn between, or both, of whole numbers."""

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    condition: Condition | None = None

    def __str__(self) -> str:
        if self.numeric:
            kind = {(False, False): "uniform", (True, False): "log", (False, True): "int", (True, True): "log-int"}
            spelled = f"{kind[self.log, self.whole]}:{self.low:.12g}..{self.high:.12g}"
        else:
            spelled = ",".join(self.values)
        return f"{self.key}={spelled}{f' if {self.condition}' if self.condition else ''}"

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers between two bounds."""
        return self.high > self.low

    def at(self, position: float) -> str:
        """The value at a position in [0, 1)."""
        if self.values:
            return self.values[int(position * len(self.values))]
        edge = 0.5 if self.whole else 0.0  # so that the outermost whole numbers are as likely as others
        low, high = self.low - edge, self.high + edge
        if self.log:
            value = math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
        else:
            value = low + position * (high - low)
        return self.write(value)

    def position(self, value: str) -> float:
        """Where in [0, 1) a value lies; of whole numbers the middle of its share."""
        if self.values:
            return (self.values.index(value) + 0.5) / len(self.values)
        edge = 0.5 if self.whole else 0.0
        low, high, number = self.low - edge, self.high + edge, float(value)
        if self.log:
            low, high, number = math.log(low), math.log(high), math.log(number)
        return min(max((number - low) / (high - low), 0.0), 1.0)

    def write(self, value: float) -> str:
        """A number between the bounds as `--set` has it: whole, or with six digits."""
        if self.whole:
            return str(min(max(round(value), int(self.low)), int(self.high)))
        return f"{min(max(float(f'{value:.6g}'), self.low), self.high):.12g}"


def parse(settings: Sequence[str]) -> tuple[list[Axis], list[str]]:
    """The axes among `--set` values, and those that are the same in every trial. Raises UsageError."""
    axes: list[Axis] = []
    fixed = []
    for text in settings:
        key, equals, right = text.partition("=")
        axis = _axis(key, right) if equals and not key.startswith("~") and not key.endswith("+") else None
        if axis is None:
            fixed.append(text)
            continue
        if axis.key in (earlier.key for earlier in axes):
            raise UsageError(f"--set {text}: {axis.key} is varied already; name all its values at once")
        other = axis.condition.key if axis.condition else None
        if other is not None and other not in (earlier.key for earlier in axes):
            known = [earlier.key for earlier in axes]
            hint = f"; {expected(other, known)}" if known else ""
            raise UsageError(f"--set {text}: {other} is not an earlier axis{hint}")
        axes.append(axis)
    return axes, fixed


def _axis(key: str, right: str) -> Axis | None:
    conditional = _IF.match(right)
    if conditional:
        axis = _axis(key, conditional[1])
        if axis is None:  # one value, or none: present or not
            axis = Axis(key, (conditional[1],))
        sign, values = conditional[3], tuple(_split(conditional[4]))
        if sign != "=" and (len(values) > 1 or not _is_number(values[0])):
            raise UsageError(f"--set {key}={right}: expected one number after {sign}")
        return replace(axis, condition=Condition(conditional[2], sign, values))
    whole = _WHOLE.match(right)
    if whole:
        low, high = int(whole[1]), int(whole[2])
        if high < low or high - low >= MAX_TRIALS:
            raise UsageError(f"--set {key}={right}: expected first..last with at most {MAX_TRIALS:,} numbers between")
        return Axis(key, tuple(str(number) for number in range(low, high + 1)), low, high, whole=True)
    if right.startswith("choice:"):
        values = tuple(_split(right.removeprefix("choice:")))
        if len(values) < 2:
            raise UsageError(f"--set {key}={right}: expected two values or more, as choice:a,b")
        return Axis(key, values)
    drawn = _DRAWN.match(right)
    if drawn and ".." in drawn[2]:
        return _bounded(key, drawn[1], drawn[2])
    if drawn and drawn[1] in ("log-int", "int"):
        raise UsageError(f"--set {key}={right}: expected {drawn[1]}:LOW..HIGH with two whole numbers")
    values = tuple(_split(right))
    return Axis(key, values) if len(values) > 1 else None


def _bounded(key: str, kind: str, bounds: str) -> Axis:
    log, whole = kind.startswith("log"), kind.endswith("int")
    left, _, right = bounds.partition("..")
    try:
        low, high = (float(int(end)) if whole else float(end) for end in (left, right))
    except ValueError:
        numbers = "two whole numbers" if whole else "two numbers"
        raise UsageError(f"--set {key}={kind}:{bounds}: expected {kind}:LOW..HIGH with {numbers}") from None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"--set {key}={kind}:{bounds}: expected finite numbers")
    if not low < high or (log and low <= 0):
        positive = f", and LOW > 0 with {kind}:" if log else ""
        raise UsageError(f"--set {key}={kind}:{bounds}: expected LOW < HIGH{positive}")
    return Axis(key, (), low, high, log, whole)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside brackets and quotes."""
    depth, quote, start = 0, "", 0
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    yield text[start:].strip()
