"""`bp plot`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import RUNS, SPLITS, Checkpoint, Json, Runs, print_json
from backprop_cli.insight.plots import PictureOptions, kinds

if TYPE_CHECKING:
    from backprop_cli.data.look import Look
    from backprop_cli.insight.view import View

RunNames = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Runs: directories, ids, `latest`, or the folder of a sweep.",
        show_default=False,
        autocompletion=completion.runs,
    ),
]


def plot(
    names: RunNames,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", "-k", metavar="KIND", help=f"One of {', '.join(kinds())}.", autocompletion=completion.of(*kinds())
        ),
    ] = "loss",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A .png or .svg; default: KIND-RUN.png, here."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME", help="loss: only this one; may be repeated.")
    ] = None,
    x: Annotated[
        Literal["epoch", "step", "time"], typer.Option("--x", help="loss, gradients: what goes across.")
    ] = "epoch",
    split: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT", help="Which data. Default: test for confusion, else train.", autocompletion=SPLITS
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", help="network: show what this example does to it.")
    ] = None,
    group: Annotated[
        bool, typer.Option("--group", help="loss: mean and band of runs that differ in the seed alone.")
    ] = False,
    checkpoint: Checkpoint = "best",
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Draw runs: curves, boundaries, networks, histograms.

    The picture is a PNG or SVG file, drawn without a display; its path is printed.

    \b
    Examples:
      bp plot latest
      bp plot latest --kind network --sample 0 --output network.svg
      bp plot my.yaml --kind data
    """
    from backprop_cli.cli import ui
    from backprop_cli.runs.finding import find_runs

    options = PictureOptions(metrics=metric or [], x=x, split=split, sample=sample, group=group, note=ui.note)
    path = picture(names, kind, output, runs, checkpoint, options)
    if json and kind == "data":
        print_json({"path": str(path), "kind": kind, "runs": []})
    elif json:
        print_json(
            {"path": str(path), "kind": kind, "runs": [run.id for name in names for run in find_runs(name, runs)]}
        )
    else:
        print(path)


def picture(
    names: list[str],
    kind: str,
    output: Path | None,
    runs: Path,
    checkpoint: str = "best",
    options: PictureOptions | None = None,
) -> Path:
    """Draw and save; where to. Raises UsageError, RunError."""
    from backprop_cli.errors import UsageError
    from backprop_cli.runs.files import destination

    if output is not None and output.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"{output}: expected a file name ending in .png or .svg")
    if output is not None:
        destination(output)  # what it raises is known before the work
    shown: list[Look] | list[View]
    if kind == "data":
        shown, stem = [_table(name) for name in names], Path(names[0]).stem
    else:
        shown = views(names, runs, checkpoint)
        stem = f"{shown[0].run.id}{f'+{len(shown) - 1}' if len(shown) > 1 else ''}"
    path = output or Path(f"{kind}-{stem}.png")
    from backprop_cli.insight import plots, style  # Matplotlib takes longer than to refuse what cannot be read

    with style.styled():
        style.save(plots.draw(kind, shown, options), path)
    return path


def _table(name: str) -> Look:
    """What is seen of a table's file, or of a config's. Raises UsageError for anything else."""
    from backprop_cli.commands.reading import looked
    from backprop_cli.data.look import Look
    from backprop_cli.errors import UsageError

    look = looked(name)
    if not isinstance(look, Look):
        raise UsageError(f"{name}: no table; --kind data draws a CSV, Parquet or other table, or that of a config")
    return look


def views(names: list[str], runs: Path, checkpoint: str = "best") -> list[View]:
    """The runs, each with what to call it beside the others."""
    from backprop_cli.cli import ui
    from backprop_cli.commands.labels import labels
    from backprop_cli.insight.view import View
    from backprop_cli.runs.finding import find_runs

    chosen = [run for name in names for run in find_runs(name, runs)]
    shown = [View(run, checkpoint, warn=ui.warn, progress=ui.loading) for run in chosen]
    for view, label in zip(shown, labels([view.run for view in shown]), strict=True):
        view.label = label
    return shown


def register(app: typer.Typer) -> None:
    app.command()(plot)
