"""`bp lesson`: descriptions are read and refused, figures are measured as they say, verdicts follow the interval."""

from __future__ import annotations

import json
import math
import os
import py_compile
import shutil
from collections.abc import Callable
from importlib.util import cache_from_source
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backprop_cli.commands.lessons.lesson import At, Figure, Lesson, load, names
from backprop_cli.commands.lessons.measure import _metric, function, value
from backprop_cli.commands.lessons.run import Result, run_lesson
from backprop_cli.config import load_config, shipped
from backprop_cli.errors import ConsentError, DataError, UsageError
from backprop_cli.insight.lessons import picture
from backprop_cli.runs.metrics_log import read

ROWS = [{"epoch": epoch, "step": 10 * epoch, "loss": loss} for epoch, loss in enumerate([3.0, 1.0, 0.5, 2.0], 1)]


@pytest.mark.parametrize("name", names())
def test_every_lesson_is_whole(name: str) -> None:
    lesson = load(name)
    assert all(load_config(lesson.config(run)).name for run in lesson.configs)
    assert all(each.of is None or each.of in lesson.configs for each in lesson.figures)
    assert lesson.code is None or (lesson.folder / lesson.code).is_file()


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("last", 2.0),
        ("first", 3.0),
        ("min", 0.5),
        ("max", 3.0),
        (At(epoch=2), 1.0),
        (At(step=30), 0.5),
        (At(below=0.7), 30),
        (At(above=2.5), 10),
    ],
)
def test_which_row_a_measure_takes(at: str | At, expected: float) -> None:
    assert _metric(ROWS, "loss", at) == expected


def test_what_no_row_has_is_nan() -> None:
    assert math.isnan(_metric(ROWS, "accuracy", "last"))
    assert math.isnan(_metric(ROWS, "loss", At(below=0.1)))


def test_a_lesson_is_trained_measured_and_judged_over_seeds(tmp_path: Path) -> None:
    outcome = run_lesson(load("local_minimum"), tmp_path, seeds=2)
    assert [result.values for result in outcome.results] == [[pytest.approx(4.5)] * 2, [pytest.approx(2)] * 2]
    assert outcome.as_expected
    figure = outcome.results[0].figure.model_copy(update={"expect": (0, 1)})
    assert not Result(figure, [4.5, 4.5]).as_expected
    assert not Result(figure, [0.5, math.nan]).as_expected
    assert math.isnan(Result(figure, [0.5, math.nan]).spread)  # `statistics.stdev` breaks off on a NaN


