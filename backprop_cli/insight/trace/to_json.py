"""A trace as plain data, for `bp trace --json`."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.insight.trace.step import READABLE, Trace


def as_json(trace: Trace) -> dict[str, Any]:
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
            "x": [plain(array) for array in step.x],
            "z": plain(step.z),
            "y": plain(step.y),
            "dy": plain(step.upstream),
            "delta": plain(step.delta),
            "dx": [plain(array) for array in step.dx],
            "forward": [str(line) for line in step.forward],
            "backward": [str(line) for line in step.backward],
            "parameters": [
                {
                    "name": parameter.name,
                    "shape": list(parameter.shape),
                    "frozen": parameter.frozen,
                    "gradients": [
                        {
                            "index": list(element.index),
                            "value": element.value,
                            "gradient": element.gradient,
                            "numeric": element.numeric,
                            "relative_error": element.error,
                            "updated": element.updated,
                        }
                        for element in parameter.gradients
                    ],
                }
                for parameter in step.parameters
            ],
        }
        for step in trace.steps
    ]
    return {
        "config": trace.config,
        "split": trace.split,
        "sample": trace.sample,
        "x": plain(trace.x),
        "target": plain(np.asarray(trace.target)),
        "output": plain(trace.output),
        "layers": layers,
        "loss": {"name": trace.loss_name, "before": trace.loss, "after": trace.loss_after, "fused_with": trace.fused},
        "optimizer": {"name": trace.optimizer_name, "learning_rate": trace.learning_rate},
        "worst_relative_error": trace.worst,
        "note": trace.note,
    }
