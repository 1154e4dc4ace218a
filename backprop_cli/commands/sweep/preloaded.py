"""Importing this imports whatever a trial may need. For the process that the workers are copies of."""

from backprop_cli import registry
from backprop_cli.commands import resume, train
from backprop_cli.commands.sweep import sweep

__all__ = ["resume", "sweep", "train"]

for kind in registry.PACKAGES:
    registry.discover(kind)
