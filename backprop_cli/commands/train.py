"""Train a config into a new run directory."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backprop_cli.commands.ranks import compare, join, silent
from backprop_cli.commands.session import Session
from backprop_cli.config import Config, dump, load_config, masked, origins
from backprop_cli.config.marked import dotted
from backprop_cli.engine.ranks import Ranks
from backprop_cli.errors import to_stderr
from backprop_cli.model.build import Prepared, Warn, prepare, training
from backprop_cli.runs.directory import RunDirectory, now
from backprop_cli.runs.plain import failure
from backprop_cli.runs.versions import versions
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.callbacks.signals import Signals
from backprop_cli.training.kernels import advice
from backprop_cli.training.loggers.base import check
from backprop_cli.training.loop import Callback, Loop
from backprop_cli.training.parallel.launch import world
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
    ranks: Ranks | None = None,
) -> dict[str, Any]:
    """Train from the start, into a new run directory; what `bp train --json` prints. `config`: also a file's path,
    `bp:NAME`, or a dict of the keys of a config. `ranks` share the training: by default those that mpiexec has started.

    Raises ConfigError and DataError before anything is written; DivergedError and
    InterruptedRunError after the run directory says so.
    """
    ranks = ranks or world()
    cfg = ranks.together(lambda: config if isinstance(config, Config) else load_config(config))
    runs, exact = Path(runs), Path(run_dir) if run_dir is not None else None
    if ranks.rank:  # rank 0 speaks
        warn, progress, callbacks = silent, None, ()
    say = warn or to_stderr
    join(cfg, ranks, say)
    with Signals() as signals:
        prepared, loop_and_best = ranks.together(lambda: _ready(cfg, ranks, warn, progress))
        compare(prepared, ranks)
        for remark in remarks(loop_and_best[0]):
            say(remark)
        signals.wait_for_step()
        run = ranks.together(lambda: None if ranks.rank else _create(prepared, ranks, runs, exact, command, say))
        try:
            return Session.of(prepared, loop_and_best, run, say).go(signals, callbacks)
        finally:
            if run is not None:
                run.release()


def _ready(cfg: Config, ranks: Ranks, warn: Warn | None, progress: Any) -> tuple[Prepared, tuple[Loop, Best]]:
    """Data and network of a config, and the loop over them."""
    if not ranks.rank:
        check(cfg.trainer.loggers, cfg.folder)
    prepared = prepare(cfg, warn=warn, progress=progress)
    _settle_kernels(prepared, warn or to_stderr)
    return prepared, training(prepared, ranks=ranks)


def _create(
    prepared: Prepared, ranks: Ranks, runs: Path, exact: Path | None, command: Sequence[str], say: Warn
) -> RunDirectory:
    """The directory of a new run."""
    cfg = prepared.config
    about = masked(cfg, _about(prepared, command))
    if ranks.count > 1:
        about["ranks"] = ranks.count
    folder = exact or runs / cfg.name  # every run lies as deep as this one
    run = RunDirectory.create(cfg.name, dump(cfg, folder), about, runs=runs, exact=exact, plugins=cfg.plugins)
    for path, text in cfg.secrets.items():
        say(f"{dotted(path)}: the run keeps {text} in place of its value")
    _remember(run, bool(cfg.dataset.files()), say)
    return run


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
    host = platform.uname()  # platform.platform() would start a process
    system = f"{host.system} {host.release} {host.machine}"
    return {
        "name": cfg.name,
        "started": now(),
        "ended": None,
        "command": list(command),
        "overrides": list(cfg.overrides),
        "origins": {path: where for path, _, where in origins(cfg) if where != "default"},
        "versions": versions(),
        "host": {"name": host.node, "system": system, "cpus": os.cpu_count(), "pid": os.getpid()},
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
