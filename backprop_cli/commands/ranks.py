"""What `bp train` does so that several processes become one training."""

from __future__ import annotations

from zlib import crc32

from backprop_cli.config import Config, dump
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.engine.ranks import Ranks
from backprop_cli.errors import UsageError
from backprop_cli.model.build import Prepared, Warn
from backprop_cli.runs.versions import versions
from backprop_cli.training.parallel.launch import HOW, check_asked


def silent(text: str) -> None:
    """Of all ranks, rank 0 speaks."""


def join(cfg: Config, ranks: Ranks, say: Warn) -> None:
    """Raise UsageError where several processes were started for a training that is not to be shared; say where it is
    to be, and this one was started by itself."""
    ranks.together(lambda: check_asked(cfg.trainer.parallel, ranks))
    if ranks.count == 1 and cfg.trainer.parallel is not None:
        say(f"trainer.parallel: {cfg.trainer.parallel}: started without mpiexec, so one process trains; {HOW}")


def compare(prepared: Prepared, ranks: Ranks) -> None:
    """Raise UsageError, on every rank, unless all see the same config and data, and compute alike."""
    if ranks.count == 1:
        return
    every = ranks.all((ranks.name(), _facts(prepared)))
    name, first = every[0]
    for other, digests in every[1:]:
        for what in first:
            if digests[what] != first[what]:
                error = UsageError(
                    f"{other} has another {what} than {name}: {digests[what]}, there {first[what]}; "
                    "all ranks must read the same files and run the same versions"
                )
                error.everywhere = True
                raise error


def _facts(prepared: Prepared) -> dict[str, str]:
    """What has to be equal on all ranks, by what it is called."""
    cfg, store = prepared.config, prepared.network.store
    digests = {
        "config": f"digest {crc32(dump(cfg, cfg.folder).encode()):08x}",
        "dataset": f"fingerprint {fingerprint(prepared.dataset)}",
        "set of first weights": f"digest {crc32(store.values.data):08x}",
        "set of kernels": prepared.network.kernels.which,
    }
    return {f"version of {name}": version for name, version in versions().items()} | digests
