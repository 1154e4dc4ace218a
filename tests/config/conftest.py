"""A trainer section for as long as the training room has none."""

import importlib.util
import sys
import types
from typing import Annotated, Any

from annotated_types import Gt

from backprop_cli import registry
from backprop_cli.registry import Component, Registered, register

if importlib.util.find_spec("backprop_cli.training.options") is None:
    sys.modules["toy_options"] = types.ModuleType("toy_options")
    registry.PACKAGES["section"] = "toy_options"

    @register("section", "early_stopping")
    class EarlyStopping(Component):
        monitor: str = "validation/loss"
        patience: Annotated[int, Gt(0)] = 5

    @register("section", "trainer")
    class Trainer(Component):
        epochs: Annotated[int, Gt(0)] = 10
        batch_size: Annotated[int, Gt(0)] = 32
        metrics: Annotated[list[Any], Registered("metric")] | None = None
        early_stopping: Annotated[Any, Registered("section", default="early_stopping")] | None = None
