"""What the figures are to be, and whether they are: the rows that docs/benchmarks.md begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]
OURS = "bp-compiled"


@dataclass(frozen=True)
class Goal:
    """A figure of a result, and its bound."""

    work: str
    goal: str
    measured: Callable[[Result], float]  # raises KeyError where the result does not have it
    least: float | None = None
    most: float | None = None
    unit: str = ""

    def met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


def ratio(workload: str, peer: str) -> Callable[[Result], float]:
    """A peer's time over bp's, the median over rounds."""
    return lambda result: float(result["workloads"][workload]["peers"][peer]["ratio"][OURS])


def faster(work: str, workload: str, peer: str, name: str, least: float) -> Goal:
    return Goal(work, f"≥ {least} × {name}", ratio(workload, peer), least=least, unit="×")


GOALS = (
    Goal(
        "XOR 2-4-1, a step", "≤ 3 µs", lambda r: r["workloads"]["xor"]["peers"][OURS]["us_per_step"], most=3, unit="µs"
    ),
    faster("XOR 2-4-1, a step", "xor", "jax", "JAX's scan", 1),
    Goal(
        "10,000 steps of XOR by `bp train`", "≤ 0.1 s of training", lambda r: r["train"]["seconds"], most=0.1, unit="s"
    ),
    Goal(
        "MLP 784-128-10, batch 32",
        "≤ 1.2 × its products alone",
        lambda r: 1 / ratio("mlp-32", "gemm")(r),
        most=1.2,
        unit="×",
    ),
    faster("MLP 784-128-10, batch 32", "mlp-32", "jax", "JAX", 1.2),
    faster("MLP 784-128-10, batch 32", "mlp-32", "torch-best", "PyTorch's best", 3),
    faster("MLP 784-128-10, batch 128", "mlp-128", "jax", "JAX", 1.3),
    faster("MLP 784-32-32-32-32-10, batch 16", "mlp-narrow", "jax", "JAX", 2),
    faster("MLP 784-512-10, batch 256", "mlp-wide", "jax", "JAX", 1.1),
    faster("MLP 784-1024-1024-10, batch 128", "mlp-deep", "jax", "JAX", 1),
    faster("CNN", "cnn", "torch-best", "PyTorch's best", 2.5),
    faster("VGG-like", "vgg", "torch-best", "PyTorch's best", 1.2),
    faster("ResNet-20", "resnet", "torch-best", "PyTorch's best", 1.2),
    faster("LSTM", "lstm", "torch-best", "PyTorch's best", 1.8),
    faster("GRU", "gru", "torch-best", "PyTorch's best", 1.8),
    faster("transformer", "transformer", "torch-best", "PyTorch's best", 1.5),
    Goal(
        "a sweep of 100 XOR-sized trials, two jobs",
        "≥ 5 × joblib over scikit-learn's MLP",
        lambda r: r["sweep"]["joblib"] / r["sweep"]["bp"],
        least=5,
        unit="×",
    ),
    Goal("beside one busy process", "≥ 1 × NumPy's kernels", lambda r: r["busy"]["1"], least=1, unit="×"),
    Goal("beside two busy processes", "≥ 1 × NumPy's kernels", lambda r: r["busy"]["2"], least=1, unit="×"),
    Goal("library of kernels", "< 1 MB", lambda r: r["library_mb"], most=1, unit="MB"),
)


def rows(result: Result) -> Iterator[tuple[str, str, str, bool | None]]:
    """Work, goal, figure, whether it is met (None: not measured); what is missed first, then what is not measured."""
    made = []
    for goal in GOALS:
        try:
            value = goal.measured(result)
        except (KeyError, TypeError):
            made.append((goal.work, goal.goal, "not measured", None))
            continue
        made.append((goal.work, goal.goal, f"{value:.3g} {goal.unit}".strip(), goal.met(value)))
    yield from sorted(made, key=lambda row: (row[3] is True, row[3] is None))
