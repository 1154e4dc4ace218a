"""`bp doctor`: every disease named, every cure a cure, nobody healthy accused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.config.dump import resolved
from backprop_cli.config.spelling import flow
from backprop_cli.errors import DivergedError
from backprop_cli.insight.doctor.edits import Edit, Patient
from backprop_cli.insight.doctor.examine import Examination, as_json, examine_config, examine_run
from backprop_cli.insight.doctor.probe import probe
from backprop_cli.insight.doctor.targets import RELATED, dependence
from backprop_cli.insight.doctor.verdicts import Limits
from backprop_cli.insight.report.run import PROBE
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.loop import Callback, Loop
from tests.conftest import ROOT

HERE = Path(__file__).parent
SICK = {
    "dead_relu": "dead_relu",
    "exploding": "exploding_gradients",
    "labels_shuffled": "labels_shuffled",
    "learning_rate_too_large": "learning_rate_too_large",
    "learning_rate_too_small": "learning_rate_too_small",
    "learning_rate_zero": "learning_rate_too_small",
    "overfitting": "overfitting",
    "saturation": "saturation",
    "symmetric_init": "wrong_init",
    "tiny_init": "wrong_init",
    "unscaled_inputs": "unscaled_inputs",
    "vanishing": "vanishing_gradients",
    "wrong_init": "wrong_init",
}
ON_PURPOSE = {
    "deep_sigmoid": ["vanishing_gradients"],
    "vanishing": ["vanishing_gradients"],
    "exploding": ["exploding_gradients"],
    "init_small": ["wrong_init"],
    "init_small_relu": ["wrong_init"],
    "learning_rate_small": ["learning_rate_too_small"],
    "learning_rate_large": ["learning_rate_too_large"],
    "overfitting": ["overfitting"],
}
STEPS = 300  # of a probe here; no clock decides, so that every machine sees the same


def limits(steps: int = STEPS) -> Limits:
    return Limits(steps, seconds=600)


def examine(name: str) -> Examination:
    return examine_config(HERE / f"sick/{name}.yaml", (), limits())


def test_every_sick_config_is_in_the_table() -> None:
    assert {path.stem for path in (HERE / "sick").glob("*.yaml")} == set(SICK)


@pytest.mark.parametrize("name", SICK)
def test_a_disease_is_named_and_its_edit_cures_it(name: str) -> None:
    path = HERE / f"sick/{name}.yaml"
    found = examine(name)
    assert [each.disease for each in found.verdicts] == [SICK[name]]
    (verdict,) = found.verdicts
    assert verdict.edit is not None
    cured = examine_config(path, verdict.edit.set, limits())
    assert cured.healthy, [each.sentence for each in cured.verdicts]
    before = probe(load_config(path), STEPS, 600)
    after = probe(load_config(path, verdict.edit.set), STEPS, 600)
    if name == "labels_shuffled":  # two targets: each against its own chance
        assert before.chance is not None and after.chance is not None
        assert after.score < 0.5 * after.chance < before.chance <= before.score
    else:
        assert after.score < 0.9 * before.score


@pytest.mark.parametrize("path", sorted((HERE / "healthy").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_healthy_config_is_not_accused(path: Path) -> None:
    found = examine_config(path, (), limits())
    assert found.healthy, [each.sentence for each in found.verdicts]


TAKE_LONG = {"adding_lstm", "char_transformer", "cnn", "deep_sigmoid_residual", "exploding"}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(each, marks=[pytest.mark.long] if each.stem in TAKE_LONG else [])
        for each in sorted((ROOT / "configs").rglob("*.yaml"))
        if ".lesson" not in each.name and each.parent.name != "papers"  # as they were published, healthy or not
    ],
    ids=lambda path: path.stem,
)
def test_a_shipped_config_has_what_it_is_to_show_and_nothing_else(path: Path) -> None:
    whole = path.parent.name == "lessons"  # they are short
    found = examine_config(path, offline(path), Limits(2000, seconds=600) if whole else Limits(STEPS))
    assert [each.disease for each in found.verdicts] == ON_PURPOSE.get(path.stem, [])


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_an_explosion_is_named_also_where_the_loss_survives_it(seed: int) -> None:
    (found,) = examine_config(ROOT / "configs/lessons/exploding.yaml", (f"seed={seed}",), Limits(2000, 600)).verdicts
    assert found.disease == "exploding_gradients"
    assert found.tried is not None
    assert found.tried.before is None or found.tried.after < 0.5 * found.tried.before  # None where it broke off


def offline(path: Path) -> tuple[str, ...]:
    """The override that takes a config's fallback for its dataset."""
    dataset = resolved(load_config(path))["dataset"]
    if "fallback" not in dataset:
        return ()
    return (f"dataset={flow(dataset['fallback'] | {'transforms': dataset.get('transforms', [])})}",)


