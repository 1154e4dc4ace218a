"""`bp play`"""

from __future__ import annotations

from typing import Annotated

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.board import Host, Open
from backprop_cli.cli.options import RUNS, Runs, Set, Unset, changes, is_config

Played = Annotated[
    str | None,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="A config, or a run with its trained weights.",
        show_default=False,
        autocompletion=completion.configs_or_runs,
    ),
]


def command(
    source: Played = None,
    lesson: Annotated[
        str | None, typer.Option(metavar="NAME", help="Open a lesson, as `bp lesson ls` lists it.")
    ] = None,
    set_: Set = None,
    unset: Unset = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")] = 8124,
    host: Host = "127.0.0.1",
    open_: Open = False,
    runs: Runs = RUNS,
) -> None:
    """Train by hand in a browser: a layer, a step, back in time.

    The network with weights, activations, δ and gradients; the boundary or the fitted curve beside it. A number that
    is pointed at shows its arithmetic and its finite difference. Nothing is written, unless you save a config.

    \b
    Examples:
      bp play configs/xor.yaml --open
      bp play latest
      bp play --lesson vanishing_gradients
    """
    from importlib.util import find_spec

    from backprop_cli.errors import UsageError

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UsageError(f"bp play needs the package {missing[0]}; pip install 'backprop-cli[board]'")
    from backprop_cli.play.link import Link

    overrides = changes(set_, unset)
    if (source is None) == (lesson is None):
        raise UsageError("expected a CONFIG or RUN, or --lesson NAME")
    config = source is None or is_config(source)
    if overrides and not config:
        raise UsageError("--set needs a CONFIG; a run keeps the config it was trained with")
    link = Link()
    try:
        link.ask("open", source=source or "", is_config=config, overrides=overrides, runs=str(runs), lesson=lesson)
        from backprop_cli.board.server import serve
        from backprop_cli.play.app import app

        serve(app(link), host, port, open_=open_, say=lambda text: print(text, flush=True))
    finally:
        link.close()


def register(app: typer.Typer) -> None:
    app.command("play")(command)
