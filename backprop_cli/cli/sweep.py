"""`bp sweep`"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backprop_cli.cli.options import RUNS, ConfigFile, Json, Quiet, Runs, Unset, changes, print_json

if TYPE_CHECKING:
    from backprop_cli.commands.sweep.sweep import Outcome

#: what a worker has imported when it begins; the second because it runs the script `bp` once more
PRELOADED = ("backprop_cli.commands.sweep.preloaded", "backprop_cli.cli.main")
SHOWN = 5  # changes of a config that are named
Only = Annotated[Literal["failed", "missing"] | None, typer.Option("--only", help="Run only these trials again.")]


def sweep(
    config: ConfigFile,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=A,B", help="Vary: A,B  0..4  log:A..B  uniform:A..B; or fix a value."),
    ] = None,
    unset: Unset = None,
    trials: Annotated[int | None, typer.Option(metavar="N", min=1, help="Random search of N trials.")] = None,
    search_seed: Annotated[int, typer.Option(metavar="N", help="Seed of the random search.")] = 0,
    folds: Annotated[
        int | None, typer.Option(metavar="K", min=2, help="Train each once for every fold; mean ± deviation.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes at a time.")] = 1,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The sweep's folder; default: CONFIG-sweep.")] = None,
    runs: Runs = RUNS,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with this sweep: skip what is complete.")] = False,
    only: Only = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast/--keep-going", help="Stop at the first failure.")] = False,
    monitor: Annotated[str | None, typer.Option(metavar="METRIC", help="What the best is chosen by.")] = None,
    maximize: Annotated[
        bool | None, typer.Option("--maximize/--minimize", help="Whether more of it is better; a metric knows.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a config many times: a grid or a random search.

    Every --set that holds several values is varied: A,B,C tries each, 0..4 counts, and with --trials N
    log:1e-4..1e-1 and uniform:0..0.5 are drawn from. A trial is an ordinary run, in a folder under --runs;
    its id comes from its values, so that the same sweep finds its trials again: --resume goes on with
    what is unfinished, --only failed repeats what failed, as long as the rest of the config is the same.
    Ctrl-C stops every trial with a checkpoint.

    With --folds K each is trained on the rest of every fold and measured on that fold: mean and standard
    deviation of each metric (seeds are averaged first), and out-of-fold.csv with a prediction for every row.

    \b
    Examples:
      bp sweep configs/xor.yaml --set optimizer.learning_rate=0.1,0.5 --set seed=0..4 --jobs 2
      bp sweep configs/moons.yaml --set optimizer.learning_rate=log:1e-4..1e-1 --trials 20
      bp sweep my.yaml --set architecture.0.units=8,16 --maximize
      bp sweep my.yaml --folds 5 --set seed=0..2 --jobs 2
      bp runs ls --runs runs/moons-sweep --sort validation/loss
    """
    from backprop_cli.commands.sweep import workers

    workers.start(jobs, PRELOADED)  # before this process does the same imports
    from backprop_cli.cli import ui
    from backprop_cli.cli.ui.sweeps import sweep_progress
    from backprop_cli.commands.sweep import folds as of_folds
    from backprop_cli.commands.sweep.checks import changed, check_trials, others
    from backprop_cli.commands.sweep.noted import noted
    from backprop_cli.commands.sweep.sweep import Silent, Watcher, ranked, run, states
    from backprop_cli.commands.sweep.trials import plan
    from backprop_cli.config import load_config
    from backprop_cli.errors import UsageError, expected
    from backprop_cli.runs.finding import list_runs

    settings = changes(set_, unset)
    if folds is not None:
        settings = [*settings, *of_folds.same_folds(config, settings)]
    planned = plan(settings, trials, search_seed, folds)
    if name and Path(name).name != name:
        raise UsageError(f"--name {name}: expected a name; --runs DIR says where its folder is to be")
    folder = runs / (name or f"{config.stem.removeprefix('bp:')}-sweep")
    there, rows = list(list_runs(folder)), noted(folder)
    before = states(folder, planned, there, rows)
    chosen = [each.trial for each in before if wanted(each.status, only)]
    metrics, columns = check_trials(config, chosen or planned[:1], None if quiet else ui.loading)
    started = [each for each in before if each.status != "missing"]
    if started and not resume and only is None:
        raise UsageError(f"{folder} already holds {len(started)} of these trials; add --resume, or choose a --name")
    other = others(there, planned, rows)
    if other:
        raise UsageError(
            f"{folder} holds trials of a sweep with other fixed values, such as that with "
            f"--set {' --set '.join(other)}; choose another --name for this one"
        )
    plugins = load_config(config, planned[0].overrides).plugins
    since = changed(config, there, chosen if only == "failed" else (), plugins)
    if since:
        more = f" and {len(since) - SHOWN} more" if len(since) > SHOWN else ""
        raise UsageError(
            f"{config} is not what the trials in {folder} were trained with: {'; '.join(since[:SHOWN])}{more}; "
            "choose another --name for a sweep of its own, or undo the change to go on with that one"
        )
    if monitor is not None and monitor not in columns:
        raise UsageError(f"--monitor {monitor}: no trial computes it; {expected(monitor, columns)}")
    rank = partial(ranked, metrics=metrics, monitor=monitor, maximize=maximize)
    shown: AbstractContextManager[Watcher] = nullcontext(Silent())
    with shown if quiet else sweep_progress(len(chosen), jobs, list(planned[0].varied), rank) as watcher:
        outcomes = run(
            config,
            before,
            chosen,
            folder,
            jobs=jobs,
            again=only == "failed",
            fail_fast=fail_fast,
            metrics=metrics,
            watcher=watcher,
        )
    column, best = rank(outcomes)
    together = of_folds.summary(of_folds.measure(folder, outcomes)) if folds is not None else []
    if json:
        told = summary(folder, outcomes, best)
        if folds is not None:
            told |= {"folds": together, "out_of_fold": str(folder / of_folds.OUT_OF_FOLD)}
        print_json(told)
    else:
        placed = {each.trial.id for _, each in best}
        rest = [(None, each) for each in outcomes if each.trial.id not in placed]
        lines = [[each.trial.id, *each.trial.varied.values(), each.status, value] for value, each in [*best, *rest]]
        ui.table(["trial", *planned[0].varied, "status", column or "best"], lines, right=[column or "best"])
        if best:
            print(f"best: {best[0][1].trial}  {column} {ui.number(best[0][0])}")
        if together:
            _print_folds(together)
        print(folder)
    if any(each.status != "completed" for each in outcomes):
        raise typer.Exit(1)


