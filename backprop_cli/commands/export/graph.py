"""An ONNX graph that is written operator by operator; what `OnnxGraph` promises to layers and transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from backprop_cli.engine.arrays import Array
from backprop_cli.onnx import Kind, Operand

OPSETS = {"": 17, "ai.onnx.ml": 3}  # read by every onnxruntime since 1.12 (2022)
IR_VERSION = 8
TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "text": TensorProto.STRING,
}
BOOLEAN = dict.fromkeys(("Equal", "IsNaN", "Less", "Not"), "bool")
Size = int | str  # a string is a size that is not fixed, by its name


class Graph:
    """Nodes and constants; the names of values are made from `scope`, the layer that is being written."""

    def __init__(self, outer: Graph | None = None) -> None:
        self.scope: str = f"{outer.scope}/step" if outer else ""
        self.shapes: Sequence[tuple[int, ...]] = ()
        self.masks: Sequence[str | None] = ()
        self.made_mask: str | None = None
        self.kind: Kind = "float32"
        self.wide = False
        self.nodes: list[NodeProto] = []
        self.names: dict[int, str] = outer.names if outer else {}  # of parameters, by the id of their array
        self.constants: dict[str, Array] = outer.constants if outer else {}
        self.kinds: dict[str, Any] = outer.kinds if outer else {}  # the types of values, as far as transforms go
        self._known: dict[Any, str] = outer._known if outer else {}
        self._count = 0

    def add(self, op: str, *operands: Operand, domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output; the name of that output. An operand that is no name becomes a constant."""
        return self._add(op, 1, operands, domain, attributes)[0]

    def add_many(self, op: str, outputs: int, *operands: Operand, **attributes: Any) -> list[str]:
        """Add an operator with `outputs` outputs; their names, in order."""
        return self._add(op, outputs, operands, "", attributes)

    def _add(self, op: str, outputs: int, operands: Sequence[Operand], domain: str, attributes: Any) -> list[str]:
        inputs = [operand if isinstance(operand, str) else self.constant(operand) for operand in operands]
        named = [self._name(op) for _ in range(outputs)]
        values = {key: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v for key, v in attributes.items()}
        self.kinds |= dict.fromkeys(named, BOOLEAN.get(op) or self.kinds.get(inputs[0] if inputs else "", "float32"))
        self.nodes.append(helper.make_node(op, inputs, named, name=named[0], domain=domain, **values))
        return named

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{self.scope}/{what}_{self._count}"

    def constant(self, value: Any, kind: Kind | None = None) -> str:
        """The name of a constant; the same numbers are kept once, and a parameter has its own name."""
        array = np.asarray(value)
        kind = kind or {"f": "float32", "b": "bool"}.get(array.dtype.kind, "int64")  # type: ignore[assignment]  # all are kinds
        array = np.ascontiguousarray(array, kind).reshape(array.shape)
        key = (kind, array.shape, array.tobytes())
        if key not in self._known:
            name = self.names.get(id(value)) or self._name("constant")
            self._known[key], self.constants[name], self.kinds[name] = name, array, kind
        return self._known[key]

    def cast(self, x: Operand, kind: Kind) -> str:
        """Convert x to another type; the name of the result."""
        converted = self.add("Cast", x, to=TYPES[kind])
        self.kinds[converted] = kind
        return converted

    def input(self, name: str, kind: str) -> str:
        """Note the type of a value that comes from outside; its name."""
        self.kinds[name] = kind
        return name

    def finish(self, x: str, name: str) -> None:
        """Give the last value its name."""
        self.nodes.append(helper.make_node("Identity", [x], [name], name=name))

    def same(self, other: Graph) -> bool:
        """Whether the two do the same with the same numbers."""
        return (
            [node.SerializeToString() for node in self.nodes] == [node.SerializeToString() for node in other.nodes]
            and self.constants.keys() == other.constants.keys()
            and all(np.array_equal(array, other.constants[name]) for name, array in self.constants.items())
        )

    def scan(
        self, step: Callable[..., Sequence[str]], states: Sequence[str], x: Sequence[tuple[str, Kind]], reverse: bool
    ) -> list[str]:
        """Walk along the first axis of each x, from its end if `reverse`: the names of the last states, then that of
        the first state after every step, stacked. See `OnnxGraph`."""
        inner = Graph(self)
        kinds = ["float32"] * len(states) + [kind for _, kind in x]
        inputs = [inner._name("input") for _ in kinds]
        stepped = step(inner, *inputs)
        outputs = [inner.add("Identity", output) for output in (*stepped, stepped[0])]
        body = helper.make_graph(
            inner.nodes,
            f"{self.scope}/step",
            [helper.make_tensor_value_info(name, TYPES[kind], None) for name, kind in zip(inputs, kinds, strict=True)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        )
        return self.add_many(
            "Scan",
            len(outputs),
            *states,
            *(name for name, _ in x),
            body=body,
            num_scan_inputs=len(x),
            scan_input_directions=[int(reverse)] * len(x),
            scan_output_directions=[int(reverse)],
        )

    def model(
        self, inputs: Sequence[ValueInfoProto], output: ValueInfoProto, metadata: dict[str, str], producer: str
    ) -> ModelProto:
        """The finished model; the value named like `output` is what it gives."""
        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "bp", inputs, [output], constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*opset) for opset in OPSETS.items()],
            ir_version=IR_VERSION,
            producer_name="bp",
            producer_version=producer,
        )
        helper.set_model_props(model, metadata)
        return model


def value(name: str, kind: str, shape: Sequence[Size]) -> ValueInfoProto:
    """The declaration of an input or output of the graph: its name, type and shape."""
    return helper.make_tensor_value_info(name, TYPES[kind], shape)
