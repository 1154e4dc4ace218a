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
from backprop_cli.insight.trace.arithmetic import equations, number
from backprop_cli.insight.trace.text import BLANK, as_html, as_text
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
    assert done.code == 2 and "--set goes with a CONFIG" in done.err


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