@pytest.mark.parametrize("name", ["learning_rate_too_large", "overfitting", "unscaled_inputs"])
def test_a_run_is_diagnosed_from_what_it_recorded(name: str, tmp_path: Path) -> None:
    path = HERE / f"sick/{name}.yaml"
    train(load_config(path), run_dir=tmp_path / "run")
    found = examine_run(RunDirectory(tmp_path / "run"), limits())
    assert found.verdicts[0].disease == SICK[name]
    assert found.notes == []
    edit = found.verdicts[0].edit
    assert edit is not None
    assert examine_config(tmp_path / "run/config.yaml", edit.set, limits()).healthy


def test_a_run_that_diverged_says_where(tmp_path: Path, bp) -> None:
    flags = ["--set", "optimizer={type: sgd, learning_rate: 10}"]
    assert bp("train", HERE / "healthy/sine.yaml", "--run-dir", "run", *flags).code == 1
    found = bp("doctor", "run", "--json", "--steps", "200")
    assert found.code == 0, found.err
    assert found.json["verdicts"][0]["disease"] == "learning_rate_too_large"
    assert not found.json["healthy"]
    assert bp("doctor", "run", "--json", "--fail", "--steps", "200").code == 1


def test_a_run_that_broke_off_later_than_a_probe_goes(tmp_path: Path) -> None:
    class Poison(Callback):
        def step(self, loop: Loop, loss: float) -> None:
            if loop.step == 990:
                loop.network.parameters["dense_2.W"][0, 0] = np.nan

    with pytest.raises(DivergedError):
        train(load_config(ROOT / "configs/moons.yaml"), run_dir=tmp_path / "run", callbacks=[Poison()])
    (verdict,) = examine_run(RunDirectory(tmp_path / "run"), limits(100)).verdicts
    assert (verdict.disease, verdict.layer) == ("not_finite", "dense_2")
    assert "step 991" in str(verdict.evidence["error"])


