"""All that a plugin needs, in one place: `from backprop_cli.plugins import Layer, layer, slot, …`

A decorator registers a class under its names; the class's fields are its YAML options, its docstring is what
`bp layers NAME` prints. docs/plugins.md is the tutorial.
"""

from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.source import Source, source
from backprop_cli.data.transform import Chunks, Transform, transform
from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.engine.layer import (
    Activation,
    ActivationOption,
    Initializer,
    Layer,
    NonNegative,
    PositiveInt,
    activation,
    layer,
)
from backprop_cli.engine.losses.base import Elementwise, Loss, loss
from backprop_cli.engine.merge import Merge
from backprop_cli.engine.metrics.base import Metric, class_ids, metric
from backprop_cli.engine.optimizers.base import Optimizer, optimizer
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.errors import BuildError, DataError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, Registered, slot
from backprop_cli.training.callbacks.base import NamedCallback, callback
from backprop_cli.training.loggers.base import Logger, logger
from backprop_cli.training.loop import Loop, Row

__all__ = [
    "Activation",
    "ActivationOption",
    "Array",
    "BuildError",
    "Chunks",
    "DataError",
    "Dataset",
    "Doc",
    "Elementwise",
    "Initializer",
    "InitializerBase",
    "Layer",
    "Logger",
    "Loop",
    "Loss",
    "Merge",
    "Metric",
    "NamedCallback",
    "NonNegative",
    "OnnxGraph",
    "Optimizer",
    "PositiveInt",
    "Registered",
    "Row",
    "Schedule",
    "Shape",
    "Source",
    "Split",
    "Transform",
    "activation",
    "callback",
    "class_ids",
    "initializer",
    "layer",
    "logger",
    "loss",
    "metric",
    "optimizer",
    "schedule",
    "slot",
    "source",
    "transform",
]
