"""What the process that trains does with commands, and when it makes steps and pictures of its own accord."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from backprop_cli.errors import BpError, UsageError, plugin_failure, to_stderr
from backprop_cli.insight.trace.point import point
from backprop_cli.play.picture import Model
from backprop_cli.play.session import Session, Source, opened
from backprop_cli.runs.json_text import dumps

FRAMES = 25.0  # pictures a second, at most
SHARE = 0.5  # of the time that pictures may take while it trains
CHARTS = 0.2  # seconds between two pictures with curves
FASTEST = 1e6  # steps a second: as fast as it goes
MAX_SEED = 2**32


class Engine:
    """One session, and whether it runs by itself. Each method that is no underscore is a command of the page."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._session: Session | None = None
        self._model: Model | None = None
        self._source = Source("", True)
        self._running = False
        self._until: int | None = None  # the epoch at which it stops
        self._speed = 10.0
        self._next_step = self._next_frame = self._next_charts = 0.0
        self._dirty = False

    # ---- commands

    def open(self, source: str, is_config: bool, overrides: list[str], runs: str) -> dict[str, Any]:
        """Build a session. What goes wrong ends the command."""
        self._source = Source(source, is_config, tuple(overrides), Path(runs))
        self._build()
        return {}

    def forward(self) -> dict[str, Any]:
        """One layer forward."""
        return self._still(self._here.forward)

    def backward(self) -> dict[str, Any]:
        """One layer back."""
        return self._still(self._here.backward)

    def step(self) -> dict[str, Any]:
        """One step."""
        return self._still(self._here.advance)

    def back(self, steps: int = 1) -> dict[str, Any]:
        """So many steps back in time."""
        return self.go_to(self._here.loop.step - _whole(steps, "steps"))

    def go_to(self, step: int) -> dict[str, Any]:
        """To where so many steps had been made."""
        return self._still(lambda: self._here.go_to(_whole(step, "a step", least=-(10**9))))

    def epoch(self) -> dict[str, Any]:
        """To the end of the epoch."""
        self._until = self._here.loop.epoch + 1
        return self._start(FASTEST)

    def run(self) -> dict[str, Any]:
        """On and on, at the chosen speed."""
        self._until = None
        return self._start(self._speed)

    def pause(self) -> dict[str, Any]:
        """Stop here."""
        return self._still(lambda: None)

    def speed(self, steps: float) -> dict[str, Any]:
        """So many steps a second from now on."""
        if not isinstance(steps, int | float) or not steps > 0:
            raise UsageError(f"expected steps a second above 0, got {steps!r:.40}")
        self._speed = self._pace = min(float(steps), FASTEST)
        return {}

    def restart(self, seed: int | None = None) -> dict[str, Any]:
        """From the start: of the same training, or of one with another seed."""
        if seed is None:
            session = self._here
            self._running = False
            self._replace(Session(session.source))
        else:
            changes = [f"seed={_whole(seed, 'a seed', most=MAX_SEED)}"]
            self._replace(opened(self._source, changes))
        return {}

    def choose(self, sample: int) -> dict[str, Any]:
        """Look at another example."""
        self._here.choose(_whole(sample, "an example"))
        self._dirty = True
        return {}

    def point(self, layer: str, what: str, index: list[int]) -> dict[str, Any]:
        """Explain a number of the example's pass."""
        session = self._here
        if not isinstance(index, list) or len(index) > 8:
            raise UsageError("expected an index: a list of whole numbers")
        places = [_whole(i, "an index") for i in index]
        found = point(session.synced(), *session.example(), str(layer)[:200], str(what)[:40], places)
        told = asdict(found)
        store = session.loop.network
        name = f"{layer}.{what}"
        told["batch"] = None  # the gradient that the last step went by
        if name in store.gradients and session.loop.step:
            told["batch"] = float(store.gradients[name][tuple(places)])
        return told

    # ---- the inside

    @property
    def _here(self) -> Session:
        assert self._session is not None, "opened first"
        return self._session

    def _build(self) -> None:
        self._replace(Session(self._source, to_stderr))

    def _replace(self, session: Session) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._model = session, Model(session)
        self._running, self._until = False, None
        self._say("model", self._model.told())
        self._dirty = True

    def _still(self, act: Callable[[], None]) -> dict[str, Any]:
        self._running, self._until, self._dirty = False, None, True
        self._next_charts = 0.0
        act()
        return {}

    def _start(self, speed: float) -> dict[str, Any]:
        self._running, self._pace, self._dirty = True, speed, True
        self._here.note = ""
        self._next_step = time.monotonic()
        return {}

    def _say(self, kind: str, what: Any, number: int | None = None) -> None:
        self._out.write(f"{kind} {'' if number is None else f'{number} '}{dumps(what)}\n")
        self._out.flush()

    def _answer(self, line: str) -> None:
        """Carry out a command, and say what came of it."""
        asked = json.loads(line)
        number = asked.pop("id")
        verb = str(asked.pop("do", ""))
        try:
            act = None if verb.startswith("_") else getattr(type(self), verb, None)
            if act is None:
                raise UsageError(f"there is no command {verb!r:.40}")
            try:
                found = act(self, **asked)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise
                raise UsageError(f"{verb} does not take {sorted(asked)}") from None
            self._say("answer", found, number)
        except BpError as error:
            self._say("answer", {"error": str(error), "code": error.exit_code}, number)
        except Exception as error:
            theirs = plugin_failure(error)
            if theirs is None:
                raise
            self._say("answer", {"error": theirs, "code": 1}, number)

    def _go(self, inbox: queue.Queue[str | None]) -> None:
        """Steps until a picture is due, somebody asks, or it is over."""
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
            if (theirs := plugin_failure(error)) is None:
                raise
            self._running, session.note = False, theirs

    def _draw(self) -> None:
        """Send a picture, and leave time for steps before the next."""
        start = time.monotonic()
        assert self._model is not None
        charts = start >= self._next_charts or not self._running
        found = self._model.frame(charts)
        self._say("frame", {**found, "running": self._running, "speed": self._speed})
        self._dirty = False
        end = time.monotonic()
        self._next_frame = max(start + 1 / FRAMES, end + (end - start) * (1 / SHARE - 1) * self._running)
        if charts:
            self._next_charts = end + CHARTS

    def serve(self, inbox: queue.Queue[str | None]) -> None:
        """Until there is nothing more to come."""
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


def _whole(value: Any, what: str, least: int = 0, most: int = 10**9) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"expected {what} as a whole number from {least:,} to {most:,}, got {value!r:.40}")
    return value
