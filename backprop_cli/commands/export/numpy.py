"""A trained model as one Python file that needs NumPy only, to be read: the network is written out call by call."""

from __future__ import annotations

import base64
import builtins
import inspect
import keyword
import re
import textwrap
from collections.abc import Container, Iterator
from functools import partial

import numpy as np

from backprop_cli.commands.export import calls, shown
from backprop_cli.data.files.matrix import Columns
from backprop_cli.data.pipeline import outside_training
from backprop_cli.engine.graph import INPUT, Network
from backprop_cli.engine.layer import Layer
from backprop_cli.errors import UsageError
from backprop_cli.model.model import Model

READABLE = 400  # numbers of a whole network that are written out; more are packed
FUNCTIONS = {name: function for name, function in vars(shown).items() if inspect.isfunction(function)}
TAKEN = {*FUNCTIONS, *keyword.kwlist, *dir(builtins), "x", "W", "np", "sys", "base64", "Array", "predict", "packed"}
TEMPLATE = '''\
"""{name}: a network trained with bp {program}. NumPy is all that this file needs.

`predict(x)` gives {gives}
for raw rows x, {takes}.
From the command line: python {file} rows.npy
"""

from __future__ import annotations

{imports}

import numpy as np

Array = np.ndarray
{names}

{functions}


def predict(x: Array) -> Array:
    """The network's outputs for raw rows x, {takes}."""
{lines}


{packed}W = {{
{weights}
}}

if __name__ == "__main__":
    for row in predict(np.load(sys.argv[1])):
        print({printed})
'''
PACKED = '''\
def packed(shape: tuple[int, ...], text: str) -> Array:
    """Numbers that are too many to be written out: their bytes as base64."""
    return np.frombuffer(base64.b64decode(text), np.{dtype}).reshape(shape)


'''


def export(model: Model, file: str) -> str:
    """The text of the Python file. Raises UsageError that names what cannot be shown."""
    network, said = model.network, model.description
    lines, last, strange = _network(network)
    steps = [step for step in outside_training(model.transforms) if step.type_name not in calls.TRANSFORMS]
    strange += [f"transform {step.type_name}" for step in steps]
    if strange:
        raise UsageError(
            f"{', '.join(strange)} cannot be exported to numpy, which shows feed-forward and convolutional networks; "
            "use --to onnx"
        )
    before = [f"x = {calls.TRANSFORMS[step.type_name](step)}" for step in outside_training(model.transforms)]
    whole = "int64" if network.input_dtype.kind == "i" else network.dtype.name
    body = ["x = np.asarray(x)", *before, f"x = x.astype(np.{whole})", *lines, f"return {last}"]
    text = "\n".join(textwrap.indent(line, "    ") for line in body)
    data = said.data
    outputs = ", ".join(map(str, ("N", *network.output_shape)))
    each_class = bool(data.classes) and network.output_shape[-1:] == (len(data.classes or ()),)
    weights = "\n".join(_weights(network, text))
    return TEMPLATE.format(
        name=_quoted(said.name),
        program=_quoted(said.program),
        file=_quoted(file),
        gives=f"outputs ({outputs})" + (", one for each of CLASSES," if each_class else ""),
        takes=f"({', '.join(map(str, ('N', *data.shape)))}) of {data.dtype}"
        + (", whose columns are FEATURES" if data.features else ""),
        imports="import base64\nimport sys" if "packed(" in weights else "import sys",
        names="\n".join(_names(model)) + "\n",
        functions="\n\n\n".join(inspect.getsource(FUNCTIONS[name]).rstrip() for name in _used(text)),
        lines=text,
        packed=PACKED.format(dtype=network.dtype.name) if "packed(" in weights else "",
        weights=weights,
        printed="CLASSES[row.argmax()], *row" if each_class and len(network.output_shape) == 1 else "*row.ravel()",
    )


def _names(model: Model) -> Iterator[str]:
    data = model.description.data
    for name, values in (("CLASSES", data.classes), ("FEATURES", data.features), ("TARGETS", data.targets)):
        if values:
            yield f"{name} = {values!r}"
    codes = dict(_coded(data.table)) if data.table else {}
    if codes:
        yield f"CATEGORIES = {codes!r}  # that the codes 0, 1, … stand for"


def _coded(table: Columns) -> Iterator[tuple[str, list[str]]]:
    """The columns of x that hold codes of categories."""
    for name, plan in table.plans.items():
        if plan.type == "boolean" or (plan.type == "category" and plan.encoding in ("integer", "embedding")):
            yield name, [*plan.categories, *(["other"] if plan.other else [])]
    for name, known in table.categories.items() if table.encoding == "integer" else ():
        yield name, known


def _quoted(text: str) -> str:
    """A text that somebody else may have written, within the quotes of a docstring."""
    return repr(text)[1:-1].replace('"', r"\"")


def _variable(name: str, used: Container[str]) -> str:
    """What a layer's output is called."""
    written = re.sub(r"\W", "_", name, flags=re.ASCII)
    while written in TAKEN or written in used:
        written += "_"
    return written


def _network(network: Network) -> tuple[list[str], str, list[str]]:
    """The lines of all layers, what the last one is called, and what cannot be written."""
    lines, strange = [], []
    nodes = [(node.name, node.layer, node.inputs, node.shape) for node in network.nodes]
    if network.head is not None:
        nodes.append((network.head.type_name, network.head, (network.nodes[-1].name,), network.output_shape))
    values = {INPUT: "x"}
    for name, layer, inputs, shape in nodes:
        owner = layer.shared or name
        call = None
        if not any(_makes_mask(part) for _, part in layer.walk()):
            call = calls.write(layer, [values[source] for source in inputs], partial(_weight, owner))
        if call is None:
            strange.append(f"{name} ({layer.type_name})")
            call = "None"
        values[name] = _variable(name, values.values())
        if call != values[inputs[0]]:
            lines.append(f"{values[name]} = {call}  # ({', '.join(map(str, ('N', *shape)))})")
        else:
            values[name] = call  # does nothing outside training
    return lines, values[nodes[-1][0]], strange


def _makes_mask(layer: Layer) -> bool:
    return any(spec.name == "made_mask" for spec in layer.needs.workspaces)


def _weight(owner: str, prefix: str) -> calls.Weight:
    return lambda name: f'W["{owner}.{prefix}{name}"]'


def _used(text: str) -> list[str]:
    """The functions that a text calls, and those that they call, in the order in which `shown` has them."""
    names: set[str] = set()
    waiting = [text]
    while waiting:
        words = set(re.findall(r"(?<![.\w])(\w+)\(", waiting.pop())) & FUNCTIONS.keys() - names
        names |= words
        waiting += [inspect.getsource(FUNCTIONS[word]).partition("\n")[2] for word in words]
    return [name for name in FUNCTIONS if name in names]


def _weights(network: Network, text: str) -> Iterator[str]:
    arrays = {name: array for name, array in {**network.parameters, **network.states}.items() if f'W["{name}"]' in text}
    written = sum(array.size for array in arrays.values()) <= READABLE
    for name, array in arrays.items():
        if written:
            start = f'    "{name}": np.array('
            numbers = np.array2string(
                array, separator=", ", threshold=READABLE + 1, floatmode="unique", max_line_width=110, prefix=start
            )
            yield f"{start}{numbers}, np.{network.dtype.name}),"
        else:
            code = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
            yield f'    "{name}": packed({array.shape}, """\n' + "\n".join(textwrap.wrap(code, 120)) + '"""),'
