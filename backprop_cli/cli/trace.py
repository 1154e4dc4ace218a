"""`bp trace`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import RUNS, Json, Runs, Set, Unset, changes, is_config

if TYPE_CHECKING:
    from backprop_cli.insight.trace.step import Trace

Traced = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="A config, or a run with its trained weights.",
        show_default=False,
        autocompletion=completion.configs_or_runs,
    ),
]

#: ending of a file -> format
SUFFIXES = {".txt": "text", ".md": "text", ".html": "html", ".htm": "html", ".json": "json"}


def command(
    source: Traced,
    sample: Annotated[int, typer.Option("--sample", metavar="N", min=0, help="Which training example.")] = 0,
    set_: Set = None,
    unset: Unset = None,
    step: Annotated[bool, typer.Option("--step", help="Wait for Enter after each part; q ends.")] = False,
    blank: Annotated[bool, typer.Option("--blank", help="A worksheet: results hidden, key at the end.")] = False,
    format: Annotated[
        Literal["text", "html", "json"] | None,
        typer.Option("--format", "-f", help="How to print. Default: as the file is called, else text."),
    ] = None,
    digits: Annotated[int, typer.Option("--digits", metavar="N", min=1, max=9, help="Decimals, at most.")] = 9,
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
      bp trace configs/mazur.yaml --step
      bp trace configs/mazur.yaml --digits 4 --output trace.html
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.trained import load_run
    from backprop_cli.config import load_config
    from backprop_cli.errors import UsageError
    from backprop_cli.insight.trace.text import parts
    from backprop_cli.insight.trace.trace import trace
    from backprop_cli.runs.files import destination, write_output
    from backprop_cli.runs.finding import find_run

    if json and (blank or step or format not in (None, "json") or output):
        raise UsageError("--json prints all numbers to stdout; leave out --blank, --step, --format and --output")
    chosen = str(format or ("json" if json else _called(output)))
    if chosen == "json" and (blank or step):
        raise UsageError("JSON holds all numbers; leave out --blank and --step")
    if step and (chosen == "html" or output):
        raise UsageError("--step shows part after part on the terminal; leave out --format html and --output")
    if output is not None:
        destination(output)  # what it raises is known before the work
    loading: dict[str, Any] = {} if chosen == "json" else {"warn": ui.warn, "progress": ui.loading}
    if is_config(source):
        traced = trace(load_config(source, changes(set_, unset)), sample, **loading)
    elif set_ or unset:
        raise UsageError("--set needs a CONFIG; a run keeps the config it was trained with")
    else:
        prepared, _ = load_run(find_run(source, runs), **loading)
        traced = trace(prepared.config, sample, prepared)
    if output is not None:
        write_output(output, [_written(traced, chosen, blank, digits).encode()])
        print(output)
    elif chosen == "text" and sys.stdout.isatty():
        ui.sections(parts(traced, blank, digits), wait=step)
    else:
        print(_written(traced, chosen, blank, digits), end="")


def _called(output: Path | None) -> str:
    """The format that a file's name asks for. Raises UsageError."""
    from backprop_cli.errors import UsageError

    suffix = output.suffix.lower() if output else ""
    if suffix and suffix not in SUFFIXES:
        raise UsageError(f"{output}: expected a name that ends in {', '.join(SUFFIXES)}; or say --format")
    return SUFFIXES.get(suffix, "text")


def _written(traced: Trace, format: str, blank: bool, digits: int) -> str:
    from backprop_cli.insight.trace.text import as_html, as_text
    from backprop_cli.insight.trace.to_json import as_json
    from backprop_cli.runs.json_text import dumps

    if format == "json":
        return dumps(as_json(traced), indent=2) + "\n"
    return as_html(traced, blank, digits) if format == "html" else as_text(traced, blank, digits)


def register(app: typer.Typer) -> None:
    app.command("trace")(command)
