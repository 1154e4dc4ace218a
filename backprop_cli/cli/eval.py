"""`bp eval`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from backprop_cli.cli.options import RUNS, Json, RunName, Runs, print_json


def evaluate(
    run: RunName,
    split: Annotated[str | None, typer.Option(metavar="SPLIT", help="Default: test, else validation.")] = None,
    checkpoint: Annotated[str, typer.Option(metavar="best|last|FILE", help="Which weights.")] = "best",
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Measure a run: loss, metrics, confusion matrix.

    The weights of the best epoch are used, on the test split where there is one. For classes there is
    a row each with precision, recall and F1. Of a sweep's folder each run is a row.

    \b
    Examples:
      bp eval latest
      bp eval runs/mnist-20260101-120000-1a2b --split validation --checkpoint last
      bp eval latest --json
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.evaluation import evaluate_run
    from backprop_cli.engine.metrics.report import MAX_MATRIX
    from backprop_cli.runs.directory import find_runs

    told: dict[str, Any] = {} if json else {"warn": ui.warn, "progress": ui.loading}
    results = [evaluate_run(each, split, checkpoint, **told) for each in find_runs(run, runs)]
    result = results[0]
    if json:
        print_json(result if len(results) == 1 else results)
        return
    if len(results) > 1:
        names = list(dict.fromkeys(name for each in results for name in each["metrics"]))
        rows = [[each["run_id"], each["split"], *map(each["metrics"].get, names)] for each in results]
        ui.table(["run_id", "split", *names], rows, right=names)
        return
    print(f"{result['run_id']}  {result['split']}: {result['samples']:,} samples")
    ui.table(["metric", "value"], list(result["metrics"].items()), right=["value"])
    if len(result["per_class"]) > MAX_MATRIX:
        ui.warn(f"{len(result['per_class']):,} classes: --json has a row for each")
    elif result["per_class"]:
        keys = list(result["per_class"][0])
        ui.table(keys, [list(row.values()) for row in result["per_class"]], right=keys[1:])
    if result["confusion_matrix"] and len(result["classes"]) <= 20:
        print("confusion matrix: rows are true classes, columns predicted ones")
        names = [str(name) for name in result["classes"]]
        rows = [[name, *map(str, row)] for name, row in zip(names, result["confusion_matrix"], strict=True)]
        ui.table(["", *names], rows, right=names)


def register(app: typer.Typer) -> None:
    app.command("eval")(evaluate)
