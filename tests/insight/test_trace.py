"""`bp trace`: the numbers of the worked example, and that what is printed is what was computed."""

from __future__ import annotations

import re

import pytest

from backprop_cli import load_config
from backprop_cli.errors import UsageError
from backprop_cli.insight.trace import trace
from backprop_cli.insight.trace_text import BLANK, page, text
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
    "0.036350306",
    "0.241300709",
    "0.000438568",
    "0.149780716",
    "0.19956143",
    "0.24975114",
    "0.29950229",
]


def test_every_published_number_of_the_worked_example_appears() -> None:
    shown = text(trace(load_config(ROOT / "configs/mazur.yaml")))
    numbers = [float(each) for each in re.findall(r"-?\d+\.\d+", shown)]

    def appears(published: str) -> bool:
        digits = len(published.partition(".")[2])
        return any(abs(number - float(published)) < 0.51 * 10.0**-digits for number in numbers)

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


def test_a_worksheet_hides_the_results_and_has_a_key() -> None:
    found = trace(load_config(ROOT / "configs/mazur.yaml"))
    sheet, _, key = text(found, blank=True).partition("\nkey\n")
    assert sheet.count(BLANK) == len(re.findall(r"^\(\d+\)", key, re.MULTILINE)) > 30
    assert "0.082167041" not in sheet
    assert "0.082167041" in key


def test_the_page_needs_nothing_from_outside() -> None:
    made = page(trace(load_config(ROOT / "configs/mazur.yaml", ["name=<script>alert(1)"])))
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
