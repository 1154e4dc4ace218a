"""CMA-ES, of the package cmaes."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.sweep.journal import EXTRA
from backprop_cli.commands.sweep.space import Space
from backprop_cli.errors import UsageError


class Cma:
    """CMA-ES (Hansen 2016, arXiv:1604.00772) of the package cmaes, in [0, 1)ⁿ. Its state follows from the seed and from
    what it was told. Raises UsageError where cmaes is not installed."""

    def __init__(self, space: Space) -> None:
        try:
            from cmaes import CMA
        except ImportError:
            raise UsageError(f"--search cma-es needs cmaes: {EXTRA}") from None
        self._axes, self._sign = space.axes, -1.0 if space.goals[0].maximize else 1.0
        n = len(space.axes)
        self._cma = CMA(mean=np.full(n, 0.5), sigma=0.25, bounds=np.array([[0.0, 1.0]] * n), seed=space.seed)
        self._population: list[tuple[Any, float]] = []

    def propose(self) -> dict[str, str]:
        """The next trial's values by key, as `--set` takes them."""
        point = np.clip(self._cma.ask(), 0, np.nextafter(1, 0))
        return {axis.key: axis.at(float(position)) for axis, position in zip(self._axes, point, strict=True)}

    def told(self, frozen: Any) -> None:
        """A finished trial; one without a value says nothing."""
        if frozen.value is None or frozen.state.name != "COMPLETE":
            return
        positions = [axis.position(axis.write(frozen.params[axis.key])) for axis in self._axes]
        self._population.append((np.array(positions), self._sign * frozen.value))
        if len(self._population) == self._cma.population_size:
            self._cma.tell(self._population)
            self._population = []
