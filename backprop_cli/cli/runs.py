"""`bp runs`"""

from __future__ import annotations

import typer

from backprop_cli.cli.options import RUNS, Json, Runs, print_json

COLUMNS = ("run_id", "status", "started", "epochs")


def listing(runs: Runs = RUNS, json: Json = False) -> None:
    """List the runs, oldest first."""
    from backprop_cli.cli import ui
    from backprop_cli.runs.listing import overview

    rows = overview(runs)
    if json:
        print_json(rows)
        return
    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"] if "/" in name))[:4]
    cells = [[row[key] for key in COLUMNS] + [row["metrics"].get(name) for name in metrics] for row in rows]
    ui.table([*COLUMNS, *metrics], cells, right=["epochs", *metrics])


def register(app: typer.Typer) -> None:
    runs = typer.Typer(no_args_is_help=True, help="List, show, compare and remove runs.")
    runs.command("ls")(listing)
    app.add_typer(runs, name="runs")
