"""Importing this imports whatever a trial may need. For the process that the workers are copies of."""

from backprop_cli import registry, session, sweep

__all__ = ["session", "sweep"]

for kind in registry.PACKAGES:
    registry.discover(kind)
