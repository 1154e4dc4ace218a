"""A lesson, shown beside the training: its claim, its configs, and its expected results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_cli.commands.lessons.lesson import load
from backprop_cli.errors import UsageError, expected


class OpenLesson:
    """A lesson, and which of its configs is open (`at`). Raises UsageError for an unknown lesson."""

    def __init__(self, name: str) -> None:
        self._lesson = load(name)
        self.at = next(iter(self._lesson.configs))

    def config(self, name: str | None = None) -> Path:
        """The config file of a short name, which is open from then on; by default that of the open one. Raises
        UsageError."""
        if name is not None and name not in self._lesson.configs:
            raise UsageError(f"the lesson has no config {name!r:.40}; {expected(name, self._lesson.configs)}")
        self.at = name or self.at
        return self._lesson.config(self.at)

    def changes(self) -> tuple[str, ...]:
        """What the lesson changes in the config that is open, as `--set` takes it."""
        return tuple(self._lesson.changes(self.at))

    def told(self) -> dict[str, Any]:
        """As the page gets it; `metric` of a figure where the page can read it off the last epoch."""
        lesson = self._lesson
        first = next(iter(lesson.configs))
        figures = [
            {"say": figure.say, "of": figure.of or first, "expect": list(figure.expect),
             "metric": figure.metric if figure.at == "last" and figure.minus is None and figure.over is None else None}
            for figure in lesson.figures
        ]  # fmt: skip
        return {"name": lesson.name, "title": lesson.title, "claim": lesson.claim, "source": lesson.source,
                "configs": list(lesson.configs), "at": self.at, "figures": figures}  # fmt: skip
