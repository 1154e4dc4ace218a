"""The curves of a sweep's trials, as `loss` draws those of any runs."""

from __future__ import annotations

from backprop_cli.insight.plots.loss import draw

__all__ = ["draw"]
