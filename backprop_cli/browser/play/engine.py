"""The loop of the training process: it answers commands, makes steps while it runs, and sends pictures at intervals."""

from __future__ import annotations

import json
import queue
import time
from typing import Any, TextIO

import numpy as np

from backprop_cli.browser.play.commands import Commands
from backprop_cli.errors import BpError, UsageError, out_of_range, plugin_failure
from backprop_cli.runs.json_text import dumps

FRAMES = 25.0  # pictures a second, at most
SHARE = 0.5  # of the time that pictures may take while it trains
CHARTS = 0.2  # seconds between two pictures with curves


class Engine(Commands):
    """Commands, and the time between them."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(self._write)
        self._out = out

    def _write(self, kind: str, what: Any, number: int | None = None) -> None:
        self._out.write(f"{kind} {'' if number is None else f'{number} '}{dumps(what)}\n")
        self._out.flush()

    def _answer(self, line: str) -> None:
        """Carry out a command and send its result."""
        asked = json.loads(line)
        number = asked.pop("id")
        verb = str(asked.pop("do", ""))
        try:
            act = None if verb.startswith("_") else getattr(Commands, verb, None)
            if act is None:
                raise UsageError(f"there is no command {verb!r:.40}")
            try:
                answer = act(self, **asked)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise
                raise UsageError(f"{verb} does not take {sorted(asked)}") from None
            self._say("answer", answer, number)
        except BpError as error:
            self._say("answer", {"error": str(error), "code": error.exit_code}, number)
        except Exception as error:
            theirs = plugin_failure(error) or out_of_range(error)
            if theirs is None:
                raise
            self._say("answer", {"error": theirs, "code": 1}, number)

    def _go(self, inbox: queue.Queue[str | None]) -> None:
        """Make steps until a picture is due, a command arrives, or training ends."""
        session = self._here
        try:
            while self._running and inbox.empty():
                now = time.monotonic()
                if now < self._next_step:
                    return
                session.advance()
                self._dirty = True
                self._next_step = max(self._next_step + 1 / self._pace, now - 0.2)  # what was missed is not made up for
                loop = session.loop
                if self._until is not None and loop.epoch >= self._until:
                    self._running = False
                    session.note = f"epoch {loop.epoch - 1} has been made"
                elif loop.batch == 0 and (loop.epoch == loop.options.epochs + 1 or loop.stop_reason):
                    self._running = False
                    session.note = loop.stop_reason or f"the {loop.options.epochs:,} epochs of the config are made"
                if time.monotonic() >= self._next_frame:
                    return
        except BpError as error:
            self._running = False
            session.note = str(error)
        except Exception as error:
            if (theirs := plugin_failure(error) or out_of_range(error)) is None:
                raise
            self._running, session.note = False, theirs

    def _draw(self) -> None:
        """Send a picture, and leave time for steps before the next."""
        start = time.monotonic()
        assert self._drawing is not None
        charts = start >= self._next_charts or not self._running
        picture = self._drawing.frame(charts)
        self._say("frame", {**picture, "running": self._running, "speed": self._speed})
        self._dirty = False
        end = time.monotonic()
        self._next_frame = max(start + 1 / FRAMES, end + (end - start) * (1 / SHARE - 1) * self._running)
        if charts:
            self._next_charts = end + CHARTS

    def serve(self, inbox: queue.Queue[str | None]) -> None:
        """Run until the input ends."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while True:
                now = time.monotonic()
                wait: float | None = None
                if self._dirty:
                    wait = max(0.0, self._next_frame - now)
                if self._running:
                    wait = min(max(0.0, self._next_step - now), wait if wait is not None else 10.0)
                try:
                    line = inbox.get(timeout=wait) if wait != 0 else inbox.get_nowait()
                except queue.Empty:
                    pass
                else:
                    if line is None:
                        return
                    self._answer(line)
                if self._running:
                    self._go(inbox)
                if self._dirty and time.monotonic() >= self._next_frame:
                    self._draw()
