"""`bp plot`: what is drawn is what the run holds, in pictures that say what they show."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.table import Cell
from matplotlib.text import Text
from PIL import Image

from backprop_cli import load_config
from backprop_cli.cli.plot import picture
from backprop_cli.commands.compare import compare, rows
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.labels import by_seed, labels
from backprop_cli.commands.train import train
from backprop_cli.errors import BpError, UsageError
from backprop_cli.insight import style
from backprop_cli.insight.curves import wanted
from backprop_cli.insight.edges import RADIUS, numbered_at
from backprop_cli.insight.layout import COLUMN, Spot
from backprop_cli.insight.plots import PictureOptions, draw, kinds
from backprop_cli.insight.view import View
from backprop_cli.runs.directory import RunDirectory
from tests.conftest import ROOT

Runs = Callable[[str], Path]
Views = Callable[[str], View]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def labelled(views: list[View]) -> list[View]:
    for each, label in zip(views, labels([each.run for each in views]), strict=True):
        each.label = label
    return views


def test_there_are_the_kinds_that_are_promised() -> None:
    promised = {"loss", "boundary", "network", "gradients", "confusion", "activations", "weights", "filters"}
    promised |= {"saliency"}
    assert promised <= set(kinds())


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("loss", ["moons"]),
        ("loss", ["moons", "moons_sgd", "mazur"]),
        ("boundary", ["moons"]),
        ("boundary", ["xor"]),
        ("network", ["xor", "moons"]),
        ("network", ["mnist"]),
        ("gradients", ["moons"]),
        ("confusion", ["mnist"]),
        ("activations", ["mnist"]),
        ("weights", ["moons"]),
        ("filters", ["mnist"]),
        ("compare", ["moons", "moons_sgd"]),
    ],
)
def test_every_kind_as_png_and_svg(kind: str, names: list[str], trained: Runs, tmp_path: Path) -> None:
    runs = [str(trained(name)) for name in names]
    png = picture(runs, kind, tmp_path / "a.png", tmp_path)
    with Image.open(png) as image:
        assert image.width > 400
        assert len(image.convert("L").getcolors() or []) > 10  # something is drawn
    svg = picture(runs, kind, tmp_path / "a.svg", tmp_path)
    again = picture(runs, kind, tmp_path / "b.svg", tmp_path)
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert svg.read_bytes() == again.read_bytes()
    assert b"<dc:date>" not in svg.read_bytes()


@pytest.mark.parametrize("kind", ["loss", "boundary", "network", "confusion", "activations", "weights"])
def test_pictures_say_which_run_and_what_the_axes_are(kind: str, view: Views) -> None:
    figure = draw(kind, [view("moons")])
    assert any("moons" in text for text in texts(figure))
    if kind in ("loss", "boundary", "confusion"):
        drawn = [ax for ax in figure.findobj() if type(ax).__name__ == "Axes" and ax.axison]
        assert drawn
        assert all(ax.get_ylabel() for ax in drawn)


def test_curves_are_the_rows_of_the_log(view: Views) -> None:
    run = view("moons")
    rows = [json.loads(line) for line in run.run.metrics.read_text().splitlines()]
    (ax,) = draw("loss", [run], PictureOptions(metrics=["validation/loss"])).axes
    line = ax.get_lines()[0]
    assert list(line.get_xdata()) == [1, 2, 3, 4]
    assert list(line.get_ydata()) == [row["validation/loss"] for row in rows]
    assert line.get_color() in style.LINES


def test_the_legend_says_what_differs(view: Views) -> None:
    runs = labelled([view("moons"), view("moons_sgd")])
    assert [each.label for each in runs] == ["moons", "moons_sgd"]
    shown = " ".join(texts(draw("loss", runs)))
    assert all(each.label in shown for each in runs)


def sweep(tmp_path: Path, trained: Runs, count: int) -> list[RunDirectory]:
    """Runs of one name that differ in the learning rate, of which each has two seeds."""
    runs = []
    for number in range(count):
        shutil.copytree(trained("moons"), tmp_path / f"run{number}")
        runs.append(RunDirectory(tmp_path / f"run{number}"))
        config = runs[-1].config.read_text()
        config = config.replace("learning_rate: 0.01", f"learning_rate: {0.01 + number // 2}")
        runs[-1].config.write_text(config.replace("seed: 0", f"seed: {number % 2}"))
    return runs


def test_runs_of_one_name_are_called_by_what_differs(tmp_path: Path, trained: Runs) -> None:
    runs = sweep(tmp_path, trained, 4)
    assert labels(runs)[:2] == ["learning_rate=0.01, seed=0", "learning_rate=0.01, seed=1"]
    assert by_seed(runs) == {"learning_rate=0.01": [0, 1], "learning_rate=1.01": [2, 3]}


def test_of_many_runs_few_stand_out(tmp_path: Path, trained: Runs) -> None:
    views = labelled([View(run) for run in sweep(tmp_path, trained, 40)])
    figure = draw("loss", views, PictureOptions(metrics=["validation/loss"]))
    lines = figure.axes[0].get_lines()
    assert sum(line.get_alpha() == 0.3 for line in lines) == 35
    assert "35 others: all but the best 5" in texts(figure)
    assert len([text for text in texts(figure) if text.startswith("learning_rate=")]) == 5


def test_seeds_become_a_mean_and_a_band(tmp_path: Path, trained: Runs) -> None:
    runs = sweep(tmp_path, trained, 2)
    rows = [json.loads(line) for line in runs[1].metrics.read_text().splitlines()]
    runs[1].metrics.write_text("".join(json.dumps({**row, "validation/loss": 0.5}) + "\n" for row in rows))
    first = [json.loads(line)["validation/loss"] for line in runs[0].metrics.read_text().splitlines()]
    figure = draw("loss", [View(run) for run in runs], PictureOptions(metrics=["validation/loss"], group=True))
    (line,) = figure.axes[0].get_lines()
    np.testing.assert_allclose(line.get_ydata(), [(value + 0.5) / 2 for value in first])
    low, high = figure.axes[0].collections[0].get_datalim(figure.axes[0].transData).get_points()[:, 1]
    assert low == pytest.approx(min(min(value, 0.5) for value in first))
    assert high == pytest.approx(max(max(value, 0.5) for value in first))
    assert any("2 seeds" in text for text in texts(figure))


def test_a_label_tells_of_layers_that_others_lack(tmp_path: Path, trained: Runs) -> None:
    runs = []
    for name in ("plain", "normalised"):
        shutil.copytree(trained("moons"), tmp_path / name)
        runs.append(RunDirectory(tmp_path / name))
    config = runs[1].config.read_text()
    runs[1].config.write_text(config.replace("architecture:", "architecture:\n- {type: batch_norm}", 1))
    assert labels(runs) == ["without batch_norm", "with batch_norm"]


def test_colours_are_told_apart_with_many_runs() -> None:
    for count in (2, 7, 12):
        assert len({str(style.color(i, count)) for i in range(count)}) == count


def test_the_confusion_is_that_of_eval(view: Views) -> None:
    run = view("mnist")
    measured = evaluate_run(run.run)
    matrix = np.array(measured["confusion_matrix"])
    figure = draw("confusion", [run])
    image = next(ax for ax in _axes(figure) if ax.images).images[0].get_array()
    share, right = matrix / matrix.sum(axis=1, keepdims=True), np.eye(10, dtype=bool)
    np.testing.assert_allclose(image[..., 3], np.where(right, share, np.sqrt(share)))
    for cells, colour in ((image[right], style.BLUE), (image[~right], style.VERMILLION)):
        assert {tuple(each) for each in cells[:, :3]} == {to_rgb(colour)}
    assert f"accuracy {measured['metrics']['accuracy']:.4f}" in " ".join(texts(figure))


def test_a_network_names_its_features_and_classes(tmp_path: Path) -> None:
    """A picture of a table's network without them says x1, x2, …"""
    layers = "[{type: dense, units: 3, activation: softmax}]"
    text = f"dataset: {{source: sample, name: iris}}\narchitecture: {layers}\nloss: cross_entropy\n"
    (tmp_path / "c.yaml").write_text(f"{text}trainer: {{epochs: 1}}\n")
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    for options in ({}, {"sample": 0}):
        said = texts(draw("network", [View(RunDirectory(tmp_path / "run"))], PictureOptions(**options)))
        assert {"sepal length (cm)", "petal width (cm)", "versicolor"} <= set(said)


