"""`bp trace`: the numbers of the worked example, and that what is printed is what was computed."""

from __future__ import annotations

import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_cli import load_config, registry
from backprop_cli.errors import UsageError
from backprop_cli.insight.trace.arithmetic import equations
from backprop_cli.insight.trace.lines import BLANK, number
from backprop_cli.insight.trace.text import as_html, as_text
from backprop_cli.insight.trace.trace import trace
from tests.conftest import ROOT

PUBLISHED = [
    "0.3775",
    "0.593269992",
    "0.596884378",
    "1.105905967",
    "0.75136507",
    "0.772928465",
    "0.274811083",
    "0.023560026",
    "0.298371109",
    "0.74136507",
    "0.186815602",
    "0.082167041",
    "0.35891648",
    "0.408666186",
    "0.51130127",
    "0.561370121",
    "0.138498562",
    "0.055399425",
    "-0.019049119",
    "0.036350306",
    "0.241300709",
    "0.000438568",
    "0.149780716",
    "0.19956143",
    "0.24975114",
    "0.29950229",
]


def test_every_published_number_of_the_worked_example_appears() -> None:
    shown = as_text(trace(load_config(ROOT / "configs/mazur.yaml")))
    numbers = [float(each) for each in re.findall(r"-?\d+\.\d+", shown)]

    def appears(published: str) -> bool:
        digits = len(published.partition(".")[2])
        last = 1.01 * 10.0**-digits  # some were rounded twice
        return any(abs(number - float(published)) < last for number in numbers)

    assert [each for each in PUBLISHED if not appears(each)] == []
    assert "0.291027773694" in shown


@pytest.mark.parametrize(
    "architecture",
    [
        "[{type: dense, units: 5, activation: relu}, {type: dense, units: 2, activation: softmax}]",
        "[{type: dense, units: 4}, gelu, {residual: [{type: dense, units: 4, activation: tanh}]}, "
        "{type: dense, units: 2, activation: softmax}]",
        "[{type: dense, units: 30, activation: silu}, batch_norm, {type: dropout, rate: 0.3}, "
        "{type: dense, units: 2, activation: softmax}]",
    ],
)
def test_each_gradient_meets_its_difference(architecture: str) -> None:
    found = trace(load_config(ROOT / "configs/moons.yaml", [f"architecture={architecture}"]), sample=3)
    assert found.worst < 1e-6
    assert found.loss_after < found.loss


@pytest.mark.parametrize("config", ["mazur", "xor", "moons"])
def test_a_worksheet_hides_the_results_and_has_a_key(config: str) -> None:
    found = trace(load_config(ROOT / f"configs/{config}.yaml"))
    sheet, _, key = as_text(found, blank=True).partition("\nkey\n")
    answers = re.findall(r"^\(\d+\)  (.*)", key, re.MULTILINE)
    assert sheet.count(BLANK) == len(answers) > 30
    numbers = {each for answer in answers for each in re.findall(r"\d\.\d{4,}", answer)}
    values = {number(each.value) for step in found.steps for p in step.parameters for each in p.gradients}
    given = {each.lstrip("-") for each in values} | set(re.findall(r"[\d.]+", sheet.partition("forward")[0]))
    assert [each for each in numbers - given if re.search(rf"(?<![\d.]){each}(?![\d])", sheet)] == []


def test_a_worksheet_names_results_it_goes_on_with() -> None:
    sheet, _, key = as_text(trace(load_config(ROOT / "configs/mazur.yaml")), blank=True).partition("\nkey\n")
    assert "z1 = (2)·0.4 + (4)·0.45 + 0.6 = ________ (5)" in sheet
    assert "(2)  0.593269992\n" in key and "(5)  1.105905967\n" in key


EQUAL = """\
dataset: {source: synthetic, name: points, x: [[0.5, 0.25]], y: [[0.5]]}
architecture:
  - {type: dense, units: 2, kernel_initializer: {type: constant, value: 0.5}, activation: relu}
  - {type: dense, units: 1, kernel_initializer: {type: constant, value: 0.375}}
loss: mse
optimizer: {type: sgd, learning_rate: 0.5}
"""


@pytest.fixture
def equal(tmp_path: Path) -> str:
    """The worksheet of a network in which data, weights and results share their values."""
    (tmp_path / "c.yaml").write_text(EQUAL)
    return as_text(trace(load_config(tmp_path / "c.yaml")), blank=True)


