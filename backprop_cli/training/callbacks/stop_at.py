from __future__ import annotations

from typing import Annotated

from backprop_cli.engine.metrics.base import larger_is_better
from backprop_cli.errors import UsageError, expected
from backprop_cli.registry import Doc
from backprop_cli.runs.rows import Row, Rows
from backprop_cli.training.callbacks.base import NamedCallback, callback
from backprop_cli.training.loop import Loop


@callback("stop_at")
class StopAt(NamedCallback):
    """Ends training after the first epoch whose number is good enough.

    Smaller is better, unless the metric says otherwise: a loss ends it at `value` or below, an accuracy at or above.
    Unlike `early_stopping` it does not wait for a number that no longer improves, and the last weights stay.
    """

    monitor: Annotated[str, Doc("a column of metrics.jsonl")] = "validation/loss"
    value: Annotated[float, Doc("the number that is good enough, in the units of the metric")]

    def epoch(self, loop: Loop, row: Row) -> None:
        self.many_epochs(loop, Rows.of(row))

    def at_once(self, loop: Loop, rows: Rows) -> int:
        known = self.monitor in rows.columns  # if not, `many_epochs` refuses it
        return (known and self._reached(loop, rows)) or len(rows)

    def many_epochs(self, loop: Loop, rows: Rows) -> None:
        if self.monitor not in rows.columns:
            known = expected(self.monitor, [name for name in rows.columns if "/" in name])
            raise UsageError(f"stop_at: there is no {self.monitor!r} in an epoch's row; {known}")
        number = self._reached(loop, rows)
        if number:
            loop.stop_reason = f"{self.monitor} has reached {rows[number - 1][self.monitor]:.6g}"

    def _reached(self, loop: Loop, rows: Rows) -> int:
        """The number, from 1, of the first row that is good enough; 0 if none is."""
        sign = -1.0 if larger_is_better(self.monitor, loop.metrics) else 1.0
        values = [sign * value <= sign * self.value for value in rows.columns[self.monitor]]
        return values.index(True) + 1 if True in values else 0
