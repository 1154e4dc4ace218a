"""Typed JSON: what is wrong is named by its place, what is unknown stays."""

from __future__ import annotations

import json

import pytest

from backprop_cli.runs.checkpoints.values import VALUES
from backprop_cli.runs.contents import DIAGNOSIS, INFO, ROW
from backprop_cli.untrusted.documents import NotJsonError


def test_unknown_keys_stay_and_numbers_keep_their_kind() -> None:
    text = '{"status": "failed", "dataset": {"mine": [1]}, "metrics": {"epoch": 2, "train/loss": 1.0}, "later": [null]}'
    assert json.dumps(INFO.parse(text)) == text
    row = ROW.line(b'{"epoch": 1, "step": 2, "train/loss": null, "validation/loss": 2}')
    assert (row["validation/loss"], type(row["validation/loss"])) == (2, int)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "status: is missing"),
        (
            '{"status": 3}',
            "status: expected text, got 3",
        ),
        (
            '{"status": "failed", "dataset": {"sizes": {"train": [4]}}}',
            "dataset.sizes.train: expected a whole number or text",
        ),
        ('{"status": "failed", "metrics": {"train/loss": true}}', "metrics.train/loss: expected a number, got True"),
        ('{"status": "failed", "best": {"epoch": 1e999}}', "best.epoch: expected a finite number, got inf"),
        ('{"status": "failed", "overrides": "seed=1"}', "overrides: expected a list, got 'seed=1'"),
    ],
)
def test_the_first_wrong_value_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="^" + said.replace("[", r"\[").replace(".", r"\.")):
        INFO.parse(text)


@pytest.mark.parametrize("text", ["", "[1]", "{", "null", "[" * 100_000, "\x00"])
def test_what_is_no_object_is_no_document(text: str) -> None:
    with pytest.raises(NotJsonError):
        INFO.parse(text)


@pytest.mark.parametrize("line", [b'{"epoch": 1}', b'{"epoch": 1.5, "step": 1}', b'{"epoch": -1, "step": 1}'])
def test_a_row_has_an_epoch_and_a_step(line: bytes) -> None:
    with pytest.raises(ValueError, match="expected an epoch and a step, whole numbers"):
        ROW.line(line)


def test_the_other_files() -> None:
    with pytest.raises(ValueError, match=r"layers\.a\.dead: expected a number, got 'x'"):
        DIAGNOSIS.line(b'{"epoch": 1, "step": 1, "layers": {"a": {"dead": "x"}}}')
    with pytest.raises(ValueError, match=r"Best\.waited: expected a whole number, got None"):
        VALUES.parse('{"Best": {"waited": null}}')


def test_half_a_character_is_replaced() -> None:
    """A run whose command or path was not UTF-8 has them; no picture, page or model could."""
    document = {"status": "failed", "command": ["bp", "\udcff", "\U0001f600"], "\udcff": 1}
    found = INFO.parse(json.dumps(document))
    assert found["command"] == ["bp", "\ufffd", "\U0001f600"] and "\ufffd" in found
    assert ROW.line(b'{"epoch": 1, "step": 2, "\\udcff": 3}') == {"epoch": 1, "step": 2, "\ufffd": 3}
