"""metrics.jsonl after a crash: each row once, none torn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backprop_cli.errors import RunError
from backprop_cli.runs.json_text import dumps
from backprop_cli.runs.metrics_log import TAIL, MetricsLog, read, repair
from backprop_cli.runs.rows import Rows


def row(step: int) -> dict[str, float]:
    return {"epoch": step, "step": 10 * step, "train/loss": 1 / step, "validation/loss": float("nan")}


def write(path: Path, count: int, wide: int = 0) -> MetricsLog:
    log = MetricsLog(path)
    for step in range(1, count + 1):
        log.write(row(step) | ({"x" * wide: 0} if wide else {}))
    log.flush()
    return log


NUMBERS = st.integers(-(1 << 70), 1 << 70) | st.floats() | st.booleans() | st.none()
ROWS = st.lists(st.text(max_size=5), unique=True, max_size=4).flatmap(
    lambda names: st.lists(st.tuples(*[NUMBERS for _ in names]), min_size=1, max_size=4).map(
        lambda rows: [dict(zip(names, row, strict=True)) for row in rows]
    )
)


@given(ROWS)
@example([{"100 %": 1.5, "{": 1}, {"100 %": 2.5, "{": 2}])
@example([{"a": 1e308, "b": 1e308}, {"a": 1.0, "b": 0.1}])
def test_many_rows_are_written_as_each_by_itself(rows: list[dict[str, Any]]) -> None:
    together = Rows({name: [row[name] for row in rows] for name in rows[0]})
    assert together.json_lines() == "".join(f"{dumps(row)}\n" for row in rows if row)
    assert [*together] == [row for row in rows if row] and [*together[:-1]] == [*together][:-1]


@pytest.mark.large
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 12), st.integers(0, 12), st.binary(max_size=30), st.data())
def test_any_end_is_repaired(tmp_path: Path, counted: int, later: int, noise: bytes, data: st.DataObject) -> None:
    """The checkpoint knows `counted` rows; then come later ones, a cut anywhere, and noise."""
    path = tmp_path / "metrics.jsonl"
    path.unlink(missing_ok=True)
    log = write(path, counted)
    expected = path.read_bytes()
    for step in range(counted + 1, counted + later + 1):
        log.write(row(step))
    log.flush()
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))] + noise)
    assert repair(path, log_tail(expected), counted) == 0
    assert path.read_bytes() == expected
    again = MetricsLog(path, log_tail(expected), counted)
    again.write(row(counted + 1))
    again.flush()
    assert [each["epoch"] for each in read(path)] == list(range(1, counted + 2))
    assert (again.tail, again.rows) == (log_tail(expected + path.read_bytes()[len(expected) :]), counted + 1)


def log_tail(text: bytes) -> bytes:
    return text  # as long as it is shorter than TAIL


def test_more_rows_than_the_checkpoint_carries(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = write(path, 500, wide=100)
    whole = path.read_bytes()
    assert len(log.tail) <= TAIL < len(whole)
    assert whole.endswith(b"\n" + log.tail)
    path.write_bytes(whole[: len(whole) - 3000] + b'{"torn')
    assert repair(path, log.tail, log.rows) == 0
    assert path.read_bytes() == whole
    path.write_bytes(whole[2000:])  # lost where no checkpoint knows it: said, and the rest is kept
    lost = repair(path, log.tail, log.rows)
    assert lost == whole[:2000].count(b"\n") + 1
    assert [each["step"] for each in read(path)] == [10 * step for step in range(lost + 1, 501)]


def test_no_bare_nan(tmp_path: Path) -> None:
    write(tmp_path / "metrics.jsonl", 2)
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        assert json.loads(line, parse_constant=pytest.fail)["validation/loss"] is None


def test_never_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("precious")
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "outside")
    with pytest.raises(RunError, match="symbolic link"):
        MetricsLog(tmp_path / "metrics.jsonl")
    with pytest.raises(RunError, match="symbolic link"):
        repair(tmp_path / "metrics.jsonl", b"", 0)
    assert (tmp_path / "outside").read_text() == "precious"
