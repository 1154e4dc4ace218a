"""Pictures of sweeps: what they show of the trials, and what they cannot be drawn of."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from backprop_cli.commands.sweep.points import points_of
from backprop_cli.commands.sweep.summary import outcomes_of
from backprop_cli.commands.sweep.trials import plan
from backprop_cli.errors import UsageError
from backprop_cli.insight.plots import PictureOptions, draw
from backprop_cli.insight.view import View
from backprop_cli.runs.finding import list_runs

GRID = ["rate=0.001,0.01,0.1", "type=sgd,adam", "decay=1,2 if type=sgd", "seed=0,1"]


def make(folder: Path, settings: list[str], **about: Any) -> list[View]:
    """The folder of a sweep whose loss is |log rate + 2|, less with adam, and a little more for the second seed."""
    rows = []
    for trial in plan(settings):
        loss = abs(np.log10(float(trial.varied["rate"])) + 2) + (trial.varied.get("type") != "adam") + 0.5
        loss += 0.01 * (trial.varied.get("seed") == "1")
        (folder / trial.id).mkdir(parents=True)
        metrics = {"epoch": 1, "step": 1, "validation/loss": loss, "validation/accuracy": 1 / (1 + loss)}
        info = {"id": trial.id, "status": "completed", "metrics": metrics, "parameters": len(trial.varied)}
        info["best"] = {"epoch": 1, "step": 1, "validation/loss": loss}
        (folder / trial.id / "run.json").write_text(json.dumps(info))
        rows.append({"trial": trial.id, "varied": trial.varied, "status": "completed"})
    noted = {"config": "c.yaml", "rising": ["accuracy"], "trials": rows, **about}
    (folder / "sweep.json").write_text(json.dumps(noted))
    return [View(run) for run in list_runs(folder)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def test_points_are_the_trials_in_numbers(tmp_path: Path) -> None:
    make(tmp_path / "s", GRID)
    points = points_of(tmp_path / "s", outcomes_of(tmp_path / "s"))
    assert (points.metric, points.maximize, len(points.values)) == ("best.validation/loss", False, 18)
    assert points.values == sorted(points.values)
    rate, kind, decay, seed = points.columns
    assert [column.key for column in points.columns] == ["rate", "type", "decay", "seed"]
    assert (rate.log, kind.numeric, decay.numeric, seed.log) == (True, False, True, False)
    assert kind.choices == ["adam", "sgd"]
    assert sum(np.isnan(decay.numbers)) == 6
    rising = points_of(tmp_path / "s", outcomes_of(tmp_path / "s"), "validation/accuracy")
    assert rising.maximize
    assert rising.values == sorted(rising.values, reverse=True)


def test_slice_has_a_panel_a_key_and_a_point_a_trial(tmp_path: Path) -> None:
    figure = draw("slice", make(tmp_path / "s", GRID))
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert labels == ["rate", "type", "decay", "seed"]
    assert {ax.get_ylabel() for ax in figure.axes} == {"best.validation/loss"}
    assert [len(ax.get_lines()[0].get_xdata()) for ax in figure.axes] == [18] * 4
    assert figure.axes[0].get_xscale() == "log"
    best = figure.axes[0].get_lines()[1]
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([0.01], [0.5])


def test_heatmap_is_the_mean_over_all_else(tmp_path: Path) -> None:
    figure = draw("heatmap", make(tmp_path / "s", GRID))
    shown = figure.axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(shown, [[1.505, 0.505, 1.505], [2.505, 1.505, 2.505]])
    assert "1.5" in texts(figure)
    drawn = draw("heatmap", make(tmp_path / "t", ["rate=0.1,0.2", "width=1..20"]))
    assert not drawn.axes[0].get_images()
    assert len(drawn.axes[0].collections[0].get_offsets()) == 40


def test_parallel_has_a_line_a_trial_and_the_best_in_red(tmp_path: Path) -> None:
    figure = draw("parallel", make(tmp_path / "s", GRID))
    (ax,) = figure.axes
    assert len(ax.get_lines()) == 18
    assert ax.get_lines()[-1].get_color() == "#d55e00"
    assert {"sgd", "adam", "0.001", "0.1"} <= set(texts(figure))


def test_pareto_shows_the_front_of_two_goals(tmp_path: Path) -> None:
    goals = [{"name": "validation/loss", "maximize": False}, {"name": "parameters", "maximize": False}]
    figure = draw("pareto", make(tmp_path / "s", GRID, goals=goals))
    ahead = figure.axes[0].get_lines()[1]
    assert (list(ahead.get_xdata()), list(ahead.get_ydata())) == ([0.5], [3])
    with pytest.raises(UsageError, match="expected a sweep of two, with --monitor A,B"):
        draw("pareto", make(tmp_path / "t", GRID))


@pytest.mark.parametrize("kind", ["slice", "parallel", "heatmap", "pareto", "importance"])
def test_what_is_no_sweep_cannot_be_drawn_as_one(tmp_path: Path, kind: str) -> None:
    (view, *_) = make(tmp_path / "s", GRID)
    with pytest.raises(UsageError, match=f"--kind {kind} draws a sweep; expected the folder of one"):
        draw(kind, [view])


def test_a_heatmap_of_one_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs two keys that vary; this sweep has rate"):
        draw("heatmap", make(tmp_path / "s", ["rate=0.1,0.2", "seed=0,1"]))


def test_a_metric_that_no_trial_has(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'validation/loss'"):
        draw("slice", make(tmp_path / "s", GRID), PictureOptions(metrics=["validation/los"]))


@pytest.mark.search
def test_importance_finds_what_mattered(tmp_path: Path) -> None:
    views = make(tmp_path / "s", ["rate=0.001,0.003,0.01,0.03,0.1", "type=adam,sgd", "seed=0..3"])
    figure = draw("importance", views)
    widths = {label.get_text(): bar.get_width()
              for label, bar in zip(figure.axes[0].get_yticklabels(), figure.axes[0].patches, strict=True)}  # fmt: skip
    assert sum(widths.values()) == pytest.approx(1)
    assert widths["rate"] > widths["seed"]
    assert widths["type"] > widths["seed"]
    with pytest.raises(UsageError, match="expected 10 trials or more"):
        draw("importance", make(tmp_path / "few", ["rate=0.1,0.2"]))


@pytest.mark.long
def test_the_report_of_a_sweep_says_what_came_of_it(bp, tmp_path: Path) -> None:
    quick = ["--set", "trainer.epochs=1", "--set", "optimizer.learning_rate=0.1,0.01", "--set", "seed=0,1", "--quiet"]
    assert bp("sweep", "configs/moons.yaml", *quick).code == 0
    done = bp("report", "moons-sweep", "-o", "r.html")
    assert done.code == 0, done.err
    assert bp("plot", "moons-sweep", "--kind", "curves", "-o", "c.png").code == 0
    best = bp("runs", "summary", "moons-sweep").out.splitlines()[-1]
    page = html.unescape((tmp_path / "r.html").read_text())
    assert best in page
    assert page.count("<svg") > 2
    assert all(f">{title}<" in page for title in ("Settings", "What mattered", "What differs", "Curves"))
