"""`bp board`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprop_cli.cli.options import RUNS, Runs

Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; another than this machine needs a token.")]
Embed = Annotated[
    bool,
    typer.Option(
        "--embed",
        help="For programs that show the page in a frame, such as a notebook: the token is in the path, and the server "
        "ends when its standard input does.",
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Open it in a browser.")]


def command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUNS", help="Folders of runs, or single runs; by default that of --runs.", show_default=False
        ),
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")] = 8123,
    host: Host = "127.0.0.1",
    open_: Open = False,
    embed: Embed = False,
    runs: Runs = RUNS,
) -> None:
    """Show runs in a browser, while they train.

    A table of all runs, curves as they grow, gradients by layer, comparisons and sweeps, read from the run
    directories. Only this machine is answered, unless --host says otherwise.

    \b
    Examples:
      bp board
      bp board runs other/runs --port 9000 --open
    """
    need_extra("board")
    from backprop_cli.browser.board.app import app
    from backprop_cli.browser.board.shelf import Shelf
    from backprop_cli.browser.server import serve

    shelf = Shelf(folders or [runs])
    shelf.refresh()
    serve(app(shelf), host, port, open_=open_, say=lambda text: print(text, flush=True), embedded=embed)


def need_extra(verb: str) -> None:
    """Raise UsageError unless the extra `board` is installed."""
    from importlib.util import find_spec

    from backprop_cli.errors import UsageError

    for name in ("starlette", "uvicorn"):
        if find_spec(name) is None:
            raise UsageError(f"bp {verb} needs the package {name}; pip install 'backprop-cli[board]'")


def register(app: typer.Typer) -> None:
    app.command("board")(command)
