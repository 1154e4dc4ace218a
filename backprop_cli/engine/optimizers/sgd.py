from __future__ import annotations

from typing import Annotated

from annotated_types import Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.base import Optimizer, optimizer
from backprop_cli.engine.parameters import Table
from backprop_cli.registry import Doc

LARGE_TABLE = 1 << 18  # numbers; of smaller ones all rows take less time than finding some


@optimizer("sgd")
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and Nesterov's form of it.

    v ← μ v + g        w ← w − η v            (nesterov: w ← w − η (g + μ v))
    Without momentum only the rows of a large embedding that a batch has looked up are gone through: no others change.
    η enters outside v, as in PyTorch (in Keras v holds −η v). Polyak 1964, doi:10.1016/0041-5553(64)90137-5;
    Sutskever et al. 2013, ICML
    """

    learning_rate: NonNegative = 0.01
    momentum: Annotated[
        float, Interval(ge=0, lt=1), Doc("μ: share of the last step added to this one; 0.9 is usual")
    ] = 0.0
    nesterov: Annotated[bool, Doc("look ahead along the momentum before the gradient counts")] = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    @property
    def one_loop(self) -> bool:
        return True

    @property
    def least_table(self) -> int | None:
        return None if self.momentum else LARGE_TABLE

    def update_rows(self, table: Table, memory: list[Array], rate: float, t: int) -> None:
        self.kernels.sgd_rows(table.w, table.g, table.touched, rate)

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        if self.momentum:
            self.kernels.momentum_update(w, g, memory[0], rate, self.momentum, self.nesterov, work[0])
        else:
            self.kernels.sgd_update(w, g, rate, work[0])
