"""The config of a run as plain values: nothing is run, extended or looked up, and so it is safe with anybody's run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_cli.config.extends import read_extended
from backprop_cli.config.interpolate import interpolate
from backprop_cli.config.marked import plain
from backprop_cli.errors import ConfigError, Problem


def recorded(path: Path) -> dict[str, Any]:
    """What a run's config.yaml says, every default written out as it was when the run began. Raises ConfigError."""
    problems: list[Problem] = []
    root = read_extended(path, problems)
    interpolate(root, {}, problems, environment=False)
    if problems:
        raise ConfigError(problems)
    values: dict[str, Any] = plain(root)
    return values
