from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.optimizers.base import Beta1, Beta2, Epsilon, Optimizer, optimizer
from backprop_cli.engine.parameters import ParameterStore, Table
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@optimizer("adam")
class Adam(Optimizer):
    """Adaptive moments.

    m ← β₁ m + (1 − β₁) g    v ← β₂ v + (1 − β₂) g²
    w ← w − η m̂ / (√v̂ + ε),   m̂ = m / (1 − β₁ᵗ),   v̂ = v / (1 − β₂ᵗ)
    lazy: in a row i of an embedding that the batch has not looked up, m, v and w stay as they are, as in PyTorch's
    SparseAdam; without it they go on moving by the moments of earlier batches. Shared embeddings and those with l1 or
    l2 are updated whole.
    amsgrad: the largest v so far, v' ← max(v', v), stands for v in v̂.
    ε is added to √v̂, as in the paper and PyTorch (Keras adds it before the correction of v).
    Kingma & Ba 2015, arXiv:1412.6980; AMSGrad: Reddi et al. 2018, arXiv:1904.09237
    """

    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8
    amsgrad: Annotated[bool, Doc("divide by the largest second moment so far, so that steps never grow again")] = False
    lazy: Annotated[
        bool,
        Doc("of embeddings update only the rows that a batch has looked up: faster for large tables, another rule"),
    ] = False

    def bind(self, store: ParameterStore, *arguments: Any, **options: Any) -> None:
        super().bind(store, *arguments, **options)
        if self.lazy and (reason := self._not_lazy()):
            raise BuildError(reason, "lazy")

    def _not_lazy(self) -> str:
        """Why rows that a batch has not looked up cannot be left alone; empty if they can."""
        for name, tells in [("amsgrad", self.amsgrad), ("ema", self.ema), ("accumulate", self.accumulate > 1)]:
            if tells:
                return f"lazy updates do not go with {name}; leave one of them out"
        if self.store.summed:
            return "lazy updates do not go with gradients that are summed over several passes; leave `lazy` out"
        followed = {table.name for table in self.store.followed}
        if decaying := [
            name for name in self.store.tables if name not in followed and not self.store.entries[name].frozen
        ]:
            return f"{decaying[0]} decays at every update, looked up or not; set its weight_decay to 0 in groups"
        if not followed:
            return "there is no embedding whose rows could be left alone: none at all, or shared, or with l1 or l2"
        return ""

    @property
    def least_table(self) -> int | None:
        return 0 if self.lazy else None

    @property
    def slots(self) -> tuple[str, ...]:
        return ("m", "v", "v_max") if self.amsgrad else ("m", "v")

    @property
    def one_loop(self) -> bool:
        return not self.amsgrad

    def update_rows(self, table: Table, memory: list[Array], rate: float, t: int) -> None:
        rate, epsilon = self._corrected(rate, t)
        numbers = rate, self.beta_1, self.beta_2, epsilon
        self.kernels.adam_rows(table.w, table.g, memory[0], memory[1], table.touched, *numbers)

    def _corrected(self, rate: float, t: int) -> tuple[float, float]:
        """The rate and ε for memory that holds m / (1 − β₁) and v / (1 − β₂), see the kernel."""
        root = ((1 - self.beta_2**t) / (1 - self.beta_2)) ** 0.5
        return rate * root * (1 - self.beta_1) / (1 - self.beta_1**t), self.epsilon * root

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        m, v, *largest = memory
        a, b = work
        rate, epsilon = self._corrected(rate, t)
        if not self.amsgrad:
            self.kernels.adam_update(w, g, m, v, rate, self.beta_1, self.beta_2, epsilon, a, b)
            return
        self.kernels.moments_update(g, m, v, self.beta_1, self.beta_2, a)
        np.maximum(largest[0], v, out=largest[0])
        np.sqrt(largest[0], out=b)
        np.add(b, epsilon, out=b)
        np.divide(m, b, out=a)
        np.multiply(a, rate, out=a)
        np.subtract(w, a, out=w)
