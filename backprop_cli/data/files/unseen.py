"""Categories that the training data did not have: counted, and reported."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Sequence

EXAMPLES = 3  # categories shown in a note


class Unseen:
    """Categories in the input that a model has not learnt. In one-hot columns they become all zeros."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()  # values by column
        self.examples: dict[str, list[str]] = {}

    def add(self, name: str, values: Sequence[str]) -> None:
        """Note values of a column. A few examples are kept, however many come."""
        self.counts[name] += len(values)
        shown = self.examples.setdefault(name, [])
        shown += [word for word in dict.fromkeys(values) if word not in shown][: EXAMPLES + 1 - len(shown)]

    def add_most(self, of_each: Sequence[Unseen]) -> None:
        """Note what several models have not learnt of the same rows: of each column the most."""
        for name in dict.fromkeys(name for unseen in of_each for name in unseen.counts):
            most = max(of_each, key=lambda unseen: unseen.counts[name])
            self.add(name, most.examples[name])
            self.counts[name] += most.counts[name] - len(most.examples[name])

    def notes(self, origin: str, who: str = "the model") -> list[str]:
        """A sentence about each column that has some."""
        return [
            f"{origin}, column {name!r}: {count:,} {'value' if count == 1 else 'values'} in categories that {who} "
            f"has not learnt ({', '.join(map(repr, self.examples[name][:EXAMPLES]))}"
            f"{', …' if len(self.examples[name]) > EXAMPLES else ''}): read as none of the known ones"
            for name, count in self.counts.items()
        ]

    def warn(self, origin: str) -> None:
        """Say `notes` as a UserWarning of whoever called bp, if there are any."""
        if not self.counts:
            return
        frame, level = sys._getframe(1), 2
        while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("backprop_cli."):
            frame, level = frame.f_back, level + 1
        warnings.warn("\n".join(self.notes(origin)), stacklevel=level)
