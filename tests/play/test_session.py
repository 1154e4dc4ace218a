"""A training under one's hands: the same steps as the loop's own, and back in time to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.browser.play import history
from backprop_cli.browser.play.picture import Drawing
from backprop_cli.browser.play.session import ConfigOrRun, SteppedTraining
from backprop_cli.errors import DivergedError
from backprop_cli.insight.trace.point import point
from tests.conftest import ROOT

DIGITS = (
    "dataset={source: sample, name: mnist5k}",
    "dataset.splits.train=train[:400]",
    "optimizer={type: adam, ema: 0.9, schedule: {type: cosine}}",
)


def opened(name: str, *overrides: str) -> SteppedTraining:
    return SteppedTraining(ConfigOrRun(str(ROOT / f"configs/{name}.yaml"), True, overrides))


def state(session: SteppedTraining) -> tuple[dict[str, Any], Any]:
    arrays, values = session.loop.state_dict()
    kept = {name: each for name, each in values.items() if name not in ("seconds", "row")}
    return {name: array.copy() for name, array in arrays.items()}, kept


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(a[0][name], b[0][name], equal_nan=True) for name in a[0]) and a[1] == b[1]


@pytest.mark.parametrize(("name", "overrides"), [("xor", ()), ("mnist", DIGITS), ("xor_batch_norm", ())])
@pytest.mark.parametrize("budget", [256 << 20, 3 << 20])
def test_back_in_time_and_on_again_is_the_same_to_the_last_bit(
    name: str, overrides: tuple[str, ...], budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every step kept, and with some computed again: across epochs, with Adam, an average and dropout."""
    monkeypatch.setattr(history, "BYTES", budget)
    session = opened(name, *overrides)
    states = [state(session)]
    for _ in range(30):
        session.advance()
        states.append(state(session))
    for step in (29, 17, 12, 0, 30, 11, 28):
        session.go_to(step)
        assert session.loop.step == step
        assert same(state(session), states[step])
        assert all(row["step"] <= step for row in session.rows)


def test_steps_are_those_of_a_training() -> None:
    session = opened("xor")
    for _ in range(50):
        session.advance()
    prepared = build.prepare(load_config(ROOT / "configs/xor.yaml", overrides=["trainer.epochs=50"]))
    loop, _ = build.training(prepared)
    loop.run()
    for name, values in loop.network.parameters.items():
        assert np.array_equal(values, session.loop.network.parameters[name])


def test_the_past_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEPS", 20)
    session = opened("xor")
    for _ in range(100):
        session.advance()
    assert session.history.oldest == 80
    session.go_to(3)
    assert session.loop.step == 80
    size = sum(array.nbytes for array in session.loop.state_dict()[0].values())
    monkeypatch.setattr(history, "BYTES", 4 * size)
    small = opened("xor")
    for _ in range(40):
        small.advance()
    assert small.history.every == 5
    assert len(small.history._kept) <= 6
    assert small.history.oldest <= 20


def test_layer_by_layer_ends_in_the_step() -> None:
    session, other = opened("xor"), opened("xor")
    other.advance()
    told = []
    for _ in range(3):
        session.forward()
        told.append(session.note)
    assert [each.split(":")[0] for each in told] == ["forward", "forward", "loss"]
    for _ in range(2):
        session.backward()
        told.append(session.note)
    assert told[-2:] == [f"backward: dense_{i} has δ, and from it its gradients" for i in (2, 1)]
    assert session.loop.step == 0
    session.backward()
    assert (session.loop.step, session.at) == (1, 0)
    assert same(state(session), state(other))


def test_what_is_shown_comes_with_the_passes() -> None:
    session = opened("xor")
    model = Drawing(session)
    session.forward()
    shown = model.frame()
    assert shown["layers"]["dense_1"]["y"]
    assert shown["layers"]["dense_2"]["y"] is None and shown["example_loss"] is None
    for _ in range(3):
        session.backward()
    shown = model.frame()
    assert shown["layers"]["dense_2"]["d"] and "dW" in shown["layers"]["dense_1"]


def test_a_batch_gradient_is_the_mean_of_its_examples() -> None:
    """The pictures look through a second network; it has the gradients that the step went by."""
    session = opened("xor")
    total = 0.0
    for k in range(4):
        session.choose(k)
        network, (x, y) = session.synced(), session.example()
        network.loss(network.forward(x, training=True), y)
        network.backward()
        total = total + network.gradients["dense_1.W"] / 4
    session.advance()
    assert session.norms["dense_1"] > 0
    assert np.allclose(total, session.loop.network.gradients["dense_1.W"], rtol=1e-4, atol=1e-7)


def test_divergence_is_told_and_undone(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(
        "dataset: {source: synthetic, name: points, x: [[1], [2]], y: [[1], [3]]}\n"
        "architecture: [{type: dense, units: 1}]\nloss: mse\noptimizer: {type: sgd, learning_rate: 1e15}\n"
    )
    session = SteppedTraining(ConfigOrRun(str(tmp_path / "line.yaml"), True))
    session.furthest = 20
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(DivergedError, match="at step"):
        session.go_to(20)
    step = session.loop.step
    assert all(np.isfinite(view).all() for view in session.loop.network.parameters.values())
    session.go_to(max(0, step - 1))
    assert session.loop.step == max(0, step - 1)


@pytest.mark.parametrize("name", ["moons", "cnn", "adding_lstm", "mazur", "deep_sigmoid"])
def test_every_kind_of_network_can_be_drawn(name: str, tmp_path: Path) -> None:
    small = ["dataset.fallback=null", *DIGITS[:2]] if name == "cnn" else []
    session = opened(name, *(each for each in small if "fallback" not in each))
    model = Drawing(session)
    told = model.told()
    assert told["layers"][0]["name"] == "input"
    session.advance()
    frame = model.frame()
    assert set(frame["layers"]) == {layer["name"] for layer in told["layers"]}
    assert (frame["surface"] is not None) == (told["plane"] is not None)
    assert frame["step"] == 1


def test_an_input_of_ones_own_is_answered_as_prediction_does() -> None:
    """Dropout is at rest: the answer that is said is the output that is drawn, and what is explained belongs to it."""
    session = opened("mnist", *DIGITS, "architecture.2.rate=0.9")
    data = session.prepared.dataset.splits["train"].x
    for k in range(8):
        session.look(data[k])
        shown = Drawing(session).frame()
        assert f"answers {shown['answer']}" in session.note
        x, y = session.example()
        found = point(session.synced(), x, y, "dense_1", "W", (400, 3), session.own is None)
        assert found.error is not None and found.error < 1e-5
