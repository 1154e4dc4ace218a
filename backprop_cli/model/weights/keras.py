"""Keras's layouts: from the variables of a layer, which its file numbers, to those of bp's layer.

Most are bp's own. A depthwise kernel is (kh, kw, C, M); a GRU with reset_after has its two biases in one array (2, 3H);
attention keeps heads apart. A function raises KeyError where the layer is another one. https://keras.io/api/layers
"""

from __future__ import annotations

from collections.abc import Callable

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import Layer

Arrays = dict[str, Array]


def _numbered(*names: str) -> Callable[[Layer, Arrays], Arrays]:
    """The variables 0, 1, … by their names here; the last ones may be missing."""

    def convert(layer: Layer, given: Arrays) -> Arrays:
        return {names[int(number)]: array for number, array in given.items() if _counts(number, names)}

    return convert


def _counts(number: str, names: tuple[str, ...]) -> bool:
    if not number.isdigit() or int(number) >= len(names):
        raise KeyError(number)
    return True


def _depthwise(layer: Layer, given: Arrays) -> Arrays:
    arrays = _numbered("W", "b")(layer, given)
    return {**arrays, "W": arrays["W"].reshape(*arrays["W"].shape[:2], 1, -1)}


def _norm(layer: Layer, given: Arrays) -> Arrays:
    learnt = [name for name, on in (("gamma", layer.scale), ("beta", layer.center)) if on]  # type: ignore[attr-defined]  # a norm has them
    kept = ["running_mean", "running_variance"] if layer.type_name == "batch_norm" else []
    return _numbered(*learnt, *kept)(layer, given)


def _prelu(layer: Layer, given: Arrays) -> Arrays:
    """Keras has a slope for every number of an example, unless axes are shared."""
    return {"alpha": given["0"].reshape(-1)}


def _walk(layer: Layer, given: Arrays) -> Arrays:
    arrays = _numbered("W", "U", "b")(layer, {name.removeprefix("cell/"): array for name, array in given.items()})
    if "b" in arrays and arrays["b"].ndim == 2:
        arrays["b"], arrays["bU"] = arrays["b"]
    return arrays


def _bidirectional(layer: Layer, given: Arrays) -> Arrays:
    arrays: Arrays = {}
    for name, part in layer.parts().items():
        start = f"{name}_layer/"
        own = {key.removeprefix(start): array for key, array in given.items() if key.startswith(start)}
        arrays |= {f"{name}.{key}": array for key, array in _walk(part, own).items()}
    return arrays


def _attention(layer: Layer, given: Arrays) -> Arrays:
    arrays: Arrays = {}
    for name, word in (("q", "query"), ("k", "key"), ("v", "value"), ("o", "output")):
        kernel = given[f"{word}_dense/0"]
        arrays[f"W{name}"] = kernel.reshape(-1, kernel.shape[-1]) if name == "o" else kernel.reshape(len(kernel), -1)
        if f"{word}_dense/1" in given:
            arrays[f"b{name}"] = given[f"{word}_dense/1"].reshape(-1)
    return arrays


CONVERT: dict[str, Callable[[Layer, Arrays], Arrays]] = {
    "dense": _numbered("W", "b"),
    "conv1d": _numbered("W", "b"),
    "conv2d": _numbered("W", "b"),
    "conv2d_transpose": _numbered("W", "b"),
    "depthwise_conv2d": _depthwise,
    "batch_norm": _norm,
    "layer_norm": _norm,
    "group_norm": _norm,
    "rms_norm": _numbered("gamma"),
    "embedding": _numbered("W"),
    "positional_embedding": _numbered("W"),
    "prelu": _prelu,
    "rnn": _walk,
    "lstm": _walk,
    "gru": _walk,
    "bidirectional": _bidirectional,
    "multi_head_attention": _attention,
}
