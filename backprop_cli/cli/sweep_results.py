"""What `bp sweep` prints at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backprop_cli.commands.sweep.goals import Goal
    from backprop_cli.commands.sweep.outcomes import Outcome

    Best = list[tuple[float, Outcome]]


def print_table(
    outcomes: list[Outcome], keys: Sequence[str], goals: Sequence[Goal], column: str | None, best: Best
) -> None:
    """A row for every trial, the best first; of several goals those first that no other beats."""
    from backprop_cli.cli import ui
    from backprop_cli.commands.sweep.goals import front

    values = [column or "best"] if len(goals) == 1 else [goal.name for goal in goals]
    if len(goals) == 1:
        placed: dict[str, list[float | None]] = {outcome.trial.id: [value] for value, outcome in best}
        first = [outcome for _, outcome in best]
    else:
        first = front(goals, outcomes)
        placed = {outcome.trial.id: [goal.value(outcome) for goal in goals] for outcome in outcomes}
    ahead = {outcome.trial.id for outcome in first}
    rows = [*first, *(outcome for outcome in outcomes if outcome.trial.id not in ahead)]
    lines = []
    for outcome in rows:
        trial = outcome.trial
        lines.append([trial.id, *map(trial.varied.get, keys), outcome.status, *placed.get(trial.id, [None])])
    ui.table(["trial", *keys, "status", *values], lines, right=values)
    if len(goals) > 1:
        print(f"front: {len(first)} trials that no other beats: {' '.join(outcome.trial.id for outcome in first)}")
    elif best:
        print(f"best: {best[0][1].trial}  {column} {ui.number(best[0][0])}")


def print_folds(together: list[dict[str, Any]]) -> None:
    """A row for every setting, with mean ± standard deviation of each metric between its folds."""
    from backprop_cli.cli import ui

    settings, metrics = list(together[0]["settings"]), list(together[0]["metrics"])

    def told(spread: dict[str, float | None]) -> str:
        return f"{ui.number(spread['mean'])} ± {'–' if spread['std'] is None else ui.number(spread['std'])}"

    rows = [
        [*row["settings"].values(), row["n"], *(told(row["metrics"][name]) for name in metrics)] for row in together
    ]
    ui.table([*settings, "runs", *(f"test {name}" for name in metrics)], rows, right=["runs"])


def summary(folder: Path, outcomes: list[Outcome], best: Best, goals: Sequence[Goal]) -> dict[str, Any]:
    """What `bp sweep --json` prints."""
    from backprop_cli.commands.sweep.goals import front

    rows = [
        {
            "trial": outcome.trial.id,
            "varied": outcome.trial.varied,
            "status": outcome.status,
            "run_dir": str(outcome.run_dir),
        }
        | {"metrics": outcome.metrics, "best": outcome.best or None, "error": outcome.error}
        for outcome in outcomes
    ]
    if len(goals) > 1:
        wanted = [{"name": goal.name, "maximize": goal.maximize} for goal in goals]
        ahead = [outcome.trial.id for outcome in front(goals, outcomes)]
        return {"sweep_dir": str(folder), "trials": rows, "best": None, "goals": wanted, "front": ahead}
    first = {"trial": best[0][1].trial.id, "varied": best[0][1].trial.varied, "value": best[0][0]} if best else None
    return {"sweep_dir": str(folder), "trials": rows, "best": first}
