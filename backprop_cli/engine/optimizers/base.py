"""The base of every optimizer: walks the flat vector block by block and updates it in place.

A block stays in the cache while its gradient and slots are worked through, so a rule of ten NumPy
calls reads memory once. Adding a rule is `slots` and a few lines of `update`. Gathering, clipping, decay, the rule and
the average are in one file because together they are one update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels import load
from backprop_cli.engine.layer import NonNegative, PositiveInt
from backprop_cli.engine.optimizers.groups import BLOCK, LONG_BLOCK, Group, blocks, segments
from backprop_cli.engine.parameters import ParameterStore, Table, aligned_zeros
from backprop_cli.errors import BuildError, CheckpointError, shortage
from backprop_cli.registry import Component, Doc, Registered, register, slot

FLUSH_EVERY = 200  # updates between two sweeps for denormal numbers, which are up to 100 times slower
NEVER = 1 << 60
NOTHING = 1e-28  # a slot below this changes no weight; 200 updates of decay by 0.9 keep it a normal float32


def optimizer(name: str, *aliases: str) -> Any:
    """Class decorator: registers an optimizer under its names."""
    return register("optimizer", name, *aliases)


Beta1 = Annotated[
    float,
    Interval(ge=0, lt=1),
    Doc("share of the first moment kept at each update: about 1 / (1 − β₁) gradients are averaged"),
]
Beta2 = Annotated[
    float,
    Interval(ge=0, lt=1),
    Doc("share of the second moment kept at each update: about 1 / (1 − β₂) squares are averaged"),
]
Epsilon = Annotated[float, Gt(0), Doc("ε, against division by 0; a larger one shortens the steps of small gradients")]


@dataclass
class Block:
    """Views of one block, made once: slicing them again costs a small network more than its arithmetic."""

    w: Array
    g: Array
    memory: list[Array]  # in the order of `slots`
    work: list[Array]
    average: Array
    learning_rate: float
    decays: list[tuple[Array, Array, Array, float]]  # w, g, work and λ of the parts that decay


@dataclass
class TableBlock:
    """A table of which only rows that a batch has looked up are updated, with what is remembered of it."""

    table: Table
    memory: list[Array]
    learning_rate: float


@dataclass(kw_only=True)
class Optimizer(Component):
    """w ← w + Δw, once an update. The options below are common to all.

    Order within an update, with η = learning_rate · schedule(update):

    1. `accumulate` k: one update every k batches, with the mean gradient over all their rows (steps that count,
       where a mask leaves some out); an epoch's last group may be shorter. So k batches of b rows train as one of k·b.
    2. `clip_value` c: g ← min(max(g, −c), c). Then `clip_norm` c: g ← g · min(1, c / (‖g‖ + 10⁻⁶)), ‖g‖ over
       all trained parameters (PyTorch's clip_grad_norm_, Keras's global_clipnorm).
    3. `weight_decay` λ, on kernels only: g ← g + λ w, after clipping, as in PyTorch; or, where
       `decoupled_weight_decay` is set, w ← w (1 − η λ), as in PyTorch's AdamW and Keras. L2 as part of the loss
       is the layers' option `l2`.
    4. The rule. Then the layers' constraints. Weights that a mask leaves out stay 0, and so does their gradient,
       from before the clipping.
    5. `ema` d: e ← d e + (1 − d) w, from e = w after the first update; used inside `averaged()`.

    `groups` gives parameters by name a learning rate and decay of their own; the first that matches wins.
    """

    learning_rate: Annotated[
        NonNegative, Doc("η, the size of a step before the schedule; the most important number to tune")
    ] = 1e-3
    schedule: Annotated[
        Any, Registered("schedule"), Doc("how the learning rate changes with the step; by default not at all")
    ] = "constant"
    weight_decay: Annotated[
        NonNegative, Doc("λ: kernels shrink by this share of the learning rate at each update; biases and norms do not")
    ] = 0.0
    decoupled_weight_decay: Annotated[
        bool, Doc("apply the decay to the weights rather than to the gradient, as AdamW does")
    ] = False
    groups: Annotated[
        list[Group], Doc("parameters by name with a learning rate or decay of their own; the first that matches wins")
    ] = field(default_factory=list)
    clip_norm: Annotated[
        Annotated[float, Gt(0)] | None,
        Doc("largest norm of the gradient over all parameters; 1 is usual for recurrent networks"),
    ] = None
    clip_value: Annotated[Annotated[float, Gt(0)] | None, Doc("largest size of any one entry of the gradient")] = None
    accumulate: Annotated[
        PositiveInt, Doc("batches whose gradients make one update: memory of one, statistics of all")
    ] = 1
    ema: Annotated[
        Annotated[float, Interval(gt=0, lt=1)] | None,
        Doc("share kept at each update of an average of the weights, which is evaluated and saved; 0.999 is usual"),
    ] = None

    store: ParameterStore = slot()
    kernels: SimpleNamespace = slot()
    memory: dict[str, Array] = slot()  # every vector a checkpoint needs, by name
    iteration: int = slot()  # updates made so far
    gathered: int = slot()  # batches accumulated towards the next update
    gathered_rows: float = slot()  # and their rows

    def __post_init__(self) -> None:
        super().__post_init__()
        self.groups = [Group(**group) if isinstance(group, Mapping) else group for group in self.groups]

    @property
    def slots(self) -> tuple[str, ...]:
        """The vectors the rule remembers, by name."""
        return ()

    @property
    def scratch(self) -> int:
        """How many blocks of temporary memory `update` uses."""
        return 2

    @property
    def one_loop(self) -> bool:
        """Whether `update` is a single kernel that has a compiled version."""
        return False

    @property
    def least_table(self) -> int | None:
        """Numbers in an embedding from which on only those rows are updated that a batch has looked up; None where the
        rule moves others, too."""
        return None

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        """Change the block w in place. `memory` follows `slots`; t counts updates from 1; g may be overwritten."""
        raise NotImplementedError  # every optimizer has its own rule

    def update_rows(self, table: Table, memory: list[Array], rate: float, t: int) -> None:
        """The same for the rows of a table that the batch has looked up, where the rule keeps the others still."""
        raise NotImplementedError  # every such optimizer has its own rule

    def bind(
        self,
        store: ParameterStore,
        total_steps: int,
        steps_per_epoch: int | None = None,
        kernels: SimpleNamespace | None = None,
    ) -> None:
        """Take a network's parameters and kernels (NumPy's, if left out). `total_steps` is the number of batches of the
        whole training and `steps_per_epoch` that of an epoch. Raises BuildError for a group that matches nothing, and
        where what it keeps of each weight does not fit into memory."""
        self.store, self.iteration, self.gathered, self.gathered_rows = store, 0, 0, 0.0
        self._epoch = steps_per_epoch or total_steps
        self.kernels = kernels or load("numpy")
        size, dtype = store.trainable, store.values.dtype
        names = [*self.slots, *["accumulated"] * (self.accumulate > 1), *["average"] * (self.ema is not None)]
        if lacking := shortage((1 + len(names)) * dtype.itemsize * size):  # and the gradients, which are untouched yet
            raise BuildError(f"{self.type_name} keeps {len(names)} more numbers of each weight; the network {lacking}")
        self.memory = {name: aligned_zeros(size, dtype) for name in names}
        if store.mask is not None:
            self.memory["mask"] = store.mask
        self._gradient = store.gradients[:size]
        length = LONG_BLOCK if self.one_loop and self.kernels.which == "compiled" else BLOCK
        self._work = [aligned_zeros(min(length, size), dtype) for _ in range(self.scratch)]
        least = None if self.accumulate > 1 or self.ema is not None or store.summed else self.least_table
        parts = segments(store, self.groups, self.learning_rate, self.weight_decay, least)
        tables = {part.table: part.learning_rate for part in parts if part.table}
        store.follow(tables)
        self._tables = [self._table_block(store.tables[name], rate) for name, rate in tables.items()]
        self._blocks = [self._block(span, rate, decays) for span, rate, decays in blocks(parts, length)]
        epochs, rest = divmod(total_steps, self._epoch)
        updates = epochs * self.updates_per_epoch + -(-rest // self.accumulate)
        self.schedule.bind(updates, self.updates_per_epoch)

    @property
    def updates_per_epoch(self) -> int:
        """How many updates an epoch's batches make."""
        return -(-self._epoch // self.accumulate)

    def _block(self, span: slice, rate: float, decays: list[tuple[slice, float]]) -> Block:
        w, g = self.store.values[span], self.store.gradients[span]
        memory = [self.memory[name][span] for name in self.slots]
        work = [vector[: len(w)] for vector in self._work]
        average = self.memory["average"][span] if self.ema is not None else w[:0]
        parts = [(w[part], g[part], work[0][part], decay) for part, decay in decays]
        return Block(w, g, memory, work, average, rate, parts)

    def _table_block(self, table: Table, rate: float) -> TableBlock:
        span, shape = self.store.spans[table.name], table.w.shape
        return TableBlock(table, [self.memory[name][span].reshape(shape) for name in self.slots], rate)

    @property
    def current_rate(self) -> float:
        """η of the next update."""
        return float(self.learning_rate * self.schedule.scale(self.iteration))

    def step(self, rows: float = 1) -> bool:
        """Take in the gradients in the store, the mean over so many rows; True if that made an update, False while
        accumulating."""
        if self.accumulate > 1 and not self._gather(rows):
            return False
        scale = self.schedule.scale(self.iteration)
        self.iteration += 1
        self.apply(scale, self.iteration)
        if self.iteration % FLUSH_EVERY == 0:
            self._flush_denormals()
        return True

    def apply(self, scale: float, t: int) -> None:
        """Update number t with the gradients in the store; the schedule says `scale`."""
        if self.store.mask is not None:
            self.store.hold_gradients()
        if self.clip_value or self.clip_norm:
            self._clip()
        for block in self._blocks:
            rate = block.learning_rate * scale
            if block.decays:
                self._decay(block, rate)
            self.update(block.w, block.g, block.memory, rate, t, block.work)
        for rows in self._tables:
            self.update_rows(rows.table, rows.memory, rows.learning_rate * scale, t)
        self.store.constrain()
        if self.ema is not None:
            self._average(self.ema)

    def passed(self, updates: int) -> None:
        """So many updates have been made by what recorded `apply`."""
        self.iteration += updates

    @property
    def until_flush(self) -> int:
        """How many updates do nothing but `apply`, from the next one on. Without memory there is nothing to sweep."""
        return FLUSH_EVERY - 1 - self.iteration % FLUSH_EVERY if self.memory else NEVER

    def _gather(self, rows: float) -> bool:
        """Add the gradient, weighted by its rows, to the sum; True, with the mean in its place, once that is due."""
        g, total = self._gradient, self.memory["accumulated"]
        if self.gathered == 0:
            total[...] = 0
        np.multiply(g, rows, out=g)
        np.add(total, g, out=total)
        self.gathered += 1
        self.gathered_rows += rows
        before = self.iteration % self.updates_per_epoch * self.accumulate  # batches of this epoch in earlier groups
        if self.gathered < self.accumulate and before + self.gathered < self._epoch:
            return False
        np.divide(total, self.gathered_rows or 1, out=g)
        self.gathered, self.gathered_rows = 0, 0.0
        return True

    def _clip(self) -> None:
        g = self._gradient
        if self.clip_value is not None:
            np.clip(g, -self.clip_value, self.clip_value, out=g)
        if self.clip_norm is not None:
            factor = self.clip_norm / (norm(g, self.kernels.inner) + 1e-6)
            if factor < 1:
                np.multiply(g, factor, out=g)

    def _decay(self, block: Block, rate: float) -> None:
        for w, g, work, decay in block.decays:
            if self.decoupled_weight_decay:
                np.multiply(w, 1 - rate * decay, out=w)
            else:
                np.multiply(w, decay, out=work)
                np.add(g, work, out=g)

    def _flush_denormals(self) -> None:
        for block in self._blocks:
            for vector in (*block.memory, block.average):
                vector[np.abs(vector, out=block.work[0][: len(vector)]) < NOTHING] = 0

    def _average(self, decay: float) -> None:
        for block in self._blocks:
            if self.iteration == 1:
                np.copyto(block.average, block.w)
            else:
                difference = np.subtract(block.w, block.average, out=block.work[0])
                np.multiply(difference, 1 - decay, out=difference)
                np.add(block.average, difference, out=block.average)

    def restart(self) -> None:
        """Begin again, as at the first update; what the rule has remembered is forgotten."""
        for name, vector in self.memory.items():
            if name != "mask":
                vector[...] = 0
        self.iteration, self.gathered, self.gathered_rows = 0, 0, 0.0

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the network's weights are their moving average, if `ema` is set; they come back bit for bit.

        Running statistics (batch norm) are not averaged. A checkpoint is taken outside.
        """
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        if self.ema is None or self.iteration == 0:
            return
        for block in self._blocks:
            np.copyto(block.work[0], block.w)
            np.copyto(block.w, block.average)
            np.copyto(block.average, block.work[0])

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """All that a resumed training needs: vectors by name (not copies), and numbers that JSON can hold."""
        numbers = {"iteration": self.iteration, "gathered": self.gathered, "gathered_rows": self.gathered_rows}
        return dict(self.memory), {**numbers, "schedule": self.schedule.state_dict()}

    def load_state_dict(self, vectors: Mapping[str, Array], numbers: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken. Raises CheckpointError, and changes nothing, if it is
        from other options or another network."""
        wanted = {name: vector.shape for name, vector in self.memory.items()}
        given = {name: np.shape(vector) for name, vector in vectors.items()}
        if wanted != given:
            raise CheckpointError(
                f"the optimizer's state does not fit: expected vectors {wanted}, got {given}; "
                "resume with the network and optimizer options the checkpoint was written with"
            )
        for name, vector in vectors.items():
            np.copyto(self.memory[name], vector)
        self.iteration, self.gathered = int(numbers["iteration"]), int(numbers["gathered"])
        self.gathered_rows = float(numbers["gathered_rows"])
        self.schedule.load_state_dict(numbers["schedule"])


def norm(g: Array, inner: Callable[[Array, Array], float] = np.vdot) -> float:
    """‖g‖₂, also where the sum of squares would overflow; `inner` gives that sum."""
    plain: float = inner(g, g) ** 0.5
    if plain != np.inf:
        return plain
    largest = float(np.maximum(g.max(), -g.min()))
    if not 0 < largest < np.inf:  # NaN or infinite
        return largest
    parts = (g[start : start + BLOCK] / largest for start in range(0, len(g), BLOCK))
    return largest * float(np.sqrt(sum(float(np.vdot(part, part)) for part in parts)))
