"""How many threads a training uses: the fastest number, at a cost that is small wherever steps take long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from backprop_cli.engine.replay import running
from backprop_cli.training.callbacks import threads as module


@pytest.mark.parametrize("step", [3e-6, 1e-3, 0.03, 0.3, 3.0])
@pytest.mark.parametrize(("fast", "factor"), [(1, 1.5), (2, 1.5), (2, 1.9)])
def test_the_fastest_number_is_found_and_trials_cost_less_than_a_twentieth(
    monkeypatch: pytest.MonkeyPatch, step: float, fast: int, factor: float
) -> None:
    now, chosen = 0.0, 2
    monkeypatch.setattr(module.time, "perf_counter", lambda: now)
    monkeypatch.setattr(module, "MOST_THREADS", 2)
    monkeypatch.setattr(module, "CANDIDATES", [2, 1])

    def choose(count: int) -> None:
        nonlocal chosen
        chosen = count

    monkeypatch.setattr(module, "set_threads", choose)
    callback, loop, steps, used = module.Threads(), SimpleNamespace(step=0), 0, {1: 0, 2: 0}
    while now < max(60.0, 100 * step):
        callback.step(loop, 0.0)  # type: ignore[arg-type]  # no more of a loop is asked for
        heard = callback.next_step(loop) - loop.step  # type: ignore[arg-type]
        assert heard >= 1
        seconds = min(max(running.SECONDS, now / running.SHARE), running.LATER)  # of steps that are replayed in one go
        at_once = int(min(heard, max(1, seconds / step)))
        now += at_once * step * (1 if chosen == fast else factor)
        used[chosen] += at_once
        steps += at_once
        loop.step = steps
    assert now <= 1.05 * steps * step + 4 * step * factor  # beside the first trial
    assert used[fast] > 0.9 * steps
    loop.step = 3  # as somebody who goes back in time
    callback.step(loop, 0.0)  # type: ignore[arg-type]


def test_a_trial_goes_on_where_a_loop_has_gone_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "perf_counter", lambda: now)
    monkeypatch.setattr(module, "MOST_THREADS", 2)
    monkeypatch.setattr(module, "set_threads", lambda count: None)
    callback = module.Threads()
    for step in (0, 5, 2, 2, 1, 3, 8, 4):
        callback.step(SimpleNamespace(step=step), 0.0)  # type: ignore[arg-type]
        now += 0.1
