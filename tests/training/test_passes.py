"""Loops of NumPy's that are made block by block leave the bits that they leave one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.engine import kernels
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels.compiled import set_threads
from backprop_cli.engine.replay import passes
from backprop_cli.engine.replay.program import Kind, Operation, Passes, Program
from backprop_cli.engine.replay.recorder import StepRecorder

pytestmark = pytest.mark.skipif(bool(kernels.missing()), reason="needs kernels in C")

SIZE = 2 * passes.LEAST + 77  # several blocks, the last one short
TWO = [np.add, np.subtract, np.multiply, np.maximum, np.greater]
ONE = [np.negative, np.tanh, np.exp, np.abs, np.sign]


def views(memory: Array, flags: Array) -> list[Array]:
    """Apart, overlapping, with gaps, of another type, one number, two rows."""
    apart = [memory[i * SIZE : (i + 1) * SIZE] for i in range(4)]
    shifted, gaps, one = memory[3:][:SIZE], memory[4 * SIZE :: 2][:SIZE], memory[SIZE + 5 : SIZE + 6]
    return [*apart, *apart, shifted, gaps, one, flags[:SIZE], memory[: 2 * SIZE].reshape(2, SIZE)]


def record(memory: Array, flags: Array, rng: np.random.Generator, count: int) -> StepRecorder:
    """So many calls on any of the views; some calls change a number that others read."""
    recorder = StepRecorder()
    arrays = [recorder.fresh(view) for view in views(memory, flags)]
    with recorder, np.errstate(all="ignore"):
        while len(recorder.operations) < count:
            number = recorder.number(float(rng.normal())) * 0.5
            a, b, out = (arrays[i] for i in rng.integers(0, len(arrays), 3))
            operand: Any = number if rng.integers(4) == 0 else b
            try:
                match rng.integers(7):
                    case 6:
                        np.add(arrays[-1], a, out=arrays[-1])
                    case 0:
                        np.copyto(out, a, casting="unsafe")
                    case 1 | 2:
                        ONE[rng.integers(len(ONE))](a, out=out, casting="unsafe")
                    case 3:
                        np.add.reduce(a.reshape(1, -1), axis=1, out=arrays[10])
                    case _:
                        TWO[rng.integers(len(TWO))](a, operand, out=out, casting="unsafe")
            except (ValueError, TypeError):  # shapes or types that do not fit
                continue
    return recorder


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000), count=st.integers(2, 40), threads=st.sampled_from([1, 3]), cut=st.integers(0, 60))
def test_the_bits_stay_the_same(seed: int, count: int, threads: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    memory, flags = rng.normal(size=6 * SIZE).astype(np.float32), rng.random(SIZE) < 0.5
    first = memory.copy(), flags.copy()
    recorder = record(memory, flags, rng, count)
    joined, keep = passes.join(recorder.operations, {cut})
    left = []
    for operations in (recorder.operations, joined):
        memory[...], flags[...] = first
        before = set_threads(threads)
        try:
            program = Program(operations, [*recorder.keep, *keep])
            assert program.run(0, len(program))[1] == len(program)
        finally:
            set_threads(before)
        left.append(memory.tobytes() + flags.tobytes())
    assert left[0] == left[1]


def kinds(operations: list[Operation]) -> list[Kind]:
    return [Kind(operation.kind) for operation in operations if operation.kind != Kind.NOTHING]


def test_passes_are_joined_over_numbers_made_between_them() -> None:
    x, y = np.ones(SIZE, np.float32), np.zeros(SIZE, np.float32)
    recorder = StepRecorder()
    with recorder:
        a, b = recorder.fresh(x), recorder.fresh(y)
        rate = recorder.number(2.0)
        np.multiply(a, rate, out=b)
        np.add(b, rate * rate, out=b)
        np.copyto(a, b)
        total = np.add.reduce(b)
        np.subtract(a, total, out=a)
    operations = recorder.operations
    joined, _ = passes.join(operations, ())
    made = kinds(joined)
    assert made.count(Kind.PASSES) == 1
    assert (kinds(operations).count(Kind.LOOP), made.count(Kind.LOOP)) == (4, 2), (
        "what comes after the sum waits for it"
    )
    assert made.index(Kind.PASSES) < made.index(Kind.READ_F32)
    assert Kind.MULTIPLY in made[: made.index(Kind.PASSES)]


def test_a_number_is_written_between_those_that_read_it() -> None:
    """And nothing is moved over a cut."""
    x, number, more = np.ones(SIZE, np.float32), np.full(1, 3, np.float32), np.full(1, 5.0)
    recorder = StepRecorder()
    with recorder:
        a, cell = recorder.fresh(x), recorder.fresh(number)
        np.multiply(a, cell, out=a)
        recorder.add(Kind.WRITE_F32, number, more)
        np.multiply(a, cell, out=a)
        np.multiply(a, cell, out=a)
        np.multiply(a, a, out=a)
    for cuts, parts in (((), [1, 3]), ({3}, [1, 1, 2]), ({2, 4}, [1, 2, 1])):
        joined, keep = passes.join(recorder.operations, cuts)
        x[...], number[...] = 1, 3
        Program(joined, [*recorder.keep, *keep]).run(0, len(joined))
        assert (x == (3 * 5 * 5) ** 2).all()
        made = [operation for operation in joined if operation.kind in (Kind.PASSES, Kind.LOOP)]
        assert [Passes.from_address(op.a).count if op.kind == Kind.PASSES else 1 for op in made] == parts


@pytest.mark.parametrize("size", [passes.LEAST - 1, passes.ALONE - 1])
def test_what_gains_nothing_stays_as_it_is(size: int) -> None:
    recorder = StepRecorder()
    with recorder:
        a = recorder.fresh(np.ones(size, np.float32))
        np.negative(a, out=a)
        if size < passes.LEAST:
            np.negative(a, out=a)
    joined, keep = passes.join(recorder.operations, ())
    assert not keep
    assert set(kinds(joined)) == {Kind.LOOP}
