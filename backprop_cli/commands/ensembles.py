"""The trained networks of a sweep as one predictor: their average."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backprop_cli.commands import trained
from backprop_cli.commands.sweep.summary import outcomes_of
from backprop_cli.errors import UsageError, to_stderr
from backprop_cli.model.build import Warn
from backprop_cli.model.ensemble import Ensemble
from backprop_cli.model.model import Model
from backprop_cli.runs.finding import sweep_folder

#: what may differ between networks that are averaged: chance, and the rows that each is trained on
AVERAGED = ("seed", "dataset.fold", "dataset.split_seed", "dataset.data_seed")


def load(
    source: str | Path,
    checkpoint: str = "best",
    *,
    runs: str | Path = Path("runs"),
    plugins: Sequence[str | Path] = (),
    warn: Warn | None = None,
    progress: Any = None,
) -> Model | Ensemble:
    """The model of a run or of a file, as `trained.load` finds it; of a sweep's folder the average of its networks.

    A sweep is averaged where it varied nothing but seeds and folds; trainings that have not completed are left out,
    with a word. Raises UsageError, CheckpointError.
    """
    folder = None if trained.is_model(source) else sweep_folder(str(source), Path(runs))
    if folder is None:
        return trained.load(source, checkpoint, runs=runs, plugins=plugins, warn=warn, progress=progress)
    outcomes = outcomes_of(folder)
    others = list(dict.fromkeys(key for outcome in outcomes for key in outcome.trial.varied if key not in AVERAGED))
    if others:
        raise UsageError(
            f"{folder} varied {', '.join(others)}, and only networks that differ in {' or '.join(AVERAGED[:2])} are "
            f"averaged; name one of its runs: `bp runs summary {folder}` tells which is best"
        )
    done = [outcome for outcome in outcomes if outcome.status == "completed"]
    if not done:
        raise UsageError(f"no trial of {folder} has completed; `bp sweep … --resume` goes on with it")
    if len(done) < len(outcomes):
        (warn or to_stderr)(f"{folder}: {len(done)} of {len(outcomes)} trainings have completed; these are averaged")
    models = [trained.load(outcome.run_dir, checkpoint, runs=runs, plugins=plugins, warn=warn) for outcome in done]
    return Ensemble(models, folder.name)
