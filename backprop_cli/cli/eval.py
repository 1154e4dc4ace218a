"""`bp eval`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backprop_cli.cli.options import RUNS, SPLITS, Checkpoint, Json, ModelName, ModelPlugins, Runs, print_json

NUMBERS = 12  # of a worst row; --json has all
SHOWN = 5  # worst rows; --json has more
MOST_CLASSES = 1000  # rows of a table on a terminal


def evaluate(
    run: ModelName,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure these rows, with their targets, instead of the run's own data."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Default: test, else validation.", autocompletion=SPLITS)
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Measure each group of rows apart; may be repeated.")
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Measure the mean or the majority, and a linear model, too.")
    ] = False,
    resamples: Annotated[
        int, typer.Option(min=0, metavar="N", help="Bootstrap samples behind the intervals; 0 leaves them out.")
    ] = 1000,
    checkpoint: Checkpoint = "best",
    plugin: ModelPlugins = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Measure a run on held-out data, with intervals.

    Loss, metrics with 95 % intervals, confusion matrix, calibration, the worst rows.

    The weights of the best epoch are used, on the test split where there is one. For classes there is
    a row each with precision, recall and F1. Of a sweep's folder each run is a row; with --data the networks of a sweep
    over seeds or folds are averaged.

    Data are read with what the model has learnt (columns, categories, classes); nothing is learnt from them. A note
    says when they are not those that it was trained on. The file of a model has no data: give them with --data.

    \b
    Examples:
      bp eval latest
      bp eval runs/mnist-20260101-120000-1a2b --split validation --checkpoint last
      bp eval latest --data new.csv --json
      bp eval iris.safetensors --data new.csv
      bp eval runs/iris-sweep --data new.csv
      bp eval latest --baseline --by city
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.ensembles import load
    from backprop_cli.commands.evaluation import evaluate_run
    from backprop_cli.commands.file_evaluation import evaluate_file
    from backprop_cli.commands.trained import is_model, run_around
    from backprop_cli.errors import UsageError
    from backprop_cli.runs.finding import find_runs

    told: dict[str, Any] = {"warn": ui.warn, "progress": None if json else ui.loading}
    told |= {"by": by or (), "resamples": resamples}
    around = run_around(Path(run)) if is_model(run) else None
    if data is not None:
        if split is not None:
            raise UsageError("--split chooses among the run's own data; with --data all rows are measured")
        if baseline:
            raise UsageError("--baseline needs the training split, which a model's file and --data do not have")
        model = load(run, checkpoint, runs=runs, plugins=plugin or (), warn=ui.warn)
        results = [evaluate_file(model, data, **told)]
    elif is_model(run) and around is None:
        raise UsageError(f"{run} is the file of a model, which holds no data; give a file with --data FILE")
    elif around is not None:
        results = [evaluate_run(around, split, run, baseline=baseline, **told)]
    else:
        results = [evaluate_run(path, split, checkpoint, baseline=baseline, **told) for path in find_runs(run, runs)]
    result = results[0]
    if json:
        print_json(result if len(results) == 1 else results)
        return
    if len(results) > 1:
        names = list(dict.fromkeys(name for result in results for name in result["metrics"]))
        rows = [[result["run_id"], result["split"], *map(result["metrics"].get, names)] for result in results]
        ui.table(["run_id", "split", *names], rows, right=names)
        return
    name = result["run_id"] or run
    members = result.get("members", [])
    average = f", average of {len(members)} networks" if members else ""
    print(f"{name}  {data or result['split']}: {result['samples']:,} samples{average}")
    if data is not None:
        ui.note(_whether_trained_on(result["data"], str(data), str(name)))
    others = result.get("baselines", {}) or _alone(members)
    heads = ["metric", "value", *(["95 % interval"] if result["intervals"] else []), *others]
    rows = []
    for metric, value in result["metrics"].items():
        low_high = result["intervals"].get(metric)
        interval = ["" if low_high is None else " to ".join(map(ui.number, low_high))] if result["intervals"] else []
        rows.append([metric, value, *interval, *(baseline.get(metric, "") for baseline in others.values())])
    ui.table(heads, rows, right=heads[1:])
    if result["calibration"] is not None:
        print(f"calibration: expected calibration error {ui.number(result['calibration']['ece'])}")
    if len(result["per_class"]) > MOST_CLASSES:
        ui.warn(f"{len(result['per_class']):,} classes: --json has a row for each")
    elif result["per_class"]:
        keys = list(result["per_class"][0])
        ui.table(keys, [list(row.values()) for row in result["per_class"]], right=keys[1:])
    if result["confusion_matrix"] and len(result["classes"]) <= 20:
        print("confusion matrix: rows are true classes, columns predicted ones")
        names = [str(name) for name in result["classes"]]
        rows = [[name, *map(str, row)] for name, row in zip(names, result["confusion_matrix"], strict=True)]
        ui.table(["", *names], rows, right=names)
    for column, rows in result["by"].items():
        print(f"by {column}")
        ui.table(list(rows[0]), [list(row.values()) for row in rows], right=list(rows[0])[1:])
    if result["thresholds"]:
        print("thresholds: what is a yes above them")
        keys = list(result["thresholds"][0])
        ui.table(keys, [list(row.values()) for row in result["thresholds"]], right=keys)
    if result["worst"] and result["metrics"].get("accuracy") != 1:
        print("worst rows")
        keys = list(result["worst"][0])
        shown = [[_first(v) if isinstance(v, list) else v for v in row.values()] for row in result["worst"][:SHOWN]]
        ui.table(keys, shown, right=[keys[0], keys[-1]])


def register(app: typer.Typer) -> None:
    app.command("eval")(evaluate)


def _first(values: list[float]) -> str:
    """Numbers in a row; of many, as an autoencoder has, the first."""
    from backprop_cli.cli import ui

    rest = f", … ({len(values):,} in all)" if len(values) > NUMBERS else ""
    return ", ".join(map(ui.number, values[:NUMBERS])) + rest


def _alone(members: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """A column with the mean of the metrics of networks that were measured one by one."""
    names = members[0]["metrics"] if members else ()
    means = {name: sum(member["metrics"][name] for member in members) / len(members) for name in names}
    return {"one network": means} if members else {}


def _whether_trained_on(measured: dict[str, Any], data: str, name: str) -> str:
    if measured["same"]:
        return f"{data} holds the data that {name} was trained on; rows held out are measured by `bp eval {name}`"
    if measured["same"] is None:
        return f"{data} cannot be compared with the data that {name} was trained on: only a run that split one file can"
    return f"{data} has another fingerprint ({measured['fingerprint']}) than the data trained on"
