"""Imports everything that a trial may need, in the process from which workers are forked."""

from backprop_cli import registry
from backprop_cli.commands import resume, train
from backprop_cli.commands.sweep import sweep

__all__ = ["resume", "sweep", "train"]

for kind in registry.PACKAGES:
    registry.discover(kind)
