"""Do the inputs say anything about the targets? Asked of the data alone, without a network.

Each example is compared with its nearest neighbours (Cover & Hart 1967): where targets depend on inputs,
neighbours agree more often than examples drawn at random. How much more is counted in standard deviations of
the same number under random permutations of the targets.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backprop_cli.config import Config
from backprop_cli.data.files import Files
from backprop_cli.data.files.columns import column_names
from backprop_cli.data.files.guess import guess
from backprop_cli.data.files.paths import find, format_of
from backprop_cli.data.loading import load_dataset
from backprop_cli.engine.arrays import Array
from backprop_cli.errors import BpError
from backprop_cli.insight.doctor.edits import Edit, Patient

NEIGHBOURS = 5
RELATED = 4.0  # standard deviations from which on targets depend on inputs
PERMUTATIONS = 50
FEWEST = 50  # examples; fewer agree or disagree by accident


def dependence(x: Array, y: Array) -> float | None:
    """Standard deviations by which neighbours in x agree on y more often than chance has it.

    x (N, …) numbers, y (N,) class ids, (N, K) values. About 0 ± 1 for targets that have nothing to do with the
    inputs. None where that cannot be said: token ids, targets per step, or fewer than 50 examples.
    """
    if x.dtype.kind in "iu" or len(x) < FEWEST or (y.dtype.kind in "iu" and y.ndim > 1):
        return None
    rows = x.reshape(len(x), -1).astype(np.float64)
    spread = rows.std(axis=0)
    rows = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1)
    squares = (rows**2).sum(axis=1)
    distance = squares[:, None] + squares[None, :] - 2 * rows @ rows.T
    np.fill_diagonal(distance, np.inf)
    near = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    rng = np.random.default_rng(0)
    agreed = _disagreement(y, near)
    shuffled = [_disagreement(y[rng.permutation(len(y))], near) for _ in range(PERMUTATIONS)]
    return float((np.mean(shuffled) - agreed) / max(float(np.std(shuffled)), 1e-12))


def _disagreement(y: Array, near: Array) -> float:
    if y.dtype.kind in "iu":
        return float((y[near] != y[:, None]).mean())
    values = y.reshape(len(y), -1)
    return float(((values[near] - values[:, None]) ** 2).mean())


def other_targets(patient: Patient, cfg: Config) -> Iterator[Edit]:
    """Other columns of a table that could have been meant: those on whose values neighbours do agree."""
    source = cfg.dataset
    if not isinstance(source, Files) or not isinstance(source.target, str) or source.path is None:
        return
    path = find(source.path, cfg.folder)
    layout = guess(path, source.format or format_of(path), source.layout(), [source.target])
    losses: dict[str, float] = {}
    for column in column_names(path, layout):
        if column == source.target or column in (source.features or ()):
            continue
        try:
            edited = patient.config(Edit((f"dataset.target={column}",)))
            train = load_dataset(edited.dataset, cfg.seed, cfg.folder).splits["train"]
            value = dependence(np.asarray(train.x[:1000]), np.asarray(train.y[:1000]))
        except (BpError, KeyError):
            continue
        if value is not None and value > RELATED:
            losses[column] = value
    for column in sorted(losses, key=lambda name: -losses[name]):
        yield Edit((f"dataset.target={column}",))
