"""Which of the keys that a sweep varied mattered for its goal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_cli.commands.sweep.journal import optuna_of
from backprop_cli.commands.sweep.points import Column, Points
from backprop_cli.errors import UsageError

FEWEST = 10  # trials that importances are computed of


def importances(folder: Path, points: Points) -> dict[str, float]:
    """Key -> share, the largest first; they add up to 1. PED-ANOVA (Watanabe, Bansal & Hutter 2023, arXiv:2304.10255):
    how far the values of the best tenth of trials lie apart from those of all.

    Keys that not every trial has are left out. Raises UsageError for fewer trials than ten, and without Optuna.
    """
    columns = [column for column in points.columns if None not in column.texts and column.distinct > 1]
    if len(points.values) < FEWEST or not columns:
        raise UsageError(
            f"{folder} has {len(points.values)} completed trials and {len(columns)} keys that vary in all of them; "
            f"expected {FEWEST} trials or more, and one key, to tell what mattered"
        )
    optuna = optuna_of()
    study = optuna.create_study(direction="maximize" if points.maximize else "minimize")
    distributions = {column.key: _distribution(optuna, column) for column in columns}
    for i, value in enumerate(points.values):
        params = {column.key: column.numbers[i] if column.numeric else column.texts[i] for column in columns}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    importances: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return importances


def _distribution(optuna: Any, column: Column) -> Any:
    kinds = optuna.distributions
    if not column.numeric:
        return kinds.CategoricalDistribution(column.choices)
    return kinds.FloatDistribution(min(column.numbers), max(column.numbers), log=column.log)
