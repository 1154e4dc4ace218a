"""`bp sweep`"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backprop_cli.cli.options import RUNS, ConfigFile, Json, Quiet, Runs, Unset, changes, print_json
from backprop_cli.cli.sweep_results import print_folds, print_table, summary

if TYPE_CHECKING:
    from backprop_cli.commands.sweep.outcomes import Outcome

#: what a worker has imported when it begins; the second because it runs the script `bp` once more
PRELOADED = ("backprop_cli.commands.sweep.preloaded", "backprop_cli.cli.main")
SHOWN = 5  # changes of a config that are named
Search = Annotated[
    Literal["grid", "random", "qmc", "tpe", "cma-es"] | None,
    typer.Option("--search", help="How values are chosen; default: grid, with --trials random."),
]
Only = Annotated[Literal["failed", "missing"] | None, typer.Option("--only", help="Run only these trials again.")]


def sweep(
    config: ConfigFile,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=A,B", help="Vary: A,B  0..4  uniform:A..B  log:A..B; or fix a value."),
    ] = None,
    unset: Unset = None,
    search: Search = None,
    trials: Annotated[int | None, typer.Option(metavar="N", min=1, help="So many trials; alone: at random.")] = None,
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="Start no trial after 90s, 30m, 2h.")] = None,
    prune: Annotated[
        Literal["hyperband", "median", "none"], typer.Option("--prune", help="End trials early that fall behind.")
    ] = "none",
    search_seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the search.")] = 0,
    folds: Annotated[
        int | None, typer.Option(metavar="K", min=2, help="Train each once for every fold; mean ± deviation.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", metavar="N", min=1, help="Trials at a time; default: 1; with --on, all."),
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="CLUSTER", help="Train on dask://HOST:PORT, dask, slurm, pbs or lsf.")
    ] = None,
    set_cluster: Annotated[
        Path | None, typer.Option("--set-cluster", metavar="FILE", help="Jobs of slurm, pbs or lsf: cores, memory, ….")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The sweep's folder; default: CONFIG-sweep.")] = None,
    runs: Runs = RUNS,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with this sweep: skip what is complete.")] = False,
    only: Only = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast/--keep-going", help="Stop at the first failure.")] = False,
    monitor: Annotated[
        str | None, typer.Option(metavar="METRIC", help="What the best is chosen by; A,B: by several, or parameters.")
    ] = None,
    maximize: Annotated[
        bool | None, typer.Option("--maximize/--minimize", help="Whether more of it is better; a metric knows.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a config many times: a grid, or a search.

    Every --set that holds several values is varied: A,B,C tries each, 0..4 counts, and with --trials N
    log:1e-4..1e-1, uniform:0..0.5 and log-int:16..512 are drawn from. 'KEY=AXIS if OTHER=A' varies KEY
    only where OTHER is A. --search tpe and cma-es learn from the trials before (Optuna; extra `search`).
    A trial is an ordinary run, in a folder under --runs;
    its id comes from its values, so that the same sweep finds its trials again: --resume goes on with
    what is unfinished, --only failed repeats what failed, as long as the rest of the config is the same.
    Ctrl-C stops every trial with a checkpoint. --on trains on the workers of a Dask cluster (extra
    `cluster`): of one that runs, of one on this machine, or of jobs that a batch system starts.

    With --folds K each is trained on the rest of every fold and measured on that fold: mean and standard
    deviation of each metric (seeds are averaged first), and out-of-fold.csv with a prediction for every row.

    \b
    Examples:
      bp sweep configs/xor.yaml --set optimizer.learning_rate=0.1,0.5 --set seed=0..4 --jobs 2
      bp sweep configs/moons.yaml --set optimizer.learning_rate=log:1e-4..1e-1 --trials 20
      bp sweep my.yaml --set architecture.0.units=log-int:8..256 --search tpe --budget 30m
      bp sweep my.yaml --folds 5 --set seed=0..2 --jobs 2
      bp sweep my.yaml --set seed=0..99 --on dask://10.0.0.1:8786
      bp runs ls --runs runs/moons-sweep --sort validation/loss
    """
    from backprop_cli.commands.sweep import processes
    from backprop_cli.commands.sweep.cluster.clusters import Cluster

    cluster = None
    if on is None:
        processes.start(jobs or 1, PRELOADED)  # before this process does the same imports
    else:
        cluster = Cluster(on, jobs, set_cluster)
    from backprop_cli.cli import ui
    from backprop_cli.cli.ui.sweeps import sweep_progress
    from backprop_cli.commands.sweep import folds as of_folds
    from backprop_cli.commands.sweep.axes import MAX_TRIALS, parse
    from backprop_cli.commands.sweep.checks import changed, check_trials, others
    from backprop_cli.commands.sweep.executors import Open
    from backprop_cli.commands.sweep.goals import goals_of
    from backprop_cli.commands.sweep.journal import JOURNAL
    from backprop_cli.commands.sweep.noted import noted
    from backprop_cli.commands.sweep.outcomes import ranked, states
    from backprop_cli.commands.sweep.search import Search as Searching
    from backprop_cli.commands.sweep.space import Space
    from backprop_cli.commands.sweep.sweep import Listed, Silent, Source, Watcher, run
    from backprop_cli.commands.sweep.trials import ends, plan, seconds
    from backprop_cli.commands.sweep.workers import Workers
    from backprop_cli.config import load_config
    from backprop_cli.errors import UsageError
    from backprop_cli.runs.finding import list_runs

    if set_cluster is not None and on is None:
        raise UsageError("--set-cluster describes the jobs of a batch system; expected --on slurm, pbs or lsf")
    settings = changes(set_, unset)
    learns = search in ("tpe", "cma-es")
    if folds is not None and not learns:
        of_folds.check(config, settings)
        settings = [*settings, *of_folds.same_folds(config, settings)]
    time = seconds(budget) if budget is not None else None
    count = trials or (None if time is None or search == "grid" else MAX_TRIALS)
    planned = (
        ends(settings, search, trials or time, folds) if learns else plan(settings, count, search_seed, folds, search)
    )
    if name and Path(name).name != name:
        raise UsageError(f"--name {name}: expected a name; --runs DIR says where its folder is to be")
    if only is not None and (learns or prune != "none"):
        raise UsageError(f"--only {only} is for grids and random searches without --prune; expected --resume")
    folder = runs / (name or f"{config.stem.removeprefix('bp:')}-sweep")
    there, rows = list(list_runs(folder)), noted(folder)
    before = states(folder, planned, there, rows)
    chosen = [outcome.trial for outcome in before if wanted(outcome.status, only)]
    checked = check_trials(config, chosen or planned[:1], None if quiet else ui.loading)
    started = sum(outcome.status != "missing" for outcome in before)
    if (learns or prune != "none") and (folder / JOURNAL).exists():
        started = started or len(there)
    if started and not resume and only is None:
        raise UsageError(f"{folder} already holds {started} of these trials; add --resume, or choose a --name")
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
    goals = goals_of(monitor, maximize, checked.metrics, checked.columns, checked.watched)
    rank = partial(ranked, metrics=checked.metrics, monitor=monitor and goals[0].name, maximize=maximize)
    axes, fixed = parse(settings)
    about = {
        "rising": [metric.key for metric in checked.metrics if metric.maximize],
        "goals": [{"name": goal.name, "maximize": goal.maximize} for goal in goals],
    }
    with ExitStack() as stack:
        executor: Open = partial(Workers, jobs=jobs or 1)
        if cluster is not None:
            executor = stack.enter_context(cluster.open(ui.warn))
        source: Source = Listed(chosen, time)
        if learns or prune != "none":
            way = search or ("grid" if trials is None else "random")
            space = Space(axes, fixed, goals, way, search_seed, prune, checked.epochs, () if learns else planned)
            source = searching = stack.enter_context(Searching(folder, space, trials, time))
            before = list(searching.outcomes.values())
        keys = list(dict.fromkeys([*(axis.key for axis in axes), *planned[0].varied]))
        total = (
            None
            if time is not None
            else (trials or len(planned)) - done(before)
            if source.prunes or learns
            else len(chosen)
        )
        watcher: Watcher = Silent() if quiet else stack.enter_context(sweep_progress(total, keys, rank))
        outcomes = run(
            config,
            before,
            source,
            folder,
            executor,
            again=only == "failed",
            fail_fast=fail_fast,
            about=about,
            watcher=watcher,
        )
        if isinstance(source, Searching) and source.repeated and not quiet:
            ui.note(f"{source.repeated} proposals repeated a trial, and took its value")
    if time is not None:
        outcomes = [outcome for outcome in outcomes if outcome.status != "missing"]
    column, best = rank(outcomes)
    together = of_folds.summary(of_folds.measure(folder, outcomes)) if folds is not None else []
    if json:
        told = summary(folder, outcomes, best, goals)
        if folds is not None:
            told |= {"folds": together, "out_of_fold": str(folder / of_folds.OUT_OF_FOLD)}
        print_json(told)
    else:
        print_table(outcomes, keys, goals, column, best)
        if together:
            print_folds(together)
        print(folder)
    if any(outcome.status not in ("completed", "pruned") for outcome in outcomes):
        raise typer.Exit(1)


def done(outcomes: list[Outcome]) -> int:
    """How many have ended."""
    from backprop_cli.commands.sweep.outcomes import FINISHED

    return sum(outcome.status in FINISHED for outcome in outcomes)


def wanted(status: str, only: str | None) -> bool:
    """Whether a trial of this status is to be run now."""
    failed = status in ("failed", "diverged")
    if only is not None:
        return failed if only == "failed" else status == "missing"
    return status not in ("completed", "pruned") and not failed


def register(app: typer.Typer) -> None:
    app.command()(sweep)
