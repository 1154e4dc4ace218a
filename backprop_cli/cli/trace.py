"""`bp trace`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import RUNS, Json, Runs, Set, Unset, changes, print_json

Traced = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="A config, or a run with its trained weights.",
        show_default=False,
        autocompletion=completion.configs_or_runs,
    ),
]


def trace(
    source: Traced,
    sample: Annotated[int, typer.Option("--sample", metavar="N", min=0, help="Which training example.")] = 0,
    set_: Set = None,
    unset: Unset = None,
    blank: Annotated[bool, typer.Option("--blank", help="A worksheet: results hidden, key at the end.")] = False,
    format: Annotated[Literal["text", "html"], typer.Option("--format", "-f", help="How to print.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Show one step of backpropagation, number by number.

    Every product of the forward and the backward pass is written in symbols and in numbers, each
    gradient beside its finite difference.

    \b
    Examples:
      bp trace configs/mazur.yaml
      bp trace configs/xor.yaml --sample 3 --blank
      bp trace configs/mazur.yaml --format html --output trace.html
    """
    from backprop_cli import build
    from backprop_cli import config as configs
    from backprop_cli.insight import trace as traces
    from backprop_cli.insight import trace_text

    if Path(source).is_file():
        found = traces.trace(configs.load(source, changes(set_, unset)), sample)
    else:
        prepared, _ = build.load_run(build.find(source, runs))
        found = traces.trace(prepared.config, sample, prepared)
    if json:
        print_json(traces.as_json(found))
        return
    made = trace_text.page(found, blank) if format == "html" else trace_text.text(found, blank)
    if output is None:
        print(made, end="")
    else:
        output.write_text(made, encoding="utf-8")
        print(str(output))


def register(app: typer.Typer) -> None:
    app.command()(trace)
