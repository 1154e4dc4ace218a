"""`bp train`"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import RUNS, Json, Quiet, Runs, Set, Unset, changes, print_json

Config = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG", help="A YAML config, or bp:NAME for one that ships.", autocompletion=completion.configs
    ),
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN", help="Go on with a run, exactly.", autocompletion=completion.runs),
]


def command(
    config: Config = None,
    set_: Set = None,
    unset: Unset = None,
    resumed: Resume = None,
    run_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's exact directory.")] = None,
    runs: Runs = RUNS,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Same as --set name=NAME.")] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Same as --set trainer.epochs=N; with --resume, the new length.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Same as --set seed=N.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    live: Annotated[bool, typer.Option("--live", help="On a terminal: a chart of the losses above the bar.")] = False,
    parallel: Annotated[
        Literal["mpi"] | None, typer.Option("--parallel", help="Same as --set trainer.parallel=mpi; see mpiexec below.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, build, and stop before training.")] = False,
) -> None:
    """Train a network; a run directory appears under ./runs.

    Every mistake in the config is reported before anything runs. The directory of the run is printed;
    in it are the resolved config, metrics.jsonl with a line an epoch, and checkpoints of the last and
    the best epoch. Ctrl-C writes a checkpoint and stops; --resume goes on as if nothing had happened;
    what --set changes then is kept in run.json.

    Processes that mpiexec starts share one training with --parallel mpi: each takes its rows of every batch.

    \b
    Examples:
      bp train configs/xor.yaml
      bp train configs/mnist.yaml --epochs 3 --set optimizer.learning_rate=0.01 --live
      bp train configs/moons.yaml --set architecture.0.units=64 --set trainer.metrics+=f1
      bp train configs/moons.yaml --seed 3 --json --quiet
      bp train --resume latest --epochs 100
      bp train --resume latest --set optimizer.learning_rate=1e-4
      mpiexec -n 4 bp train configs/mnist.yaml --parallel mpi
    """
    from backprop_cli.cli import ui
    from backprop_cli.cli.ui.progress import progress
    from backprop_cli.commands.resume import resume
    from backprop_cli.commands.train import train, without_training
    from backprop_cli.config import load_config
    from backprop_cli.config.spelling import flow
    from backprop_cli.errors import BpError, InterruptedRunError, UsageError
    from backprop_cli.runs.finding import find_run
    from backprop_cli.training.parallel.launch import team

    if (config is None) == (resumed is None):
        raise UsageError("expected a CONFIG, or --resume RUN, and not both; see `bp train --help`")
    if resumed is not None and (name or seed is not None or run_dir or dry_run):
        raise UsageError("a resumed run keeps its name, seed and directory; --set and --epochs change what may change")
    with team() as ranks:
        shared = {"trainer.parallel": parallel}
        quiet = quiet or ranks.rank > 0
        warn = None if quiet else ui.warn
        loading = None if quiet else ui.loading
        callbacks = [] if quiet else [progress(live)]
        if resumed is not None:
            run = ranks.together(lambda: find_run(resumed, runs))
            work = partial(resume, run, epochs=epochs, overrides=[*changes(set_, unset), *_options(shared)])
        else:
            assert config is not None
            given = {"name": name and flow(name), "trainer.epochs": epochs, "seed": seed, **shared}
            overrides = [*changes(set_, unset), *_options(given)]
            cfg = ranks.together(lambda: load_config(config, overrides))
            if dry_run:
                result = ranks.together(lambda: without_training(cfg, warn=warn, progress=loading))
                if not ranks.rank:
                    ui.note(f"{cfg.name}: {result['parameters']:,} parameters; nothing was trained (--dry-run)")
                if json and not ranks.rank:
                    print_json(result)
                return
            work = partial(train, cfg, runs=runs, run_dir=run_dir, command=[Path(sys.argv[0]).name, *sys.argv[1:]])
        try:
            result = work(warn=warn, progress=loading, callbacks=callbacks, ranks=ranks)
        except BpError as error:
            if json and error.result and not ranks.rank:
                print_json(error.result)
            if isinstance(error, InterruptedRunError) and error.result and error.result["run_dir"]:
                path = error.result["run_dir"]
                error.args = (f"{error}; the run is in {path}\nGo on with it: bp train --resume {shlex.quote(path)}",)
            raise
        if ranks.rank:
            return
        if json:
            print_json(result)
        else:
            print(result["run_dir"])
            if not quiet:
                ended = f"{result['status']}: {result['epochs']} epochs"
                ui.fields(ended, f"{result['steps']} steps", f"{result['seconds']} s", between=", ")


def _options(given: Mapping[str, object]) -> list[str]:
    """Options of the command line as overrides."""
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def register(app: typer.Typer) -> None:
    app.command("train")(command)