def _print_folds(together: list[dict[str, Any]]) -> None:
    """A row for every setting, with mean ± standard deviation of each metric between its folds."""
    from backprop_cli.cli import ui

    settings, metrics = list(together[0]["settings"]), list(together[0]["metrics"])

    def told(spread: dict[str, float | None]) -> str:
        return f"{ui.number(spread['mean'])} ± {'–' if spread['std'] is None else ui.number(spread['std'])}"

    rows = [
        [*each["settings"].values(), each["n"], *(told(each["metrics"][name]) for name in metrics)] for each in together
    ]
    ui.table([*settings, "runs", *(f"test {name}" for name in metrics)], rows, right=["runs"])


def wanted(status: str, only: str | None) -> bool:
    """Whether a trial of this status is to be run now."""
    failed = status in ("failed", "diverged")
    if only is not None:
        return failed if only == "failed" else status == "missing"
    return status != "completed" and not failed


def summary(folder: Path, outcomes: list[Outcome], best: list[tuple[float, Outcome]]) -> dict[str, Any]:
    """What `bp sweep --json` prints."""
    rows = [
        {"trial": each.trial.id, "varied": each.trial.varied, "status": each.status, "run_dir": str(each.run_dir)}
        | {"metrics": each.metrics, "best": each.best or None, "error": each.error}
        for each in outcomes
    ]
    first = {"trial": best[0][1].trial.id, "varied": best[0][1].trial.varied, "value": best[0][0]} if best else None
    return {"sweep_dir": str(folder), "trials": rows, "best": first}


def register(app: typer.Typer) -> None:
    app.command()(sweep)
