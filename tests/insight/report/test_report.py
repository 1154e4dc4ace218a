"""`bp report`: one file that tells the truth about a run, whatever the run is called."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backprop_cli import load_config
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.explain import attributions, explain
from backprop_cli.commands.train import train
from backprop_cli.insight.report.markup import POINTS, Curve, chart, element, number, script_json
from backprop_cli.insight.report.mistakes import data_uri, mistakes
from backprop_cli.insight.report.report import report
from backprop_cli.insight.view import View
from backprop_cli.runs.directory import RunDirectory
from tests.conftest import ROOT

Runs = Callable[[str], Path]
Views = Callable[[str], View]
Told = Callable[[str], str]
EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\'&'


class Page(HTMLParser):
    """What a browser would make of the page: its tags, texts, and the data of its charts."""

    VOID = ("meta", "img", "br", "hr", "input", "link", "use", "path", "circle")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.charts: list[dict] = []
        self._script: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = dict(attrs).get("type") if tag == "script" else None

    def handle_data(self, data: str) -> None:
        if self._script == "application/json":
            self.charts.append(json.loads(data))
        else:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def told(view: Views) -> Told:
    """The report of a run of RECIPES, made when first asked for."""
    return cache(lambda name: report([view(name)]))


def test_the_curves_are_the_rows_of_the_log(view: Views, told: Told) -> None:
    run = view("moons")
    page = Page(told("moons"))
    rows = [json.loads(line) for line in run.run.metrics.read_text().splitlines()]
    loss = next(chart for chart in page.charts if chart["label"] == "loss")
    series = {each["name"]: each for each in loss["series"]}
    assert set(series) == {"train", "validation"}
    for phase, each in series.items():
        assert each["x"] == [1, 2, 3, 4]
        np.testing.assert_allclose(each["y"], [row[f"{phase}/loss"] for row in rows], rtol=1e-5)


def test_the_parts_of_a_run(told: Told) -> None:
    text = Page(told("moons")).text
    for part in ("Curves", "Gradient flow", "Confusion", "Surest mistakes", "Decision boundary", "Network", "Config",
                 "Environment", "kernel_initializer", "versions.python", "best validation/loss"):  # fmt: skip
        assert part in text


def test_gradients_come_from_the_diagnostics(view: Views, told: Told) -> None:
    run = view("moons")
    rows = run.diagnostics
    assert rows
    flow = next(chart for chart in Page(told("moons")).charts if chart["label"] == "norm of the gradient")
    assert [each["name"] for each in flow["series"]] == ["dense_1", "dense_2", "dense_3"]
    expected = [row["layers"]["dense_1"]["gradient_norm"] for row in rows]
    np.testing.assert_allclose(flow["series"][0]["y"], expected, rtol=1e-5)


def test_the_doctor_has_its_say(told: Told) -> None:
    sick, healthy = Page(told("sick")).text, Page(told("moons")).text
    assert "vanishing gradients" in sick
    assert "--set architecture." in sick
    assert "Nothing inside points to a disease" in healthy


def test_without_diagnostics_the_report_says_so_and_shows_a_moment(trained: Runs, tmp_path: Path) -> None:
    shutil.copytree(trained("moons"), tmp_path / "run")
    (tmp_path / "run/diagnostics.jsonl").unlink()
    page = Page(report([View(RunDirectory(tmp_path / "run"))]))
    assert "No diagnostics were recorded" in page.text
    assert sum("--p" in str(each.get("style")) for each in page.named("i")) == 3


@pytest.mark.long
def test_mistakes_are_mistakes_the_surest_first_with_their_images(view: Views, told: Told) -> None:
    run = view("mnist")
    found = run.answers()
    shown = mistakes(run, found)
    assert len(shown) == 24
    assert all(each.true != each.predicted for each in shown)
    assert [each.sureness for each in shown] == sorted((each.sureness for each in shown), reverse=True)
    x = np.asarray(run.prepared.dataset.splits[found.split].x)
    images = Page(told("mnist")).named("img")
    for each, image in zip(shown, images, strict=True):
        data = base64.b64decode(str(image["src"]).removeprefix("data:image/png;base64,"))
        with Image.open(BytesIO(data)) as picture:
            np.testing.assert_array_equal(np.asarray(picture), x[each.row][..., 0])
        assert found.classes[found.truth[each.row]] == each.true


@pytest.mark.long
def test_the_matrix_is_that_of_eval(view: Views, told: Told) -> None:
    matrix = evaluate_run(view("mnist").run)["confusion_matrix"]
    cells = re.findall(r'<td[^>]*title="[^"]*predicted as[^"]*"[^>]*>(\d+)</td>', told("mnist"))
    assert np.array(cells, int).reshape(10, 10).tolist() == matrix


def test_how_far_a_result_can_be_trusted_is_what_eval_says(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: sample, name: diabetes, splits: {train: 80%, validation: 20%}, transforms: [standardize]}\n"
        "architecture: [{type: dense, units: 1}]\nloss: mse\ntrainer: {epochs: 2, metrics: [mae]}\n"
    )
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    page = Page(report([View(RunDirectory(tmp_path / "run"))]))
    told = evaluate_run(RunDirectory(tmp_path / "run"), baseline=True)
    for part in ("Predicted and true values", "How far it can be trusted", "What it goes by", "Worst rows"):
        assert part in page.text
    low, high = told["intervals"]["mae"]
    assert f"{low:.4g} to {high:.4g}" in page.text
    assert f"{told['baselines']['linear']['mae']:.4g}" in page.text
    assert f"{told['worst'][0]['error']:.4g}" in page.text


def test_names_from_outside_are_only_text(trained: Runs, told: Told, tmp_path: Path) -> None:
    shutil.copytree(trained("moons"), tmp_path / "run")
    about = json.loads((tmp_path / "run/run.json").read_text())
    about |= {"id": EVIL, "name": EVIL, "status": EVIL, "reason": EVIL, "command": [EVIL]}
    about["dataset"] |= {"name": EVIL, EVIL: EVIL}
    about["metrics"][f"train/{EVIL}"] = 1.0
    (tmp_path / "run/run.json").write_text(json.dumps(about))
    log = tmp_path / "run/metrics.jsonl"
    rows = [json.loads(line) | {f"train/{EVIL}": 1.0} for line in log.read_text().splitlines()]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = tmp_path / "run/config.yaml"
    config.write_text(f"# {EVIL}\n" + config.read_text())
    text = report([View(RunDirectory(tmp_path / "run"))])
    page = Page(text)
    clean = Page(told("moons"))
    assert len([each for each in page.named("script") if "type" not in each]) == 1
    assert page.named("img") == clean.named("img") == []
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert EVIL in page.text


def test_the_page_can_load_nothing(view: Views) -> None:
    text = report([view("xor"), view("moons")])
    page = Page(text)
    policy = next(each["content"] for each in page.named("meta") if "content" in each and "http-equiv" in each)
    assert str(policy).startswith("default-src 'none'")
    assert not re.search(r"https?:|@import|<link|<iframe|src=\"(?!data:)", text)


def test_several_runs(view: Views) -> None:
    a, b = view("moons"), view("moons_sgd")
    a.label, b.label = "with adam", "with sgd"
    page = Page(report([a, b]))
    loss = next(chart for chart in page.charts if chart["label"] == "loss")
    assert {each["name"] for each in loss["series"]} == {
        f"{label} {phase}" for label in ("with adam", "with sgd") for phase in ("train", "validation")
    }
    assert "config optimizer.type" in page.text
    assert page.text.count("Decision boundary") == 2


def test_what_is_gone_is_a_note(trained: Runs, tmp_path: Path) -> None:
    shutil.copytree(trained("moons"), tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoints")
    (tmp_path / "run/checkpoints").mkdir()
    page = Page(report([View(RunDirectory(tmp_path / "run"))]))
    assert "Without the network and its data there is no more to show" in page.text
    assert any(chart["label"] == "loss" for chart in page.charts)


@pytest.mark.parametrize("name", ["mazur", "friedman"])
def test_runs_without_classes_or_validation(name: str, view: Views) -> None:
    page = Page(report([view(name)]))
    assert "Curves" in page.text
    assert "Confusion" not in page.text


def test_a_long_series_is_thinned_and_keeps_its_ends() -> None:
    made = Page(chart("t", "epoch", [Curve("a", "red", list(range(12345)), [float(i) for i in range(12345)])]))
    x = made.charts[0]["series"][0]["x"]
    assert POINTS / 2 < len(x) <= POINTS + 1
    assert (x[0], x[-1]) == (0, 12344)


def test_nothing_in_json_ends_its_script() -> None:
    text = script_json({"a": EVIL, "b": float("nan")})
    assert "<" not in text
    assert json.loads(text) == {"a": EVIL, "b": None}
    assert element("p", EVIL, title=EVIL).count("<") == 2


def test_the_report_of_50_epochs_is_small_and_quick(tmp_path: Path) -> None:
    train(load_config(ROOT / "configs/moons.yaml"), run_dir=tmp_path / "run")
    view = View(RunDirectory(tmp_path / "run"))
    assert len(view.rows) == 50
    began = time.process_time()
    text = report([view])
    assert time.process_time() - began < 5
    assert len(text.encode()) < 3_000_000


def test_as_a_command(bp, trained: Runs, tmp_path: Path) -> None:
    done = bp("report", trained("xor"), unshared=True)
    assert done.code == 0, done.err
    assert done.out == "report-xor.html\n"
    assert (tmp_path / "report-xor.html").read_text().startswith("<!doctype html>")
    assert bp("report", "nothing").code == 2


def test_dark_bytes_are_shown_bright() -> None:
    """Digits of 0 … 16 in bytes would be black."""
    x = np.zeros((8, 8, 1), np.uint8)
    x[2:4] = 16
    encoded = data_uri(x, white=16).partition("base64,")[2]
    shown = np.asarray(Image.open(BytesIO(base64.b64decode(encoded))))
    assert (shown.min(), shown.max()) == (0, 255)
    assert np.asarray(Image.open(BytesIO(base64.b64decode(data_uri(x).partition("base64,")[2])))).max() == 16


def test_many_runs_are_a_sortable_table_and_faint_curves(tmp_path: Path) -> None:
    views = []
    for seed in range(9):
        cfg = load_config(ROOT / "configs/moons.yaml", [f"seed={seed}", "trainer.epochs=2"])
        train(cfg, run_dir=tmp_path / f"run{seed}")
        views.append(View(RunDirectory(tmp_path / f"run{seed}")))
    text = report(views)
    assert 'class="sortable"' in text and "The best 5 stand out; 4 others are faint." in text
    assert text.count('"faint":true') == 2 * 2 * 4  # loss and accuracy, train and validation
    assert "bp report RUN" in text and "Decision boundary" not in text


def test_times_are_local_and_marked_up(view: Views) -> None:
    run = view("moons")
    text = report([run])
    stamps = re.findall(r'<time datetime="([^"]+)">(\d{4}-\d\d-\d\d [\d:]+)</time>', text)
    assert len(stamps) == 3  # at the top; started and ended below
    assert "&lt;time" not in text
    assert datetime.fromisoformat(stamps[0][0]) == datetime.fromisoformat(run.run.info["started"])


def test_a_regression_says_what_it_measures(view: Views) -> None:
    run = view("friedman")
    text = report([run])
    measured = evaluate_run(run.run)["metrics"]
    assert f"<b>{measured['loss']:.4g}</b><span>loss</span>" in text
    assert "<span>mae</span>" in text and "<span>r2</span>" in text


def test_columns_that_a_network_goes_by_are_those_of_explain(tmp_path: Path) -> None:
    """A shuffled column makes it worse by what `explain` says, and the curve of a number has its mean answers."""
    rows = "".join(f"{i % 13},{'red' if i % 3 else 'blue'},{3 * (i % 13) + i % 3}\n" for i in range(80))
    (tmp_path / "t.csv").write_text("a,colour,y\n" + rows)
    dataset = {"source": "files", "path": str(tmp_path / "t.csv"), "target": "y", "task": "regression"}
    trainer = {"epochs": 2, "metrics": ["mae"]}
    config = {"dataset": dataset, "architecture": [{"type": "dense", "units": 1}], "loss": "mse", "trainer": trainer}
    train(config, run_dir=tmp_path / "run")
    view = View(RunDirectory(tmp_path / "run"))
    told = explain(view.prepared, view.prepared.measured_split)
    page = Page(report([view]))
    assert "worse mae when shuffled" in page.text
    for row in told["importance"]:
        assert f"{row['column']}{number(row['importance'])}{number(row['std'])}" in "".join(page.text.split())
    curve = [row["y"] for row in told["dependence"]["a"]]
    drawn = [line["y"] for chart in page.charts for line in chart["series"] if len(line["y"]) == len(curve)]
    assert any(np.allclose(y, curve, rtol=1e-4) for y in drawn)
    for row in told["dependence"]["colour"]:
        assert f"{row['value']}{number(row['y'])}" in "".join(page.text.split())


def test_words_that_a_network_goes_by_are_those_of_explain(tmp_path: Path) -> None:
    rows = "".join(f"{'a good film' if i % 2 else 'a bad film'},{'yes' if i % 2 else 'no'}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("text,kind\n" + rows)
    dataset = {
        "source": "files",
        "path": str(tmp_path / "t.csv"),
        "target": "kind",
        "text": "text",
        "transforms": [{"type": "tokenize", "length": 4}],
    }
    layers = [
        {"type": "embedding", "input_dim": 8, "output_dim": 4},
        "flatten",
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]
    config = {"dataset": dataset, "architecture": layers, "loss": "binary_crossentropy", "trainer": {"epochs": 3}}
    train(config, run_dir=tmp_path / "run")
    view = View(RunDirectory(tmp_path / "run"))
    text = "".join(Page(report([view])).text.split())
    assert "Wordsthatitgoesby" in text
    for sample in range(3):
        told = attributions(view.prepared, view.prepared.measured_split, sample)
        words = "".join(token["token"] for token in told["tokens"])
        assert words + "".join(number(token["weight"]) for token in told["tokens"]) in text


def test_pixels_that_a_network_goes_by_are_drawn(told: Told) -> None:
    """The picture below its heading holds images, and the brightest pixel of one is not that of another."""
    _, heading, rest = told("mnist").partition("Pixels that it goes by")
    images = re.findall(r'href="data:image/png;base64,([^"]+)"', rest.partition("</svg>")[0])
    assert heading and len(images) > 1
    drawn = [np.asarray(Image.open(BytesIO(base64.b64decode(image))).convert("L"), int) for image in images]
    assert all(np.ptp(pixels) > 50 for pixels in drawn)
    assert len({pixels.tobytes() for pixels in drawn}) == len(drawn)
