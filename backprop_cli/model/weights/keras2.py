"""A .h5 as Keras 2 writes it, and Keras 3 still does on `model.save("model.h5")`.

Every layer lists its variables by name, `dense/kernel:0`; the order is that of the numbers which Keras 3 gives them.
https://github.com/keras-team/keras/blob/master/keras/src/legacy/saving/legacy_h5_format.py
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

_PARTS = [  # of a layer's variables: as Keras 2 calls them, as Keras 3 does
    (re.compile(r"/(forward|backward)_[^/]+"), r"/\1_layer"),
    (re.compile(r"/\w+_cell(_\d+)?$"), "/cell"),
    (re.compile(r"/(query|key|value)$"), r"/\1_dense"),
    (re.compile(r"/attention_output$"), "/output_dense"),
]
_INNER = re.compile(r"(.*?)((?:/(?:forward_layer|backward_layer|cell|(?:query|key|value|output)_dense))*)")


def variables(layers: Any) -> Iterator[tuple[str, str, Any]]:
    """(the path that Keras 3 would give it, the name in the file, the dataset) of each variable. Raises KeyError."""
    counts: Counter[str] = Counter()
    for layer in _listed(layers.attrs, "layer_names"):
        for name in _listed(layers[layer].attrs, "weight_names"):
            owner = name.rpartition("/")[0] or layer
            for written, now in _PARTS:
                owner = written.sub(now, owner)
            outer, inner = _INNER.fullmatch(owner).groups()  # type: ignore[union-attr]  # it fits everything
            owner = outer.replace("/", ".") + inner
            yield f"{owner}/vars/{counts[owner]}", f"{layer}/{name}", layers[layer][name]
            counts[owner] += 1


def _listed(attributes: Any, key: str) -> list[str]:
    """A list of names, which is cut into key0, key1, … where it is long."""
    parts = [attributes[key]] if key in attributes else []
    while f"{key}{len(parts)}" in attributes:
        parts.append(attributes[f"{key}{len(parts)}"])
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]
