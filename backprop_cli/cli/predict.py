"""`bp predict`"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from backprop_cli.cli.options import RUNS, Checkpoint, Json, ModelName, ModelPlugins, Runs, print_json

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT…",
        help="Tables (CSV, TSV, Parquet, JSON Lines), .npy, .npz, texts, images or folders of them; - reads stdin.",
        show_default=False,
    ),
]
Probabilities = Annotated[
    bool | None,
    typer.Option(
        "--proba/--no-proba",
        help="A probability of each class, or none. Default: outputs as they are.",
        show_default=False,
    ),
]


def command(
    run: ModelName,
    inputs: Inputs = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help=".csv, .jsonl, .json or .npy; default: stdout")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns of the input that go into the output, such as an id.")
    ] = None,
    proba: Probabilities = None,
    top: Annotated[int | None, typer.Option(min=1, metavar="K", help="The K likeliest classes instead.")] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="P", help="From which probability on a yes is one; default 0.5.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse categories that the model has not learnt.")] = False,
    generate: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Go on with a text: N characters or words.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="What the generated text begins with.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, metavar="T", help="Below 1 the likely gets likelier, 0 is no chance at all.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of the chance; default 0.")] = None,
    checkpoint: Checkpoint = "best",
    plugin: ModelPlugins = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Predict for new data, from the model alone.

    An INPUT holds rows without targets: a table with the columns of the training data, an array of inputs, or
    images. The networks of a sweep over seeds or folds are averaged. CSV goes to stdout, a line a row. From standard
    input, CSV with a header or JSON Lines, each row is answered as it comes, in the same form.

    \b
    Examples:
      bp predict latest new.csv --keep id
      bp predict iris.safetensors new.csv -o predictions.csv
      bp predict runs/iris-sweep new.csv --json
      bp predict latest digits/ --top 3
      bp predict latest digit.png --json
      tail -f measured.csv | bp predict latest - --no-proba
      bp predict latest --generate 400 --prompt "It is" --temperature 0.8 --seed 1
    """
    # OpenBLAS' threads spin for 2²⁶ cycles before they sleep: as they start, a fifth of the time of predicting one row
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "10")
    from backprop_cli.commands.answers import Csv, as_json, check_output, document, json_lines, save
    from backprop_cli.commands.ensembles import load
    from backprop_cli.commands.predict import STDIN, Wishes, predict
    from backprop_cli.errors import UsageError

    warn = _ui("warn")
    if generate is not None:
        if inputs or output or keep or proba is not None or top or threshold is not None:
            raise UsageError(
                "--generate takes no INPUT and none of the options of rows; --prompt is what it begins with"
            )
        from backprop_cli.commands import trained

        model = trained.load(run, checkpoint, runs=runs, plugins=plugin or (), warn=warn)
        _write_text(model, generate, prompt or "", temperature, seed, strict, json)
        return
    if prompt is not None or temperature is not None or seed is not None:
        raise UsageError("--prompt, --temperature and --seed are for --generate N")
    if not inputs:
        raise UsageError("missing INPUT: a table, an array, images, or - for standard input")
    streamed = STDIN in inputs
    if streamed and len(inputs) > 1:
        raise UsageError("- stands for standard input, and cannot be read beside files")
    if output is not None and str(output) == STDIN:
        output = None
    if output is not None:
        check_output(output)
    wishes = Wishes(keep.split(",") if keep else (), proba, top, threshold, strict)
    predictor = load(run, checkpoint, runs=runs, plugins=plugin or (), warn=warn)
    if predictor.members:
        _ui("note")(f"each prediction is the average of {len(predictor.members)} networks")
    blocks = predict(predictor, inputs, wishes, warn=warn, progress=None if json or streamed else _ui("loading"))
    if output is not None:
        save(predictor, blocks, output)
        print(str(output))
    elif json:
        print_json(as_json(document(predictor, blocks)))
    elif streamed:
        write = None
        for block in blocks:
            write = write or (json_lines if block.form == "json" else Csv())
            sys.stdout.write(write(block))
            sys.stdout.flush()
    else:
        sys.stdout.writelines(list(map(Csv(), blocks)))  # nothing is printed before every row has its answer


def _write_text(
    model: Any, count: int, prompt: str, temperature: float | None, seed: int | None, strict: bool, json: bool
) -> None:
    from backprop_cli.commands.generate import generate

    chance: dict[str, Any] = {"temperature": 1.0 if temperature is None else temperature, "seed": seed or 0}
    pieces = generate(model, count, prompt, **chance, strict=strict, warn=_ui("warn"))
    if json:
        text = "".join(pieces)
        print_json({"run_id": model.run_id, "prompt": prompt, "text": text, "generated": count, **chance})
        return
    first = next(pieces)
    sys.stdout.write(prompt + first)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _ui(name: str) -> Callable[..., None]:
    """A function of `ui`, imported when it is called: rich takes longer to import than a row to predict."""

    def call(*values: Any) -> None:
        from backprop_cli.cli import ui

        getattr(ui, name)(*values)

    return call


def register(app: typer.Typer) -> None:
    app.command("predict")(command)
