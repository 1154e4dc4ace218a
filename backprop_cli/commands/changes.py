"""What may change in a config when a run goes on: whatever leaves the meaning of its state as it was."""

from __future__ import annotations

from typing import Any

from backprop_cli.config import Config, diff
from backprop_cli.errors import UsageError

#: paths of the config, with all that lies under them
MAY_CHANGE = (
    "trainer.epochs",
    "trainer.early_stopping",
    "trainer.checkpoint",
    "trainer.diagnostics",
    "trainer.loggers",
    "trainer.kernels",
    "trainer.parallel",
    "optimizer.learning_rate",
    "optimizer.schedule",
    "optimizer.weight_decay",
    "optimizer.groups",
    "optimizer.clip_norm",
    "optimizer.clip_value",
    "dataset.path",
    "dataset.data_dir",
    "dataset.manual_dir",
)
#: under these, but what the state was measured by
MAY_NOT = ("trainer.early_stopping.monitor", "trainer.checkpoint.monitor")


def changed(before: Config, after: Config) -> dict[str, list[Any]]:
    """{path: [value before, value now]} of a run that goes on with another config; null where there is none.

    Raises UsageError, which names all that may not change and what may.
    """
    differing = {path: [old, new] for path, old, new in diff(before, after)}
    refused = [path for path in differing if _under(path, MAY_NOT) or not _under(path, MAY_CHANGE)]
    if refused:
        said = ", ".join(f"{path} ({differing[path][0]!r}, now {differing[path][1]!r})" for path in refused[:5])
        raise UsageError(
            f"a run cannot go on with another {said}{', …' if len(refused) > 5 else ''}: what it has learnt and "
            f"counted would mean something else; what may change is {', '.join(MAY_CHANGE)} (but not a monitor); "
            "train a new run, or start one from these weights with `weights:`"
        )
    return differing


def _under(path: str, parents: tuple[str, ...]) -> bool:
    return any(path == parent or path.startswith(f"{parent}.") for parent in parents)
