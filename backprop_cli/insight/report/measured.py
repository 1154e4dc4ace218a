"""The metrics of a regression, for its report."""

from __future__ import annotations

from contextlib import suppress

from backprop_cli.engine.metrics.mae import MAE
from backprop_cli.engine.metrics.r2 import R2
from backprop_cli.engine.metrics.rmse import RMSE
from backprop_cli.errors import BpError
from backprop_cli.insight.report.markup import Markup, element, join, number, tiles
from backprop_cli.insight.view import View
from backprop_cli.training.passes import evaluate
from backprop_cli.training.threads import limited


def measured(view: View) -> Markup:
    """The numbers of a regression on the split that `bp eval` measures."""
    prepared, reading = view.prepared, view.prepared.reading
    name, data = view.split(None, prepared.measured_split)
    batches = prepared.batches(name)
    metrics = list(prepared.config.trainer.metrics)
    for metric in (MAE(), RMSE(), R2()):
        if metric.type_name not in {chosen.type_name for chosen in metrics}:
            with suppress(BpError):
                metric.check(view.network.output_shape, batches.target_shape, reading)
                metrics.append(metric)
    with limited(view.network, batches.batch_size):
        values = evaluate(view.network, batches.epoch(0), metrics, weight=lambda: batches.weight)
    said = element("p", f"{name}: {number(len(data))} examples.", class_="faint")
    return join([said, tiles(list(values.items()))])
