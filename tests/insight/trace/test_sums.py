"""The sums of small layers, line by line: what stands left of the last `=` is what stands right of it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from backprop_cli import load_config
from backprop_cli.insight.trace.lines import BLANK
from backprop_cli.insight.trace.recurrent import sigmoid
from backprop_cli.insight.trace.text import as_text
from backprop_cli.insight.trace.trace import trace

NUMBER = r"-?\d+(\.\d+)?(e[-+]?\d+)?"
POINTS = "dataset: {source: synthetic, name: points, x: [%s], y: [[0.5]]}"
SEQUENCE = POINTS % "[[0.5, -1.0], [0.25, 2.0], [1.5, 0.75]]"
IMAGE = POINTS % "[[[1.0], [2.0], [0.5]], [[0.0], [1.0], [-1.0]], [[2.0], [1.5], [3.0]]]"
#: name -> data, layers in front of `flatten` and a dense layer of one unit
LAYERS = {
    "rnn": (SEQUENCE, "{type: rnn, units: 2}"),
    "rnn, relu, backwards": (SEQUENCE, "{type: rnn, units: 2, activation: relu, go_backwards: true}"),
    "rnn without bias": (SEQUENCE, "{type: rnn, units: 1, bias: false}"),
    "lstm": (SEQUENCE, "{type: lstm, units: 2}"),
    "lstm after lstm": (SEQUENCE, "{type: lstm, units: 1, return_sequences: true}, {type: lstm, units: 1}"),
    "gru": (SEQUENCE, "{type: gru, units: 2, bias_initializer: {type: constant, value: 0.1}}"),
    "gru of the paper": (SEQUENCE, "{type: gru, units: 2, reset_after: false}"),
    "gru, backwards": (SEQUENCE, "{type: gru, units: 1, go_backwards: true, return_sequences: true}"),
    "conv1d": (SEQUENCE, "{type: conv1d, filters: 2, kernel_size: 2, activation: tanh}"),
    "conv1d, causal": (SEQUENCE, "{type: conv1d, filters: 2, kernel_size: 2, padding: causal, groups: 2}"),
    "conv2d": (
        IMAGE,
        "{type: conv2d, filters: 2, kernel_size: 2}, "
        "{type: conv2d, filters: 1, kernel_size: 2, padding: same, activation: sigmoid}",
    ),
    "conv2d, strides": (IMAGE, "{type: conv2d, filters: 1, kernel_size: 2, strides: 2, padding: 1}"),
    "conv2d after pooling": (
        IMAGE,
        "{type: max_pool2d, pool_size: 2, strides: 1}, {type: conv2d, filters: 3, kernel_size: 2}",
    ),
    "rnn after dropout": (SEQUENCE, "{type: dropout, rate: 0.5}, {type: rnn, units: 1}"),
    "batch_norm after pooling": (IMAGE, "{type: avg_pool2d, pool_size: 2, strides: 1}, batch_norm"),
    "batch_norm of an image": (IMAGE, "{type: conv2d, filters: 2, kernel_size: 2}, batch_norm"),
    "batch_norm of one row": (SEQUENCE, "flatten, {type: dense, units: 2}, batch_norm"),
}


def network(layers: str) -> str:
    return f"[{layers}, flatten, {{type: dense, units: 1}}]"


def made(tmp_path: Path, dataset: str, architecture: str, rest: str = "loss: mse", **options: int) -> str:
    path = tmp_path / "c.yaml"
    path.write_text(f"{dataset}\narchitecture: {architecture}\n{rest}\noptimizer: {{type: sgd, learning_rate: 0.1}}\n")
    found = trace(load_config(path))
    assert found.worst < 1e-6
    return as_text(found, **options)


def evaluated(expression: str) -> float:
    """What a line of ours says, worked out by Python."""
    plain = expression
    for ours, pythons in {"·": "*", "−": "-", "²": "**2", "e^(": "exp(", "√": "sqrt"}.items():
        plain = plain.replace(ours, pythons)
    known = {"tanh": math.tanh, "sigmoid": sigmoid, "relu": lambda z: max(z, 0), "exp": math.exp, "sqrt": math.sqrt}
    return float(eval(plain, {"__builtins__": {}}, known))  # a sum that bp has written


def checked(text: str) -> int:
    """How many lines hold a sum of numbers that ends in what they say; each must."""
    count = 0
    for line in text.partition("\nupdate ")[0].splitlines():
        if line.startswith("    ") or " = " not in line or "relative error" in line:
            continue
        *_, expression, value = line.split("   (")[0].split(" = ")
        if not re.fullmatch(NUMBER, value) or not re.fullmatch(r"[-\d.e+·−²/() √]|.*\d.*", expression):
            continue
        if re.search(r"[a-zA-ZδΣγσμŷ]", re.sub(r"tanh|sigmoid|relu|e\^|\d(\.\d+)?e-?\d", "", expression)):
            continue  # the formula; the numbers stand in the next part
        assert math.isclose(evaluated(expression), float(value), rel_tol=1e-6, abs_tol=3e-8), line
        count += 1
    return count


@pytest.mark.parametrize("name", LAYERS)
def test_every_product_of_a_small_example(tmp_path: Path, name: str) -> None:
    text = made(tmp_path, LAYERS[name][0], network(LAYERS[name][1]))
    kind = name.split()[0].rstrip(",")
    for way in ("forward", "backward"):
        part = re.search(rf"{way}  {kind}_1 \({kind}\)\n─+\n(.*?)\n\n", text, re.DOTALL)
        assert part is not None and "array of shape" not in part[1]
        assert checked(part[1]) >= 3 or "without" in name, part[1]
    assert checked(text) > 15


def test_a_sheet_of_them_gives_nothing_away(tmp_path: Path) -> None:
    for name in ("lstm after lstm", "gru", "conv2d", "batch_norm of an image"):
        path = tmp_path / "c.yaml"
        path.write_text(f"{LAYERS[name][0]}\narchitecture: {network(LAYERS[name][1])}\nloss: mse\n")
        sheet, _, key = as_text(trace(load_config(path)), blank=True).partition("\nkey\n")
        answers = re.findall(r"^\(\d+\)  (.*)", key, re.MULTILINE)
        assert sheet.count(BLANK) == len(answers) > 30
        results = {answer.rpartition(" = ")[2] for answer in answers}
        forward = sheet.partition("forward  ")[2].partition("loss  ")[0]
        long = {each for each in results if re.fullmatch(r"-?0\.\d{6,}", each)}
        assert {each for each in long if re.search(rf"(?<![\d.]){each}(?!\d)", forward)} == set()


CLASSES = "dataset: {source: synthetic, name: blobs, samples: 6, centers: 3}"


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_softmax_and_cross_entropy(tmp_path: Path, loss: str) -> None:
    dataset = CLASSES if loss == "cross_entropy" else f"{CLASSES[:-1]}, transforms: [{{type: one_hot, of: target}}]}}"
    text = made(tmp_path, dataset, "[{type: dense, units: 3, activation: softmax}]", f"loss: {loss}")
    assert "a1 = e1 / Σ = " in text and "Σ = " in text
    part = text.partition("backward  dense_1")[2]
    assert ("δ1 = dL/dz1 = y1 − t1 = " if loss == "cross_entropy" else "δ1 = a1 (dL/da1 − Σ dL/da·a) = ") in part
    assert checked(text) > 15
    if loss == "cross_entropy":
        assert re.search(r"^L = −log y\d = −log 0\.\d+ = ", text, re.MULTILINE)


def test_fewer_decimals_and_shorter_vectors(tmp_path: Path) -> None:
    text = made(tmp_path, SEQUENCE, network(LAYERS["lstm"][1]), digits=3)
    numbers = [line for line in text.splitlines() if not line.startswith("    ")]
    assert not [line for line in numbers if re.search(r"\d\.0*[1-9]\d{3,}", line)]
    wide = "[flatten, {type: dense, units: 40}, relu, {type: dense, units: 1}]"
    long = made(tmp_path, SEQUENCE, wide)
    assert "(40 numbers)]" in long
    assert max(len(line) for line in long.splitlines()) < 400


def test_the_format_is_that_of_the_name(bp, tmp_path: Path) -> None:
    for name, begins in (("t.html", "<!doctype"), ("t.txt", "mazur: one"), ("t.json", "{")):
        assert bp("trace", "configs/mazur.yaml", "-o", name).code == 0
        assert (tmp_path / name).read_text().startswith(begins)
    wrong = bp("trace", "configs/mazur.yaml", "-o", "t.pdf")
    assert wrong.code == 2 and ".txt, .md, .html" in wrong.err and not (tmp_path / "t.pdf").exists()


def test_large_layers_are_not_written_out(tmp_path: Path) -> None:
    found = made(tmp_path, SEQUENCE, "[{type: lstm, units: 20}, {type: dense, units: 1}]")
    assert "i1[1]" not in found
