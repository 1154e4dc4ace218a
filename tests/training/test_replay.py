"""Replayed steps leave what steps made call by call leave, to the last bit: layers, optimizers, every config that
ships; and nobody has to wait for what is to happen at a step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.engine import kernels
from backprop_cli.engine.battery import _target, around
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.engine.kernels.compiled import set_threads
from backprop_cli.engine.replay import stages
from backprop_cli.engine.replay.program import Program
from backprop_cli.engine.replay.recorder import StepRecorder
from backprop_cli.errors import DataError, DivergedError
from backprop_cli.registry import classes, make
from backprop_cli.training.callbacks.diagnostics import Diagnostics
from backprop_cli.training.loop import Callback, Loop
from backprop_cli.training.options import Trainer
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(bool(kernels.missing()), reason="needs kernels in C")
STEPS = 45  # the least that is worth recording, and some
CONFIGS = sorted(
    path
    for path in (ROOT / "configs").rglob("*.yaml")
    if not path.name.endswith(".lesson.yaml") and path.parent.name != "papers"  # of layers that others have, too
)
#: layers that are replayed whole; of others something may be made by Python, between what is replayed
WHOLE = {
    "dense",
    "dropout",
    "relu",
    "sigmoid",
    "tanh",
    "gelu",
    "softmax",
    "batch_norm",
    "layer_norm",
    "conv1d",
    "conv2d",
}
WHOLE |= {"max_pool2d", "avg_pool2d", "global_avg_pool", "lstm", "gru", "rnn", "bidirectional", "multi_head_attention"}
WHOLE |= {"masking", "embedding", "positional_embedding", "add", "concat", "multiply"}
NOT_WORTH_IT = (
    "fewer than",
    "a step of so large",
    "batches are more",
)  # how reasons begin that hold for a whole config
EMPTY = {"flatten", "linear", "reshape"}  # views, which make no call of their own


def call_by_call(loop: Loop) -> Loop:
    loop.replay.off = "as the test asks"
    return loop


def left(loop: Loop) -> Iterator[tuple[str, bytes]]:
    """All that a training leaves."""
    arrays, values = loop.state_dict()
    yield from ((name, array.tobytes()) for name, array in arrays.items())
    values.pop("seconds")
    yield "values", json.dumps(values | {"row": {k: v for k, v in loop.row.items() if k != "time"}}).encode()


def assert_the_same(a: Loop, b: Loop) -> None:
    one, other = dict(left(a)), dict(left(b))
    assert [name for name in one if one[name] != other[name]] == []


def by_python(loop: Loop) -> dict[str, str]:
    """The stages that are made by Python, and why."""
    return {stage.name: stage.why for stage in loop.replay.stages if stage.why}


def training_of(cls: Any, example: dict[str, Any]) -> Loop:
    """A few epochs of five examples a step with a network of this layer alone."""
    shapes = [tuple(shape) for shape in example["inputs"]]
    layer = cls(**example.get("options", {}))
    network, _, _ = around(layer, shapes, 5, input_gradient=False, padded=example.get("padded", False))
    network.loss_function = make("loss", "mse")
    network.use("compiled")
    rng = np.random.default_rng(3)
    x = (
        rng.integers(0, 4, (15, *network.input_shape))
        if layer.integer_input
        else rng.normal(size=(15, *network.input_shape))
    )
    split = Split(x, rng.normal(size=(15, *network.output_shape)))
    options = {"dtype": np.float64, "kernels": network.kernels, "into": network.input_buffer}
    optimizer = make("optimizer", {"type": "sgd", "learning_rate": 1e-3})
    trainer = Trainer(epochs=STEPS // 3, batch_size=5)
    return Loop(network, optimizer, Batches(split, 5, **options), None, trainer)


@pytest.mark.parametrize("name", sorted(classes("layer")))
def test_every_layer(name: str) -> None:
    cls = classes("layer")[name]
    left_to_python = {}
    for example in cls.examples:
        replayed, plain = training_of(cls, example), call_by_call(training_of(cls, example))
        replayed.run()
        plain.run()
        assert replayed.replay.off == ("a layer adds a term to the loss" if cls.adds_loss else "")
        assert_the_same(replayed, plain)
        if cls.adds_loss:
            continue
        stages = {stage.name.split(" ")[0] for stage in replayed.replay.stages}
        assert "layer" in stages or name in EMPTY
        if not example.get("padded"):
            left_to_python |= {key: why for key, why in by_python(replayed).items() if key.startswith("layer")}
    assert left_to_python == {} or name not in WHOLE, left_to_python


@pytest.mark.parametrize("name", sorted(classes("layer")))
def test_c_refuses_nothing_that_layers_give_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference would do it, slowly, and nobody would see."""
    refused = []
    for each, kernel in vars(kernels.load("compiled")).items():
        check = getattr(kernel, "errcheck", None)
        if check is not None:

            def heard(answer: int, function: Any, given: Any, each: str = each, check: Any = check) -> None:
                refused.extend([each] * bool(answer))
                check(answer, function, given)

            monkeypatch.setattr(kernel, "errcheck", heard)
    for example in classes("layer")[name].examples:
        loop = call_by_call(training_of(classes("layer")[name], example))
        loop.train_step(*next(loop.train.epoch(1)))
    assert refused == []


OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.01, "clip_norm": 0.3},
    {"clip_value": 0.01, "ema": 0.9, "schedule": {"type": "cosine"}},
    {"accumulate": 3, "groups": [{"match": "*.b", "learning_rate": 0.5}]},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("name", sorted(classes("optimizer")))
def test_every_optimizer(name: str, options: dict[str, Any]) -> None:
    """Past a sweep for denormal numbers, too."""
    sets = ["dataset.samples=96", "trainer.batch_size=20", f"optimizer={json.dumps({'type': name} | options)}"]
    replayed, plain = (training("moons", *sets, "trainer.epochs=45") for _ in range(2))
    replayed.run()
    call_by_call(plain).run()
    assert replayed.replay.off == ""
    assert_the_same(replayed, plain)


def test_rules_that_decide_on_the_number_of_an_update_are_replayed() -> None:
    loop = training("moons", "optimizer=radam", "trainer.epochs=20")
    loop.run()
    assert by_python(loop) == {}


def training(name: str, *overrides: str) -> Loop:
    return build.training(build.prepare(load_config(ROOT / "configs" / f"{name}.yaml", [*overrides])))[0]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_that_ships(path: Path) -> None:
    """Its first steps: warm, recorded, made both ways, and some that are replayed."""
    loops = []
    for _ in range(2):
        loop = training(str(path.relative_to(ROOT / "configs").with_suffix("")), "trainer.kernels=compiled")
        loop.callbacks.append(StopAt(12))
        loops.append(loop)
    replayed, plain = loops
    call_by_call(plain)
    if replayed.train.batch_size <= replayed.train.samples and not replayed.replay.ready():
        assert replayed.replay.off.startswith(NOT_WORTH_IT)
        return
    for loop in loops:
        with suppress(EnoughError):
            loop.run()
    assert replayed.replay.off == ""
    assert_the_same(replayed, plain)


class EnoughError(Exception):
    pass


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.at = step

    def next_step(self, loop: Loop) -> float:
        return self.at

    def step(self, loop: Loop, loss: float) -> None:
        assert loop.step <= self.at
        if loop.step == self.at:
            raise EnoughError


def test_whole_steps_are_replayed() -> None:
    """Not in part, for networks of the most common kinds."""
    for name in ("xor", "moons", "deep_sigmoid"):
        loop = training(name)
        for _ in range(6):
            next(loop.steps())
            if loop.batch == loop.train.steps_per_epoch:
                loop.batch, loop.epoch = 0, loop.epoch + 1
        assert by_python(loop) == {}, name


