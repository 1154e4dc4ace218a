"""The arrays of a file, gathered layer by layer as the program that wrote it has them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backprop_cli.engine.arrays import Array
from backprop_cli.model.weights.files import Foreign

#: what in a PyTorch name belongs to the layer before it
_TORCH_PARTS = re.compile(
    r"(?:(.*)\.)?(weight|bias|running_mean|running_var|num_batches_tracked|[qkv]_proj_weight|in_proj_(?:weight|bias)"
    r"|(?:weight|bias)_(?:ih|hh|hr)_l\d+(?:_reverse)?)"
)
_OUTWARD = ".out_proj"  # the part of an attention module that is a module of its own in PyTorch
_WALK = re.compile(r"((?:weight|bias)_(?:ih|hh|hr))_l(\d+)(_reverse)?")
#: what in the path of a Keras variable belongs to the layer before it
_KERAS_PARTS = re.compile(r"(.*?)((?:/(?:forward_layer|backward_layer|cell|\w+_dense))*)/vars/(\d+)")


@dataclass(eq=False)
class Module:
    """A layer of the file: its arrays by their names inside it (`weight`; `0`, `cell/1`)."""

    name: str
    arrays: dict[str, Array] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # what each array is called in the file
    label: str | None = None  # the name a person gave it


def modules(foreign: Foreign) -> list[Module]:
    """In the order of the file, or of their names, numbers in them counted: dense, dense_1, dense_2, …, dense_10."""
    split = {"bp": _bp, "torch": _torch, "keras": _keras}[foreign.kind]
    attention = {
        name.rpartition(".")[0] for name in foreign.arrays if name.endswith(("in_proj_weight", "q_proj_weight"))
    }
    by_name: dict[str, Module] = {}
    for name, array in foreign.arrays.items():
        owner, inner = split(name)
        if owner.endswith(_OUTWARD) and owner.removesuffix(_OUTWARD) in attention:
            owner, inner = owner.removesuffix(_OUTWARD), f"out_proj.{inner}"
        module = by_name.setdefault(owner, Module(owner, label=foreign.labels.get(owner)))
        if inner == "num_batches_tracked":  # of PyTorch's batch norm; nothing here counts them
            continue
        module.arrays[inner], module.sources[inner] = array, name
    if foreign.ordered:
        return list(by_name.values())
    return sorted(by_name.values(), key=lambda module: natural(module.name))


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts names as people count."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _bp(name: str) -> tuple[str, str]:
    owner, _, inner = name.partition(".")
    return owner, inner


def _torch(name: str) -> tuple[str, str]:
    matched = _TORCH_PARTS.fullmatch(name)
    if matched is None:  # a bare parameter
        return name, ""
    owner, inner = matched[1] or "", matched[2]
    walked = _WALK.fullmatch(inner)
    if walked:  # each layer of a stack is a layer of its own
        owner = owner if walked[2] == "0" else f"{owner}.l{walked[2]}"
        inner = walked[1] + (walked[3] or "")
    return owner, inner


def _keras(name: str) -> tuple[str, str]:
    matched = _KERAS_PARTS.fullmatch(name)
    if matched is None:
        return name.rpartition("/")[0], name.rpartition("/")[2]
    owner, parts, number = matched.groups()
    return owner, f"{parts}/{number}".lstrip("/")
