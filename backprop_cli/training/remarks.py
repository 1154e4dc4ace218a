"""Warnings about behaviour of a training that its author may not expect, given before it starts."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_cli.engine.graph import Network
from backprop_cli.training.loop import Loop


def remarks(loop: Loop) -> list[str]:
    """One sentence for each surprise: where it is, what will happen, what to do about it."""
    return [*_frozen(loop.network), *_accumulation(loop), *_last_batch(loop), *_masks(loop.network)]


def too_few_rows(loop: Loop) -> str | None:
    """Why the network cannot be trained in such batches; None if it can."""
    rows = loop.train.batch_size
    for node in loop.network.nodes:
        least = node.layer.least_rows or 1
        if rows < least:
            return (
                f"{node.name} ({node.layer.type_name}) takes statistics of a batch, and of one number there are none; "
                f"expected batches of {least} rows or more, got {rows}"
            )
    return None


def _frozen(network: Network) -> list[str]:
    entries = network.store.entries.values()
    if any(not entry.frozen for entry in entries):
        return []
    why = "all its layers are frozen" if entries else "none of its layers has any"
    return [f"architecture: the network has no parameters to train: {why}; nothing will change"]


def _last_batch(loop: Loop) -> list[str]:
    train = loop.train
    rows = min(train.batch_size, train.samples - (train.steps_per_epoch - 1) * train.batch_size)
    short = [node.name for node in loop.network.nodes if rows < (node.layer.least_rows or 1)]
    if not short:
        return []
    return [
        f"trainer.batch_size: the last batch of each epoch has {rows} row, too few for the statistics of "
        f"{', '.join(short)}, which will use the running ones there; `drop_last: true` leaves that batch out, another "
        "batch_size fills it"
    ]


def _accumulation(loop: Loop) -> list[str]:
    asked, batches = loop.optimizer.accumulate, loop.train.steps_per_epoch
    if asked <= batches:
        return []
    return [
        f"optimizer.accumulate: an epoch has {batches} batch{'es' * (batches > 1)}, fewer than the {asked} that are "
        "to make one update: there will be one update an epoch; lower it, or trainer.batch_size"
    ]


def _masks(network: Network) -> Iterator[str]:
    """Where the knowledge of which steps are padding ends, though layers after it would need it."""
    masks = {node.name: node.mask for node in network.nodes}
    for node in network.nodes:
        layer = node.layer
        if layer.remark is not None:
            yield f"{node.name} ({layer.type_name}): {layer.remark}"
        if node.mask is None and not layer.heeds_mask and any(masks.get(name) for name in node.inputs):
            yield (
                f"{node.name} ({layer.type_name}): the mask ends here: the layers after it take padding for data, and "
                "more padding changes their results; a recurrent layer, attention or global pooling before it looks at "
                "the steps that count alone"
            )
