"""The versions that a run keeps."""

from __future__ import annotations

import importlib.metadata
import platform
from email.message import Message

import numpy as np
import pytest

from backprop_cli import __version__
from backprop_cli.runs.versions import versions


def test_they_are_those_of_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose notes on the disk are damaged or cannot be read has the version None there."""
    monkeypatch.setattr(importlib.metadata.Distribution, "metadata", Message())
    assert versions() == {"python": platform.python_version(), "backprop-cli": __version__, "numpy": np.__version__}
