"""The description of a lesson: NAME.lesson.yaml to `Lesson`.

A file says

    title:   what it is about, in a line
    claim:   what the lesson shows
    source:  who said so first: authors, year, title or DOI
    shows:   the figure, table or page of the source that it reproduces
    note:    what differs from the source
    seconds: of one seed on two cores
    quick:   true for a lesson that the test suite trains
    needs:   mnist: the user's own copy of the original files, which do not ship
    configs: short name -> config file, relative to this file, or {config: file, set: {key: value}}; trained in this
             order, once per seed. With `function`, a name in `code`, it is called with the runs so far and an empty
             folder, and returns more of such keys: a network that learns from what another one answers. In a value
             of `set`, {data_dir} is the folder of the data that the lesson needs
    figures: a list of what is measured
    picture: `kind` and options of `bp plot`, over the runs of the first seed; or kind: figures, what every seed gives,
             where all figures have one unit; or function: a name in `code`

and each figure

    say:     what it is, with its unit
    of:      the short name of the run it is taken from (default: the first)
    metric:  a column of metrics.jsonl; or function: a name in `code`; or status: 1 where the run ended so, else 0
    at:      last | first | min | max | {epoch: N} | {step: N}; or {above: X}, {below: X}: the first step that is
    minus, over: another measure, subtracted or divided by
    times:   a factor, where the source counts in another unit
    printed: the figure as the source prints it, if it does
    where:   the page, section, table or file of the source that prints it
    quoted:  source: looked up there; memory: from memory, it could not be looked up; formula: the source prints a
             formula, and this is its value
    expect:  [low, high]: where the mean over the seeds is to lie, stated before it is measured; includes `printed`
    why:     where it does not come out: what is known of why
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backprop_cli.config import shipped
from backprop_cli.config.marked import plain
from backprop_cli.config.opened import read
from backprop_cli.config.text import parse
from backprop_cli.errors import ConfigError, DataError, Problem, UsageError, expected

ENDING = ".lesson.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class At(_Strict):
    """Which of a run's rows: exactly one of these."""

    epoch: int | None = None
    step: int | None = None
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _one(self) -> At:
        if len(self.model_fields_set) != 1:
            raise ValueError("expected one of epoch, step, above, below")
        return self


class Measure(_Strict):
    """One number of a run."""

    of: str | None = None
    metric: str | None = None
    function: str | None = None
    status: str | None = None
    at: Literal["last", "first", "min", "max"] | At = "last"
    minus: Measure | None = None
    over: Measure | None = None
    times: float = 1.0

    @model_validator(mode="after")
    def _one(self) -> Measure:
        if sum(given is not None for given in (self.metric, self.function, self.status)) != 1:
            raise ValueError("expected one of metric, function, status")
        return self


class Figure(Measure):
    """A measure with what is printed of it and where it is expected."""

    say: str
    printed: float | None = None
    where: str = ""
    quoted: Literal["source", "memory", "formula"] = "source"
    expect: tuple[float, float]
    why: str = ""

    @model_validator(mode="after")
    def _honest(self) -> Figure:
        if self.printed is not None and not self.where:
            raise ValueError(f"{self.say!r} is printed, but `where` does not say on which page or in which file")
        if self.printed is not None and not self.expect[0] <= self.printed <= self.expect[1]:
            raise ValueError(f"{self.say!r}: expected an interval around the printed {self.printed:g}")
        return self


class Variant(_Strict):
    """A config with some of its keys changed."""

    config: str
    set: dict[str, Any] = Field(default_factory=dict)
    function: str | None = None


class Lesson(_Strict):
    """A whole lesson."""

    title: str
    claim: str
    source: str
    shows: str = ""
    note: str = ""
    seconds: Annotated[float, Field(gt=0)]
    quick: bool = False
    needs: Literal["mnist"] | None = None
    configs: Annotated[dict[str, str | Variant], Field(min_length=1)]
    code: str | None = None
    figures: Annotated[list[Figure], Field(min_length=1)]
    picture: dict[str, Any] = Field(default_factory=lambda: {"kind": "loss"})
    name: str
    folder: Path

    @property
    def ships(self) -> bool:
        """Whether it comes with bp, and so its code, too."""
        return self.folder.is_relative_to(shipped.folder())

    def config(self, run: str) -> Path:
        """The config file behind a short name."""
        named = self.configs[run]
        return self.folder / (named if isinstance(named, str) else named.config)

    def changes(self, run: str) -> list[str]:
        """What this lesson changes in that config, as `--set` takes it."""
        named = self.configs[run]
        return [] if isinstance(named, str) else as_changes(named.set)

    def function(self, run: str) -> str | None:
        """The function in `code` that says what else is changed, once the runs before are finished."""
        named = self.configs[run]
        return None if isinstance(named, str) else named.function


def as_changes(keys: dict[str, Any]) -> list[str]:
    """Keys and their values as `--set` takes them."""
    return [f"{key}={json.dumps(value)}" for key, value in keys.items()]


def names() -> list[str]:
    """All lessons that ship."""
    return sorted(path.name.removesuffix(ENDING) for path in shipped.folder().rglob(f"*{ENDING}"))


def load(name: str) -> Lesson:
    """The lesson of a name, or of a file NAME.lesson.yaml. Raises UsageError, DataError."""
    path = Path(name)
    if not name.endswith(ENDING):
        files = sorted(shipped.folder().rglob(f"{name}{ENDING}")) if name in names() else []
        if not files:
            raise UsageError(f"no lesson called {name!r}; {expected(name, names())}")
        path = files[0]
    problems: list[Problem] = []
    try:
        written = plain(parse(read(path), str(path), problems))
    except ConfigError as error:
        problems = error.problems
    if problems:
        raise DataError(f"{problems[0]}; expected the description of a lesson")
    try:
        return Lesson(**{**written, "name": path.name.removesuffix(ENDING), "folder": path.parent})
    except (ValidationError, TypeError) as error:
        raise DataError(f"{path}: {_first(error)}") from None


def _first(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return "expected a mapping with title, claim, source, seconds, configs, figures"
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
