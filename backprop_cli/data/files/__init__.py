"""The user's own files as a dataset: tables, arrays, images, text.

Its options are in one file because they are the keys of one mapping, with one description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Len
from pydantic import AfterValidator

from backprop_cli.data.dataset import Dataset
from backprop_cli.data.files.deal import of_windows, problems
from backprop_cli.data.files.paths import column_or_file, find, format_of
from backprop_cli.data.files.plan import ColumnOptions
from backprop_cli.data.shares import WrittenOrFile, is_file
from backprop_cli.data.source import Source, source
from backprop_cli.errors import DataError
from backprop_cli.registry import Doc, options

if TYPE_CHECKING:
    from backprop_cli.data.files.layout import Layout
    from backprop_cli.data.schema import Schema

Pixels = Annotated[int, Ge(1)]
Format = Literal[
    "csv", "tsv", "parquet", "feather", "jsonl", "xlsx", "sqlite", "duckdb", "npy", "npz", "idx", "images", "text"
]
Character = Annotated[str, Len(1, 1)]
TABLES = ("csv", "tsv", "parquet", "feather", "jsonl", "xlsx", "sqlite", "duckdb")
#: options of how a text lies in its file, which are guessed where they are not given
LAYOUT = ("delimiter", "header", "encoding", "decimal", "thousands", "na_values", "skip_rows", "dates", "query")
_FOLDED = ("folds", "fold", "split_seed", "stratify")
_OF_TABLES = (
    *("target", "task", "classes", "sample_weight", "features", "categorical", "categories", "columns", "text"),
    *("missing", "exclude", "group", "time", "split_column", *_FOLDED, *LAYOUT),
    *("window", "horizon", "by", "gaps", "stride"),
)
#: which options mean something for what
_MEANT = {
    "tables": _OF_TABLES,
    "arrays": ("target", "task", *_FOLDED),
    "images": ("size", "color", "corrupt", *_FOLDED),
    "listed pictures": (
        *("size", "color", "corrupt", "images", "target", "task", "classes", "label_separator", "group", "time"),
        *("split_column", *_FOLDED, *LAYOUT),
    ),
    "texts": ("level", "length", "stride", "vocabulary", "encoding"),
}


@source("files")
class Files(Source):
    """Your own data: a table (CSV, Parquet, Excel, SQL, …), .npy, .npz or IDX arrays, a folder of images, a text.

    A path starts in the folder of the file that says it, with --set where bp runs; `sample:NAME` is a
    text that ships with bp. `format` is told from the suffix.

    Splits are shares of one file, `{train: 80%, validation: 10%, test: 10%}` (0.8 and 80 are the same),
    or slices of it, `train[:80%]`, drawn after a seeded shuffle that keeps every class at its share
    (`stratify: true`: every tenth of values, too); or files, `{train: a.csv, test: b.csv}`; or what
    `split_column` says. `group` keeps what belongs together in one split, `time` puts train before
    validation before test. `folds: 5, fold: 2` makes the second fifth test, and shares out the rest.
    Rows of train that stand in another split, too, are counted and said. Arrays of 256 MiB and more are
    cut as they lie. valid, val and dev are names of validation.

    Tables: CSV and TSV (also .gz, .zst, .zip, .bz2, .xz), Parquet, Feather, JSON lines, .xlsx (extra
    `excel`), SQLite and DuckDB (extra `duckdb`). `target` is a column or a list of them, `features` the
    columns of x (default: all others but `exclude`), `categorical` those that hold categories (text columns
    always do), as one-hot columns or, with `categories: integer`, as codes 0, 1, … for an embedding; `text`
    is one column of free text for {type: tokenize}. Text, booleans and up to 50 different integers as target
    are classes, other numbers values; `task` overrides that, and `classes` gives them an order. The loss of a
    split is the mean weighted by `sample_weight`; metrics count each row once. Dates become days since
    1970-01-01. `missing: mean` fills gaps with the training split's mean (categories: the most frequent),
    `drop` leaves the row out.

    How a CSV is written is guessed from the file alone: encoding (UTF-8, UTF-16, else cp1252), delimiter
    (comma, semicolon, tab, |), decimal and thousands mark, header, lines above it, marks of missing values,
    forms of dates. What is not as usual is said, and stands in the run's config; each can be set. What
    could be read in two ways is refused, with its row. A first column without a name is left out.

    Series: `window: 24, horizon: 6` makes windows of 24 rows in the order of `time`, of which the next 6 values of the
    target are predicted (outputs `load +1` to `load +6`); of several targets each at every step. The target is an
    input, too, unless `features` leaves it out. No window reaches across two values of `by`, two splits, or a gap in
    time, and what is learnt of columns is learnt on rows of the training split. Splits follow each other in time,
    unless `group` or `split_column` deals the rows out.

    Arrays: .npz holds x and y, or x_train, y_train, x_test, …; for .npy and IDX `target` is the
    file of labels, a path like the others, or one beside x. A folder of MNIST's four IDX files is read whole.

    Images: `path/class/*.png`, or `path/train/class/*.png`; hidden files are passed over, and EXIF data
    turn a picture upright. `size` (height, width) resizes.
    They are decoded once and kept in the cache; folders of splits stay on the disk while training. What can be seen
    through lies on white. `corrupt: skip` leaves out, by name, what cannot be decoded. A table lists pictures, too:
    `images: file, target: label` names its columns; several targets of 0 and 1, or labels such as `cat dog` with
    `label_separator: ' '`, are outputs of their own. Parquet files of Hugging Face, one or a folder of them, are read
    as they are, with pictures in them, and with the names of classes that their schema holds.

    Text: windows of `length` characters or words (`level`), each `stride` after the last; y is
    what comes next at every step. The vocabulary is that of the training split.
    """

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
        str | None, Doc("a column that says how much each row counts in the loss; it is no feature")
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
    exclude: Annotated[list[str] | None, Doc("columns that are no features")] = None
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
    label_separator: Annotated[
        Character | None, Doc("what parts several labels of a picture in one cell; each is an output of its own")
    ] = None
    size: Annotated[
        Annotated[list[Pixels], Len(2, 2)] | None, Doc("height and width in pixels that images are resized to")
    ] = None
    color: Annotated[
        Literal["grey", "rgb"] | None, Doc("images with one channel (grey) or three (rgb); by default as the files are")
    ] = None
    corrupt: Annotated[
        Literal["error", "skip"], Doc("pictures that cannot be decoded are an error, or are left out and named")
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
            name: ColumnOptions(**each) if isinstance(each, Mapping) else each for name, each in self.columns.items()
        }
        if self.encoding in ("one_hot", "integer"):  # what `categories` was called
            self.categories, self.encoding = "integer" if self.encoding == "integer" else "one_hot", None
        classes = self.classes or []
        twice = next((label for i, label in enumerate(classes) if label in classes[:i]), None)
        if twice is not None:
            raise DataError(f"classes names {twice!r} twice; name each label once")

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

    def _check_meant(self, form: str) -> None:
        """Refuse options that mean nothing for this format. Raises DataError."""
        others = {"images": "images", "text": "texts"}
        kind = "listed pictures" if self.images else "tables" if form in TABLES else others.get(form, "arrays")
        fields = options(Files)
        for name in sorted({each for names in _MEANT.values() for each in names} - {*_MEANT[kind]}):
            field = fields[name]
            usual = field.default_factory() if callable(field.default_factory) else field.default
            if getattr(self, name) != usual:
                error = DataError(f"dataset.{name} means nothing for {kind} ({form}); remove it")
                error.exit_code = 2
                raise error

    def load(self, seed: int, folder: Path, known: Schema | None = None) -> Dataset:
        wrong = [*problems(self), *of_windows(self)]
        if wrong:
            error = DataError("\n".join(wrong))
            error.exit_code = 2
            raise error
        seed = seed if self.split_seed is None else self.split_seed
        paths, slices = self._plan(folder)
        first = next(iter(paths.values()))
        form = self.format or format_of(first)
        notes = []
        if form == "parquet" and self.images is None and self.text is None and not self.features:
            notes = self._hugging_face(first)
        self._check_meant(form)
        load: Callable[..., Dataset]
        if self.images is not None:
            if form not in TABLES:
                raise DataError(f"dataset.images names a column of a table, and {first} is none ({form}); remove it")
            from backprop_cli.data.files.listed import load_listed as load
        elif form in TABLES:
            from backprop_cli.data.files.table import load_tables as load
        elif form == "images":
            from backprop_cli.data.files.images import load_images as load
        elif form == "text":
            from backprop_cli.data.files.text import load_text as load
        else:
            from backprop_cli.data.files.arrays import load_arrays as load
        dataset = load(self, form, paths, slices, seed, known)
        dataset.notes[:0] = notes
        return dataset

    def _hugging_face(self, path: Path) -> list[str]:
        """Settle what the schema of a Parquet file says of pictures and their classes; what to say of it."""
        from backprop_cli.data.files.parquet import described

        pictures, classes = described(path)
        if len(pictures) != 1:
            return []
        (self.images,) = pictures
        said = [f"images: {self.images}"]
        if self.target is None and len(classes) == 1:
            (self.target,) = classes
            said.append(f"target: {self.target}")
        return [f"{path}: read with {', '.join(said)} (as its schema says; set them under dataset to change that)"]

    def _plan(self, folder: Path) -> tuple[dict[str, Path], Mapping[str, Any] | None]:
        """The file of each split and no slices, or one file under the name train and its slices."""
        files = {name: value for name, value in (self.splits or {}).items() if is_file(value)}
        if files and len(files) < len(self.splits or ()):
            other, value = next((n, v) for n, v in (self.splits or {}).items() if n not in files)
            name, file = next(iter(files.items()))
            raise DataError(
                f"splits {name}: {file} is a file, {other}: {value} is not; expected files, or shares and slices of "
                "one file; a folder whose name has no dot is written as ./NAME"
            )
        if files:
            paths = {name: find(str(file), folder, self.path) for name, file in files.items()}
            for name, path in paths.items():
                twin = next(other for other, file in paths.items() if file == path)
                if twin != name:
                    raise DataError(f"splits {twin} and {name} are both {path}; expected splits without a common row")
            return paths, {name: name for name in paths}
        if self.path is not None and (root := find(self.path, folder)).is_dir() and format_of(root) == "parquet":
            from backprop_cli.data.files.parquet import shards

            paths = shards(root)
            return (paths, self.splits) if len(paths) == 1 else (paths, self.splits or {name: name for name in paths})
        if self.path is None:
            raise DataError("dataset.path is missing; expected a file or folder, or splits: {train: FILE, test: FILE}")
        return {"train": find(self.path, folder)}, self.splits
