"""Train a config into a new run directory."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backprop_cli.commands.session import Session
from backprop_cli.config import Config, dump, load_config, masked
from backprop_cli.config.marked import dotted
from backprop_cli.errors import to_stderr
from backprop_cli.model.build import Prepared, Warn, prepare, training
from backprop_cli.runs.directory import RunDirectory, now
from backprop_cli.runs.plain import failure
from backprop_cli.runs.versions import versions
from backprop_cli.training.callbacks.signals import Signals
from backprop_cli.training.kernels import advice
from backprop_cli.training.loggers.base import check
from backprop_cli.training.loop import Callback
from backprop_cli.training.remarks import remarks
from backprop_cli.untrusted import consent


def train(
    config: Config | str | Path | Mapping[str, Any],
    *,
    runs: str | Path = Path("runs"),
    run_dir: str | Path | None = None,
    warn: Warn | None = None,
    progress: Any = None,
    callbacks: Sequence[Callback] = (),
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """Train from the start, into a new run directory; what `bp train --json` prints. `config`: also a file's path,
    `bp:NAME`, or a dict of the keys of a config.

    Raises ConfigError and DataError before anything is written; DivergedError and
    InterruptedRunError after the run directory says so.
    """
    cfg = config if isinstance(config, Config) else load_config(config)
    runs, exact = Path(runs), Path(run_dir) if run_dir is not None else None
    check(cfg.trainer.loggers, cfg.folder)
    with Signals() as signals:
        prepared = prepare(cfg, warn=warn, progress=progress)
        _settle_kernels(prepared, warn or to_stderr)
        made = training(prepared)
        for remark in remarks(made[0]):
            (warn or to_stderr)(remark)
        about = masked(cfg, _about(prepared, command))
        signals.wait_for_step()
        folder = exact or runs / cfg.name  # every run lies as deep as this one
        run = RunDirectory.create(cfg.name, dump(cfg, folder), about, runs=runs, exact=exact, plugins=cfg.plugins)
        for path, text in cfg.secrets.items():
            (warn or to_stderr)(f"{dotted(path)}: the run keeps {text} in place of its value")
        _remember(run, bool(cfg.dataset.files()), warn or to_stderr)
        try:
            return Session.of(prepared, made, run, warn or to_stderr).go(signals, callbacks)
        finally:
            run.release()


def without_training(cfg: Config, *, warn: Warn | None = None, progress: Any = None) -> dict[str, Any]:
    """Load the data and build the network: what `bp train --dry-run --json` prints. Raises ConfigError, DataError."""
    network = prepare(cfg, warn=warn, progress=progress).network
    return {"run_id": None, "run_dir": None, "status": "checked", "parameters": network.store.count}


def _remember(run: RunDirectory, reads_files: bool, say: Warn) -> None:
    """Note that this user trained this run, with these plugins: they may run again."""
    copies = run.plugin_copies()
    try:
        consent.remember([run.config, *copies])
    except OSError as error:
        flag = consent.PLUGINS if copies else consent.FILES
        if copies or reads_files:
            say(f"{failure('cannot note that this run was trained here', error)}; to use it, add {flag}")


def _settle_kernels(prepared: Prepared, say: Warn) -> None:
    """Write the kernels that `auto` has become into the run's config: resuming or repeating uses the same."""
    options, train = prepared.config.trainer, prepared.batches("train", training=True)
    if options.kernels == "auto":
        options.kernels = prepared.network.kernels.which
        text = advice(prepared.network, train.batch_size, options.epochs * train.steps_per_epoch)
        if text:
            say(text)


def _about(prepared: Prepared, command: Sequence[str]) -> dict[str, Any]:
    """What run.json says about where a run comes from."""
    cfg, dataset = prepared.config, prepared.dataset
    return {
        "name": cfg.name,
        "started": now(),
        "ended": None,
        "command": list(command),
        "overrides": list(cfg.overrides),
        "versions": versions(),
        "host": {"name": platform.node(), "system": platform.platform(), "cpus": os.cpu_count(), "pid": os.getpid()},
        "seed": cfg.seed,
        "kernels": prepared.network.kernels.which,
        "dataset": {
            "source": dataset.source,
            "name": dataset.name,
            "sizes": {name: len(split) for name, split in dataset.splits.items()},
            "fingerprint": prepared.schema.fingerprint,
            **dataset.origin,
        },
        "parameters": prepared.network.store.count,
        "metrics": {},
        "best": None,
        "resumed_from": None,
    }
