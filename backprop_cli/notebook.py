"""The pages of `bp board` and `bp play` inside a notebook: Jupyter, JupyterLab, VS Code, marimo.

    from backprop_cli.notebook import play, watch
    watch("runs")
    play("configs/xor.yaml")

The server is a process of its own, which listens on this machine only, behind a token, and ends with the kernel. What
a cell shows is a frame with the page; where there is no browser, its address.
"""

from __future__ import annotations

import html
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from backprop_cli.errors import RunError, UsageError


class Page:
    """A running server, and the frame that shows its page. Raises UsageError, RunError with what the command says."""

    def __init__(self, command: Sequence[str], *, height: int, port: int, base: str) -> None:
        self.command, self.height, self._base = tuple(command), height, base
        with TemporaryFile() as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backprop_cli", *command, "--port", str(port), "--embed"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
            )  # fmt: skip
            assert self._process.stdout is not None
            try:
                self.address = self._process.stdout.readline().strip()
            except BaseException:  # the cell was interrupted
                self.stop()
                raise
            if not self.address:
                code = self._process.wait()
                said.seek(0)
                text = said.read().decode("utf-8", "replace").strip().removeprefix("bp: ")
                raise (UsageError if code == 2 else RunError)(text or f"`bp {command[0]}` ended with {code}")

    @property
    def is_running(self) -> bool:
        """Whether the server still answers."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server."""
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def source(self) -> str:
        """The address of the page as the browser of the notebook reaches it."""
        port, _, path = self.address.split(":", 2)[2].partition("/")
        return self._base.format(port=port).rstrip("/") + f"/{path}" if self._base else self.address

    def __repr__(self) -> str:
        return f"bp {self.command[0]}: {self.source if self.is_running else 'ended'}"

    def _repr_html_(self) -> str:
        """The frame, as Jupyter and marimo show it."""
        if not self.is_running:
            return f"<p>{html.escape(repr(self))}</p>"
        return (
            f'<iframe src="{html.escape(self.source)}" title="bp {self.command[0]}" width="100%" '
            f'height="{self.height}" style="border: 0" allow="clipboard-write"></iframe>'
        )


_pages: dict[tuple[str, ...], Page] = {}


def watch(*runs: str | Path, height: int = 720, port: int = 0, base: str = "") -> Page:
    """Show `bp board` on folders of runs, by default `runs`, live; the same folders again show the same server.

    `port`: 0 takes a free one. `base`: the address that leads to the port where the browser is on another machine, such
    as "/proxy/{port}/" with jupyter-server-proxy. Raises UsageError for a folder that is not there, RunError if the
    port is taken.
    """
    command = ("board", *map(str, runs))
    page = _pages.get(command)
    if page is None or not page.is_running:
        page = _pages[command] = Page(command, height=height, port=port, base=base)
    page.height = height
    return page


def play(
    source: str | Path = "", *, overrides: Sequence[str] = (), lesson: str = "", height: int = 900, port: int = 0,
    base: str = "",
) -> Page:  # fmt: skip
    """Show `bp play` on a config or a run, or on a lesson; the same again starts anew, and the earlier server ends.

    `overrides` are those of --set; `port` and `base` as in `watch`. Raises UsageError for a mistake in the config,
    RunError for data that cannot be read.
    """
    given = [str(source)] if source else []
    options = [text for override in overrides for text in ("--set", override)]
    command = ("play", *given, *options, *(("--lesson", lesson) if lesson else ()))
    if (before := _pages.pop(command, None)) is not None:
        before.stop()
    page = _pages[command] = Page(command, height=height, port=port, base=base)
    return page
