"""What a model has to know of its data: how raw input is read, and what its outputs are called.

Everything here was settled or learnt on the training data, travels in the model's file, and is never learnt again:
`load_dataset` and `read_inputs` take it from there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt
from pydantic import BaseModel, ConfigDict, Field

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.matrix import Columns
from backprop_cli.data.files.scaling import unscaled

TEXT = "text"  # the dtype of rows that are strings
Size = Annotated[int, Ge(0)]
Dtype = Annotated[str, Field(pattern=r"^(text|bool|u?int(8|16|32|64)|float(16|32|64))$")]


class Listed(BaseModel):
    """Where pictures or sounds are listed, if a table lists them, and what becomes of damaged ones."""

    model_config = ConfigDict(frozen=True)

    column: str | None = None  # of the table
    targets: list[str] = []  # columns of their labels
    separator: str | None = None  # of several labels in one cell
    corrupt: Literal["error", "skip"] = "error"


class Images(Listed):
    """How a picture becomes an array (height, width, 1 or 3) of bytes."""

    color: Literal["grey", "rgb"]
    size: tuple[Size, Size]  # height, width
    resize: bool  # whether pictures of another size are resized; else they are refused


class Sounds(Listed):
    """How a sound becomes an array (samples, channels) of float32."""

    rate: Annotated[int, Ge(1)]  # Hz
    seconds: Annotated[float, Gt(0)]
    channels: Annotated[int, Ge(1)]
    converts: list[Literal["rate", "seconds", "channels"]]  # of what else; else it is refused


class Text(BaseModel):
    """How a text becomes windows of token ids; the vocabulary are the classes."""

    model_config = ConfigDict(frozen=True)

    level: Literal["character", "word"]
    length: Annotated[int, Ge(1)]


class Series(BaseModel):
    """How rows in time order become windows (window, columns), and what is predicted of the rows after them."""

    model_config = ConfigDict(frozen=True)

    window: Annotated[int, Ge(1)]
    horizon: Annotated[int, Ge(1)]
    by: str | None  # the column that tells series apart
    time: str | None  # the column of their order; else that of the file
    gaps: Literal["split", "ignore"]
    targets: list[str]  # columns, of which each step after the window is predicted

    @property
    def outputs(self) -> list[str]:
        """What each output is called: the target, and how many rows after the window."""
        return [f"{name} +{step}" for step in range(1, self.horizon + 1) for name in self.targets]

    @property
    def beside(self) -> list[str]:
        """The columns that say where rows belong."""
        return [name for name in (self.by, self.time) if name is not None]


class Schema(BaseModel):
    """Raw rows of x and y before any transform, and the names of what is in them."""

    model_config = ConfigDict(frozen=True)

    shape: tuple[Size, ...]  # of one row of x
    dtype: Dtype  # of x: float64, uint8, int64, …, or `text`
    target_shape: tuple[Size, ...]  # of one row of y; () for class ids
    target_dtype: Dtype
    features: list[str] | None = None  # names of the columns of x
    targets: list[str] = []  # names of the columns of y
    classes: list[str] | None = None  # names of the class ids 0, 1, …
    table: Columns | None = None  # columns of a table: features, categories, fills, layout
    weight: str | None = None  # the column that says how much each row counts in the loss
    series: Series | None = None
    images: Images | None = None
    sounds: Sounds | None = None
    text: Text | None = None
    fingerprint: str | None = None  # of the training data

    @property
    def media(self) -> Images | Sounds | None:
        """How files of the input are decoded, where they are pictures or sounds."""
        return self.images or self.sounds

    def in_unit(self, column: str, values: Array) -> Array:
        """Values (…) of a column of x in its own unit, in their shape: `scale`, if `dataset.columns` has it, undone."""
        return unscaled(values, self.table.plans.get(column) if self.table is not None else None)

    def is_date(self, column: str) -> bool:
        """Whether values of a column of x are days since 1970, as far as its layout or the config tells."""
        plan = self.table.plans.get(column) if self.table is not None else None
        return self.table is not None and (plan.type == "date" if plan else column in self.table.layout.dates)

    def check_columns(self) -> None:
        """Raise ValueError where the columns of a table do not make rows of this shape."""
        if self.table is None or self.table.text:
            return
        names = self.table.names()
        if self.shape[-1:] != (len(names),) or not all(self.table.features):
            raise ValueError(f"rows of shape {self.shape}, and columns {', '.join(map(repr, names[:12]))}")
