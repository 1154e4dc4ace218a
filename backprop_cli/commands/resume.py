"""Go on with a run, exactly as if it had never stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from backprop_cli.commands.changes import changed
from backprop_cli.commands.ranks import compare, join, silent
from backprop_cli.commands.session import Session
from backprop_cli.commands.trained import config_of
from backprop_cli.config import Config, dump
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.engine.ranks import Ranks
from backprop_cli.errors import CheckpointError, UsageError, to_stderr
from backprop_cli.model.build import Warn, prepare, training
from backprop_cli.model.description import TRANSFORMS, description_of
from backprop_cli.runs.checkpoints import saved
from backprop_cli.runs.checkpoints.checkpoint import MAX_UNKNOWN, CheckpointFile
from backprop_cli.runs.directory import RunDirectory, now
from backprop_cli.runs.files import write_atomically
from backprop_cli.runs.plain import failure
from backprop_cli.runs.versions import versions
from backprop_cli.training.callbacks.signals import Signals
from backprop_cli.training.loggers.base import check
from backprop_cli.training.loop import Callback
from backprop_cli.training.parallel.launch import world
from backprop_cli.untrusted import consent


def resume(
    run: RunDirectory,
    *,
    epochs: int | None = None,
    overrides: Sequence[str] = (),
    warn: Warn | None = None,
    progress: Any = None,
    callbacks: Sequence[Callback] = (),
    ranks: Ranks | None = None,
) -> dict[str, Any]:
    """Go on with a run from its last good checkpoint, exactly as if it had never stopped. `ranks`, as many as there are
    now, share it; all of them read the run's directory, and rank 0 writes it.

    `epochs` makes it longer; `overrides` change what `changes` lists. What was changed is kept in run.json.
    Raises RunError if another process works on it, CheckpointError if it cannot go on, UsageError for a change that
    would give its state another meaning.
    """
    ranks = ranks or world()
    if ranks.rank:  # rank 0 speaks
        warn, progress, callbacks = silent, None, ()
    say = warn or to_stderr
    with Signals() as signals:
        ranks.together(lambda: None if ranks.rank else run.lock())
        try:
            wanted = [*overrides, *([] if epochs is None else [f"trainer.epochs={epochs}"])]
            cfg, changes = ranks.together(lambda: _wanted(run, wanted, ranks))
            join(cfg, ranks, say)
            new_schedule = any(path.startswith("optimizer.schedule") for path in changes)
            session = _restore(run, cfg, say, new_schedule, ranks, warn=warn, progress=progress)
            compare(session.prepared, ranks)
            loop = session.loop
            if wanted:
                ranks.together(lambda: _go_on_with(session, run, changes))
            schedule = loop.optimizer.schedule
            if "trainer.epochs" in changes and schedule.spans_training:
                say(
                    f"the schedule {schedule.type_name} is as long as the training, now {loop.options.epochs} epochs: "
                    f"the learning rate goes on at {loop.rate:.4g}; optimizer.schedule.steps would fix its length"
                )
            if loop.finished:
                return ranks.first(_finished(session, say))
            _compare(session, run, say)
            signals.wait_for_step()
            if session.run is not None:
                where = {"epoch": loop.epoch, "step": loop.step, "at": now(), "versions": versions()}
                shared = {"ranks": ranks.count} if ranks.count > 1 or "ranks" in run.info else {}
                run.update(status="running", ended=None, resumed_from=where, **shared)
            return session.go(signals, callbacks)
        finally:
            run.release()


def _wanted(run: RunDirectory, overrides: Sequence[str], ranks: Ranks) -> tuple[Config, dict[str, Any]]:
    """The config that a run goes on with, and what is changed in it."""
    before = config_of(run)
    cfg = config_of(run, overrides) if overrides else before
    if not ranks.rank:
        check(cfg.trainer.loggers, cfg.folder)
    return cfg, changed(before, cfg)


def _restore(run: RunDirectory, cfg: Config, say: Warn, new_schedule: bool, ranks: Ranks, **options: Any) -> Session:
    """The run at its newest good checkpoint; damaged ones are reported and renamed. `new_schedule`: with a schedule in
    its initial state."""
    candidates = ranks.first(saved.newest_first(run.checkpoints))
    if candidates and candidates[0].name != saved.LAST:
        say(f"{run.checkpoints / saved.LAST} is missing; resuming from {candidates[0].name}, the previous one")
    bad: list[Path] = []
    for path in candidates:
        try:
            session = ranks.together(partial(_load, run, cfg, path, say, new_schedule, ranks, **options))
        except CheckpointError as error:
            bad.append(path)
            say(f"{error}; trying the previous one")
            continue
        if bad:
            say(f"going on from {path.name}, after step {session.loop.step}; {bad[0].name} is now {saved.DAMAGED}")
            if session.run is not None:
                _set_aside(run, bad)
        return session
    if bad:
        raise CheckpointError(
            f"{run.path}: none of its {len(bad)} checkpoints can be used; `bp train {run.config}` trains it again"
        )
    say(f"{run.path} has no checkpoint yet: starting at the first step")
    return ranks.together(lambda: _session(run, cfg, say, ranks, **options))


def _session(run: RunDirectory, cfg: Config, say: Warn, ranks: Ranks, **options: Any) -> Session:
    prepared = prepare(cfg, **options)
    return Session.of(prepared, training(prepared, ranks=ranks), run, say)


def _load(
    run: RunDirectory, cfg: Config, path: Path, say: Warn, new_schedule: bool, ranks: Ranks, **options: Any
) -> Session:
    file = CheckpointFile(path)
    said = description_of(file)
    known = said.data if said is not None else None
    session = _session(run, cfg, say, ranks, learned=file.read_under(TRANSFORMS), known=known, **options)
    arrays, _ = session.loop.state_dict()
    totals = {name: MAX_UNKNOWN for name in arrays if name.startswith("metric/")}  # empty before the first batch
    file.expect({**arrays, **session.learned}, optional=totals)
    values = file.values
    if new_schedule:
        schedule = session.loop.optimizer.schedule.state_dict()
        values = {**values, "optimizer": {**values.get("optimizer", {}), "schedule": schedule}}
    try:
        session.loop.load_state_dict(file.read(), values)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return session


def _set_aside(run: RunDirectory, bad: Sequence[Path]) -> None:
    try:
        for path in reversed(bad):
            os.replace(path, run.checkpoints / saved.DAMAGED)
    except OSError as error:
        raise failure(f"cannot move {path} out of the way", error) from None


def _go_on_with(session: Session, run: RunDirectory, changes: Mapping[str, Any]) -> None:
    """Let a run go on with other options; its config.yaml says so from now on, and run.json when they changed."""
    loop = session.loop
    if loop.options.epochs < loop.epoch:
        raise UsageError(f"{run.path} has made {loop.epoch - 1} epochs; expected --epochs above that")
    if loop.stop_reason is not None:
        loop.stop_reason = None
        session.best.reset_patience()
    if changes and session.run is not None:
        own = consent.trained_here(run.config.read_bytes())
        write_atomically(run.config, [dump(session.prepared.config, run.path).encode()])
        if own:
            with suppress(OSError):
                consent.remember([run.config])
        entry = {"epoch": loop.epoch, "step": loop.step, "at": now(), "changed": changes}
        run.update(changes=[*run.info.get("changes", []), entry])


def _finished(session: Session, say: Warn) -> dict[str, Any]:
    run, loop = session.run, session.loop
    if run is None or session.recorder is None:
        return session.result()
    session.recorder.repair()
    if run.info["status"] != "completed":  # ended after its last checkpoint, before it could say so
        run.finish("completed", loop.row, session.best.summary, loop.stop_reason)
    why = f" ({loop.stop_reason})" if loop.stop_reason else ""
    say(f"{run.path} is complete after {loop.epoch - 1} epochs{why}; --epochs N makes it longer")
    return session.result()


def _compare(session: Session, run: RunDirectory, say: Warn) -> None:
    """Warn of versions and data that differ from those the run began with: results may differ, too."""
    info, dataset = run.info, session.prepared.dataset
    known = info.get("versions", {})
    changed = [f"{name} {known[name]}, now {v}" for name, v in versions().items() if known.get(name, v) != v]
    kernels = session.prepared.network.kernels.which
    if info.get("kernels", kernels) != kernels:
        changed.append(f"{info['kernels']} kernels, now {kernels}")
    before, ranks = info.get("ranks", 1), session.loop.ranks
    if before != ranks.count and ranks.shards is None:
        changed.append(f"{before} rank{'s' * (before != 1)}, now {ranks.count}")
    if changed:
        say(f"the run began with {'; '.join(changed)}: the last bits of its results may differ")
    if info.get("dataset", {}).get("fingerprint") not in (None, fingerprint(dataset)):
        say(f"the data of {dataset.name} are not those the run began with: what follows is another training")
