"""The values of `splits:`: the usual names in every spelling, shares of the rows, files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from backprop_cli.errors import OptionError

USUAL = ("train", "validation", "test")
#: what people call the three usual splits
_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_NAMES |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
_NEAR = 0.75  # from this similarity on a name counts as mistyped
_PERCENT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*%")
_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")
_EXPRESSION = re.compile(r"[\w-]+(\[[^\[\]]*\])?(\s*\+\s*[\w-]+(\[[^\[\]]*\])?)*")


def is_file(value: Any) -> bool:
    """Whether what stands under `splits` is a file: neither a share nor an expression such as train[:80%]."""
    text = str(value).strip()
    patterns = (_PERCENT, _NUMBER, _EXPRESSION)
    return isinstance(value, Path) or not ("[" in text or any(pattern.fullmatch(text) for pattern in patterns))


def _located(value: str | float) -> str | float | Path:
    """Files as paths, which start from the config that names them."""
    return Path(value) if isinstance(value, str) and value.strip() and is_file(value) else value


Written = str | float  # a share (0.8, 80, 80%) or an expression
WrittenOrFile = Annotated[str | float, AfterValidator(_located)]


def usual(name: str) -> str | None:
    """train, validation or test, for each of the names they go by; None for any other."""
    return _NAMES.get(name.strip().lower())


def named(splits: Mapping[str, Any]) -> dict[str, Any]:
    """The splits under the usual names. Raises OptionError for one that is given twice or looks mistyped."""
    by_name: dict[str, Any] = {}
    given: dict[str, str] = {}
    for name, value in splits.items():
        known = usual(name) or name
        if known in by_name:
            raise OptionError(f"splits {given[known]!r} and {name!r} are both {known}; leave one out")
        near = None if usual(name) else _mistyped(name)
        if near:
            raise OptionError(f"there is no split {name!r}; expected train, validation or test; did you mean {near!r}?")
        by_name[known], given[known] = value, name
    return by_name


def _mistyped(name: str) -> str | None:
    """The usual name that was meant; `test2`, `train_small` and `trainval` are names of their own."""
    word = name.lower()
    if re.match(rf"({'|'.join(_NAMES)})[\W\d_]|(train|test)...", word):
        return None
    near = difflib.get_close_matches(word, _NAMES, n=1, cutoff=_NEAR)
    return _NAMES[near[0]] if near else None


def sliced(splits: Mapping[str, Any], bases: Collection[str]) -> dict[str, str]:
    """Shares as slices of one base split, one after the other; expressions as they are. Raises OptionError.

    Numbers up to 1 are parts of all rows, above that percentages: 0.8, 80 and 80% are the same.
    """
    base = next((name for name in ("train", *bases) if name in bases), "train")
    parts = percentages(splits)
    slices, edge = {}, 0.0
    for name, value in splits.items():
        if name in parts:
            low, edge = edge, round(edge + parts[name], 9)
            slices[name] = f"{base}[{low:g}%:{edge:g}%]"
        else:
            slices[name] = str(value).strip()
    if edge > 100:
        raise OptionError(
            f"splits add up to {edge:g}%; expected at most 100%; a number of rows is written as {base}[:1000]"
        )
    return slices


def percentages(splits: Mapping[str, Any]) -> dict[str, float]:
    """The splits that are given as shares, in percent. Raises OptionError where only some are parts of 1."""
    numbers = {name: float(value) for name, value in splits.items() if _NUMBER.fullmatch(str(value).strip())}
    whole = [name for name, value in numbers.items() if value > 1]
    parts = [name for name, value in numbers.items() if value < 1]
    if whole and parts:
        raise OptionError(
            f"splits {parts[0]}: {numbers[parts[0]]:g} and {whole[0]}: {numbers[whole[0]]:g} are of two kinds; "
            "expected parts of 1, such as 0.8, or percentages, such as 80"
        )
    percents = {name: value * (1 if whole else 100) for name, value in numbers.items()}
    percent = {name: _PERCENT.fullmatch(str(value).strip()) for name, value in splits.items()}
    return percents | {name: float(match[1]) for name, match in percent.items() if match}
