"""What a training will do that its author may not expect, said before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_cli.engine.graph import Network
from backprop_cli.training.loop import Loop


def remarks(loop: Loop) -> list[str]:
    """One sentence for each surprise: where it is, what will happen, what to do about it."""
    return [*_accumulation(loop), *_masks(loop.network)]


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
