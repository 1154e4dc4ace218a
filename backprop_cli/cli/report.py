"""`bp report`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli.options import RUNS, Checkpoint, Json, Runs, print_json
from backprop_cli.cli.plot import RunNames


def command(
    names: RunNames,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: report-RUN.html, here.")
    ] = None,
    checkpoint: Checkpoint = "best",
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Write all about runs into one HTML file.

    Config, curves, pictures and tables in one file that needs no network.

    \b
    Examples:
      bp report latest
      bp report latest --output report.html
    """
    from backprop_cli.cli.plot import views
    from backprop_cli.insight.report.report import report
    from backprop_cli.runs.files import destination, write_output

    shown = views(names, runs, checkpoint)
    path = output or Path(f"report-{shown[0].run.id}{f'+{len(shown) - 1}' if len(shown) > 1 else ''}.html")
    destination(path)  # what it raises is known before the work
    write_output(path, [report(shown).encode()])
    if json:
        print_json({"path": str(path), "runs": [view.run.id for view in shown]})
    else:
        print(path)


def register(app: typer.Typer) -> None:
    app.command("report")(command)