def test_equal_values_are_told_apart_by_what_they_are(equal: str) -> None:
    """0.375 is a result twice and a weight twice, 0.5 is an input, a weight and the learning rate."""
    assert "z1 = 0.5·0.5 + 0.25·0.5 + 0 = ________ (1)" in equal
    assert "y1 = (2)·0.375 + (4)·0.375 + 0 = ________ (5)" in equal
    key = dict(re.findall(r"^\((\d+)\)  (.*)", equal.partition("\nkey\n")[2], re.MULTILINE))
    assert [key[each] for each in "1234"] == ["0.375"] * 4
    assert re.search(r"dense_1\.W\[1,1\] ← w − η g = 0\.5 − 0\.5 · \(\d+\) = ________", equal)


def test_a_reference_leads_to_the_result_it_stands_for(equal: str) -> None:
    sheet, _, text = equal.partition("\nkey\n")
    key = dict(re.findall(r"^\((\d+)\)  (.*)", text, re.MULTILINE))
    results = {number: float(answer.rpartition(" = ")[2].split()[0]) for number, answer in key.items()
               if re.fullmatch(r"-?[\d.e-]+", answer.rpartition(" = ")[2].split()[0])}  # fmt: skip
    sums = re.findall(r"^\S+ = ([^=a-zδ]+\)?[^=a-zδ]*) = ________ \((\d+)\)", sheet, re.MULTILINE)
    assert len(sums) >= 3
    for sum_, answer in sums:
        made = re.sub(r"(?<!\d)\((\d+)\)", lambda each: f"({results[each[1]]})", sum_).replace("·", "*")
        assert math.isclose(eval(made), results[answer], abs_tol=1e-8), (sum_, answer)  # sums that bp has written


def test_a_short_result_does_not_leak_either(tmp_path: Path) -> None:
    """Every result, however few digits it has, is a reference where a later line begins from it."""
    (tmp_path / "c.yaml").write_text(EQUAL.replace("0.375", "3").replace("[[0.5, 0.25]]", "[[8, 4]]"))
    sheet = as_text(trace(load_config(tmp_path / "c.yaml")), blank=True).partition("\nkey\n")[0]
    assert "y1 = (2)·3 + (4)·3 + 0 = ________" in sheet


def test_what_a_larger_layer_takes_in_is_no_answer_given_away() -> None:
    """The output of a small layer before a layer that is not written out stood in the sheet as its x."""
    change = "architecture.1={type: dense, units: 40}"
    found = trace(load_config(ROOT / "configs/moons.yaml", ["architecture.0.units=3", change]), sample=1)
    sheet, _, key = as_text(found, blank=True).partition("\nkey\n")
    answers = set(re.findall(r"\d\.\d{4,}", key))
    forward = sheet.partition("forward  dense_2")[2].partition("\n\n")[0]
    assert re.search(r"x = \[\(\d+\)  \(\d+\)  \(\d+\)\]", forward)
    assert not answers & set(re.findall(r"\d\.\d{4,}", forward))


@pytest.mark.parametrize(
    ("loss", "last", "formula"),
    [
        ("cross_entropy", "softmax", "L = −log y"),
        ("sparse_categorical_crossentropy", "softmax", "L = −log y"),
        ("{type: cross_entropy, from_logits: true}", "linear", "L = (log(e^y1 + e^y2) − y"),
        ("focal", "softmax", None),
    ],
)
def test_the_terms_of_a_loss_add_up_whatever_it_is_called(loss: str, last: str, formula: str | None) -> None:
    cfg = load_config(ROOT / "configs/moons.yaml", [f"loss={loss}", f"architecture.-1.activation={last}"])
    found = trace(cfg, sample=2)
    shown = as_text(found)
    if formula is None:
        assert found.loss_terms == []
    else:
        assert formula in shown
        assert math.isclose(sum(term.value for term in found.loss_terms), found.loss, rel_tol=1e-9)


@pytest.mark.parametrize("loss", ["mse", "mae", "bce", "BCEWithLogitsLoss"])
def test_each_output_has_its_term(loss: str) -> None:
    last = "linear" if loss == "BCEWithLogitsLoss" else "sigmoid"
    name = "mazur" if loss in ("mse", "mae") else "xor"
    cfg = load_config(ROOT / f"configs/{name}.yaml", [f"loss={loss}", f"architecture.-1.activation={last}"])
    found = trace(cfg)
    assert found.loss_terms and math.isclose(sum(term.value for term in found.loss_terms), found.loss, rel_tol=1e-9)
    assert f"L{'1' if len(found.loss_terms) > 1 else ''} = " in as_text(found)


def test_the_update_is_written_out() -> None:
    shown = as_text(trace(load_config(ROOT / "configs/mazur.yaml")))
    assert "dense_2.W[1,1] ← w − η g = 0.4 − 0.5 · 0.082167041 = 0.35891648" in shown
    assert "db[1] = δ1 = 0.138498562" in shown


