"""Ctrl-C in the moment in which a worker's process starts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from backprop_cli.commands.sweep import workers


def work(task: int, tell: Callable[[Any], None]) -> int:
    return task


def test_a_signal_while_a_process_starts_ends_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(workers.WorkerProcess):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(workers, "WorkerProcess", Interrupted)
    started = workers.Workers(work, [1, 2, 3], 2)
    assert list(started.events()) == []
    assert started.received == signal.SIGINT
