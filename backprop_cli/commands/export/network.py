"""A network as ONNX operators: each layer writes its own (`Layer.onnx`), in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_cli.commands.export.graph import Graph
from backprop_cli.engine.graph import INPUT, Network
from backprop_cli.engine.layer import Layer


def not_exportable(network: Network) -> list[str]:
    """What of a network cannot be exported, in words."""
    obstacles = []
    for name, layer in _layers(network):
        for _, part in layer.walk():
            if type(part).onnx is Layer.onnx:
                obstacles.append(f"{name} ({part.type_name or type(part).__name__})")
    return list(dict.fromkeys(obstacles))


def write_network(graph: Graph, network: Network, x: str) -> str:
    """Add what the network does to x; the name of its output."""
    for owner, layer in _layers(network):
        for prefix, part in layer.walk():
            for spec in part.needs.parameters:
                graph.names[id(getattr(part, spec.name))] = f"{layer.shared or owner}.{prefix}{spec.name}"
    values: dict[str, str] = {INPUT: x}
    masks: dict[str, str | None] = {INPUT: None}
    for node in network.nodes:
        graph.scope, graph.shapes, graph.made_mask = node.name, node.input_shapes, None
        graph.masks = [masks[name] for name in node.inputs]
        if node.mask == node.name and node.layer.mask_rule is not None:
            graph.made_mask = node.layer.mask_rule.onnx(graph, graph.masks)
        sources = [values[name] for name in node.inputs]
        values[node.name] = node.layer.onnx(graph, sources if node.layer.merges else sources[0])
        masks[node.name] = graph.made_mask if node.mask == node.name else masks[node.mask or INPUT]
    last = network.nodes[-1]
    if network.head is None:
        return values[last.name]
    graph.scope, graph.shapes, graph.masks = network.head.type_name, [last.shape], [masks[last.name]]
    return network.head.onnx(graph, values[last.name])


def _layers(network: Network) -> Iterator[tuple[str, Layer]]:
    yield from ((node.name, node.layer) for node in network.nodes)
    if network.head is not None:
        yield network.head.type_name, network.head