@pytest.mark.parametrize("optimizer", ["sgd", "{type: adam, learning_rate: 0.01}", "rmsprop", "lion"])
def test_the_numbers_of_an_update_are_true(optimizer: str) -> None:
    found = trace(load_config(ROOT / "configs/xor.yaml", [f"optimizer={optimizer}"]), sample=3)
    lines = [line for line in as_text(found).splitlines() if line.startswith("dense_") and "←" in line]
    assert len(lines) == sum(len(each.gradients) for step in found.steps for each in step.parameters)
    assert all(("√v̂" in line) == ("adam" in optimizer) for line in lines)
    for line in lines:
        _, numbers, new = line.split(" = ")
        made = eval(
            re.sub(r"\|(.*?)\|", r"abs(\1)", numbers).replace("−", "-").replace("·", "*")
        )  # sums that bp has written
        assert math.isclose(made, float(new), abs_tol=2e-9)


def test_the_page_needs_nothing_from_outside() -> None:
    made = as_html(trace(load_config(ROOT / "configs/mazur.yaml", ["name=<script>alert(1)"])))
    assert "http" not in made
    assert "<script" not in made


def test_a_sample_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match="samples 0 to 0"):
        trace(load_config(ROOT / "configs/mazur.yaml"), sample=1)


def test_as_a_command_on_a_run(bp) -> None:
    bp("train", "configs/xor.yaml", "--epochs", "50", "--quiet")
    done = bp("trace", "latest", "--sample", "2", "--json")
    assert done.code == 0, done.err
    assert done.json["worst_relative_error"] < 1e-6
    assert [layer["name"] for layer in done.json["layers"]] == ["dense_1", "dense_2"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--json", "--blank"], "--json"),
        (["--step", "--format", "html"], "--step"),
        (["--output", "nowhere/trace.html"], "there is no folder nowhere"),
        (["--sample", "7"], "samples 0 to 3"),
    ],
)
def test_flags_that_do_not_go_together(bp, flags: list[str], said: str) -> None:
    done = bp("trace", "configs/xor.yaml", *flags)
    assert (done.code, done.out) == (2, "")
    assert said in done.err and "Traceback" not in done.err


def test_a_run_takes_no_overrides(bp) -> None:
    bp("train", "configs/mazur.yaml", "--quiet")
    done = bp("trace", "latest", "--set", "seed=1")
    assert done.code == 2 and "--set needs a CONFIG" in done.err


def test_step_by_step_on_a_terminal(tmp_path: Path) -> None:
    """Each Enter brings the next part; q ends."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "backprop_cli", "trace", str(ROOT / "configs/mazur.yaml"), "--step"]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path)
    os.close(theirs)
    seen = b""
    for typed, awaited in [(b"\n", b"target"), (b"\n", b"z1"), (b"q\n", b"1.105905967")]:
        while awaited not in seen or not seen.rstrip(b"\x1b[0m ").endswith(b"end"):
            seen += os.read(ours, 65536)
        os.write(ours, typed)
    assert child.wait(60) == 0
    os.close(ours)
    assert b"0.298371109" not in seen


@pytest.mark.parametrize("command", ["trace", "doctor"])
def test_a_config_that_is_not_there(bp, command: str) -> None:
    done = bp(command, "configs/nothing.yaml")
    assert done.code == 2
    assert "configs/nothing.yaml" in done.err and "run" not in done.err


def test_a_terminal_of_ascii_can_read_it(bp) -> None:
    done = bp("trace", "configs/mazur.yaml", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert "delta1 = dL/da1 * f'(z1) = 0.74136507 * 0.186815602 = 0.138498562" in done.out
    assert "?" not in done.out


@pytest.mark.parametrize("kind", ["layer", "loss", "optimizer"])
def test_equations_are_no_sentences(kind: str) -> None:
    for cls in set(registry.classes(kind).values()):
        found = equations(cls)
        assert found, cls
        for line in found:
            assert line.isprintable() and not re.match(r"`|(The|With|Outputs|Weight|Steps) ", line), line
            assert not re.search(r"\b(where|as|and|of|the)$", line), line
            assert ". " not in line, line


def test_a_negative_factor_stands_in_brackets() -> None:
    shown = as_text(trace(load_config(ROOT / "configs/mazur.yaml")))
    assert "dL/dx1 = 0.138498562·0.4 + (-0.038098237)·0.5 = 0.055399425 + (-0.019049118) = 0.036350306" in shown
