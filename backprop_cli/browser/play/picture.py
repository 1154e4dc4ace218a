"""What a page draws of a session: the fixed part once (`Drawing`), and the changing part after every change."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.browser.play.packing import as_bytes, as_tile, packed
from backprop_cli.browser.play.session import SteppedTraining
from backprop_cli.browser.thin import plain, thin
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import INPUT
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.insight.filters import filters
from backprop_cli.insight.layout import places
from backprop_cli.insight.plane import axis, grid, winners, yes
from backprop_cli.insight.trace.arithmetic import equations
from backprop_cli.insight.view import alone

UNITS = 32  # of a layer up to which each is drawn
CELLS = 48  # of the plane, along each axis
CURVE = 200  # points of a fitted curve
POINTS = 400  # examples drawn in the plane
SHOWN = 300  # points of a loss curve
FILTERS = 32
NAMES = 24  # letters of a name


class Drawing:
    """The part that stays the same during training: layers and their places, data, the grid of the plane."""

    def __init__(self, session: SteppedTraining) -> None:
        self.session = session
        network, prepared = session.glass, session.prepared
        self.spots = places(network, UNITS)
        self.by_unit = {name for name, spot in self.spots.items() if spot.units is not None}
        self.weighted = [
            node.name
            for node in network.nodes
            if isinstance(node.layer, Dense) and node.name in self.by_unit and node.inputs[0] in self.by_unit
        ]
        filtering = filters(network)
        self.filters = filtering[0] if filtering is not None and filtering[0] not in self.weighted else None
        self._grid: Array | None = None
        self._axes: tuple[Array, Array] | None = None
        self.plane = self._plane()
        self.samples = prepared.batches("train").samples

    def _plane(self) -> str:
        """What can be drawn of the data: the `plane` of two inputs, the `curve` over one, or nothing."""
        prepared = self.session.prepared
        shape, flat = prepared.dataset.input_shape, len(prepared.network.output_shape) == 1
        codes = prepared.dataset.table is not None and prepared.dataset.table.codes()
        if prepared.dataset.input_dtype.kind not in "fu" or not flat or codes:
            return ""
        x = np.asarray(prepared.dataset.splits[self._split].x[:20_000])
        if shape == (2,):
            self._axes = axis(x[:, 0], CELLS), axis(x[:, 1], CELLS)
            self._grid = self.session.inputs(grid(*self._axes).astype(x.dtype))
            return "plane"
        if shape == (1,) and prepared.reading.kind == "values":
            self._axes = axis(x[:, 0], CURVE), np.zeros(0)
            self._grid = self.session.inputs(self._axes[0][:, None].astype(x.dtype))
            return "curve"
        return ""

    @property
    def _split(self) -> str:
        splits = self.session.prepared.dataset.splits
        return "train" if "train" in splits else next(iter(splits))

    def told(self) -> dict[str, Any]:
        """As the page gets it."""
        session, prepared, network = self.session, self.session.prepared, self.session.glass
        cfg, loop, reading = prepared.config, session.loop, prepared.reading
        width = network.output_shape[-1]
        last = network.nodes[-1]
        layers = []
        for name, spot in self.spots.items():
            inner = getattr(spot.node.layer, "activation", None) if spot.node else None
            if spot.node is last and network.head is not None:
                inner = network.head
            layers.append(
                {"name": name, "type": spot.node.layer.type_name if spot.node else "data",
                 "activation": inner.type_name if inner is not None else None, "shape": list(spot.shape),
                 "inputs": list(spot.node.inputs) if spot.node else [], "x": spot.x, "y": -spot.y,
                 "height": spot.height, "units": None if spot.units is None else [-y for y in spot.units],
                 "parameters": sum(v.size for k, v in network.parameters.items() if k.startswith(f"{name}.")),
                 "symbols": _equations(spot.node)}
            )  # fmt: skip
        return {
            "name": cfg.name,
            "source": session.source.name,
            "seed": cfg.seed,
            "loss": cfg.loss.type_name,
            "optimizer": cfg.optimizer.type_name,
            "batch_size": loop.train.batch_size,
            "steps_per_epoch": loop.train.steps_per_epoch,
            "epochs": loop.options.epochs,
            "samples": self.samples,
            "parameters": sum(view.size for view in network.parameters.values()),
            "layers": layers,
            "order": [node.name for node in network.nodes],
            "weighted": self.weighted,
            "left_out": [node.name for node in network.nodes if node.name not in self.spots],
            "kind": reading.kind,
            "features": [str(name)[:NAMES] for name in prepared.dataset.features or []],
            "outputs": [str(name)[:NAMES] for name in reading.output_names(width)][:UNITS],
            "classes": [str(name)[:NAMES] for name in reading.class_names(width)][:UNITS]
            if reading.has_classes
            else [],
            "remark": alone(network),
            "plane": self._data(),
            "input": self._input(),
        }

    def _data(self) -> dict[str, Any] | None:
        """The examples in the plane, or on the curve: {"kind", "x", "y", "points": [[x1, x2 or target, class], …]}."""
        if not self.plane:
            return None
        prepared = self.session.prepared
        split = prepared.dataset.splits[self._split]
        rows = np.unique(np.linspace(0, len(split) - 1, min(len(split), POINTS)).astype(int))
        x = np.asarray(split.x)[rows].astype(float).reshape(len(rows), -1)
        y = np.asarray(split.y)[rows]
        if prepared.reading.has_classes:
            outputs = np.zeros((len(rows), *prepared.network.output_shape))
            value = prepared.reading.truth(y, outputs)
        else:
            value = y.reshape(len(rows), -1)[:, 0].astype(float)
        assert self._axes is not None
        first, second = self._axes
        ends = [[float(values[0]), float(values[-1])] if len(values) else None for values in (first, second)]
        return {"kind": self.plane, "x": ends[0], "y": ends[1], "rows": rows.tolist(),
                "points": np.column_stack([x, value]).round(6).tolist()}  # fmt: skip

    def _input(self) -> dict[str, Any]:
        """What an input of the user must look like: its shape, its smallest and largest number, and an example."""
        x = self.session.prepared.dataset.splits[self._split].x
        shape, some = list(x.shape[1:]), np.asarray(x[:200], np.float64)
        row = some[0].round(4).tolist() if len(shape) == 1 and shape[0] <= 64 else []
        return {"shape": shape, "low": float(some.min()), "high": float(some.max()), "row": row}

    def surface(self) -> dict[str, Any] | None:
        """What the network says over the plane or along the curve, with the weights it has now."""
        network, reading = self.session.glass, self.session.prepared.reading
        if self._grid is None:
            return None
        z = network.forward(self._grid, copy=False)
        if self.plane == "curve":
            return {"y": packed(z.reshape(len(self._grid), -1)[:, 0])}
        if reading.kind == "binary":
            values, middle, reach = yes(reading, z.reshape(len(self._grid), -1))
            shares = (values.reshape(-1) - middle) / (2 * reach) + 0.5
            return {"yes": packed(np.clip(np.nan_to_num(shares), 0, 1))}  # in full: the boundary lies between cells
        if reading.kind == "classes":
            _, winner, sure = winners(reading, z)
            return {"class": as_bytes(winner / 255), "sure": as_bytes(sure)}
        values = z.reshape(len(self._grid), -1)[:, 0]
        low, high = float(values.min()), float(values.max())
        return {"low": low, "high": high, "value": as_bytes((values - low) / ((high - low) or 1))}

    def frame(self, charts: bool = True) -> dict[str, Any]:
        """What has changed: the example's pass as far as it is shown, weights, the plane, and the curves."""
        session = self.session
        network, (x, y) = session.synced(), session.example()
        z = network.forward(x, training=session.own is None, copy=False)  # an own input is answered, not trained on
        loss = network.loss(z, y)
        network.backward()
        values = {name: value[0] for name, value in network.outputs.items()}
        values[network.nodes[-1].name] = network.output[0]
        wanted = {node.name for node in network.nodes if node.needs_gradient}
        count = len(network.nodes)
        slope = network.input_gradients[0] if session.at == session.parts and network.input_dtype.kind == "f" else None
        layers: dict[str, Any] = {INPUT: self._layer(INPUT, values[INPUT], slope)}
        for number, node in enumerate(network.nodes):
            if node.name not in self.spots:
                continue
            shown = values[node.name] if session.at > number else None
            back = session.at >= session.parts - number
            delta = network.deltas[node.name][0] if back and node.name in wanted else None
            layers[node.name] = self._layer(node.name, shown, delta)
            if node.name in self.weighted:
                layers[node.name]["W"] = packed(network.parameters[f"{node.name}.W"])
                if (bias := network.parameters.get(f"{node.name}.b")) is not None:
                    layers[node.name]["b"] = packed(bias)
                if back:
                    layers[node.name]["dW"] = packed(network.gradients[f"{node.name}.W"])
        if self.filters is not None:
            layers[self.filters]["filters"] = self._filters()
        told_loss = session.at > count
        loop = session.loop
        picture = {
            "step": loop.step,
            "epoch": loop.epoch,
            "batch": loop.batch,
            "oldest": session.history.oldest,
            "furthest": session.furthest,
            "at": session.at,
            "parts": session.parts,
            "note": session.note or loop.stop_reason or "",
            "rate": loop.optimizer.current_rate,
            "row": {name: value for name, value in loop.row.items() if "/" in name},
            "sample": session.sample if session.own is None else None,
            "answer": session.prepared.reading.answers(network.output)[0] if session.at >= count else None,
            "target": plain(np.asarray(y, float).reshape(-1)[:UNITS]),
            "output": plain(network.output[0].reshape(-1)[:UNITS]) if session.at >= count else None,
            "example_loss": loss if told_loss else None,
            "norms": session.norms,
            "layers": layers,
        }
        picture["surface"] = self.surface()
        if charts:
            picture["curves"] = self._curves()
        return picture

    def _layer(self, name: str, y: Array | None, delta: Array | None) -> dict[str, Any]:
        if name in self.by_unit:
            return {"y": None if y is None else packed(y), "d": None if delta is None else packed(delta)}
        return {"tile": None if y is None else as_tile(y), "back": None if delta is None else as_tile(delta)}

    def _filters(self) -> dict[str, Any]:
        filtering = filters(self.session.glass)
        assert filtering is not None
        kernels = filtering[1]
        shown = kernels[:FILTERS].mean(axis=-1)
        limit = float(np.abs(shown).max()) or 1.0
        return {"count": len(kernels), "shape": list(shown.shape), "limit": limit,
                "cells": as_bytes(shown / (2 * limit) + 0.5)}  # fmt: skip

    def _curves(self) -> dict[str, Any]:
        """The loss of every step, and those of the epochs, thinned: {name: {"x": steps, "y"}}."""
        session = self.session
        curves: dict[str, Any] = {}
        named = {"batch": session.losses}
        for name in ("train/loss", "validation/loss"):
            named[name] = [(int(row["step"]), row[name]) for row in session.rows if name in row]
        for name, pairs in named.items():
            if pairs:
                y = np.array([value for _, value in pairs])
                kept = thin(y, SHOWN)
                curves[name] = {"x": [pairs[i][0] for i in kept], "y": plain(y[kept])}
        return curves


def _equations(node: Any) -> list[str]:
    return equations(node.layer) if node is not None else []
