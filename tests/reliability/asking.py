"""A folder for the lines of `commands` to work in, and processes that do what a line asks."""

from __future__ import annotations

import os
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from backprop_cli import notebook
from backprop_cli.browser.board.facts import Facts
from backprop_cli.browser.board.shelf import Shelf
from backprop_cli.browser.play.commands import Commands
from backprop_cli.browser.play.picture import Drawing
from backprop_cli.cli.options import is_config
from backprop_cli.errors import BpError, DataError, UsageError
from backprop_cli.runs.json_text import dumps
from tests.clusters import Cluster
from tests.conftest import ROOT
from tests.reliability.commands import NOTEBOOK
from tests.reliability.compare import EVERYTHING
from tests.reliability.harness import Child, start

TABLE = """
dataset: {source: files, path: table.csv, target: kind, splits: {train: "60%", validation: "20%", test: "20%"}}
architecture: [{type: dense, units: 4, activation: relu}, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 2, metrics: [accuracy]}
"""
PICTURES = """
dataset: {source: files, path: pictures, splits: {train: "50%", test: "50%"}}
architecture: [flatten, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 1}
"""
ARRAYS = """
dataset: {source: files, path: x.npy, target: y.npy, task: regression}
architecture: [{type: dense, units: 1}]
loss: mse
"""
LESSON = """
title: a lesson of a table
claim: It is learnt.
source: nobody
seconds: 1
configs: {table: table.yaml}
figures: [{of: table, metric: train/loss, say: the loss, expect: [0, 100]}]
"""
JOBS = "cores: 1\nmemory: 1GB\n"
PLUGIN = "x = 1\n"
SERVING = {"board", "play"}  # commands that serve until a signal: `board` and `play` below ask what their pages ask
NOBODY = "dask://127.0.0.1:9"  # where no scheduler listens
_scheduler = NOBODY


def pictures(folder: Path) -> None:
    """Six pictures of two classes."""
    rng = np.random.default_rng(0)
    for i in range(6):
        file = folder / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (4, 4), np.uint8)).save(file)


@contextmanager
def cluster(path: Path, lines: Iterable[str]) -> Iterator[None]:
    """A scheduler and a worker for the lines with {cluster}; none where Dask is not installed."""
    global _scheduler
    if find_spec("distributed") is None or not any("{cluster}" in line for line in lines):
        yield
        return
    with Cluster(path) as dask:
        dask.worker()
        _scheduler = f"dask://{dask.address}"
        yield
        _scheduler = NOBODY


def words_of(line: str) -> list[str]:
    """The words of a line of `commands`, about the stranger's run."""
    return line.format(run="stranger", config="stranger/config.yaml", cluster=_scheduler).split()


def prepare(path: Path) -> None:
    """Runs, sweeps, an archive, and data of several kinds."""
    rng = np.random.default_rng(0)
    (path / "mine.py").write_text(PLUGIN)
    (path / "c.yaml").write_text(EVERYTHING.read_text().replace("trainer: {", "trainer: {diagnostics: true, "))
    with (path / "c.yaml").open("a") as file:
        file.write("plugins: [mine.py]\n")
    texts = {"table": TABLE, "pictures": PICTURES, "arrays": ARRAYS, "mine.lesson": LESSON, "jobs": JOBS}
    for name, text in texts.items():
        (path / f"{name}.yaml").write_text(text)
    (path / "weights.yaml").write_text(f"{TABLE}weights: weights.safetensors\n")
    (path / "extends.yaml").write_text("extends: stranger/config.yaml\n")
    (path / "link.yaml").symlink_to("stranger/config.yaml")
    rows = [f"{rng.normal():.3f},{rng.normal():.3f},{'ab'[i % 2]}" for i in range(40)]
    (path / "table.csv").write_text("\n".join(["x,y,kind", *rows]) + "\n")
    np.save(path / "input.npy", np.zeros((2, 8, 8)))
    np.save(path / "x.npy", rng.normal(size=(40, 3)))
    np.save(path / "y.npy", rng.normal(size=40))
    pictures(path / "pictures")
    search = "sweep table.yaml -s optimizer.learning_rate=.1,.2 --search tpe --trials 2 --runs . --name searched -q"
    for command in (
        *([search] if find_spec("optuna") is not None else ()),
        "train c.yaml --run-dir mine --quiet",
        "train table.yaml --run-dir tabled --quiet",
        "train pictures.yaml --run-dir pictured --quiet",
        "sweep table.yaml --set seed=1,2 --runs . --name swept --quiet",
        "runs pack mine -o packed.zip",
        "export tabled --to safetensors -o weights.safetensors",
    ):
        code, said = ask(path, command)
        assert code == 0, f"{command}: {said}"
    shutil.copytree(path / "mine", path / "stranger")


def begin(path: Path, line: str, before: Callable[[], object] = lambda: None) -> Child:
    """A process that does what one line asks, about the stranger's run."""
    words = words_of(line)

    def serve() -> None:
        before()
        if words[0] == NOTEBOOK:
            os._exit(cell(*words[1:]))
        if words[0] in SERVING:
            os._exit(board(path) if words[0] == "board" else play(*words[1:]))

    return start(path, *words, before=serve)


def ask(path: Path, line: str) -> tuple[int, str]:
    """The same to the end: (exit code, stderr)."""
    child = begin(path, line)
    return child.wait(), child.said


ROWS = "[[0.5, 0.5]]"  # what is posted to /predict, which may refuse it


def play(source: str, *others: str) -> int:
    """What the engine of `bp play` does with a run or a config until its first picture, and what it answers to rows
    that are posted for each run; the exit code."""
    commands = Commands(lambda *_: None)
    try:
        commands.open(source, is_config(source), [], "runs", None, list(others))
        commands.step()
        dumps([Drawing(commands._here).told(), Drawing(commands._here).frame()])
        for name in (None, *others):
            with suppress(UsageError, DataError):
                dumps(commands.predict(ROWS, "json", name))
    except BpError as error:
        print(f"bp: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def board(path: Path) -> int:
    """Everything that the pages of the board ask about the runs in a folder; what they would get as a sentence is
    passed over."""
    shelf = Shelf([path])
    facts = Facts(shelf)
    shelf.refresh()
    shelf.watch()
    keys = list(shelf.books)
    about = (shelf.told, facts.run, facts.curves, facts.spark, facts.flow, facts.histograms)
    asked = [(each, key) for key in keys for each in about]
    asked += [(facts.compare, keys[:40]), *((facts.sweep, key) for key in shelf.sweeps)]
    for question, of in asked:
        try:
            dumps(question(of))
        except (BpError, OSError):
            continue
    return 0


def cell(function: str, *given: str) -> int:
    """What a cell of a notebook does that calls `watch` or `play`, and the frame that it shows; the exit code."""
    os.environ["PYTHONPATH"] = str(ROOT)
    try:
        page = getattr(notebook, function)(*given)
    except BpError as error:
        print(f"bp: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    with urllib.request.urlopen(page.address, timeout=60) as response:
        code = 0 if response.status == 200 and page._repr_html_() else 1
    page.stop()
    return code
