"""A trained model as one ONNX file: raw features in, the network's outputs out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import onnx

from backprop_cli.commands.export.graph import Graph, Size, value
from backprop_cli.commands.export.inputs import Inputs, enter
from backprop_cli.commands.export.network import not_exportable, write_network
from backprop_cli.config.part import part
from backprop_cli.config.schema import Options
from backprop_cli.data.pipeline import outside_training
from backprop_cli.data.transform import Transform
from backprop_cli.data.transforms.tokenize import Tokenize
from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.graph import Network
from backprop_cli.engine.layer import Layer
from backprop_cli.errors import BuildError, UsageError
from backprop_cli.model.expand import Expander
from backprop_cli.model.model import Model
from backprop_cli.onnx import Kind

OUTPUT = "output"
BATCH = "batch"  # the size of the first axis, by name


@dataclass
class Exported:
    """An ONNX model, checked, and what has to be said about it."""

    proto: onnx.ModelProto
    notes: list[str] = field(default_factory=list)


def export(model: Model) -> Exported:
    """Raises UsageError, before anything is built, that names what cannot be exported."""
    steps = outside_training(model.transforms)
    tokenize = steps[0] if steps and isinstance(steps[0], Tokenize) else None
    steps = steps[1:] if tokenize else steps
    lacking = [f"transform {step.type_name}" for step in steps if type(step).onnx is Transform.onnx]
    if strange := [*not_exportable(model.network), *lacking]:
        raise UsageError(
            f"{', '.join(strange)} cannot be exported to ONNX; a layer or a transform of your own can offer "
            "onnx(self, graph, x), see docs/plugins.md"
        )
    data = model.description.data
    shape = (tokenize.length,) if tokenize else data.shape
    dtype = np.dtype(np.int64) if tokenize else np.dtype(data.dtype)
    graph, inputs = _write(model, model.network, steps, shape, dtype)
    longer = _longer(model, steps, shape, dtype, graph)
    places: list[Size] = list(model.network.output_shape)
    if longer is not None:
        inputs.lengthen("length")
        places = [
            "length" if size != other else size
            for size, other in zip(model.network.output_shape, longer.output_shape, strict=True)
        ]
    proto = graph.model(
        [value(tensor.name, tensor.kind, [BATCH, *tensor.shape]) for tensor in inputs.values],
        value(output_name(inputs), "float32", [BATCH, *places]),
        metadata(model, tokenize),
        model.description.program,
    )
    onnx.checker.check_model(proto, full_check=True)
    notes = list(inputs.notes)
    if tokenize:
        notes.append(
            "texts have to be split into token ids before: ONNX has no operator for it; the vocabulary is in the "
            "metadata"
        )
    if model.network.dtype == np.float64:
        notes.append("the network computes in float64, the ONNX model in float32")
    return Exported(proto, notes)


def inputs(proto: onnx.ModelProto) -> list[dict[str, Any]]:
    """The inputs of a model as plain data."""
    described = []
    for put in proto.graph.input:
        tensor = put.type.tensor_type
        shape = [size.dim_param or size.dim_value for size in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        described.append({"name": put.name, "type": "text" if dtype.kind == "O" else dtype.name, "shape": shape})
    return described


def _write(
    model: Model, network: Network, steps: Sequence[Transform], shape: Shape, dtype: np.dtype[Any]
) -> tuple[Graph, Inputs]:
    graph = Graph()
    inputs = enter(graph, model.description.data, steps, shape, dtype, network)
    x = inputs.x
    for number, step in enumerate(steps):
        graph.scope, graph.shapes = f"transform_{number}_{step.type_name}", [shape]
        shape, after = step.output_shape(shape), step.output_dtype(dtype, network.dtype)
        if after.kind == "f" and not step.onnx_exact and graph.kinds[x] != "float32":
            x = graph.cast(x, "float32")
        graph.kind, graph.wide = graph.kinds[x], dtype.itemsize > 4
        x, dtype = step.onnx(graph, x), after
    graph.scope = "network"
    wanted: Kind = "int64" if network.input_dtype.kind == "i" else "float32"
    if graph.kinds[x] != wanted:
        x = graph.cast(x, wanted)
    y = write_network(graph, network, x)
    if inputs.refused:
        y = _refusing(graph, y, inputs.refused, len(network.output_shape))
    graph.finish(y, output_name(inputs))
    return graph, inputs


def output_name(inputs: Inputs) -> str:
    """`output`, with underscores where a column is called so."""
    names, name = {tensor.name for tensor in inputs.values}, OUTPUT
    while name in names:
        name += "_"
    return name


def _refusing(graph: Graph, y: str, rows: Sequence[str], rank: int) -> str:
    """y, and NaN in rows that bp refuses: an ONNX model has no other way to say so."""
    graph.scope = "refused"
    wrong = rows[0]
    for row in rows[1:]:
        wrong = graph.add("Or", wrong, row)
    if rank > 1:
        wrong = graph.add("Reshape", wrong, np.array([0, *[1] * rank]))
    return graph.add("Where", wrong, float("nan"), y)


def _longer(
    model: Model, steps: Sequence[Transform], shape: Shape, dtype: np.dtype[Any], graph: Graph
) -> Network | None:
    """The network for sequences of one step more, if it is the same graph with the same numbers: any length will do."""
    network = model.network
    whole = network.input_dtype.kind == "i"
    sequence = len(network.input_shape) == (1 if whole else 2) and model.description.data.table is None
    if not sequence or any(_strided(part) for node in network.nodes for _, part in node.layer.walk()):
        return None
    try:
        longer = (shape[0] + 1, *shape[1:])
        inner = longer
        for step in steps:
            inner = step.output_shape(inner)
        said = model.description
        expander = Expander(inner)
        expander.expand(part(Options, "architecture", said.architecture, str(model.path)))
        other = Network(expander.nodes, inner, model.loss, dtype=said.dtype, integer_input=whole, most=1 << 62)
        if {n: p.shape for n, p in other.parameters.items()} != {n: p.shape for n, p in network.parameters.items()}:
            return None
        other.store.values[...] = network.store.values
        other.store.state[...] = network.store.state
        again, _ = _write(model, other, steps, longer, dtype)
    except BuildError:
        return None
    return other if again.same(graph) else None


def _strided(layer: Layer) -> bool:
    """Whether a window's padding depends on how long the sequence is."""
    strides = getattr(layer, "strides", 1) or getattr(layer, "pool_size", 1)
    return getattr(layer, "padding", None) == "same" and strides not in (1, [1])


def metadata(model: Model, tokenize: Tokenize | None) -> dict[str, str]:
    """What is known of the model, each as text or JSON."""
    said, data = model.description, model.description.data
    entries: dict[str, Any] = {
        "name": said.name,
        "program": f"bp {said.program}",
        "classes": data.classes,
        "features": data.features,
        "targets": data.targets or None,
        "units": (data.table and data.table.units) or None,
        "images": data.images and data.images.model_dump(),
        "sounds": data.sounds and data.sounds.model_dump(),
        "text": data.text and data.text.model_dump(),
        "vocabulary": tokenize and {"padding": 0, "unknown": 1, **tokenize.tokens},
        "reading": asdict(said.reading),
    }
    return {
        key: entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)
        for key, entry in entries.items()
        if entry is not None
    }
