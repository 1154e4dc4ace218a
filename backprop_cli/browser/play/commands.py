"""The commands of a page: each method without an underscore is a command, and returns plain data."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from backprop_cli.browser.play.changes import difference, override, settings
from backprop_cli.browser.play.lesson import OpenLesson
from backprop_cli.browser.play.picture import Drawing
from backprop_cli.browser.play.served import Models, answered
from backprop_cli.browser.play.session import ConfigOrRun, SteppedTraining
from backprop_cli.config.dump import dump
from backprop_cli.errors import UsageError, to_stderr
from backprop_cli.insight.trace.point import point
from backprop_cli.runs.files import write_output
from backprop_cli.runs.finding import find_run

FASTEST = 1e6  # steps a second: as fast as it goes
MAX_SEED = 2**32
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,59}")  # of a file that is saved


class Commands:
    """One session, and whether it runs by itself."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say  # a kind of message, and what it says
        self._session: SteppedTraining | None = None
        self._drawing: Drawing | None = None
        self._source = ConfigOrRun("", True)
        self._lesson: OpenLesson | None = None
        self._drawings = Models()
        self._running = False
        self._until: int | None = None  # the epoch at which it stops
        self._speed = 10.0
        self._next_step = self._next_frame = self._next_charts = 0.0
        self._dirty = False

    def open(
        self, source: str, is_config: bool, overrides: list[str], runs: str, lesson: str | None, others: list[str]
    ) -> dict[str, Any]:
        """Build a session, from a config of a lesson if one is named; `others` are runs that answer /predict too. An
        error here ends `bp play`."""
        self._lesson = OpenLesson(lesson) if lesson is not None else None
        if self._lesson is not None:
            source, is_config = str(self._lesson.config()), True
            overrides = [*self._lesson.changes(), *overrides]
        self._source = ConfigOrRun(source, is_config, tuple(overrides), Path(runs))
        if not is_config:
            self._drawings = Models([find_run(name, Path(runs)) for name in (source, *others)])
        self._replace(SteppedTraining(self._source, to_stderr))
        return {}

    def lesson(self, config: str) -> dict[str, Any]:
        """Open another config of the lesson. Raises UsageError for one that it does not have."""
        if self._lesson is None:
            raise UsageError("no lesson is open")
        path = self._lesson.config(str(config))
        self._source = ConfigOrRun(str(path), True, self._lesson.changes())
        self._replace(SteppedTraining(self._source))
        return {}

    def change(self, what: str, value: Any) -> dict[str, Any]:
        """Change a value of the config; keep the weights where they fit. Raises UsageError, ConfigError."""
        before = self._here
        setting = override(before.prepared.config, str(what), value)
        key = setting.partition("=")[0]
        others = [text for text in before.source.overrides if text.partition("=")[0] != key]
        session = SteppedTraining(replace(before.source, overrides=(*others, setting)))
        kept = session.take(before)
        self._replace(session)
        session.note = f"{what} is {value} now; " + ("the weights are kept" if kept else "the weights are new")
        return {}

    def save(self, name: str) -> dict[str, Any]:
        """Write the config as it is now to NAME.yaml in the folder that bp was started in; its path.

        Raises UsageError, RunError.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UsageError("expected a name of letters, digits, - and _, up to 60 of them")
        path = Path(f"{name}.yaml")
        text = f"# bp train {path}\n{dump(self._here.prepared.config, Path.cwd())}"
        try:
            write_output(path, [text.encode()], replace=False)
        except FileExistsError:
            raise UsageError(f"{path} exists; choose another name") from None
        return {"path": str(path)}

    def forward(self) -> dict[str, Any]:
        """Go one layer forward."""
        return self._still(self._here.forward)

    def backward(self) -> dict[str, Any]:
        """Go one layer backward."""
        return self._still(self._here.backward)

    def step(self) -> dict[str, Any]:
        """Make one step. Raises DivergedError."""
        return self._still(self._here.advance)

    def back(self, steps: int = 1) -> dict[str, Any]:
        """Go `steps` steps back in time. Raises UsageError."""
        return self.go_to(self._here.loop.step - _whole(steps, "steps"))

    def go_to(self, step: int) -> dict[str, Any]:
        """Go to the state after the given number of steps. Raises UsageError."""
        return self._still(lambda: self._here.go_to(_whole(step, "a step", least=-(10**9))))

    def epoch(self) -> dict[str, Any]:
        """Train to the end of the epoch."""
        self._until = self._here.loop.epoch + 1
        return self._start(FASTEST)

    def run(self) -> dict[str, Any]:
        """Train continuously, at the chosen speed."""
        self._until = None
        return self._start(self._speed)

    def pause(self) -> dict[str, Any]:
        """Hold the training at the present step."""
        return self._still(lambda: None)

    def speed(self, steps: float) -> dict[str, Any]:
        """Set the speed, in steps a second. Raises UsageError."""
        if not isinstance(steps, int | float) or not steps > 0:
            raise UsageError(f"expected steps a second above 0, got {steps!r:.40}")
        self._speed = self._pace = min(float(steps), FASTEST)
        return {}

    def restart(self, seed: int | None = None) -> dict[str, Any]:
        """Start again, with the same or another seed. Raises UsageError."""
        if seed is None:
            session = self._here
            self._running = False
            self._replace(SteppedTraining(session.source))
        else:
            setting = f"seed={_whole(seed, 'a seed', most=MAX_SEED)}"
            others = [text for text in self._here.source.overrides if not text.startswith("seed=")]
            self._replace(SteppedTraining(replace(self._here.source, overrides=(*others, setting))))
        return {}

    def choose(self, sample: int) -> dict[str, Any]:
        """Look at another example, by its place in the training split. Raises UsageError."""
        self._here.choose(_whole(sample, "an example"))
        self._dirty = True
        return {}

    def look(self, x: Any) -> dict[str, Any]:
        """Look at an input that the user gives. Raises UsageError."""
        self._here.look(x)
        self._dirty = True
        return {}

    def predict(self, body: str, form: str, model: str | None = None) -> dict[str, Any]:
        """Answer rows with the model of a run, as it was trained: of the first, or of the one named."""
        return answered(self._drawings.get(model), body, form)

    def point(self, layer: str, what: str, index: list[int]) -> dict[str, Any]:
        """A number of the example's pass explained: what `insight.trace.point` gives, and `batch`, the gradient that
        the last step went by. Raises UsageError."""
        session = self._here
        if not isinstance(index, list) or len(index) > 8:
            raise UsageError("expected an index: a list of whole numbers")
        indices = [_whole(i, "an index") for i in index]
        explanation = point(
            session.synced(), *session.example(), str(layer)[:200], str(what)[:40], indices, session.own is None
        )
        told = asdict(explanation)
        store = session.loop.network
        name = f"{layer}.{what}"
        told["batch"] = None  # the gradient that the last step went by
        if name in store.gradients and session.loop.step:
            told["batch"] = float(store.gradients[name][tuple(indices)])
        return told

    @property
    def _here(self) -> SteppedTraining:
        assert self._session is not None, "opened first"
        return self._session

    def _replace(self, session: SteppedTraining) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._drawing = session, Drawing(session)
        self._running, self._until = False, None
        about = {"settings": settings(session.prepared.config), "changes": self._changes(),
                 "lesson": self._lesson.told() if self._lesson else None}  # fmt: skip
        self._say("model", {**self._drawing.told(), **about})
        self._dirty = True

    def _changes(self) -> str:
        return difference(self._source.config(), self._here.source.config())

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


def _whole(value: Any, what: str, least: int = 0, most: int = 10**9) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"expected {what} as a whole number from {least:,} to {most:,}, got {value!r:.40}")
    return value