def _axes(figure: Figure) -> list[Any]:
    return [each for each in figure.findobj() if hasattr(each, "get_lines")]


def test_the_boundary_separates_what_the_network_separates(view: Views) -> None:
    run = view("moons")
    ax = next(ax for ax in _axes(draw("boundary", [run])) if ax.images)
    image = ax.images[0]
    left, right, bottom, top = image.get_extent()
    colours = np.asarray(image.get_array())
    bluer = colours[..., 2] > colours[..., 0]
    x = np.asarray(run.prepared.dataset.splits["train"].x)
    z = run.outputs(x)
    rows, columns = bluer.shape
    at = (((x - [left, bottom]) / [right - left, top - bottom]) * [columns - 1, rows - 1]).round().astype(int)
    sure = np.abs(z[:, 0] - 0.5) > 0.2
    assert sure.sum() > 300
    np.testing.assert_array_equal(bluer[at[sure, 1], at[sure, 0]], z[sure, 0] > 0.5)


@pytest.mark.parametrize(("start", "end"), [(2, 2), (4, 1), (1, 4), (6, 3), (3, 3), (3, 6), (2, 9)])
def test_weights_on_edges_can_be_told_apart(start: int, end: int) -> None:
    """No two numbers between the same layers overlap."""

    def column(x: float, units: int) -> Spot:
        heights = [0.9 * (units - 1) / 2 - 0.9 * i for i in range(units)]
        return Spot("dense_1", (units,), None, x, 0.0, 0.9 * units, int(x), heights)

    source, spot = column(0, start), column(2.6, end)
    share = numbered_at(source, spot)
    assert share is not None
    assert source.units and spot.units
    heights = sorted(a + share * (b - a) for a in source.units for b in spot.units)
    assert min(np.diff(heights)) > 0.12  # the height of a number, in inches
    assert RADIUS + 0.2 < share * 2.6 < 2.6 - RADIUS - 0.2
    assert numbered_at(column(0, 8), column(2.6, 8)) is None


