"""What a layer may ask of the graph while it is built: parameters, state and memory for a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backprop_cli.engine.arrays import Shape


@dataclass(frozen=True)
class ParameterSpec:
    """A trained array of a layer: `self.<name>` and its gradient `self.d<name>`."""

    name: str
    shape: Shape
    initializer: Any
    decay: bool  # weight decay and l1/l2 apply to kernels, not to biases and norms
    table: bool = False  # a batch looks up rows: `self.touched_<name>` lists them, see kernels/reference/embedding.py


@dataclass(frozen=True)
class StateSpec:
    """A non-trained array that belongs to the model (running statistics)."""

    name: str
    shape: Shape
    value: float


@dataclass(frozen=True)
class WorkspaceSpec:
    """Memory a layer needs for a batch; the graph owns it. Temporary ones share one arena."""

    name: str
    shape: Shape
    dtype: Any
    per_sample: bool  # (n, *shape) rather than shape
    temporary: bool  # contents need not survive the call
    axis: int = 0  # where n stands among the axes: 1 for time-major (T, n, …)


@dataclass
class Needs:
    """What a layer asked for while it was built."""

    parameters: list[ParameterSpec] = field(default_factory=list)
    states: list[StateSpec] = field(default_factory=list)
    workspaces: list[WorkspaceSpec] = field(default_factory=list)
