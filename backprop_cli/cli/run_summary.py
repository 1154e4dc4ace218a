"""`bp runs summary`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import RUNS, Json, Runs, print_json

if TYPE_CHECKING:
    from backprop_cli.commands.sweep.summary import Summary

FORMATS = Literal["table", "csv", "json", "jsonl"]


def summary(
    sweep: Annotated[
        str,
        typer.Argument(metavar="SWEEP", help="The folder of a sweep, or its name.", autocompletion=completion.sweeps),
    ],
    group_by: Annotated[
        list[str] | None,
        typer.Option("--group-by", metavar="KEY", help="Average over all but this key; default: over seeds and folds."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", metavar="NAME", help="Default: what the runs were watched by.")
    ] = None,
    maximize: Annotated[
        bool | None, typer.Option("--maximize/--minimize", help="Whether more of it is better; a metric knows.")
    ] = None,
    importance: Annotated[
        bool, typer.Option("--importance", help="Instead: which key mattered how much (extra `search`).")
    ] = False,
    runs: Runs = RUNS,
    format: Annotated[FORMATS, typer.Option("--format", "-f", help="How to print.")] = "table",
    json: Json = False,
) -> None:
    """Average a sweep over its seeds and folds.

    A row for each setting, the best first: mean, standard deviation (n − 1) and number of trainings. `error` is the
    standard error of the mean; `p` says how often chance alone sets two such settings as far apart as this one and
    the first (Welch's t-test). It knows nothing of how many settings were tried.

    \b
    Examples:
      bp runs summary moons-sweep
      bp runs summary moons-sweep --group-by seed --metric validation/accuracy
      bp runs summary runs/moons-sweep --format csv > summary.csv
      bp runs summary moons-sweep --importance
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.sweep.importance import importances
    from backprop_cli.commands.sweep.points import points_of
    from backprop_cli.commands.sweep.summary import outcomes_of, summarize, verdict
    from backprop_cli.runs.finding import find_sweep

    folder = find_sweep(sweep, runs)
    keys = [key for text in group_by or [] for key in text.split(",")]
    if importance:
        weights = importances(folder, points_of(folder, outcomes_of(folder), metric, maximize))
        shares = [[key, share] for key, share in weights.items()]
        ui.print_rows(["key", "importance"], shares, "json" if json else format)
        return
    result = summarize(folder, outcomes_of(folder), keys, metric, maximize)
    if json or format == "json":
        print_json(result.rows)
        return
    heads, rows = table_of(result)
    ui.print_rows(heads, rows, format)
    if format == "table":
        print(verdict(result))


def table_of(result: Summary) -> tuple[list[str], list[list[Any]]]:
    """Headings and rows, a column for each key."""
    keys = list(dict.fromkeys(key for setting in result.settings for key in setting.settings))
    own = [
        "n",
        *(["left_out"] if any(setting.left_out for setting in result.settings) else []),
        "mean",
        "std",
        "error",
        "p",
    ]
    heads = [*keys, *own, "best_run"]
    return heads, [[*(row["settings"].get(key) for key in keys), *(row[key] for key in heads[len(keys) :])]
                   for row in result.rows]  # fmt: skip