def test_a_diverging_run_is_an_outcome(tmp_path: Path) -> None:
    config = {"name": "up", "dataset": {"source": "synthetic", "name": "moons", "samples": 20},
              "architecture": [{"type": "dense", "units": 2, "activation": "softmax"}],
              "loss": "sparse_categorical_crossentropy",
              "optimizer": {"type": "sgd", "learning_rate": 1e38}, "trainer": {"epochs": 3}}  # fmt: skip
    (tmp_path / "up.yaml").write_text(json.dumps(config))
    lesson = Lesson.model_validate(
        {"name": "up", "folder": tmp_path, "title": "t", "claim": "c", "source": "s", "seconds": 1,
         "configs": {"up": "up.yaml"}, "figures": [{"say": "diverged", "status": "diverged", "expect": (1, 1)}]}
    )  # fmt: skip
    assert run_lesson(lesson, tmp_path / "runs").as_expected


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    lesson = load("xor")
    figure = lesson.figures[0].model_copy(update={"of": "nobody"})
    with pytest.raises(DataError, match="no run called 'nobody'; expected one of "):
        value(lesson, figure, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a list", "expected a mapping"),
        ("title: x", "claim: Field required"),
        ("{", "not YAML"),
        ("a: &a [x, x]\n" + "".join(f"{y}: &{y} [{f'*{x}, ' * 9}]\n" for x, y in pairwise("abcdefghi")), "aliases"),
    ],
)
def test_a_damaged_description_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.lesson.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        load(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_file_is_no_lesson(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "mine.lesson.yaml")
    with pytest.raises(DataError, match=r"mine\.lesson\.yaml"):
        load(str(tmp_path / "mine.lesson.yaml"))


OWN = """
{title: t, claim: c, source: s, seconds: 1, configs: {up: up.yaml}, code: mine.py,
 figures: [{say: one, function: one, expect: [1, 1]}]}
"""


def test_code_of_one_s_own_lesson_is_named_and_its_bytecode_not_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.lesson.yaml").write_text(OWN)
    (tmp_path / "mine.py").write_text("def one(runs): return 2")
    cached = Path(cache_from_source(str(tmp_path / "mine.py")))
    py_compile.compile(
        str(tmp_path / "mine.py"), str(cached), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    (tmp_path / "mine.py").write_text("def one(runs): return 1")
    lesson = load(str(tmp_path / "mine.lesson.yaml"))
    assert function(lesson, "one")({}) == 1
    assert f"running the plugin {tmp_path / 'mine.py'}, which is Python code" in capsys.readouterr().err
    shutil.copytree(tmp_path, tmp_path / "run")
    for name in ("run.json", "config.yaml"):
        (tmp_path / "run" / name).write_text("{}")
    (tmp_path / "run/mine.py").write_text("def one(runs): return 3")
    lesson = load(str(tmp_path / "run/mine.lesson.yaml"))
    with pytest.raises(ConsentError):
        function(lesson, "one")


def test_an_unknown_lesson_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'vanishing_gradients'"):
        load("vanishing_gradient")


def test_the_command(bp, tmp_path: Path) -> None:
    assert "xor" in bp("lesson", "ls").out
    assert "Minsky" in bp("lesson", "show", "xor").out
    done = bp("lesson", "run", "xor", "--json")
    assert done.code == 0
    assert done.json["as_expected"] is True
    assert (tmp_path / done.json["picture"]).stat().st_size > 10_000
    assert bp("lesson", "run", "nothing").code == 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"printed": 0.5}, "`where` does not say"),
        ({"printed": 2.0, "where": "page 1"}, "an interval around the printed 2"),
        ({"quoted": "hearsay"}, "quoted"),
    ],
)
def test_a_printed_figure_says_where_and_lies_in_its_own_interval(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Figure(say="loss", metric="train/loss", expect=(0, 1), **changes)


def test_a_lesson_changes_keys_of_its_configs(tmp_path: Path) -> None:
    config = shipped.folder() / "lessons/local_minimum.yaml"
    written = {"title": "t", "claim": "c", "source": "s", "seconds": 1, "quick": True,
               "configs": {"short": {"config": str(config), "set": {"trainer.epochs": 2, "name": "short"}}},
               "figures": [{"say": "loss", "metric": "train/loss", "expect": [0, 10]}]}  # fmt: skip
    (tmp_path / "short.lesson.yaml").write_text(json.dumps(written), encoding="utf-8")
    outcome = run_lesson(load(str(tmp_path / "short.lesson.yaml")), tmp_path)
    rows = list(read(outcome.runs[0]["short"].metrics))
    assert [row["epoch"] for row in rows] == [1, 2]


def test_a_lesson_that_needs_data_says_which_option_gives_them(bp) -> None:
    needy = [name for name in names() if load(name).needs]
    for name in needy:
        done = bp("lesson", "run", name)
        assert done.code == 2
        assert "--data-dir FOLDER" in done.err
        assert "--data-dir" in bp("lesson", "show", name).out


@pytest.mark.trains
@pytest.mark.parametrize("name", [name for name in names() if load(name).quick])
def test_a_quick_lesson_comes_out(name: str, tmp_path: Path) -> None:
    lesson = load(name)
    assert lesson.needs is None
    outcome = run_lesson(lesson, tmp_path, warn=lambda text: None)
    assert [(result.figure.say, result.mean) for result in outcome.results if not result.as_expected] == []


def own_lesson(folder: Path, **keys: Any) -> Lesson:
    """A lesson of two epochs of XOR, with other keys."""
    config = {"name": "xor", "dataset": {"source": "synthetic", "name": "xor"},
              "architecture": [{"type": "dense", "units": 1, "activation": "sigmoid"}],
              "loss": "binary_crossentropy", "trainer": {"epochs": 2}}  # fmt: skip
    (folder / "xor.yaml").write_text(json.dumps(config))
    written = {"title": "t", "claim": "c", "source": "s", "seconds": 1, "configs": {"xor": "xor.yaml"},
               "figures": [{"say": "loss", "metric": "train/loss", "expect": [0, 10]}], **keys}  # fmt: skip
    (folder / "own.lesson.yaml").write_text(json.dumps(written))
    return load(str(folder / "own.lesson.yaml"))


def test_a_config_can_depend_on_the_runs_before_it(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def as_many(runs, folder):\n"
        "    (folder / 'note.txt').write_text(', '.join(runs))\n"
        "    return {'trainer.epochs': 3 * sum(1 for _ in runs['first'].metrics.open())}\n"
    )
    configs = {"first": "xor.yaml", "second": {"config": "xor.yaml", "function": "as_many"}}
    outcome = run_lesson(own_lesson(tmp_path, configs=configs, code="own.py"), tmp_path / "runs")
    assert [row["epoch"] for row in read(outcome.runs[0]["second"].metrics)] == [1, 2, 3, 4, 5, 6]
    assert [path.read_text() for path in (tmp_path / "runs").glob("second-*/note.txt")] == ["first"]


def test_a_config_can_name_the_folder_of_the_data(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b,answer\n0,0,0\n0,1,1\n1,0,1\n1,1,1\n")
    dataset = {"source": "files", "path": "{data_dir}/data.csv", "target": "answer", "splits": {"train": "100%"}}
    configs = {"table": {"config": "xor.yaml", "set": {"dataset": dataset}}}
    lesson = own_lesson(tmp_path, configs=configs, needs="mnist")
    run = run_lesson(lesson, tmp_path / "runs", data_dir=tmp_path).runs[0]["table"]
    assert load_config(run.path / "config.yaml").dataset.path == tmp_path / "data.csv"
    with pytest.raises(UsageError, match="--data-dir FOLDER"):
        run_lesson(lesson, tmp_path / "more")


def test_a_picture_shows_the_figures_of_every_seed(tmp_path: Path) -> None:
    results = [Result(figure, [0.66, math.nan, 0.67]) for figure in load("nielsen_rates").figures]
    one, all_three = (
        picture({}, tmp_path / f"{count}.png", kind="figures", results=results[:count]) for count in (1, 3)
    )
    assert all_three.stat().st_size > one.stat().st_size > 1000