def test_what_is_copied_for_the_comparison_decides_not_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = training("moons", "trainer.epochs=20")
    loop.network.reserve(stages.MOST_BYTES // 64)  # as for a validation split in one batch; it is not touched
    assert loop.network.bytes > stages.MOST_BYTES
    loop.run_epoch()
    assert not loop.replay.off
    monkeypatch.setattr(stages, "MOST_BYTES", 100)
    loop = training("moons", "trainer.epochs=20")
    loop.run_epoch()
    assert loop.replay.off == "a step of so many weights is long beside its calls"


class Hears(Callback):
    """Writes down at which steps it is told, every seventh and maybe others."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def next_step(self, loop: Loop) -> float:
        return (loop.step // 7 + 1) * 7

    def step(self, loop: Loop, loss: float) -> None:
        self.steps.append(loop.step)


def test_a_callback_is_told_of_the_steps_it_waits_for() -> None:
    loop, hears = training("moons", "trainer.epochs=20"), Hears()
    loop.callbacks.append(hears)
    loop.run()
    assert set(range(7, loop.step + 1, 7)) <= set(hears.steps)
    assert len(hears.steps) < loop.step


class HearsAll(Callback):
    def __init__(self) -> None:
        self.losses: list[tuple[int, float]] = []

    def step(self, loop: Loop, loss: float) -> None:
        self.losses.append((loop.step, loss))


def test_a_callback_that_says_nothing_hears_of_every_step() -> None:
    heard = []
    for change in (lambda loop: loop, call_by_call):
        loop, hears = change(training("moons", "trainer.epochs=4")), HearsAll()
        loop.callbacks.append(hears)
        loop.run()
        heard.append(hears.losses)
    assert heard[0] == heard[1]
    assert [step for step, _ in heard[0]] == list(range(1, loop.step + 1))


def test_diagnostics_are_those_of_every_step_as_before() -> None:
    rows: list[list[Any]] = [[], []]
    for found, change in zip(rows, (lambda loop: loop, call_by_call), strict=True):
        loop = change(training("moons", "trainer.epochs=12"))
        loop.callbacks.append(Diagnostics(found.append, 30))
        loop.run()
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == [1, 2, 4, 8, 16, *range(30, 301, 30)]


class At(Callback):
    """Does something after a step."""

    def __init__(self, step: int, act: Any) -> None:
        self.at, self.act = step, act

    def next_step(self, loop: Loop) -> float:
        return self.at if loop.step < self.at else float("inf")

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step == self.at:
            self.act(loop)


@pytest.mark.parametrize("what", ["the loss", "a weight"])
def test_it_diverges_at_the_same_step_with_the_same_words(what: str) -> None:
    def spoil(loop: Loop) -> None:
        """A weight that the loss sees, or one that a ReLU hides."""
        loop.network.parameters["dense_1.b"][0] = np.nan if what == "the loss" else -np.inf

    said = []
    for change in (lambda loop: loop, call_by_call):
        loop = change(training("moons", "trainer.epochs=20"))
        loop.callbacks.append(At(60, spoil))
        with pytest.raises(DivergedError) as error:
            loop.run()
        said.append((str(error.value), loop.step, [part.tobytes() for part in error.value.batch or ()]))
    assert said[0] == said[1]
    assert said[0][1] >= 60
    assert what.split()[-1] in said[0][0]


def test_a_class_that_there_is_not_is_said() -> None:
    """The recorded step had none."""

    def spoil(loop: Loop) -> None:
        assert loop.replay._checked and loop.replay._feed is not None
        loop.replay._feed.targets[:] = 7

    loop = training("moons", "trainer.epochs=20")
    loop.callbacks.append(At(60, spoil))
    with pytest.raises(DataError, match="class id 7"):
        loop.run()
    assert loop.step == 60


def test_evaluation_and_a_short_batch_come_between() -> None:
    sets = ["trainer.epochs=6", "dataset.samples=250", "trainer.batch_size=12"]
    replayed, plain = training("moons", *sets), call_by_call(training("moons", *sets))
    replayed.run()
    plain.run()
    assert replayed.validation is not None and replayed.train.samples % replayed.train.batch_size
    assert_the_same(replayed, plain)


LOSSES = sorted(classes("loss"))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name: str) -> None:
    """Alone and fused with its activation."""
    cls = classes("loss")[name]
    for example in cls.examples:
        for activation in (example.get("activation", "linear"), *cls.fuses):
            if activation != "linear" and example.get("options", {}).get("from_logits"):
                continue
            loops = [loss_training(cls, example, activation) for _ in range(2)]
            loops[0].run()
            call_by_call(loops[1]).run()
            assert loops[0].replay.off == ("the loss has parts" if name == "combined" else "")
            assert_the_same(*loops)


def loss_training(cls: Any, example: dict[str, Any], activation: str) -> Loop:
    shape = tuple(example["output"])
    nodes = [Node("start", make("layer", "linear"), (INPUT,)), Node("a", make("layer", {"type": "prelu"}), ("start",))]
    nodes.append(Node("end", make("layer", activation), ("a",)))
    loss = cls(**example.get("options", {}))
    network = Network(nodes, shape, loss, kernels="compiled")
    rng = np.random.default_rng(5)
    x, parts = rng.normal(size=(15, *shape)), [_target(example["target"], shape, rng) for _ in range(5)]
    split = Split(x, np.concatenate(parts))
    options = {"dtype": np.float32, "kernels": network.kernels, "into": network.input_buffer}
    optimizer = make("optimizer", {"type": "sgd", "learning_rate": 1e-3})
    return Loop(network, optimizer, Batches(split, 5, **options), None, Trainer(epochs=STEPS // 3, batch_size=5))


METRICS = sorted({*classes("metric")} - {"of_output"})  # which needs a loss with parts


@pytest.mark.parametrize("name", METRICS)
def test_every_metric(name: str) -> None:
    config = "moons" if classes("metric")[name].measures != "values" and name != "r2" else "clip_rnn"
    chosen = json.dumps([{"type": name} | ({"k": 1} if name == "top_k" else {})])
    sets = [f"trainer.metrics={chosen}", "trainer.epochs=10", "dataset.samples=100", "trainer.batch_size=20"]
    loops = [training(config, *sets, *(["trainer.epochs=50"] if config == "clip_rnn" else [])) for _ in range(2)]
    loops[0].run()
    call_by_call(loops[1]).run()
    assert loops[0].replay.off == ""
    assert_the_same(*loops)


@pytest.mark.parametrize("threads", [1, 3])
def test_large_copies_are_made_in_shares(threads: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(61, 29, 31)).astype(np.float32)
    turned, columns = np.zeros((29, 61, 32), np.float32), np.zeros((61, 29, 31), np.float64)
    pairs = [(turned[..., :-1], x.swapaxes(0, 1)[::-1]), (columns, x), (np.zeros(x.size, np.float32), x.ravel())]
    pairs += [(np.zeros((40_000, 2), np.float32), x[0, 0, :2]), (np.zeros((1, 50_000), np.float32), x[:1, 0, :1])]
    recorder = StepRecorder()
    for to, source in pairs:
        recorder.copy(to, source)
        to[...] = -1
    program = Program(recorder.operations, recorder.keep)
    before = set_threads(threads)
    try:
        program.run(0, len(program))
    finally:
        set_threads(before)
    for to, source in pairs:
        np.testing.assert_array_equal(to, np.broadcast_to(source, to.shape))
    assert not turned[..., -1].any()
