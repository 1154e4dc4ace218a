"""Go on with a run, exactly as if it had never stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from backprop_cli.commands.changes import changed
from backprop_cli.commands.session import Session
from backprop_cli.commands.trained import config_of
from backprop_cli.config import Config, dump
from backprop_cli.data.fingerprint import fingerprint
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
from backprop_cli.untrusted import consent


def resume(
    run: RunDirectory,
    *,
    epochs: int | None = None,
    overrides: Sequence[str] = (),
    warn: Warn | None = None,
    progress: Any = None,
    callbacks: Sequence[Callback] = (),
) -> dict[str, Any]:
    """Go on with a run from its last good checkpoint, exactly as if it had never stopped.

    `epochs` makes it longer; `overrides` change what `changes` lists. What was changed is kept in run.json.
    Raises RunError if another process works on it, CheckpointError if it cannot go on, UsageError for a change that
    would give its state another meaning.
    """
    say = warn or to_stderr
    with Signals() as signals:
        run.lock()
        try:
            before = config_of(run)
            wanted = [*overrides, *([] if epochs is None else [f"trainer.epochs={epochs}"])]
            cfg = config_of(run, wanted) if wanted else before
            check(cfg.trainer.loggers, cfg.folder)
            changes = changed(before, cfg)
            anew = any(path.startswith("optimizer.schedule") for path in changes)
            session = _restore(run, cfg, say, anew, warn=warn, progress=progress)
            loop = session.loop
            if wanted:
                _go_on_with(session, changes)
            schedule = loop.optimizer.schedule
            if "trainer.epochs" in changes and schedule.spans_training:
                say(
                    f"the schedule {schedule.type_name} is as long as the training, now {loop.options.epochs} epochs: "
                    f"the learning rate goes on at {loop.rate:.4g}; optimizer.schedule.steps would fix its length"
                )
            if loop.finished:
                return _finished(session, say)
            _compare(session, say)
            signals.wait_for_step()
            where = {"epoch": loop.epoch, "step": loop.step, "at": now(), "versions": versions()}
            run.update(status="running", ended=None, resumed_from=where)
            return session.go(signals, callbacks)
        finally:
            run.release()


def _restore(run: RunDirectory, cfg: Config, say: Warn, anew: bool, **options: Any) -> Session:
    """The run at its newest good checkpoint; damaged ones are said and set aside. `anew`: with a schedule that has
    seen nothing yet."""
    candidates = saved.newest_first(run.checkpoints)
    if candidates and candidates[0].name != saved.LAST:
        say(f"{run.checkpoints / saved.LAST} is missing; going on from {candidates[0].name}, the one before")
    bad: list[Path] = []
    for path in candidates:
        try:
            session = _load(run, cfg, path, say, anew, **options)
        except CheckpointError as error:
            bad.append(path)
            say(f"{error}; looking for the one before")
            continue
        if bad:
            say(f"going on from {path.name}, after step {session.loop.step}; {bad[0].name} is now {saved.DAMAGED}")
            _set_aside(run, bad)
        return session
    if bad:
        raise CheckpointError(
            f"{run.path}: none of its {len(bad)} checkpoints can be used; `bp train {run.config}` trains it again"
        )
    say(f"{run.path} has no checkpoint yet: starting at the first step")
    prepared = prepare(cfg, **options)
    return Session.of(prepared, training(prepared), run, say)


def _load(run: RunDirectory, cfg: Config, path: Path, say: Warn, anew: bool, **options: Any) -> Session:
    file = CheckpointFile(path)
    said = description_of(file)
    known = said.data if said is not None else None
    prepared = prepare(cfg, learned=file.read_under(TRANSFORMS), known=known, **options)
    session = Session.of(prepared, training(prepared), run, say)
    arrays, _ = session.loop.state_dict()
    totals = {name: MAX_UNKNOWN for name in arrays if name.startswith("metric/")}  # empty before the first batch
    file.expect({**arrays, **session.recorder.learned}, optional=totals)
    values = file.values
    if anew:
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


def _go_on_with(session: Session, changes: Mapping[str, Any]) -> None:
    """Let a run go on with other options; its config.yaml says so from now on, and run.json when they changed."""
    run, loop = session.run, session.loop
    if loop.options.epochs < loop.epoch:
        raise UsageError(f"{run.path} has made {loop.epoch - 1} epochs; expected --epochs above that")
    if loop.stop_reason is not None:
        loop.stop_reason = None
        session.best.wait_anew()
    if changes:
        own = consent.trained_here(run.config.read_bytes())
        write_atomically(run.config, [dump(session.prepared.config, run.path).encode()])
        if own:
            with suppress(OSError):
                consent.remember([run.config])
        entry = {"epoch": loop.epoch, "step": loop.step, "at": now(), "changed": changes}
        run.update(changes=[*run.info.get("changes", []), entry])


def _finished(session: Session, say: Warn) -> dict[str, Any]:
    run, loop = session.run, session.loop
    session.recorder.repair()
    if run.info["status"] != "completed":  # ended after its last checkpoint, before it could say so
        run.finish("completed", loop.row, session.best.summary, loop.stop_reason)
    why = f" ({loop.stop_reason})" if loop.stop_reason else ""
    say(f"{run.path} is complete after {loop.epoch - 1} epochs{why}; --epochs N makes it longer")
    return session.result()


def _compare(session: Session, say: Warn) -> None:
    """Warn of versions and data that differ from those the run began with: results may differ, too."""
    info, dataset = session.run.info, session.prepared.dataset
    known = info.get("versions", {})
    changed = [f"{name} {known[name]}, now {v}" for name, v in versions().items() if known.get(name, v) != v]
    kernels = session.prepared.network.kernels.which
    if info.get("kernels", kernels) != kernels:
        changed.append(f"{info['kernels']} kernels, now {kernels}")
    if changed:
        say(f"the run began with {'; '.join(changed)}: the last bits of its results may differ")
    if info.get("dataset", {}).get("fingerprint") not in (None, fingerprint(dataset)):
        say(f"the data of {dataset.name} are not those the run began with: what follows is another training")
