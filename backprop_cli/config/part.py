"""One part of a config from plain data, such as the architecture that a model's file describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_cli.config.marked import Mark, marked
from backprop_cli.config.types import option_types
from backprop_cli.config.validate import Validator
from backprop_cli.errors import ConfigError, Problem


def part(owner: type, option: str, value: Any, origin: str) -> Any:
    """The checked value of an option of a class: instances of the registered classes that plain data names.

    `origin` says in messages where the data come from. Raises ConfigError with every problem.
    """
    problems: list[Problem] = []
    node = marked(value, Mark(origin))
    checked = Validator(Path(), problems).value(option_types(owner)[option], node, (option,))
    if problems:
        raise ConfigError(problems)
    return checked
