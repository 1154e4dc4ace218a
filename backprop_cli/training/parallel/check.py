"""Checks of what ranks can share."""

from __future__ import annotations

from backprop_cli.engine.graph import Network
from backprop_cli.engine.layers.batch_norm import BatchNorm
from backprop_cli.engine.ranks import Ranks
from backprop_cli.training.passes import Batches


def unshared(network: Network, train: Batches, ranks: Ranks) -> tuple[tuple[str, ...], str] | None:
    """Why these ranks cannot share these batches, after the key of the config that is at fault; None if they can."""
    size, parts = train.batch_size, ranks.parts
    if parts % ranks.count:
        fitting = ", ".join(str(1 << power) for power in range(parts.bit_length()))
        return ("trainer", "shards"), f"{parts} shards for {ranks.count} ranks; expected as many ranks as {fitting}"
    what = f"{parts} shards" if ranks.shards else f"{parts} ranks"
    if size < parts:
        return ("trainer", "batch_size"), (
            f"batches of {size} rows for {what}, some of which would never have one; expected {parts} rows or more"
        )
    if network.adders:
        name = network.adders[0].type_name
        return (
            "architecture",
        ), f"{name} adds a term to the loss, which ranks and shards do not divide; train it alone"
    mixing = [node for node in network.nodes if node.layer.mixes_examples and node.layer.frozen is not True]
    for node in mixing:
        if ranks.shards or not isinstance(node.layer, BatchNorm):
            return ("architecture",), (
                f"{node.name} ({node.layer.type_name}) makes an example's output depend on the others of its batch, "
                f"which are in {'other shards' if ranks.shards else 'other processes'}; "
                + ("leave trainer.shards out, or take group_norm" if ranks.shards else "train it in one process")
            )
    last = train.samples - (train.steps_per_epoch - 1) * size
    if mixing and last < ranks.count:
        return ("trainer", "batch_size"), (
            f"the last batch of an epoch has {last} rows for {what}, and {mixing[0].name} takes statistics of all; "
            "leave it out with drop_last: true, or choose another batch_size"
        )
    return None
