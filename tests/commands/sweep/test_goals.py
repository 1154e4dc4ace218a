"""What a sweep is for, and which trials are on Pareto's front."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.commands.sweep.goals import Goal, front, goals_of
from backprop_cli.commands.sweep.outcomes import Outcome
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.errors import UsageError
from backprop_cli.registry import make

GOALS = [Goal("a", True), Goal("b", False)]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_front_is_what_its_definition_says(points: list[tuple[int, int]]) -> None:
    trials = [Outcome(Trial(str(i), (), {}), Path("x"), "completed", {"metrics": {"a": a, "b": b}})
              for i, (a, b) in enumerate(points)]  # fmt: skip
    trials.append(Outcome(Trial("pruned", (), {}), Path("x"), "pruned", {"metrics": {"a": 9, "b": -9}}))
    trials.append(Outcome(Trial("wrong", (), {}), Path("x"), "completed", {"metrics": {"a": np.nan, "b": -9}}))
    slow = {str(i) for i, (a, b) in enumerate(points)
            if not any(c >= a and d <= b and (c, d) != (a, b) for c, d in points)}  # fmt: skip
    assert {each.trial.id for each in front(GOALS, trials)} == slow


def test_a_goal_knows_its_direction() -> None:
    metrics, columns = [make("metric", "accuracy")], ["validation/accuracy", "validation/loss"]
    found = goals_of("validation/accuracy,parameters", None, metrics, columns, "validation/loss")
    assert found == [Goal("validation/accuracy", True), Goal("parameters", False)]
    assert goals_of(None, None, metrics, columns, "validation/loss") == [Goal("validation/loss", False)]
    assert goals_of("validation/loss", True, metrics, columns, "validation/loss") == [Goal("validation/loss", True)]
    with pytest.raises(UsageError, match="did you mean 'validation/loss'"):
        goals_of("validation/los", None, metrics, columns, "")
    with pytest.raises(UsageError, match="for one goal"):
        goals_of("validation/loss,parameters", False, metrics, columns, "")