class TestWhatIsPossibleInstead:
    """Runs that lack something."""

    def test_a_run_without_diagnostics(self, tmp_path: Path) -> None:
        cfg = load_config(HERE / "sick/vanishing.yaml", ["trainer.diagnostics=false"])
        train(cfg, run_dir=tmp_path / "run")
        found = examine_run(RunDirectory(tmp_path / "run"), limits())
        assert found.verdicts[0].disease == "vanishing_gradients"
        assert "repeated in memory" in found.notes[0]

    def test_a_run_of_one_epoch(self, tmp_path: Path) -> None:
        train(load_config(HERE / "healthy/iris.yaml", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
        found = examine_run(RunDirectory(tmp_path / "run"), limits())
        assert found.healthy
        assert found.notes == ["1 epoch recorded: too few to see a trend in"]

    def test_a_run_whose_config_no_longer_loads(self, tmp_path: Path, bp) -> None:
        train(load_config(HERE / "healthy/iris.yaml", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
        path = tmp_path / "run/config.yaml"
        path.write_text(path.read_text().replace("units: 16", "units: many"))
        done = bp("doctor", "run")
        assert done.code == 2
        assert "units" in done.err and "diagnostics.jsonl" in done.err and "Traceback" not in done.err

    def test_a_run_whose_diagnostics_are_damaged(self, tmp_path: Path) -> None:
        train(load_config(HERE / "healthy/iris.yaml"), run_dir=tmp_path / "run")
        with (tmp_path / "run/diagnostics.jsonl").open("a") as file:
            file.write(
                '{"step": 3, "layers": {"dense_1": 5}}\n{"step": 4, "layers": {"dense_1": {"dead": "x"}}}\n[1]\n{'
            )
        assert examine_run(RunDirectory(tmp_path / "run"), limits()).healthy

    def test_a_run_whose_checkpoint_is_gone(self, tmp_path: Path) -> None:
        train(load_config(HERE / "healthy/iris.yaml"), run_dir=tmp_path / "run")
        for path in (tmp_path / "run/checkpoints").iterdir():
            path.unlink()
        found = examine_run(RunDirectory(tmp_path / "run"), limits())
        assert found.healthy
        assert "no weights to look at" in found.notes[0]

    def test_labels_that_no_edit_mends(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(200, 4))
        np.savez(tmp_path / "data.npz", x=x, y=rng.permutation((x[:, 0] > 0).astype(int)))
        config = yaml.safe_load((HERE / "sick/labels_shuffled.yaml").read_text())
        config["dataset"] = {"source": "files", "path": "data.npz", "splits": {"train": "70%", "validation": "30%"}}
        config["architecture"][-1]["units"] = 2
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        found = examine_config(tmp_path / "config.yaml", (), limits())
        assert [(each.disease, each.edit) for each in found.verdicts] == [("labels_shuffled", None)]


def test_the_paste_is_the_users_own_yaml_with_the_edit(tmp_path: Path) -> None:
    path = HERE / "sick/dead_relu.yaml"
    edit = Edit(("architecture.1.bias_initializer=zeros", "optimizer.clip_norm=1.0"))
    pasted = yaml.safe_load(Patient(path).yaml(edit))
    written = yaml.safe_load(path.read_text().replace("1e-3", "0.001"))  # which PyYAML takes for text
    assert pasted["architecture"] == [written["architecture"][1] | {"bias_initializer": "zeros"}]
    assert pasted["optimizer"] == written["optimizer"] | {"clip_norm": 1.0}
    assert set(pasted) == {"architecture", "optimizer"}
    assert f"line {path.read_text().splitlines().index('  - flatten') + 2}" in Patient(path).yaml(edit)


def test_the_paste_says_which_file_a_line_of_an_extended_config_is_in(tmp_path: Path) -> None:
    top = tmp_path / "top.yaml"
    top.write_text(f"extends: {HERE / 'sick/dead_relu.yaml'}\nseed: 3\n")
    pasted = Patient(top).yaml(Edit(("architecture.1.bias_initializer=zeros",)))
    assert "sick/dead_relu.yaml:" in pasted


def test_json_and_text_say_the_same(bp, tmp_path: Path) -> None:
    (tmp_path / "sick").symlink_to(HERE / "sick")
    path = "sick/dead_relu.yaml"
    printed = bp("doctor", path, "--json", "--steps", "100", "--seconds", "60")
    assert printed.code == 0, printed.err
    (verdict,) = printed.json["verdicts"]
    assert {"disease", "layer", "evidence", "sentence", "edit"} <= set(verdict)
    assert verdict["layer"] in {layer["name"] for layer in printed.json["layers"]}
    shown = bp("doctor", path, "--steps", "100", "--seconds", "60")
    assert shown.code == 0
    assert verdict["sentence"] in shown.out
    assert all(each in shown.out for each in verdict["edit"]["set"])
    assert all(line in shown.out for line in verdict["edit"]["yaml"].splitlines())
    assert list(tmp_path.glob("runs*")) == [], "a probe writes nothing"


def test_json_has_no_numpy_in_it() -> None:
    json.dumps(as_json(examine_config(HERE / "sick/unscaled_inputs.yaml", (), limits(50))))


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_agree_only_where_targets_depend_on_inputs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 5))
    classes = (x[:, 0] + 0.5 * rng.normal(size=300) > 0).astype(np.int64)
    values = x[:, :1] - x[:, 1:2]
    for y in (classes, values):
        related, shuffled = dependence(x, y), dependence(x, rng.permutation(y))
        assert related is not None and shuffled is not None
        assert shuffled < RELATED < related
    assert dependence(x[:20], classes[:20]) is None
    assert dependence(classes[:, None], classes) is None


def test_a_probe_takes_the_steps_that_training_takes() -> None:
    """The losses of a probe are those of `bp train`, bit for bit."""
    path = HERE / "healthy/iris.yaml"
    evidence = probe(load_config(path, ["trainer.epochs=2", "trainer.kernels=numpy"]), 10_000, 600)
    from backprop_cli import build

    prepared = build.prepare(load_config(path, ["trainer.epochs=2", "trainer.kernels=numpy"]))
    loop, _ = build.training(prepared)
    loop.run()
    assert evidence.complete
    assert evidence.epochs[-1]["train/loss"] == loop.row["train/loss"]
    assert np.array_equal(evidence.network.store.values, loop.network.store.values)


SILENT = """\
dataset: {source: synthetic, name: moons, samples: 200, splits: {train: "train[:80%]", validation: "train[80%:]"}}
architecture:
  - {type: dense, units: 4, activation: tanh}
  - {type: dense, units: 3}
  - {type: subtract, inputs: [dense_2, dense_2]}
  - {type: dense, units: 2, activation: softmax}
loss: cross_entropy
optimizer: {type: adam, learning_rate: 0.01}
trainer: {epochs: 20}
"""


def test_a_layer_whose_gradient_is_exactly_0_is_named(tmp_path: Path) -> None:
    """A layer subtracted from itself gives 0 whatever comes in, and so does its gradient."""
    path = tmp_path / "silent.yaml"
    path.write_text(SILENT)
    found = examine_config(path, (), limits())
    (verdict,) = [each for each in found.verdicts if each.disease == "no_gradient"]
    assert verdict.layer == "dense_2" and verdict.evidence == {"layers": ["dense_1", "dense_2"]}
    assert "exactly 0" in verdict.sentence and verdict.edit is None
    frozen = examine_config(path, ("architecture.0.frozen=true", "architecture.1.frozen=true"), limits())
    assert frozen.healthy


def test_how_long_a_probe_takes_does_not_depend_on_the_machine() -> None:
    """Steps and work bound it, no clock; much work a step makes fewer of them."""
    path = ROOT / "configs/moons.yaml"
    small = probe(load_config(path), 200, work=1e9).steps
    assert small == probe(load_config(path), 200, work=1e9).steps == 200
    wide = load_config(path, ["architecture.0.units=512", "architecture.1.units=512"])
    assert probe(wide, 200, work=1e9).steps < 50
    assert PROBE.seconds == Limits().seconds == math.inf
