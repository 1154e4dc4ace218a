"""`bp lesson`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli.group import group
from backprop_cli.cli.options import Json, print_json

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `bp lesson ls` lists it, or a file NAME.lesson.yaml.")]


def listing(json: Json = False) -> None:
    """List the lessons, with their sources and seconds.

    \b
    Examples:
      bp lesson ls
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.lessons.lesson import load, names

    lessons = [load(name) for name in names()]
    if json:
        keys = {"name", "title", "claim", "source", "shows", "seconds", "quick", "needs"}
        print_json([lesson.model_dump(include=keys) for lesson in lessons])
    else:
        rows = [[lesson.name, lesson.title, lesson.source, lesson.seconds, lesson.needs or ""] for lesson in lessons]
        ui.table(["name", "title", "source", "seconds", "needs"], rows, right=["seconds"])


def show(name: Name, json: Json = False) -> None:
    """Show one lesson: claim, source, configs, figures.

    \b
    Examples:
      bp lesson show vanishing_gradients
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.lessons.lesson import load
    from backprop_cli.commands.lessons.run import quoted

    lesson = load(name)
    if json:
        print_json(lesson.model_dump(mode="json"))
        return
    print(f"{lesson.title}\n\n{lesson.claim}\n\nsource   {lesson.source}")
    if lesson.shows:
        print(f"shows    {lesson.shows}")
    if lesson.note:
        print(f"note     {lesson.note}")
    print(f"seconds  {lesson.seconds:g} a seed")
    if lesson.needs:
        print("needs    the original MNIST files: --data-dir FOLDER")
    for run in lesson.configs:
        print(f"config   {' '.join([str(lesson.config(run)), *lesson.changes(run)])}")
    print()
    rows = [
        [figure.say, figure.printed, quoted(figure.where, figure.quoted), _interval(figure.expect)]
        for figure in lesson.figures
    ]
    ui.table(["figure", "printed", "where", "expected"], rows, right=["printed", "expected"])
    print(f"\nbp lesson run {lesson.name}", file=sys.stderr)


def run(
    name: Name,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds; the config's own is the first.")] = 1,
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where its runs and picture go.")] = Path("runs"),
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The original files, for a lesson whose data do not ship with bp."),
    ] = None,
    json: Json = False,
) -> None:
    """Train a lesson, compare its figures, draw its picture.

    Prints what the source prints, what was measured here, where it is expected, and a verdict.
    Exit code 1 if a figure is not as expected.

    \b
    Examples:
      bp lesson run vanishing_gradients
      bp lesson run symmetry --seeds 5
      bp lesson run nielsen_overfitting --data-dir mnist
    """
    from backprop_cli.cli import ui
    from backprop_cli.commands.lessons.lesson import load
    from backprop_cli.commands.lessons.measure import function
    from backprop_cli.commands.lessons.run import run_lesson
    from backprop_cli.insight.lessons import picture
    from backprop_cli.runs.directory import new_id

    lesson = load(name)
    folder = runs / new_id(f"lesson-{lesson.name}")
    outcome = run_lesson(lesson, folder, seeds, None if json else ui.note, data_dir, warn=ui.warn)
    wanted = dict(lesson.picture)
    own = function(lesson, wanted.pop("function")) if "function" in wanted else None
    path = picture(outcome.runs[0], folder / f"{lesson.name}.png", draw=own, results=outcome.results, **wanted)
    if json:
        figures = [result.as_json() for result in outcome.results]
        print_json({"name": lesson.name, "seeds": seeds, "as_expected": outcome.as_expected, "seconds": outcome.seconds,
                    "figures": figures, "picture": str(path), "runs": str(folder)})  # fmt: skip
    else:
        rows = [
            [result.figure.say, result.figure.printed, _here(result.mean, result.spread, seeds),
             _interval(result.figure.expect), "as expected" if result.as_expected else "not as expected"]
            for result in outcome.results
        ]  # fmt: skip
        ui.table(["figure", "printed", "here", "expected", "verdict"], rows, right=["printed", "here", "expected"])
        print(path)
    if not outcome.as_expected:
        raise typer.Exit(1)


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:g} … {bounds[1]:g}"


def _here(mean: float, spread: float, seeds: int) -> str:
    return f"{mean:.4g} ± {spread:.2g}" if seeds > 1 else f"{mean:.4g}"


def register(app: typer.Typer) -> None:
    lesson = group("Claims of textbooks and papers, trained and measured.")
    lesson.command("ls")(listing)
    lesson.command()(show)
    lesson.command()(run)
    app.add_typer(lesson, name="lesson")
