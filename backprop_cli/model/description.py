"""How a model's file describes itself, beside its arrays: the document `model` in the values of a checkpoint.

Training writes it (`Description.of`), everything that uses a trained model reads it (`model.Model`). With it a
prediction needs neither the config nor the training data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from backprop_cli.config import Config, resolved
from backprop_cli.data.schema import Schema
from backprop_cli.data.transform import Transform
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import CheckpointError
from backprop_cli.model.plugins import Plugin, plugins_of
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.versions import __version__

VERSION: Literal[1] = 1  # raised whenever an older bp could not use what is written
KEY = "model"  # of the document among a checkpoint's values, and of its arrays' prefix
TRANSFORMS = "transforms/"  # prefix of the arrays that transforms learned
LONG = 1000  # strings; longer lists become arrays, since the header of a file is short
_TABLE = "$table"


class Description(BaseModel):
    """Everything but the arrays. Layers, loss, metrics and transforms are written as in a resolved config."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1]
    program: str  # the version of bp that wrote it
    name: str
    dtype: Literal["float32", "float64"]
    architecture: list[Any]
    loss: Any
    metrics: list[Any]
    transforms: list[Any]
    reading: Reading  # how outputs are to be read
    data: Schema
    plugins: list[Plugin]

    @classmethod
    def of(cls, cfg: Config, transforms: Sequence[Transform], reading: Reading, data: Schema) -> Description:
        """The description of the model that a config makes, with transforms that have learned from its data."""
        plain = resolved(cfg)
        parts = {
            "architecture": cfg.architecture,
            "loss": cfg.loss,
            "metrics": cfg.trainer.metrics,
            "transforms": transforms,
        }
        return cls(
            version=VERSION,
            program=__version__,
            name=cfg.name,
            dtype=cfg.dtype,
            architecture=plain["architecture"],
            loss=plain["loss"],
            metrics=plain["trainer"]["metrics"],
            transforms=plain["dataset"].get("transforms", []),
            reading=reading,
            data=data,
            plugins=plugins_of(parts),
        )

    def document(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """(plain values for JSON, arrays by name) to be saved."""
        arrays: dict[str, Array] = {}
        return _packed(self.model_dump(mode="json"), arrays), arrays


def description_of(file: CheckpointFile) -> Description | None:
    """What a checkpoint says of its model; None for one that an older bp wrote. Raises CheckpointError."""
    said = file.values.get(KEY)
    if said is None:
        return None
    version = said.get("version")
    if isinstance(version, int) and version != VERSION:
        raise CheckpointError(
            f"{file.path}: a model described in format {version}, this bp reads {VERSION}; "
            f"use the version of bp that wrote it ({said.get('program', 'unknown')!s:.20})"
        )
    try:
        return Description.model_validate(_unpacked(said, file.read_under(f"{KEY}/")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise file.damaged(f"its model's {where}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise file.damaged(f"its model cannot be read: {error!s:.200}") from None


def _packed(value: Any, arrays: dict[str, Array]) -> Any:
    if isinstance(value, dict):
        return {key: _packed(child, arrays) for key, child in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) <= LONG or not all(isinstance(item, str) for item in value):
        return [_packed(child, arrays) for child in value]
    number, strings = len(arrays), json.dumps(value).encode()
    arrays[f"{KEY}/{number}"] = np.frombuffer(strings, np.uint8)
    return {_TABLE: number}


def _unpacked(value: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(value, list):
        return [_unpacked(child, arrays) for child in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_TABLE}:
        return json.loads(arrays[f"{KEY}/{value[_TABLE]}"].tobytes())
    return {key: _unpacked(child, arrays) for key, child in value.items()}
