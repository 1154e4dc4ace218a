"""Progress reports of long work on data, independent of the code that displays them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[str, int, int | None], None]  # what is being done, done so far, of how many (None: unknown)
_show: list[Show] = []


@contextmanager
def shown_by(show: Show | None) -> Iterator[None]:
    """Within it, every `report` calls `show`; a command wraps its loading of data in it."""
    if show is None:
        yield
        return
    _show.append(show)
    try:
        yield
    finally:
        _show.remove(show)


def report(task: str, done: int, total: int | None = None) -> None:
    """Report the progress of a task. Does nothing outside `shown_by`."""
    if _show:
        _show[-1](task, done, total)
