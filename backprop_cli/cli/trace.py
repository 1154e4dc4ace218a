"""`bp trace`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from backprop_cli.cli.options import RUNS, Json, Runs, Set, print_json


def trace(
    source: Annotated[str, typer.Argument(metavar="CONFIG|RUN", help="A config, or a run with its trained weights.")],
    sample: Annotated[int, typer.Option("--sample", metavar="N", min=0, help="Which training example.")] = 0,
    set_: Set = None,
    blank: Annotated[bool, typer.Option("--blank", help="A worksheet: results hidden, key at the end.")] = False,
    format: Annotated[Literal["text", "html"], typer.Option("--format", "-f", help="How to print.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Show one step of backpropagation in symbols and numbers, each gradient beside its finite difference.

    bp trace configs/mazur.yaml
    """
    from backprop_cli import build
    from backprop_cli import config as configs
    from backprop_cli.insight import trace as traces
    from backprop_cli.insight import trace_text

    if Path(source).is_file():
        found = traces.trace(configs.load(source, set_ or []), sample)
    else:
        prepared, _ = build.load_run(build.find(source, runs))
        found = traces.trace(prepared.config, sample, prepared)
    if json:
        print_json(traces.as_json(found))
        return
    made = trace_text.page(found, blank) if format == "html" else trace_text.text(found, blank)
    if output is None:
        typer.echo(made, nl=False)
    else:
        output.write_text(made, encoding="utf-8")
        typer.echo(str(output))


def register(app: typer.Typer) -> None:
    app.command()(trace)
