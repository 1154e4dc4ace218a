"""A trainer section for as long as the training room has none."""

import importlib.util
import sys
import types
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Gt

from backprop_cli import registry
from backprop_cli.registry import Component, Registered, register

if importlib.util.find_spec("backprop_cli.training.options") is None:
    sys.modules["toy_options"] = types.ModuleType("toy_options")
    registry.PACKAGES["section"] = "toy_options"

    @dataclass(kw_only=True)
    class EarlyStopping:
        monitor: str | None = None
        patience: Annotated[int, Gt(0)] = 5

    @register("section", "trainer")
    class Trainer(Component):
        epochs: Annotated[int, Gt(0)] = 10
        batch_size: Annotated[int, Gt(0)] | Literal["full"] = 32
        metrics: Annotated[list[Any], Registered("metric")] = field(default_factory=list)
        early_stopping: EarlyStopping | None = None
