"""`bp runs`"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.group import group
from backprop_cli.cli.options import RUNS, Json, RunName, Runs, print_json
from backprop_cli.cli.run_files import delete, pack, prune, unpack
from backprop_cli.cli.run_summary import summary

COLUMNS = ["run_id", "status", "epochs"]


SIDE_BY_SIDE = 5  # runs up to which each is a column
Format = Annotated[Literal["table", "csv", "json", "jsonl"], typer.Option("--format", "-f", help="How to print.")]


def listing(
    runs: Runs = RUNS,
    where: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help="Only these: 'optimizer.learning_rate<0.01'.")
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="COLUMN", help="Order by a column; -COLUMN from the largest down.")
    ] = "started",
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="What to show: metrics, config keys, best.epoch, …")
    ] = None,
    format: Format = "table",
    json: Json = False,
) -> None:
    """List the runs: filter, sort, choose columns.

    A column is one of the listing, a metric (validation/loss), best.epoch, or a key of the config
    (optimizer.learning_rate). The folder of a sweep is listed as `sweep`; --runs DIR/SWEEP lists its trials.
    One without a readable run.json is `unreadable`, one whose run.json has wrong values `damaged`.

    \b
    Examples:
      bp runs ls
      bp runs ls --where status=completed --where 'optimizer.learning_rate<0.01'
      bp runs ls --sort validation/loss --columns run_id,seed,validation/loss
      bp runs ls --format csv > runs.csv
    """
    from backprop_cli.cli import ui
    from backprop_cli.errors import UsageError
    from backprop_cli.runs.listing import matching, order, overview, require, value

    if runs.exists() and not runs.is_dir():
        raise UsageError(f"{runs} is not a folder; expected the one that holds the runs")
    listed = overview(runs)
    if not listed:
        ui.note(f"no runs in {runs} yet; `bp train CONFIG` makes one, --runs DIR looks elsewhere")
    require(listed, sort.removeprefix("-"), f"--sort {sort}", possible_columns)
    names = columns.split(",") if columns else []
    for name in names:
        require(listed, name, f"--columns {columns}", possible_columns)
    rows = order(matching(listed, where or [], possible_columns), sort)
    if columns is None and (json or format == "json"):
        print_json([{key: value for key, value in row.items() if key != "config"} for row in rows])
        return
    names = names or usual_columns(rows, format)
    cells = [[value(row, name) for name in names] for row in rows]
    ui.print_rows(names, cells, "json" if json else format)


def possible_columns(key: str) -> set[str]:
    """Columns with names like this one that a run could have."""
    from backprop_cli.commands.columns import near  # imports every class there is, and is seldom asked

    return near(key)


def usual_columns(rows: list[dict[str, Any]], format: str) -> list[str]:
    """Those shown unless others are asked for: with at most four metrics, in a table as many as fit the terminal."""
    from backprop_cli.cli import ui

    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"] if "/" in name))[:4]
    for name in sorted(metrics, key=lambda name: name.startswith("validation/")):
        shown = [*COLUMNS, *metrics]
        cells = [[row.get(key, row["metrics"].get(key)) for key in shown] for row in rows]
        if format != "table" or ui.fits(shown, cells, COLUMNS):
            break
        metrics.remove(name)
    return [*COLUMNS, *metrics]


def show(run: RunName, runs: Runs = RUNS, json: Json = False) -> None:
    """Show one run: what it was, how it ended, its metrics.

    \b
    Examples:
      bp runs show latest
      bp runs show latest --json
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.trained import settled_columns
    from backprop_cli.runs.finding import find_run
    from backprop_cli.runs.listing import measured

    directory = find_run(run, runs)
    info = {
        **directory.info,
        "status": directory.status,
        "metrics": measured(directory),
        "run_dir": str(directory.path),
    }
    columns = settled_columns(directory)
    if columns:
        info["columns"] = columns
    if json:
        print_json(info)
        return
    host = info.get("host")
    if isinstance(host, dict) and "pid" in host:
        info["host"] = {**host, "pid": str(host["pid"])}  # a name rather than a quantity
    if origins := directory.info.get("origins"):
        info["origins"] = f"{len(origins)} values of the config; --json says where each comes from"
    ui.entries({key: ui.brief(value) for key, value in info.items() if key != "columns"})
    if columns:
        print("columns, as the training split has settled them:")
        ui.table(["column", "becomes"], [list(pair) for pair in columns.items()])


def side_by_side(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN", help="Two or more runs, or a sweep.", show_default=False, autocompletion=completion.runs
        ),
    ],
    runs: Runs = RUNS,
    format: Format = "table",
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw them into a .png or .svg.")
    ] = None,
    json: Json = False,
) -> None:
    """Put runs side by side: config and metric differences.

    \b
    Examples:
      bp runs compare runs/plain runs/batch_norm
      bp runs compare runs/plain runs/batch_norm --format csv
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.compare import compare, rows
    from backprop_cli.errors import UsageError
    from backprop_cli.runs.finding import find_runs

    chosen = [run for name in names for run in find_runs(name, runs)]
    if len(chosen) < 2:
        raise UsageError("expected two or more runs to compare, or a sweep's folder; `bp runs ls` lists them")
    if plot is not None:
        from backprop_cli.cli.plot import picture

        picture(names, "compare", plot, runs)
    differences = compare(chosen)
    if json or format == "json":
        print_json(differences)
        return
    if format != "table":
        ui.print_rows(["", "key", *differences["runs"], "last − first"], rows(differences), format)
        return
    from backprop_cli.commands.labels import labels

    differing = [row for row in rows(differences) if len({str(value) for value in row[2:-1]}) > 1]
    if len(chosen) <= SIDE_BY_SIDE:
        names_of_runs = labels(chosen)
        for i, (kind, rows_of_kind) in enumerate(groupby(differing, key=lambda row: str(row[0]))):
            cells = [row[1:] for row in rows_of_kind]
            measured = kind != "config" and any(row[-1] is not None for row in cells)
            heads = [kind, *names_of_runs, *(["last − first"] if measured else [])]
            if i:
                print()
            ui.table(heads, [row[: len(heads)] for row in cells], right=heads[1:], whole=heads[:1])
    else:  # a row a run
        values = zip(*(row[2:-1] for row in differing), strict=True)
        rows_of_runs = [[run, *map(ui.brief, row)] for run, row in zip(differences["runs"], values, strict=True)]
        heads = [row[1] if row[0] in ("config", "run") else f"{row[0]} {row[1]}" for row in differing]
        ui.print_rows(["run", *heads], rows_of_runs, format)


def register(app: typer.Typer) -> None:
    runs = group("List, show, compare, average, pack and remove runs.")
    runs.command("ls")(listing)
    runs.command("show")(show)
    runs.command("compare")(side_by_side)
    runs.command("summary")(summary)
    runs.command("rm")(delete)
    runs.command("prune")(prune)
    runs.command("pack")(pack)
    runs.command("unpack")(unpack)
    app.add_typer(runs, name="runs")
