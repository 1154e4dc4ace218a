"""Whether a launcher such as mpiexec has started this process beside others, and how they find each other."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backprop_cli.errors import BpError, DivergedError, InterruptedRunError, UsageError, plugin_failure

if TYPE_CHECKING:
    from backprop_cli.engine.ranks import Ranks

#: what Open MPI, MPICH and its kin, and Slurm's srun tell a process: its rank, how many there are
VARIABLES = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)
PATIENCE = 5.0  # seconds that other ranks wait for rank 0 to end, which ends them
HOW = "mpiexec -n 4 bp train CONFIG --parallel mpi"


def launched() -> tuple[int, int]:
    """The rank of this process, and how many were started together: (0, 1) where it was started by itself."""
    for rank, count in VARIABLES:
        if os.environ.get(rank, "").isdigit() and os.environ.get(count, "").isdigit():
            return int(os.environ[rank]), int(os.environ[count])
    return 0, 1


def refuse(command: str | None) -> None:
    """Raise UsageError where several processes were started for a command that is work for one."""
    count = launched()[1]
    if count > 1 and command != "train":
        raise UsageError(
            f"bp {command} is work for one process, and {count} processes were started; start it without mpiexec. "
            f"Only a training is shared: {HOW}"
        )


def check_asked(parallel: str | None, ranks: Ranks) -> None:
    """Raise UsageError where several processes were started for a training that is not to be shared."""
    if ranks.count > 1 and parallel is None:
        raise UsageError(
            f"{ranks.count} processes were started, and each would train by itself; to share one training add "
            "--parallel mpi, or `parallel: mpi` under trainer"
        )


def give_way() -> None:
    """Let rank 0 say what went wrong: a launcher ends all others as soon as one ends with an error."""
    time.sleep(PATIENCE)


def world() -> Ranks:
    """The ranks that this process is one of. Raises UsageError where MPI is missing, or not the launcher's."""
    from backprop_cli.engine.ranks import Ranks

    _, count = launched()
    if count == 1:
        return Ranks()
    try:
        from backprop_cli.training.parallel.mpi import MpiRanks
    except (ImportError, RuntimeError) as error:
        raise UsageError(
            f"{count} processes were started, and they need MPI to train together: {error}; "
            "pip install 'backprop-cli[mpi]'"
        ) from None
    ranks = MpiRanks()
    if ranks.count != count:
        raise UsageError(
            f"{count} processes were started, but mpi4py sees {ranks.count}: its MPI is not the "
            "launcher's; start them with the mpiexec of the environment that mpi4py is installed in"
        )
    return ranks


@contextmanager
def team() -> Iterator[Ranks]:
    """`with team() as ranks:` around a command. Errors that all ranks have in common end it in order, told by rank 0;
    one that a rank has by itself, in the middle of a step, ends all."""
    ranks = world()
    try:
        yield ranks
    except BaseException as error:
        if ranks.count == 1:
            raise
        if not _everywhere(error):
            _abort(ranks, error)
        ranks.leave()
        if ranks.rank:
            give_way()
            raise SystemExit(getattr(error, "exit_code", 1)) from None
        raise
    ranks.leave()


def _everywhere(error: BaseException) -> bool:
    return isinstance(error, DivergedError | InterruptedRunError) or getattr(error, "everywhere", False)


def _abort(ranks: Ranks, error: BaseException) -> None:
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", 1)
    text = str(error) if isinstance(error, BpError) else plugin_failure(error) if isinstance(error, Exception) else None
    if not isinstance(error, SystemExit | KeyboardInterrupt):
        print(f"bp: {ranks.name()}: {text or traceback.format_exc()}", file=sys.stderr, flush=True)
    ranks.abort(code if isinstance(code, int) else 1)