def test_the_network_shows_its_weights_and_what_a_sample_does(view: Views) -> None:
    run = view("xor")
    figure = draw("network", [run], PictureOptions(sample=2))
    shown = [text.replace("−", "-") for text in texts(figure)]
    for weight in np.concatenate([run.network.parameters[f"dense_{i}.W"].ravel() for i in (1, 2)]):
        assert f"{weight:.2f}" in shown
    probe = run.probe(sample=2)
    numbers = [float(text) for text in shown if re.fullmatch(r"-?[\d.e-]+", text)]
    for value in np.concatenate([probe.values[name].ravel() for name in ("dense_1", "dense_2")]):
        assert min(abs(number - value) for number in numbers) < 0.006
    assert sum(text.startswith("δ ") for text in shown) == 5


def test_one_example_alone_before_batch_norm_is_said(tmp_path: Path) -> None:
    architecture = "[{type: dense, units: 3}, batch_norm, {type: dense, units: 2, activation: softmax}]"
    cfg = load_config(ROOT / "configs/moons.yaml", [f"architecture={architecture}", "trainer={epochs: 1}"])
    train(cfg, run_dir=tmp_path / "run")
    said: list[str] = []
    draw("network", [View(RunDirectory(tmp_path / "run"))], PictureOptions(sample=0, note=said.append))
    assert len(said) == 1 and "batch_norm_1" in said[0]


