"""A trace as plain data, for `bp trace --json`."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.insight.trace.step import READABLE, Trace


def as_json(found: Trace) -> dict[str, Any]:
    """The trace as plain data; large arrays are left out, their shapes given."""

    def plain(array: Array | None) -> Any:
        if array is None:
            return None
        return array.tolist() if array.size <= READABLE * READABLE else {"shape": list(array.shape)}

    layers = [
        {
            "name": step.name,
            "type": step.type,
            "equations": step.symbols,
            "x": [plain(each) for each in step.x],
            "z": plain(step.z),
            "y": plain(step.y),
            "dy": plain(step.upstream),
            "delta": plain(step.delta),
            "dx": [plain(each) for each in step.dx],
            "forward": [str(line) for line in step.forward],
            "backward": [str(line) for line in step.backward],
            "parameters": [
                {
                    "name": parameter.name,
                    "shape": list(parameter.shape),
                    "frozen": parameter.frozen,
                    "gradients": [
                        {
                            "index": list(each.index),
                            "value": each.value,
                            "gradient": each.gradient,
                            "numeric": each.numeric,
                            "relative_error": each.error,
                            "updated": each.updated,
                        }
                        for each in parameter.gradients
                    ],
                }
                for parameter in step.parameters
            ],
        }
        for step in found.steps
    ]
    return {
        "config": found.config,
        "split": found.split,
        "sample": found.sample,
        "x": plain(found.x),
        "target": plain(np.asarray(found.target)),
        "output": plain(found.output),
        "layers": layers,
        "loss": {"name": found.loss_name, "before": found.loss, "after": found.loss_after, "fused_with": found.fused},
        "optimizer": {"name": found.optimizer_name, "learning_rate": found.learning_rate},
        "worst_relative_error": found.worst,
        "note": found.note,
    }
