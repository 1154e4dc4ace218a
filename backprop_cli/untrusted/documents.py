"""JSON that anybody may have written, read through a typed schema: what follows can rely on the types.

A schema is a TypedDict (or any other type). Numbers are not text, `true` is no number, NaN and infinity are none; keys
that a schema does not name are kept as they are.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

from annotated_types import Interval
from pydantic import ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")
Whole = Annotated[int, Interval(ge=0, lt=1 << 63)]
Number = Annotated[int, Interval(gt=-1 << 63, lt=1 << 63)] | float
LONGEST = 40  # characters of a wrong value that are shown
_STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")
_HALVES = re.compile("[\ud800-\udfff]")  # of characters: JSON has them, from names that are not UTF-8, and little else
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "dict_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "none_required": "null",
}


def lasting(schema: type[T]) -> type[T]:
    """Class decorator of a TypedDict: strict, and keys that it does not know are kept."""
    schema.__pydantic_config__ = _STRICT  # type: ignore[attr-defined]  # as pydantic asks for it
    return schema


class NotJsonError(ValueError):
    """Text that is no JSON object, and so no document at all."""


class Document(Generic[T]):
    """What a JSON document must look like; the adapter is made when the first one is read."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._schema, config=None if hasattr(self._schema, "__pydantic_config__") else _STRICT)

    def parse(self, text: str | bytes) -> T:
        """The document of this text; all that it holds can be written as UTF-8. Raises NotJsonError, and ValueError,
        which says where it is wrong and what was expected."""
        try:
            text = text if isinstance(text, str) else text.decode()
            value = json.loads(text)
        except ValueError as error:
            raise NotJsonError(str(error)) from None
        except RecursionError:
            raise NotJsonError("nested too deeply") from None
        if "\\ud" in text.lower():
            value = json.loads(_HALVES.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
        if not isinstance(value, dict):
            raise NotJsonError("expected a JSON object")
        return self.check(value)

    def check(self, value: Any) -> T:
        """The same of a value that has been parsed."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            raise ValueError(_told(error, value)) from None

    def line(self, text: bytes) -> T:
        """As `parse`, in a fourth of the time where nothing is wrong. Raises ValueError."""
        try:
            return self._adapter.validate_json(text)
        except ValueError:
            return self.parse(text)  # which can tell what is wrong, and reads halves of characters


def _told(error: ValidationError, value: Any) -> str:
    """`dataset.sizes.train: expected a whole number, got 'x'`: the first place that is wrong, in plain words."""
    failures = error.errors(include_url=False)
    places = [_locate(value, failure) for failure in failures]
    path, wrong = places[0]
    here = [failure for failure, at in zip(failures, places, strict=True) if at[0] == path]
    where = ".".join(map(str, path))
    if here[0]["type"] == "missing":
        return f"{where}: is missing"
    expected = list(dict.fromkeys(_EXPECTED.get(failure["type"]) or _plain(failure["msg"]) for failure in here))
    if expected[0] == "a whole number" and expected[1:2] in (["a number"], ["a finite number"]):
        del expected[0]
    shown = repr(wrong)
    got = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
    return f"{where}{': ' * bool(where)}expected {' or '.join(expected)}, got {got}"


def _locate(value: Any, failure: Any) -> tuple[tuple[Any, ...], Any]:
    """(path, wrong value): pydantic's location also names the arms of unions and what checked the value."""
    if failure["type"] == "missing":
        return failure["loc"], None
    path: tuple[Any, ...] = ()
    for key in failure["loc"]:
        if (isinstance(value, list) and isinstance(key, int)) or (isinstance(value, dict) and key in value):
            value, path = value[key], (*path, key)
    return path, failure["input"]


def _plain(message: str) -> str:
    """`Input should be 'a' or 'b'` as `'a' or 'b'`, which stands after `expected`."""
    for start in ("Value error, expected ", "Input should be "):
        message = message.removeprefix(start)
    return message.replace("greater than or equal to", "at least")
