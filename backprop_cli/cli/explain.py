"""`bp explain`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli.options import RUNS, SPLITS, Checkpoint, Json, Runs, print_json


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's path or id, or latest.")],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Show what this column does to the answer; may be repeated."),
    ] = None,
    sample: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of texts and images: which one.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Default: test, else validation.", autocompletion=SPLITS)
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, metavar="N", help="How often each column is shuffled.")] = 5,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the shuffles.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Of images: the picture, .png or .svg.")
    ] = None,
    checkpoint: Checkpoint = "best",
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """What a network makes of its inputs.

    \b
    columns  how much worse the first metric gets when a column is shuffled, and
             the mean answer when all rows have the same value in it (of the
             five most important columns, or of --column; of a series in every row
             of its windows)
    images   a picture of the pixels that the loss depends on most
    texts    what the answer's probability loses without each token of --sample

    \b
    Examples:
      bp explain latest
      bp explain latest --column age --json
      bp explain latest --sample 3 -o saliency.png
    """
    from backprop_cli.cli import ui
    from backprop_cli.cli.plot import picture
    from backprop_cli.commands.explain import attributions, explain, has_columns, is_text
    from backprop_cli.commands.trained import load_run
    from backprop_cli.data.files.moments import day_of
    from backprop_cli.errors import UsageError
    from backprop_cli.insight.plots import PictureOptions
    from backprop_cli.runs.finding import find_run

    directory = find_run(run, runs)
    prepared, _ = load_run(directory, checkpoint, warn=ui.warn, progress=None if json else ui.loading)
    split = split or prepared.measured_split
    if split not in prepared.dataset.splits:
        raise UsageError(f"the dataset has no split {split!r}; expected one of {', '.join(prepared.dataset.splits)}")
    if is_text(prepared):
        told = {"run_id": directory.id, **attributions(prepared, split, sample or 0)}
        if json:
            print_json(told)
            return
        print(f"{split}, sample {told['sample']}: {told['prediction']}, p = {ui.number(told['p'])}")
        ui.table(["token", "weight"], [list(token.values()) for token in told["tokens"]], right=["weight"])
        return
    if len(prepared.dataset.input_shape) > 1 and not has_columns(prepared):
        options = PictureOptions(split=split, sample=sample, note=ui.note)
        path = picture([run], "saliency", output or Path(f"saliency-{directory.id}.png"), runs, checkpoint, options)
        print_json({"run_id": directory.id, "split": split, "path": str(path)}) if json else print(path)
        return
    if sample is not None or output is not None:
        raise UsageError("--sample and --output are for texts and images; the inputs of this run are columns")
    progress = None if json else ui.loading
    told = explain(prepared, split, columns=column or (), repeats=repeats, seed=seed, progress=progress)
    if json:
        print_json({"run_id": directory.id, **told})
        return
    print(f"{directory.id}  {split}: {told['samples']:,} rows, {told['metric']} {ui.number(told['value'])}")
    rows = [[row["column"], row["importance"], row["std"]] for row in told["importance"]]
    ui.table(
        ["column", f"worse {told['metric']} without it", "±"], rows, right=[f"worse {told['metric']} without it", "±"]
    )
    for name, values in told["dependence"].items():
        if not values:
            print(f"no mean answer by {name}: words, or means of the target, are not values of a column")
            continue
        print(f"mean answer by {name}")
        if prepared.schema.is_date(name):
            values = [{**row, "value": day_of(row["value"])} for row in values]
        heads = list(values[0])
        ui.table(heads, [list(value.values()) for value in values], right=heads[1:])


def register(app: typer.Typer) -> None:
    app.command("explain")(command)