def test_a_wide_layer_is_drawn_as_a_whole(view: Views) -> None:
    shown = " ".join(texts(draw("network", [view("moons")])))
    assert "16 units" in shown


@pytest.mark.parametrize("layers", [6, 40])
def test_a_deep_network_stays_narrow(layers: int, tmp_path: Path) -> None:
    """Twelve columns at most; what is left out is said, and the ends are drawn."""
    repeated = f"{{repeat: {{times: {layers}, layers: [{{residual: [{{type: dense, units: 2, activation: tanh}}]}}]}}}}"
    cfg = load_config(
        ROOT / "configs/moons.yaml",
        [f"architecture=[{repeated}, {{type: dense, units: 2, activation: softmax}}]", "trainer={epochs: 1}"],
    )
    train(cfg, run_dir=tmp_path / "run")
    view = View(RunDirectory(tmp_path / "run"))
    figure = draw("network", [view], PictureOptions(sample=0))
    assert figure.get_size_inches()[0] <= 12 * COLUMN
    said = texts(figure)
    assert any(f"add_{layers}" in each for each in said) and any("dense_1" in each for each in said)
    assert any(f"{2 * layers + 2 - 11} more" in each for each in said)


def test_gradients_over_time_when_they_were_recorded(trained: Runs, tmp_path: Path) -> None:
    run = tmp_path / "moons"
    shutil.copytree(trained("moons"), run)
    rows = [
        {"epoch": e, "step": 25 * e, "layers": {name: {"gradient_norm": norm / e} for name, norm in NORMS.items()}}
        for e in (1, 2, 3, 4)
    ]
    (run / "diagnostics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ax = next(ax for ax in _axes(draw("gradients", [View(RunDirectory(run))])) if ax.get_lines())
    assert [list(line.get_ydata()) for line in ax.get_lines()] == [
        [n / e for e in (1, 2, 3, 4)] for n in NORMS.values()
    ]
    assert list(ax.get_lines()[0].get_xdata()) == [1, 2, 3, 4]
    assert ax.get_yscale() == "log"


NORMS = {"dense_1": 0.5, "dense_2": 0.25, "dense_3": 2.0}


def test_without_diagnostics_one_moment_is_shown_and_said(trained: Runs, tmp_path: Path) -> None:
    said: list[str] = []
    shutil.copytree(trained("moons"), tmp_path / "run")
    (tmp_path / "run/diagnostics.jsonl").unlink()
    run = View(RunDirectory(tmp_path / "run"))
    ax = next(ax for ax in _axes(draw("gradients", [run], PictureOptions(note=said.append))) if ax.patches)
    probe = run.probe()
    norm = np.sqrt(sum((probe.gradients[f"dense_1.{p}"] ** 2).sum() for p in "Wb"))
    assert ax.patches[0].get_width() == pytest.approx(norm, rel=1e-5)
    assert "trainer.diagnostics" in said[0]


def test_a_probe_leaves_the_network_as_it_was(view: Views) -> None:
    run = View(view("moons").run)
    before = {name: value.copy() for name, value in run.network.parameters.items()}
    first, second = run.probe(), run.probe()
    assert first.loss == second.loss
    assert all((run.network.parameters[name] == before[name]).all() for name in before)


def test_names_that_are_no_names(view: Views, tmp_path: Path, trained: Runs) -> None:
    for name in ("_hidden", "$x^{2}$", "a" * 200):
        shutil.copytree(trained("moons"), tmp_path / name)
    runs = [View(RunDirectory(tmp_path / name)) for name in ("_hidden", "$x^{2}$", "a" * 200)]
    for each in runs:
        each.run.info["id"] = each.label = each.run.path.name
    figure = draw("loss", runs)
    with style.styled():
        style.save(figure, tmp_path / "odd.svg")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("_hidden" in text for text in legend)
    assert any("$x^{2}$" in text for text in legend)
    assert all(len(text) < 80 for text in legend)


def test_a_metric_whose_name_has_a_slash(tmp_path: Path, trained: Runs) -> None:
    shutil.copytree(trained("moons"), tmp_path / "run")
    log = tmp_path / "run/metrics.jsonl"
    log.write_text(log.read_text().replace("train/accuracy", "train/hits/all"))
    run = View(RunDirectory(tmp_path / "run"))
    assert wanted([run], []) == {"loss": ["", "train", "validation"], "hits/all": ["", "train", "validation"],
                                 "accuracy": ["", "train", "validation"]}  # fmt: skip
    assert wanted([run], ["train/hits/all"]) == {"hits/all": ["train"]}
    draw("loss", [run])


@pytest.mark.parametrize(
    ("kind", "names", "options", "message"),
    [
        ("boundary", ["mnist"], {}, r"this network has 784 .*; try --kind confusion"),
        ("boundary", ["friedman"], {}, r"2 inputs, this network has 10"),
        ("confusion", ["friedman"], {}, "no classes"),
        ("confusion", ["moons"], {"split": "tset"}, "no split 'tset'; expected one of train, validation"),
        ("filters", ["moons"], {}, "no filters.*--kind weights"),
        ("network", ["xor"], {"sample": 4}, "samples 0 to 3"),
        ("loss", ["moons"], {"metrics": ["acuracy"]}, "no run has logged 'acuracy'.*did you mean 'accuracy'"),
        ("loss", ["mazur"], {"metrics": ["validation/loss"]}, "no run has logged 'validation/loss'"),
        ("compare", ["moons"], {}, "two or more runs"),
        ("los", ["moons"], {}, "expected one of .*did you mean 'loss'"),
    ],
)
def test_what_cannot_be_drawn(kind: str, names: list[str], options: dict[str, Any], message: str, view: Views) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        draw(kind, [view(name) for name in names], PictureOptions(**options))
    assert "\n" not in str(caught.value)


def test_a_run_of_one_epoch_is_a_point_and_said(view: Views) -> None:
    said: list[str] = []
    (ax, *_) = draw("loss", [view("mazur")], PictureOptions(note=said.append)).axes
    assert len(ax.get_lines()[0].get_xdata()) == 1
    assert "point" in said[0]


def test_a_run_that_finished_no_epoch(tmp_path: Path, trained: Runs) -> None:
    shutil.copytree(trained("moons"), tmp_path / "run")
    (tmp_path / "run/metrics.jsonl").write_text("")
    with pytest.raises(UsageError, match="has not finished an epoch"):
        draw("loss", [View(RunDirectory(tmp_path / "run"))])


def test_a_number_that_was_not_finite_is_a_gap(tmp_path: Path, trained: Runs) -> None:
    shutil.copytree(trained("moons"), tmp_path / "run")
    log = tmp_path / "run/metrics.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    rows[2]["validation/loss"] = None
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (ax,) = draw("loss", [View(RunDirectory(tmp_path / "run"))], PictureOptions(metrics=["validation/loss"])).axes
    assert np.isnan(ax.get_lines()[0].get_ydata()).tolist() == [False, False, True, False]


@pytest.mark.parametrize("name", ["picture.pdf", "no/such/folder/a.png"])
def test_where_a_picture_cannot_go(name: str, trained: Runs, tmp_path: Path) -> None:
    with pytest.raises(BpError):
        picture([str(trained("moons"))], "loss", tmp_path / name, tmp_path)


def test_as_a_command(bp, trained: Runs, tmp_path: Path) -> None:
    done = bp("plot", trained("moons"), DISPLAY="", MPLBACKEND="")
    assert done.code == 0, done.err
    assert done.out == "loss-moons.png\n"
    assert (tmp_path / "loss-moons.png").stat().st_size > 1000
    wrong = bp("plot", trained("mnist"), "--kind", "boundary")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.count("\n") == 1


def test_compare_draws_too(bp, trained: Runs, tmp_path: Path) -> None:
    done = bp("runs", "compare", trained("moons"), trained("moons_sgd"), "--plot", "both.svg", "--json")
    assert done.code == 0, done.err
    assert done.json["runs"] == ["moons", "moons_sgd"]
    assert "optimizer.type" in (tmp_path / "both.svg").read_text()


def test_compare_leaves_out_what_follows_from_another_type(trained: Runs) -> None:
    """The options of a layer that the other run has not are not as many differences."""
    found = compare([RunDirectory(trained("moons")), RunDirectory(trained("moons_sgd"))])
    shown = [row[1] for row in rows(found) if row[0] == "config"]
    assert "optimizer.beta_1" in found["config"] and "optimizer.beta_1" not in shown
    assert {"optimizer.type", "optimizer.learning_rate"} <= set(shown)


def test_compare_always_draws_the_results(view: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_cli.insight.plots.compare.ROWS", 2)
    figure = draw("compare", labelled([view("moons"), view("mnist")]))
    cells = [cell.get_text().get_text() for cell in figure.findobj(Cell)]
    assert "… and " in " ".join(cells) and "last train/loss" in cells


def test_logarithmic_axes_have_numbers_that_people_read(view: Views) -> None:
    figure = draw("gradients", [view("sick")])
    figure.canvas.draw()
    (ax,) = (ax for ax in figure.findobj() if type(ax).__name__ == "Axes")
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert {"0.1", "0.001"} & set(shown)
    assert not any("e−01" in each or "e-01" in each for each in shown)


def test_counts_are_whole_numbers(view: Views) -> None:
    figure = draw("weights", [view("mazur")])
    figure.canvas.draw()
    ticks = [tick for ax in figure.findobj() if type(ax).__name__ == "Axes" and ax.axison for tick in ax.get_yticks()]
    assert ticks and all(tick == round(tick) for tick in ticks)


def test_a_range_test_shows_the_loss_of_each_rate(tmp_path: Path) -> None:
    changes = ["optimizer={type: sgd, learning_rate: 100, schedule: {type: range_test, low: 1e-6}}"]
    changes += ["trainer.diagnostics={every: 1}", "trainer.epochs=8"]
    train(load_config(ROOT / "configs/moons.yaml", changes), run_dir=tmp_path / "range")
    run = View(RunDirectory(tmp_path / "range"))
    notes: list[str] = []
    (ax,) = draw("rate", [run], PictureOptions(note=notes.append)).axes
    drawn = ax.get_lines()[0]
    rows = run.diagnostics
    assert ax.get_xscale() == "log"
    assert list(drawn.get_xdata()) == [row["learning_rate"] for row in rows]
    assert list(drawn.get_ydata()) == [row["loss"] for row in rows]
    assert np.allclose(drawn.get_xdata()[[0, -1]], [1e-4, 100])  # type: ignore[index]
    best = rows[int(np.argmin(ax.get_lines()[1].get_ydata()))]["learning_rate"]
    assert f"{best:.3g}" in notes[0]


def test_a_run_without_rates_says_how_to_record_them(view: Views) -> None:
    with pytest.raises(UsageError, match=r"--set optimizer\.schedule=range_test"):
        draw("rate", [view("moons")])


@pytest.mark.parametrize("kind", ["regression", "saliency"])
def test_a_picture_of_one_run_does_not_leave_out_others_without_a_word(kind: str) -> None:
    with pytest.raises(UsageError, match=f"--kind {kind} draws one run at a time; expected one RUN"):
        draw(kind, [])
