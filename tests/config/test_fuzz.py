"""Whatever is written, `load` gives a Config or a ConfigError, and the error can be printed."""

import contextlib
import dataclasses
import math
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop_cli.config import dump, load_config
from backprop_cli.errors import ConfigError

BASE = yaml.safe_load(Path(__file__).with_name("broken.yaml").read_text())["base"]
LINES = BASE.splitlines()
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.sampled_from(
    ["3", "-1", "0", "1e400", ".nan", "true", "null", "", "[]", "{}", "[[]]", "[1, a]", "{a: {b: []}}", "relu", "add",
     "residual", "repeat", "'${seed}'", "${architecture}", "*x", "&x 1", "!t 1", "'", '"', "{type: dense}", "input",
     "[input]", "{type: {type: relu}}", "[~]", "- -", "2024-01-01", "{residual: {residual: [relu]}}", "{? a}"]
)  # fmt: skip
PATHS = st.sampled_from(
    ["seed", "name", "dataset", "dataset.source", "dataset.splits", "dataset.transforms.0", "dataset.splits.train.x",
     "architecture", "architecture.0", "architecture.-1.units", "architecture.hidden", "architecture.3.residual",
     "architecture.4.parallel.branches.0.0", "architecture.5.repeat.layers.0.units", "architecture.out.activation",
     "loss", "loss.type", "optimizer.schedule", "optimizer.learning_rate", "trainer", "trainer.metrics.0",
     "trainer.early_stopping.monitor", "trainer.early_stopping", "plugins", "parameters", "parameters.a.W", "x.y.z",
     "extends", "architecture.dense_1", "dtype", "optimizer.schedule.type.type"]
)  # fmt: skip


def comparable(value):
    """The same tree with NaN, which is not equal to itself, as a word; types and what == compares are kept."""
    if isinstance(value, float) and math.isnan(value):
        return "not a number"
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.compare]
        return type(value), {name: comparable(getattr(value, name)) for name in fields}
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items()}
    return [comparable(inner) for inner in value] if isinstance(value, list | tuple) else value


def loaded(folder, text, overrides=()):
    path = folder / "fuzz.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    problems = []
    try:
        cfg = load_config(path, overrides)
    except ConfigError as error:
        problems = error.problems
    else:
        (folder / "again.yaml").write_text(dump(cfg))
        assert comparable(load_config(folder / "again.yaml")) == comparable(cfg)
    for problem in problems:
        assert problem.message and str(problem)
        assert problem.line is None or problem.line >= 1
    return problems


def test_not_a_number_survives(tmp_path):
    assert loaded(tmp_path, BASE, ["parameters.hidden.b=.nan"]) == []
    assert comparable(math.nan) == comparable(float("nan")) != comparable(1.0)


@FUZZ
@given(st.lists(st.tuples(PATHS, st.sampled_from(["=", "+=", "~"]), VALUES), max_size=4))
def test_overrides(tmp_path, changes):
    overrides = [f"~{path}" if how == "~" else f"{path}{how}{value}" for path, how, value in changes]
    loaded(tmp_path, BASE, overrides)


@FUZZ
@given(st.data())
def test_mutated_lines(tmp_path, data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        match data.draw(st.sampled_from(["drop", "value", "indent", "cut", "insert", "swap"])):
            case "drop":
                lines[at] = ""
            case "value":
                lines[at] = line.partition(":")[0] + ": " + data.draw(VALUES)
            case "indent":
                lines[at] = " " * data.draw(st.integers(0, 6)) + line.lstrip()
            case "cut":
                lines[at] = line[: data.draw(st.integers(0, len(line)))]
            case "insert":
                place = data.draw(st.integers(0, len(line)))
                lines[at] = line[:place] + data.draw(st.text("{}[]:,-&*!|>'\"%@`#?\t ax1~$", max_size=3)) + line[place:]
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
    loaded(tmp_path, "\n".join(lines))


@FUZZ
@given(st.text(max_size=60))
def test_any_text(tmp_path, text):
    loaded(tmp_path, text)


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    [
        "".join(f"key_{i}: {i}\n" for i in range(200_000)),
        BASE.replace("seed: 1", "parameters:\n" + "".join(f"  k{i}.W: {i}\n" for i in range(200_000))),
        BASE.replace("[accuracy]", "[" + "accuracy, " * 60_000 + "accurcy]"),
        BASE.replace(
            "{train: train, validation: validation}", "{" + ", ".join(f"s{i}: 3" for i in range(60_000)) + "}"
        ),
    ],
    ids=["unknown keys", "parameters", "long list", "wrong values"],
)
def test_large_files_are_answered_in_seconds(tmp_path, text):
    path = tmp_path / "large.yaml"
    path.write_text(text)
    start = time.process_time()
    with contextlib.suppress(ConfigError):
        load_config(path)
    assert time.process_time() - start < 10
