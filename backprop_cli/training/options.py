"""The keys under `trainer:`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from backprop_cli.registry import Component, Doc, Registered, register

PositiveInt = Annotated[int, Gt(0)]


@dataclass(kw_only=True)
class EarlyStopping:
    """Stop when the monitored number has not improved by more than `min_delta` for `patience` epochs.

    `monitor` is a column of metrics.jsonl; by default validation/loss, or train/loss without a
    validation split. The weights of the best epoch, the one with the best number, come back unless
    `restore_best` is false; the last ones stay in last.safetensors, from where training can go on, with
    `--epochs N` and its whole patience.
    """

    monitor: Annotated[
        str | None,
        Doc("a column of metrics.jsonl; by default validation/loss, or train/loss without a validation split"),
    ] = None
    patience: Annotated[int, Ge(0), Doc("epochs without improvement before stopping")] = 5
    min_delta: Annotated[float, Ge(0), Doc("least change that is an improvement, in the units of the metric")] = 0.0
    restore_best: Annotated[bool, Doc("end with the weights of the best epoch rather than the last")] = True


@dataclass(kw_only=True)
class CheckpointPolicy:
    """When a checkpoint is written: at each of the moments given here, when a signal stops the run, and at the end.

    Without any of the first three, that is after each epoch, but not twice a second, and so seldom that checkpoints
    take at most 2 % of the time.
    """

    every_steps: Annotated[PositiveInt | None, Doc("write one after every so many steps")] = None
    every_epochs: Annotated[
        PositiveInt | None,
        Doc("write one after every so many epochs"),
    ] = None
    every_minutes: Annotated[
        Annotated[float, Gt(0)] | None, Doc("write one after the first step that many minutes after the last one")
    ] = None
    keep_last: Annotated[int, Ge(1), Doc("how many stay: last.safetensors and those before it, last-1, last-2, …")] = 2
    keep_best: Annotated[bool, Doc("keep the weights of the best epoch in best.safetensors")] = True
    monitor: Annotated[
        str | None,
        Doc(
            "the column of metrics.jsonl that says which epoch is best; by default that of early_stopping, else "
            "validation/loss, or train/loss without a validation split"
        ),
    ] = None


@dataclass(kw_only=True)
class PruningPolicy:
    """Weights that are put at 0 for good, in rounds: after every `every` epochs those that count least.

    Either `fraction` of the weights that are left goes in each round, or `sparsity` is reached in equal steps.
    With `rewind: initial` the others go back to their first values after each round, and the optimizer and its schedule
    begin again: a lottery ticket. Frankle & Carbin 2019, arXiv:1803.03635; by magnitude: Han et al. 2015,
    arXiv:1506.02626
    """

    every: Annotated[PositiveInt, Doc("epochs between two rounds")]
    rounds: Annotated[PositiveInt, Doc("how many rounds there are; training goes on after the last")] = 1
    fraction: Annotated[
        Annotated[float, Interval(gt=0, lt=1)] | None, Doc("share of the remaining weights that goes in each round")
    ] = None
    sparsity: Annotated[
        Annotated[float, Interval(gt=0, le=1)] | None,
        Doc("share of all weights that are 0 after the last round, reached in equal steps"),
    ] = None
    by: Annotated[
        Literal["magnitude", "random"], Doc("which go: the smallest, or any; the latter is what to compare with")
    ] = "magnitude"
    scope: Annotated[Literal["layer", "network"], Doc("whether that is counted in each layer or over all of them")] = (
        "layer"
    )
    match: Annotated[
        str | None, Doc("pattern of the parameters that are pruned, such as `dense_*`; by default all kernels")
    ] = None
    rewind: Annotated[
        Literal["initial"] | None, Doc("`initial`: the remaining weights return to their first values after each round")
    ] = None


@dataclass(kw_only=True)
class DiagnosticsPolicy:
    """How often the network is looked into: at every so many steps, and at steps 1, 2, 4, 8, … before."""

    every: Annotated[PositiveInt, Doc("steps between two looks; the first are at steps 1, 2, 4, 8, …")] = 100


@register("section", "trainer")
class Trainer(Component):
    """How long, in which batches, and what is measured."""

    epochs: Annotated[PositiveInt, Doc("passes over the training split")] = 10
    batch_size: Annotated[PositiveInt | Literal["full"], Doc("rows of a step; `full` for all of them")] = 32
    metrics: Annotated[
        list[Any], Registered("metric"), Doc("measured on the training and the validation split, beside the loss")
    ] = field(default_factory=list)
    shuffle: Annotated[bool, Doc("a new order in every epoch, from the seed")] = True
    drop_last: Annotated[bool, Doc("leave out the last batch of an epoch where it is short")] = False
    balanced: Annotated[bool, Doc("draw as many rows of every class")] = False
    early_stopping: Annotated[EarlyStopping | None, Doc("when to stop before the last epoch; by default never")] = None
    pruning: Annotated[PruningPolicy | None, Doc("which weights are put at 0 for good, and when; by default none")] = (
        None
    )
    checkpoint: Annotated[CheckpointPolicy, Doc("when the state is saved")] = field(default_factory=CheckpointPolicy)
    kernels: Annotated[
        Literal["auto", "numpy", "compiled", "numba"],
        Doc(
            "the loops of the engine in NumPy, or compiled from C; `auto`: compiled where they could be built. "
            "`numba` is an old name of `compiled`"
        ),
    ] = "auto"
    parallel: Annotated[
        Literal["mpi"] | None,
        Doc("`mpi`: the processes that mpiexec starts share each batch; see docs/scaling.md"),
    ] = None
    shards: Annotated[
        Literal[2, 4, 8, 16, 32, 64] | None,
        Doc(
            "cut each batch into so many parts, and add their gradients as a fixed tree: the same bits on 1, 2, 4, … "
            "ranks up to that number"
        ),
    ] = None
    diagnostics: Annotated[
        bool | DiagnosticsPolicy, Doc("record what gradients and activations do, for `bp doctor` and `bp plot`")
    ] = True
    callbacks: Annotated[
        list[Any],
        Registered("callback"),
        Doc("what is told of every step and epoch, in this order: stop_at, or one of a plugin; `bp callbacks`"),
    ] = field(default_factory=list)
    loggers: Annotated[
        list[Any], Registered("logger"), Doc("where else each row of metrics goes; tensorboard writes event files")
    ] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernels == "numba":
            self.kernels = "compiled"
