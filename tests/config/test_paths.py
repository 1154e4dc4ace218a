"""A path starts where it is written, and a run's paths stay relative, so that a project can be moved."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from backprop_cli.config import dump, load_config

REST = """
architecture: [{type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 1}
"""
DATASETS = ["path: d.csv, splits: {train: 50%, val: 50%}", "splits: {train: d.csv, validation: e.csv}"]
PLUGIN = """
from backprop_cli.engine.optimizers.sgd import SGD
from backprop_cli.engine.optimizers.base import optimizer
@optimizer('mine')
class Mine(SGD):
    '''w stays.'''
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """shared/base.yaml, extended by exp/middle.yaml, extended by exp/deep/child.yaml; data of one name everywhere."""
    for folder in ("shared", "exp", "exp/deep"):
        (tmp_path / folder).mkdir()
        for name in ("d.csv", "e.csv"):
            (tmp_path / folder / name).write_text("a,y\n1,0\n2,1\n3,0\n4,1\n")
    (tmp_path / "shared" / "mine.py").write_text(PLUGIN)
    (tmp_path / "exp" / "middle.yaml").write_text("extends: ../shared/base.yaml\ntrainer: {epochs: 2}\n")
    (tmp_path / "exp" / "deep" / "child.yaml").write_text("extends: ../middle.yaml\nseed: 1\n")
    return tmp_path


def base(project: Path, dataset: str, more: str = "") -> Path:
    (project / "shared" / "base.yaml").write_text(f"dataset: {{{dataset}}}\n{more}{REST}")
    return project / "exp" / "deep" / "child.yaml"


def test_a_path_is_relative_to_the_file_that_says_it(project):
    child = base(project, "source: files, path: d.csv, target: y", "plugins: [mine.py]\noptimizer: mine\n")
    cfg = load_config(child)
    assert cfg.dataset.path == project / "shared" / "d.csv"
    assert cfg.plugins == [project / "shared" / "mine.py"]


def test_files_of_splits_and_folders_of_a_source(project):
    cfg = load_config(base(project, "source: files, target: y, splits: {train: d.csv, valid: e.csv}"))
    assert cfg.dataset.splits == {"train": project / "shared" / "d.csv", "validation": project / "shared" / "e.csv"}
    cfg = load_config(
        base(project, "source: tfds, name: mnist, manual_dir: raw, fallback: {source: files, path: d.csv, target: y}")
    )
    assert cfg.dataset.manual_dir == project / "shared" / "raw"
    assert cfg.dataset.fallback.path == project / "shared" / "d.csv"


def test_files_of_splits_start_in_the_path_that_is_given(project):
    cfg = load_config(base(project, "source: files, path: ., target: y, splits: {train: d.csv, val: e.csv}"))
    assert cfg.dataset.path == project / "shared"
    sizes = {name: len(split) for name, split in cfg.dataset.load(0, cfg.folder).splits.items()}
    assert sizes == {"train": 4, "validation": 4}


def test_a_child_that_names_another_file_means_its_own(project):
    child = base(project, "source: files, path: d.csv, target: y")
    child.write_text("extends: ../middle.yaml\ndataset: {path: e.csv}\n")
    assert load_config(child).dataset.path == project / "exp" / "deep" / "e.csv"


def test_set_starts_where_bp_runs(project, monkeypatch):
    child = base(project, "source: files, path: d.csv, target: y")
    monkeypatch.chdir(project / "exp")
    overrides = ["dataset.path=e.csv"]
    assert load_config(child, overrides).dataset.path == project / "exp" / "e.csv"
    (project / "exp" / "e.csv").unlink()
    assert load_config(child, overrides).dataset.path == project / "exp" / "deep" / "e.csv"


def test_a_text_that_ships_is_no_file_of_the_project(project):
    cfg = load_config(base(project, "source: files, path: 'sample:shakespeare'"))
    assert str(cfg.dataset.path) == "sample:shakespeare"


@pytest.mark.long
@pytest.mark.parametrize(
    "dataset", ["path: d.csv, splits: {train: 50%, validation: 50%}", "splits: {train: d.csv, val: e.csv}"]
)
def test_a_project_can_be_moved_with_its_runs(bp, project, tmp_path_factory, dataset):
    base(project, f"source: files, target: y, features: [a], {dataset}")
    done = bp("train", "exp/middle.yaml", "--run-dir", "runs/one", "--quiet")
    assert done.code == 0, done.err
    written = yaml.safe_load((project / "runs" / "one" / "config.yaml").read_text())["dataset"]
    paths = [written["path"]] if "path" in written else list(written["splits"].values())
    assert paths[0] == "../../shared/d.csv"
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    shutil.move(project, moved)
    project.mkdir()
    (project / "configs").mkdir()
    assert bp("eval", moved / "runs" / "one").code == 0
    assert bp("train", "--resume", moved / "runs" / "one", "--epochs", "3").code == 0
    again = yaml.safe_load((moved / "runs" / "one" / "config.yaml").read_text())["dataset"]
    assert again == written
    assert bp("train", moved / "runs" / "one" / "config.yaml", "--run-dir", "two", "--quiet").code == 0


def test_a_run_that_lies_elsewhere_names_whole_paths(bp, project, tmp_path_factory):
    base(project, "source: files, path: d.csv, target: y, features: [a], splits: {train: 50%, validation: 50%}")
    run = tmp_path_factory.mktemp("elsewhere") / "run"
    assert bp("train", "exp/middle.yaml", "--run-dir", run, "--quiet").code == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["dataset"]["path"] == str(project / "shared" / "d.csv")
    moved = run.rename(run.parent / "moved")
    assert bp("eval", moved).code == 0


@pytest.mark.long
@pytest.mark.parametrize(
    "dataset", ["path: d.csv, splits: {train: 50%, val: 50%}", "splits: {train: d.csv, validation: e.csv}"]
)
def test_a_sweep_is_gone_on_with_wherever_its_data_are(bp, project, dataset):
    base(project, f"source: files, target: y, features: [a], {dataset}")
    common = ("sweep", "exp/middle.yaml", "--quiet", "--runs", "runs")
    assert bp(*common, "--set", "seed=0,1").code == 0
    more = bp(*common, "--set", "seed=0,1,2", "--resume")
    assert more.code == 0, more.err
    assert len(list((project / "runs").glob("*/*/config.yaml"))) == 3


@pytest.mark.parametrize("dataset", ["path: ../data/x.npy, splits: {all: train}", "splits: {all: ../data/x.npy}"])
@pytest.mark.parametrize(
    ("written", "meant"), [("y.npy", "shared/y.npy"), ("../labels/y.npy", "labels/y.npy"), ("z.npy", "data/z.npy")]
)
def test_a_file_of_labels_is_a_path_like_the_others(project, tmp_path_factory, monkeypatch, dataset, written, meant):
    """It starts in the folder of the config, else beside x; and stays relative in the run."""
    monkeypatch.chdir(project)
    (project / "data").mkdir()
    (project / "labels").mkdir()
    np.save(project / "data" / "x.npy", np.arange(8.0).reshape(4, 2))
    for number, name in enumerate(["shared/y.npy", "labels/y.npy", "data/y.npy", "data/z.npy"]):
        np.save(project / name, np.arange(4) + 0.5 + number)
    child = base(project, f"source: files, {dataset}, target: {written}, task: regression")
    labels = sorted(np.load(project / meant))
    cfg = load_config(child)
    assert sorted(cfg.dataset.load(0, cfg.folder).splits["all"].y.ravel()) == labels
    (project / "runs" / "one").mkdir(parents=True)
    text = dump(cfg, project / "runs" / "one")
    assert str(project) not in text
    (project / "runs" / "one" / "config.yaml").write_text(text)
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    shutil.move(project, moved)
    monkeypatch.chdir(moved.parent)
    again = load_config(moved / "runs" / "one" / "config.yaml")
    assert sorted(again.dataset.load(0, again.folder).splits["all"].y.ravel()) == labels
