"""`bp play`"""

from __future__ import annotations

from typing import Annotated

import typer

from backprop_cli.cli import completion
from backprop_cli.cli.board import Embed, Host, Open, need_extra
from backprop_cli.cli.options import RUNS, Runs, Set, Unset, changes, is_config

Played = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="A config, or a run with its trained weights; of several runs, the first is on the page, and all answer "
        "/predict.",
        show_default=False,
        autocompletion=completion.configs_or_runs,
    ),
]


def command(
    sources: Played = None,
    lesson: Annotated[
        str | None, typer.Option(metavar="NAME", help="Open a lesson, as `bp lesson ls` lists it.")
    ] = None,
    set_: Set = None,
    unset: Unset = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")] = 8124,
    host: Host = "127.0.0.1",
    open_: Open = False,
    embed: Embed = False,
    runs: Runs = RUNS,
) -> None:
    """Train by hand in a browser: a layer, a step, back in time.

    The network with weights, activations, δ and gradients; the boundary or the fitted curve beside it. A number that
    is pointed at shows its arithmetic and its finite difference. Nothing is written, unless you save a config.

    \b
    Examples:
      bp play configs/xor.yaml --open
      bp play latest
      bp play runs/wide runs/deep  # POST /predict/wide, /predict/deep
      bp play --lesson vanishing_gradients
    """
    from backprop_cli.errors import UsageError

    need_extra("play")
    from backprop_cli.browser.play.link import Link

    overrides = changes(set_, unset)
    if bool(sources) == (lesson is not None):
        raise UsageError("expected a CONFIG or RUN, or --lesson NAME")
    source, *others = sources or [""]
    config = lesson is not None or is_config(source)
    if others and (config or any(map(is_config, others))):
        raise UsageError("expected one CONFIG, or runs only")
    if overrides and not config:
        raise UsageError("--set needs a CONFIG; a run keeps the config it was trained with")
    link = Link()
    try:
        opened = link.send(
            "open", source=source, is_config=config, overrides=overrides, runs=str(runs), lesson=lesson, others=others
        )
        from backprop_cli.browser.play.app import app
        from backprop_cli.browser.server import serve  # while the engine opens it

        opened()
        serve(app(link), host, port, open_=open_, say=lambda text: print(text, flush=True), embedded=embed)
    finally:
        link.close()


def register(app: typer.Typer) -> None:
    app.command("play")(command)
