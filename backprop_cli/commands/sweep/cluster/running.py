"""A trial that a worker trains, as the process of `bp sweep` sees it: where its run is, and how it comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backprop_cli.commands.sweep.cluster.messages import Arrived, Begin, Nonce
from backprop_cli.commands.sweep.executors import Died, Done
from backprop_cli.commands.sweep.sent import Sent, check_and_remember, packed, unpacked
from backprop_cli.commands.sweep.training import Task
from backprop_cli.config import Config, load_config
from backprop_cli.errors import BpError, RunError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.versions import versions


@dataclass
class Running:
    """A task that has been submitted."""

    number: int
    task: Task
    config: Config
    future: Any = None  # of Dask
    attempt: str | None = None  # the newest, at `address`
    address: str = ""
    shared: bool = True  # whether the worker sees the sweep's folder
    lost: int = 0  # workers since its last epoch

    @classmethod
    def of(cls, number: int, task: Task) -> Running:
        """The task as it is submitted: with its config, and the absolute path of its run. Raises ConfigError."""
        config = load_config(Path(task.config), task.overrides)
        path = str(Path(task.run_dir).absolute())
        return cls(number, replace(task, run_dir=path, sent=Sent.of(config)), config)

    @property
    def path(self) -> Path:
        """The trial's run directory in the sweep's folder."""
        return Path(self.task.run_dir)

    def begin(self, nonce: Nonce, arrived: Arrived) -> Begin:
        """What a worker is told that has arrived. Raises RunError."""
        assert self.attempt is not None
        self.shared = nonce.answered(self.attempt) and arrived.sees
        send = not self.shared and self.path.exists() and not self.task.again
        return Begin(self.shared, packed(RunDirectory(self.path)) if send else None)

    def take_in(self, archive: bytes | None) -> None:
        """Put a run that was sent back in its place. Raises RunError for one that is not what was sent."""
        if archive is not None:
            check_and_remember(unpacked(archive, self.path.parent, self.path.name), self.config)

    def checked(self, event: Done) -> Done | Died:
        """The same event, if the run in the sweep's folder is what was sent; else Died, with what differs."""
        try:
            if self.path.exists():
                check_and_remember(RunDirectory(self.path), self.config)
        except BpError as error:
            return Died(str(error))
        return event


def check_versions(arrived: Arrived) -> str | None:
    """In a sentence how a worker's versions differ from those here, else None. Raises RunError for another bp."""
    here, there = versions(), arrived.versions
    other = [f"{name} {there.get(name)}, here {own}" for name, own in here.items() if there.get(name) != own]
    if there.get("backprop-cli") != here["backprop-cli"]:
        raise RunError(f"a worker on {arrived.host} has {'; '.join(other)}; install the same bp there")
    return f"a worker on {arrived.host} has {'; '.join(other)}: its last bits may differ" if other else None
