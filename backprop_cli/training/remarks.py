"""What a training will do that its author may not expect, said before it begins."""

from __future__ import annotations

from backprop_cli.training.loop import Loop


def remarks(loop: Loop) -> list[str]:
    """One sentence for each surprise: where it is, what will happen, what to do about it."""
    return [*_accumulation(loop)]


def _accumulation(loop: Loop) -> list[str]:
    asked, batches = loop.optimizer.accumulate, loop.train.steps_per_epoch
    if asked <= batches:
        return []
    return [
        f"optimizer.accumulate: an epoch has {batches} batch{'es' * (batches > 1)}, fewer than the {asked} that are "
        "to make one update: there will be one update an epoch; lower it, or trainer.batch_size"
    ]
