"""`bp runs rm`, `prune`, `pack` and `unpack`: run directories deleted, and sent from one person to another."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.options import RUNS, RunName, Runs


class Ended(Enum):
    """The ways in which a run can end."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"
    FAILED = "failed"
    DIVERGED = "diverged"


def delete(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Runs, sweeps or trials to delete.", show_default=False, autocompletion=completion.runs
        ),
    ],
    runs: Runs = RUNS,
) -> None:
    """Delete runs, single trials, or a sweep with all its trials.

    One that is running stays, and so does everything outside the folder of runs.

    \b
    Examples:
      bp runs rm moons-20260801-120000-1a2b
      bp runs rm moons-sweep
    """
    from backprop_cli.runs.finding import find_path, sweep_folder
    from backprop_cli.runs.removal import remove, remove_sweep

    folders = {name: sweep_folder(name, runs) for name in names}
    single = [find_path(name, runs) for name in names if folders[name] is None]
    for path in {folder.absolute(): folder for folder in folders.values() if folder is not None}.values():
        remove_sweep(path, runs)
        print(path)
    for path, run in {run.absolute(): run for run in single}.items():
        remove(run, runs)
        print(path)


def prune(
    runs: Runs = RUNS,
    keep: Annotated[int | None, typer.Option(min=0, metavar="N", help="Keep the newest N of those chosen.")] = None,
    status: Annotated[
        list[Ended] | None,
        typer.Option(help="Only runs that ended so; may be given more than once."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be deleted, and delete nothing.")
    ] = False,
) -> None:
    """Delete old or failed runs, never running ones.

    \b
    Examples:
      bp runs prune --status failed --status diverged
      bp runs prune --keep 20 --dry-run
    """
    from backprop_cli.cli import ui
    from backprop_cli.errors import BpError
    from backprop_cli.runs.removal import chosen, remove, sweep

    failed: BpError | None = None
    for run in chosen(runs, keep=keep, status=[wanted_status.value for wanted_status in status or []]):
        try:
            if not dry_run:
                remove(run, runs)
            print(run.path)
        except BpError as error:  # somebody has just gone on with it, or it is a link: the others still go
            ui.note(str(error))
            failed = error
    if not dry_run:
        sweep(runs)
    if failed is not None:
        raise typer.Exit(1)


def pack(
    run: RunName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help=".tar.zst or .zip; by default ID.tar.zst.")
    ] = None,
    runs: Runs = RUNS,
) -> None:
    """Pack a run into one file, for sending it to somebody else.

    \b
    Examples:
      bp runs pack latest
      bp runs pack moons-20260801-120000-1a2b -o moons.zip
    """
    from backprop_cli.runs.finding import find_run
    from backprop_cli.runs.pack import pack

    print(pack(find_run(run, runs), output))


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `bp runs pack` made.", show_default=False)],
    runs: Runs = RUNS,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call the run here, in place of its own name.")
    ] = None,
) -> None:
    """Unpack a run that somebody else has packed. Nothing in it is believed, and nothing is run.

    \b
    Examples:
      bp runs unpack moons-20260801-120000-1a2b.tar.zst
      bp runs unpack moons.zip --name theirs
    """
    from backprop_cli.cli import ui
    from backprop_cli.runs.pack import unpack

    unpacked = unpack(file, runs, name)
    if plugins := unpacked.plugin_copies():
        names = ", ".join(plugin.name for plugin in plugins)
        ui.warn(f"{unpacked.path} has plugins, Python code that runs when the run is used; read them first: {names}")
    print(unpacked.path)
