"""How gradients flow through the layers: over the training where it was recorded, else at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backprop_cli.insight.view import PROBE, View

HOW_TO_RECORD = "bp train … --set trainer.diagnostics=true"


@dataclass(frozen=True)
class Flow:
    """One number of each layer over the training: y[layer][i] at x[i]; None where it was not finite."""

    x: list[float]
    y: dict[str, list[float | None]]


def recorded(view: View, quantity: str, x: str = "epoch") -> Flow:
    """A quantity of diagnostics.jsonl (gradient_norm, update_ratio, dead, …); empty where nothing was recorded.

    Several rows an epoch stand at fractions of it.
    """
    rows = view.diagnostics
    names = dict.fromkeys(name for row in rows for name, layer in row["layers"].items() if quantity in layer)
    y = {name: [row["layers"].get(name, {}).get(quantity) for row in rows] for name in names}
    per_epoch = _steps_per_epoch(view)
    if x == "epoch":
        at = [row["step"] / per_epoch if per_epoch else row["epoch"] for row in rows]
    else:
        at = [row["step"] for row in rows]
    return Flow(at if names else [], y)


def _steps_per_epoch(view: View) -> float:
    last = view.rows[-1] if view.rows else {"epoch": 0}
    return float(last["step"] / last["epoch"]) if last["epoch"] else 0.0


@dataclass(frozen=True)
class Moment:
    """A layer's gradient and weights at a checkpoint: Euclidean norms."""

    name: str
    gradient_norm: float
    weight_norm: float


def snapshot(view: View) -> list[Moment]:
    """The norms of every layer with parameters, of one probe batch at the checkpoint; layers in order."""
    probe, store = view.probe(), view.network.store
    flows = []
    for node in view.network.nodes:
        own = [name for name in view.network.parameters if name.startswith(f"{node.name}.")]
        if own and not all(store.entries[name].frozen for name in own):
            gradient = sum(float(np.sum(np.square(probe.gradients[name], dtype=np.float64))) for name in own)
            weight = sum(float(np.sum(np.square(view.network.parameters[name], dtype=np.float64))) for name in own)
            flows.append(Moment(node.name, gradient**0.5, weight**0.5))
    return flows


def explain_snapshot(view: View) -> str:
    """The note under a picture of one moment where a curve over the training was wanted."""
    return (
        f"{view.run.id} recorded no diagnostics: the gradients of one batch of up to {PROBE} examples at the "
        f"checkpoint {view.checkpoint!r} in place of their course; to record it: {HOW_TO_RECORD}"
    )
