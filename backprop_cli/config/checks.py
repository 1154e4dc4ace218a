"""What types cannot say, and no network is needed for: names that must agree across the config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backprop_cli.config.nodes import Keys, Mark
from backprop_cli.errors import Problem


def check(values: Mapping[str, Any], marks: Mapping[Keys, Mark]) -> list[Problem]:
    """Every disagreement between parts of a config whose types are right."""
    return []
