"""`bp train`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli.options import RUNS, Json, Quiet, Runs, Set, print_json


def train(
    config: Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="A YAML config.")] = None,
    set_: Set = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run.")] = None,
    run_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's exact directory.")] = None,
    runs: Runs = RUNS,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Same as --set name=NAME.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Same as --set trainer.epochs=N.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Same as --set seed=N.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, build, and stop before training.")] = False,
) -> None:
    """Train a network: a run directory appears under ./runs.

    bp train configs/xor.yaml --set optimizer.learning_rate=0.1 --seed 3
    """
    from backprop_cli import build, session
    from backprop_cli import config as configs
    from backprop_cli.cli import ui
    from backprop_cli.config.spelling import flow
    from backprop_cli.errors import UsageError

    if (config is None) == (resume is None):
        raise UsageError("expected a CONFIG, or --resume RUN, and not both; see `bp train --help`")
    warn = None if quiet else ui.warn
    loading = None if quiet else ui.loading
    callbacks = [] if quiet else [ui.progress()]
    if resume is not None:
        found = build.find(resume, runs)
        result = session.resume(found, epochs=epochs, warn=warn, progress=loading, callbacks=callbacks)
    else:
        assert config is not None
        given = {"name": name and flow(name), "trainer.epochs": epochs, "seed": seed}
        overrides = [*(set_ or []), *(f"{key}={value}" for key, value in given.items() if value is not None)]
        cfg = configs.load(config, overrides)
        if dry_run:
            prepared = build.prepare(cfg, warn=warn, progress=loading)
            ui.note(f"{cfg.name}: {prepared.network.store.count:,} parameters; nothing was trained (--dry-run)")
            return
        result = session.train(
            cfg,
            runs=runs,
            run_dir=run_dir,
            warn=warn,
            progress=loading,
            callbacks=callbacks,
            command=build.command_line(),
        )
    if json:
        print_json(result)
    else:
        typer.echo(result["run_dir"])
        if not quiet:
            ui.note(f"{result['status']}: {result['epochs']} epochs, {result['steps']} steps, {result['seconds']} s")


def register(app: typer.Typer) -> None:
    app.command()(train)
