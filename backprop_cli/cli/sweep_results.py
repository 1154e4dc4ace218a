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
        placed: dict[str, list[float | None]] = {each.trial.id: [value] for value, each in best}
        first = [each for _, each in best]
    else:
        first = front(goals, outcomes)
        placed = {each.trial.id: [goal.value(each) for goal in goals] for each in outcomes}
    ahead = {each.trial.id for each in first}
    rows = [*first, *(each for each in outcomes if each.trial.id not in ahead)]
    lines = [[each.trial.id, *map(each.trial.varied.get, keys), each.status, *placed.get(each.trial.id, [None])]
             for each in rows]  # fmt: skip
    ui.table(["trial", *keys, "status", *values], lines, right=values)
    if len(goals) > 1:
        print(f"front: {len(first)} trials that no other beats: {' '.join(each.trial.id for each in first)}")
    elif best:
        print(f"best: {best[0][1].trial}  {column} {ui.number(best[0][0])}")


def print_folds(together: list[dict[str, Any]]) -> None:
    """A row for every setting, with mean ± standard deviation of each metric between its folds."""
    from backprop_cli.cli import ui

    settings, metrics = list(together[0]["settings"]), list(together[0]["metrics"])

    def told(spread: dict[str, float | None]) -> str:
        return f"{ui.number(spread['mean'])} ± {'–' if spread['std'] is None else ui.number(spread['std'])}"

    rows = [
        [*each["settings"].values(), each["n"], *(told(each["metrics"][name]) for name in metrics)] for each in together
    ]
    ui.table([*settings, "runs", *(f"test {name}" for name in metrics)], rows, right=["runs"])


def summary(folder: Path, outcomes: list[Outcome], best: Best, goals: Sequence[Goal]) -> dict[str, Any]:
    """What `bp sweep --json` prints."""
    from backprop_cli.commands.sweep.goals import front

    rows = [
        {"trial": each.trial.id, "varied": each.trial.varied, "status": each.status, "run_dir": str(each.run_dir)}
        | {"metrics": each.metrics, "best": each.best or None, "error": each.error}
        for each in outcomes
    ]
    if len(goals) > 1:
        wanted = [{"name": goal.name, "maximize": goal.maximize} for goal in goals]
        ahead = [each.trial.id for each in front(goals, outcomes)]
        return {"sweep_dir": str(folder), "trials": rows, "best": None, "goals": wanted, "front": ahead}
    first = {"trial": best[0][1].trial.id, "varied": best[0][1].trial.varied, "value": best[0][0]} if best else None
    return {"sweep_dir": str(folder), "trials": rows, "best": first}
