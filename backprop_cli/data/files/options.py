"""The keys of `dataset:` with `source: files`, and which of them mean something for which format.

What `Files` and the loaders of tables, arrays, images and texts share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Len
from pydantic import AfterValidator

from backprop_cli.data.files.meant import LAYOUT, MEANT
from backprop_cli.data.files.paths import column_or_file
from backprop_cli.data.files.plan import ColumnOptions
from backprop_cli.data.shares import WrittenOrFile
from backprop_cli.data.source import Source
from backprop_cli.errors import OptionError
from backprop_cli.registry import Doc, options

if TYPE_CHECKING:
    from backprop_cli.data.files.layout import Layout

Pixels = Annotated[int, Ge(1)]
Format = Literal[
    "csv",
    "tsv",
    "parquet",
    "feather",
    "jsonl",
    "xlsx",
    "sqlite",
    "duckdb",
    "npy",
    "npz",
    "idx",
    "images",
    "sounds",
    "text",
]
Character = Annotated[str, Len(1, 1)]
TABLES = ("csv", "tsv", "parquet", "feather", "jsonl", "xlsx", "sqlite", "duckdb")


@dataclass(kw_only=True)
class FileOptions(Source):
    """What a config says of the user's own files; `Files` describes it."""

    inside: ClassVar[dict[str, str]] = {"splits": "path"}  # where a path is given, files of splits start there
    beside: ClassVar[dict[str, str]] = {"target": "path"}  # what is not where paths start, but beside another file

    splits: dict[str, WrittenOrFile] | None = None
    path: Annotated[
        Path | None, Doc("the file or folder, relative to the config; `sample:NAME` is a text that ships with bp")
    ] = None
    format: Annotated[Format | None, Doc("how to read it; by default told from the suffix")] = None
    target: Annotated[
        Annotated[str, AfterValidator(column_or_file)] | list[str] | None,
        Doc("the column to predict, or a list of columns; for .npy and IDX arrays, the file of labels"),
    ] = None
    task: Annotated[
        Literal["classification", "regression"] | None,
        Doc("classes or values; by default text, booleans and up to 50 different integers are classes"),
    ] = None
    classes: Annotated[
        list[str] | None, Doc("the labels of the target in their order, for ordered classes; by default sorted")
    ] = None
    sample_weight: Annotated[
        str | None, Doc("a column that says how much each row counts in the loss; it is not a feature")
    ] = None
    split_seed: Annotated[
        Annotated[int, Ge(0)] | None, Doc("of the deal into splits and folds; by default data_seed, else the seed")
    ] = None
    stratify: Annotated[
        bool | None,
        Doc("keep each class, or each tenth of the values, at its share in every split; by default classes only"),
    ] = None
    group: Annotated[
        str | None, Doc("a column of what belongs together, such as patients: none of them is in two splits")
    ] = None
    time: Annotated[
        str | None, Doc("a column of dates or numbers: splits follow each other in its order, train first")
    ] = None
    window: Annotated[
        Annotated[int, Ge(1)] | None, Doc("rows in time order that the network sees at once: x is (window, columns)")
    ] = None
    horizon: Annotated[int, Ge(1), Doc("rows after a window whose target is predicted, each an output")] = 1
    by: Annotated[str | None, Doc("a column that tells series apart, such as station; no window has rows of two")] = (
        None
    )
    gaps: Annotated[
        Literal["split", "ignore"],
        Doc("whether windows end where a step in time is more than 1.5 times the usual, or take rows as they follow"),
    ] = "split"
    split_column: Annotated[str | None, Doc("a column that names the split of each row: train, validation, test")] = (
        None
    )
    folds: Annotated[
        Annotated[int, Ge(2)] | None,
        Doc("parts of equal size, of which each is test once; `splits` shares out the rest"),
    ] = None
    fold: Annotated[Annotated[int, Ge(1)] | None, Doc("which of the folds is test, from 1")] = None
    features: Annotated[list[str] | None, Doc("the columns that make up x; by default all but the target")] = None
    categorical: Annotated[list[str], Doc("columns of numbers that stand for categories; text columns always do")] = (
        field(default_factory=list)
    )
    categories: Annotated[
        Literal["one_hot", "integer"],
        Doc("categories as one-hot columns, or as integer codes 0, 1, … for an embedding"),
    ] = "one_hot"
    columns: Annotated[
        dict[str, ColumnOptions], Doc("what single columns become, by name: {age: {missing: median, flag: true}}")
    ] = field(default_factory=dict)
    text: Annotated[str | None, Doc("one column of free text, for the transform `tokenize`")] = None
    missing: Annotated[
        Literal["error", "mean", "median", "drop"],
        Doc("a gap is an error, becomes the training split's mean or median (most frequent category), or its row goes"),
    ] = "error"
    exclude: Annotated[list[str] | None, Doc("columns that are not features")] = None
    header: Annotated[
        bool | None, Doc("whether the first row of a CSV holds the names of the columns; by default guessed")
    ] = None
    delimiter: Annotated[Character | None, Doc("the character between the columns of a CSV; by default guessed")] = None
    encoding: Annotated[
        str | None,
        Doc("what the text is saved in: utf-8, utf-16, cp1252, …; by default guessed; integer is read as `categories`"),
    ] = None
    decimal: Annotated[Character | None, Doc("the decimal mark of numbers; by default guessed")] = None
    thousands: Annotated[Character | None, Doc("the mark between thousands; by default guessed")] = None
    na_values: Annotated[
        list[str] | None, Doc("what stands for a missing value, beside nothing, NA, NaN, null; by default guessed")
    ] = None
    skip_rows: Annotated[Annotated[int, Ge(0)] | None, Doc("lines above the header; by default guessed")] = None
    dates: Annotated[
        dict[str, str] | None, Doc("the form of dates by column, such as %d.%m.%Y; by default guessed; read as days")
    ] = None
    query: Annotated[
        str | None, Doc("the SELECT that gives the rows of SQLite or DuckDB; the name of the sheet of an .xlsx")
    ] = None
    images: Annotated[
        str | None, Doc("a column of pictures: names of files beside the table, or bytes as Hugging Face keeps them")
    ] = None
    sounds: Annotated[str | None, Doc("a column of sounds: names of WAV files beside the table, or their bytes")] = None
    label_separator: Annotated[
        Character | None,
        Doc("what parts several labels of a picture or sound in one cell; each is an output of its own"),
    ] = None
    size: Annotated[
        Annotated[list[Pixels], Len(2, 2)] | None, Doc("height and width in pixels that images are resized to")
    ] = None
    color: Annotated[
        Literal["grey", "rgb"] | None, Doc("images with one channel (grey) or three (rgb); by default as the files are")
    ] = None
    sample_rate: Annotated[
        Annotated[int, Ge(1)] | None,
        Doc("samples a second (Hz) that sounds are resampled to; by default as the files are, which must agree"),
    ] = None
    duration: Annotated[
        Annotated[float, Gt(0)] | None,
        Doc("seconds of a sound: longer ones are cut, shorter ones filled with silence; by default all must agree"),
    ] = None
    channels: Annotated[
        Annotated[int, Ge(1)] | None,
        Doc("1 averages the channels of sounds, 2 doubles mono; by default as the files are, which must agree"),
    ] = None
    corrupt: Annotated[
        Literal["error", "skip"],
        Doc("pictures and sounds that cannot be decoded are an error, or are left out and named, in predictions too"),
    ] = "error"
    level: Annotated[Literal["character", "word"], Doc("whether a text is a sequence of characters or of words")] = (
        "character"
    )
    length: Annotated[int, Ge(1), Doc("characters or words in a window of text")] = 64
    stride: Annotated[
        Annotated[int, Ge(1)] | None,
        Doc("from the start of one window to that of the next; by default `length` for texts, 1 row for tables"),
    ] = None
    vocabulary: Annotated[
        int, Ge(1), Doc("most different characters or words that get an id of their own; the rest share one")
    ] = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.columns = {
            name: ColumnOptions(**given) if isinstance(given, Mapping) else given
            for name, given in self.columns.items()
        }
        if self.encoding in ("one_hot", "integer"):  # what `categories` was called
            self.categories, self.encoding = "integer" if self.encoding == "integer" else "one_hot", None
        classes = self.classes or []
        twice = next((label for i, label in enumerate(classes) if label in classes[:i]), None)
        if twice is not None:
            raise OptionError(f"classes names {twice!r} twice; name each label once")

    def layout(self) -> dict[str, Any]:
        """What is told of how a table lies in its file; None for what is left to be guessed."""
        return {name: getattr(self, name) for name in LAYOUT}

    def settle(self, layout: Layout) -> None:
        """Write down what was guessed and is not as usual: a run's config is to say it."""
        usual = type(layout)(layout.form)
        for name in LAYOUT:
            value = getattr(layout, name)
            if getattr(self, name) is None and value != getattr(usual, name):
                setattr(self, name, value)

    def take_settled(self, other: Source) -> None:
        for name in (*LAYOUT, "exclude"):
            ours, theirs = getattr(self, name), getattr(other, name, None)
            open_list = isinstance(theirs, list) and {*(ours or ())} <= {*theirs}
            if ours is None or open_list:
                setattr(self, name, theirs)

    def check_meant(self, form: str) -> None:
        """Refuse options that mean nothing for this format. Raises DataError."""
        others = {"images": "images", "sounds": "sounds", "text": "texts"}
        listed = "listed pictures" if self.images else "listed sounds" if self.sounds else None
        kind = listed or ("tables" if form in TABLES else others.get(form, "arrays"))
        cls: Any = type(self)
        fields = options(cls)
        for name in sorted({option for names in MEANT.values() for option in names} - {*MEANT[kind]}):
            field = fields[name]
            usual = field.default_factory() if callable(field.default_factory) else field.default
            if getattr(self, name) != usual:
                raise OptionError(f"dataset.{name} means nothing for {kind} ({form}); remove it")
