"""`bp doctor`"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import RUNS, Json, Runs, Set, Unset, changes, is_config, print_json

Patient = Annotated[
    str,
    typer.Argument(
        metavar="RUN|CONFIG",
        help="A run, or a config to probe.",
        show_default=False,
        autocompletion=completion.configs_or_runs,
    ),
]


def doctor(
    source: Patient,
    set_: Set = None,
    unset: Unset = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Steps of a probe; by default up to 2000, by their work.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(metavar="S", min=0.1, help="Seconds of a probe, at most.")] = None,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 if a disease was found; for scripts.")] = False,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Say why a network does not learn, and what to edit.

    A config is trained for a moment in memory; of a run, what it recorded is read. Where something looks wrong,
    the edit against it is tried for as many steps. Nothing is written.

    \b
    Examples:
      bp doctor latest
      bp doctor configs/deep_sigmoid.yaml
      bp doctor configs/moons.yaml --set optimizer.learning_rate=100 --fail
    """
    from backprop_cli.cli import ui
    from backprop_cli.errors import UsageError
    from backprop_cli.insight.doctor.examine import as_json, examine_config, examine_run
    from backprop_cli.insight.doctor.text import COLUMNS, lines, rows
    from backprop_cli.insight.doctor.verdicts import STEPS, WORK, Limits
    from backprop_cli.runs.finding import find_run

    limits = Limits(
        steps or STEPS,
        seconds or math.inf,
        WORK if steps is None else math.inf,
        {} if json else {"warn": ui.warn, "progress": ui.loading},
    )
    if is_config(source):
        examination = examine_config(Path(source), tuple(changes(set_, unset)), limits)
        path, given = source, changes(set_, unset)
    else:
        if set_ or unset:
            raise UsageError("--set needs a CONFIG; a run keeps the config it was trained with")
        run = find_run(source, runs)
        examination = examine_run(run, limits)
        path, given = str(run.config), []
    if json:
        print_json(as_json(examination))
    else:
        columns = list(COLUMNS)
        ui.table(columns, rows(examination), right=columns[2:])
        for line in lines(examination, path, given):
            print(line)
        for note in examination.notes:
            ui.note(note)
    if fail and not examination.healthy:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    app.command()(doctor)
