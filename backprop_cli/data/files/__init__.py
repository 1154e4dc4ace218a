"""The user's own files as a dataset: tables, arrays, images, text. Options go in, a `Dataset` comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backprop_cli.data.dataset import Dataset
from backprop_cli.data.files.deal import of_windows, problems
from backprop_cli.data.files.options import TABLES, FileOptions
from backprop_cli.data.files.paths import find, format_of
from backprop_cli.data.files.request import Request
from backprop_cli.data.shares import is_file
from backprop_cli.data.source import source
from backprop_cli.errors import OptionError

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema


@source("files")
class Files(FileOptions):
    """Your own data: a table (CSV, Parquet, Excel, SQL, …), .npy, .npz or IDX arrays, a folder of images or sounds, a
    text.

    A relative path starts at the folder of the config that contains it, with --set at the working directory;
    `sample:NAME` is a text that ships with bp. `format` follows from the suffix.

    Splits are shares of one file, `{train: 80%, validation: 10%, test: 10%}` (0.8 and 80 are the same),
    or slices of it, `train[:80%]`, drawn after a seeded shuffle that keeps the proportion of every class
    (`stratify: true`: also of every tenth of values); or files, `{train: a.csv, test: b.csv}`; or named by the column
    `split_column`. `group` keeps all rows of a group in one split, `time` puts train before
    validation before test. `folds: 5, fold: 2` makes the second fifth test, and divides the rest.
    Rows of train that are also in another split are counted and reported. Arrays of 256 MiB and more are
    split in the order of the file. valid, val and dev are other names of validation.

    Tables: CSV and TSV (also .gz, .zst, .zip, .bz2, .xz), Parquet, Feather, JSON lines, .xlsx (extra
    `excel`), SQLite and DuckDB (extra `duckdb`). `target` is a column or a list of them, `features` the
    columns of x (default: all others except `exclude`), `categorical` the columns of categories (text columns
    always are), encoded as one-hot columns or, with `categories: integer`, as codes 0, 1, … for an embedding; `text`
    is one column of free text for {type: tokenize}. Text, booleans and up to 50 different integers as target
    are classes, other numbers values; `task` overrides that, and `classes` gives them an order. The loss of a
    split is the mean weighted by `sample_weight`; metrics count each row once. Dates become days since
    1970-01-01. `missing: mean` fills missing values with the training split's mean (categories: the most frequent),
    `drop` leaves the row out.

    The layout of a CSV is guessed from the file alone: encoding (UTF-8, UTF-16, else cp1252), delimiter
    (comma, semicolon, tab, |), decimal and thousands mark, header, lines above it, marks of missing values,
    date formats. Guesses that differ from the defaults are reported and written to the run's config; each option can
    be set. A value that could be read in two ways is refused, with its row. A first column without a name is left out.

    Series: `window: 24, horizon: 6` makes windows of 24 rows in the order of `time`; the next 6 values of the
    target are predicted (outputs `load +1` to `load +6`), for several targets each at every step. The target is also
    an input unless `features` leaves it out. No window crosses two values of `by`, two splits, or a gap in
    time, and everything learnt for columns is learnt on rows of the training split. Splits follow each other in time,
    unless `group` or `split_column` assigns the rows.

    Arrays: .npz holds x and y, or x_train, y_train, x_test, …; for .npy and IDX `target` is the
    file of labels, a path like the others, or one beside x. A folder of MNIST's four IDX files is read as a whole.

    Images: `path/class/*.png`, or `path/train/class/*.png`; hidden files are skipped, and EXIF data
    turn a picture upright. `size` (height, width) resizes.
    They are decoded once and kept in the cache; folders of splits stay on the disk while training. Transparent pictures
    are put on white. `corrupt: skip` leaves out files that cannot be decoded, and names them. A table can list
    pictures: `images: file, target: label` names its columns; several targets of 0 and 1, or labels such as `cat dog`
    with `label_separator: ' '`, give an output for each label. Parquet files of Hugging Face, one or a folder of them,
    are read as they are, with pictures in them, and with the class names of their schema.

    Sounds: WAV files in `path/class/*.wav`, or `path/train/class/*.wav`, or listed in a table: `sounds: file, target:
    label`. x is (samples, channels), from −1 to 1; the transform `spectrogram` makes pictures of them. Rates, lengths
    and channels must agree, or `sample_rate`, `duration` and `channels` convert all; bp says how many were changed.
    `corrupt: skip` is as for pictures.

    Text: windows of `length` characters or words (`level`), each `stride` after the last; y is
    the next character or word at every step. The vocabulary is that of the training split.
    """

    def load(self, seed: int, folder: Path, known: Schema | None = None) -> Dataset:
        wrong = [*problems(self), *of_windows(self)]
        targets = self.target if isinstance(self.target, list) else [self.target]
        if self.sample_weight is not None and self.sample_weight in targets:
            wrong.append(f"dataset.sample_weight and target are both {self.sample_weight!r}; expected two columns")
        if wrong:
            raise OptionError("\n".join(wrong))
        seed = seed if self.split_seed is None else self.split_seed
        paths, slices = self._plan(folder)
        first = next(iter(paths.values()))
        form = self._format(first)
        notes = []
        if (
            form == "parquet"
            and self.images is None
            and self.sounds is None
            and self.text is None
            and not self.features
        ):
            notes = self._hugging_face(first)
        self.check_meant(form)
        listed = [name for name in ("images", "sounds") if getattr(self, name) is not None]
        if len(listed) > 1:
            raise OptionError("dataset.images and dataset.sounds each name what goes in; keep one")
        load: Callable[[Request], Dataset]
        if listed:
            if form not in TABLES:
                raise OptionError(
                    f"dataset.{listed[0]} names a column of a table, but {first} is not a table ({form}); remove it"
                )
            from backprop_cli.data.files.listed import load_listed as load
        elif form in TABLES:
            from backprop_cli.data.files.table import load_tables as load
        elif form in ("images", "sounds"):
            from backprop_cli.data.files.class_folders import load_folders as load
        elif form == "text":
            from backprop_cli.data.files.text import load_text as load
        else:
            from backprop_cli.data.files.arrays import load_arrays as load
        dataset = load(Request(self, form, paths, slices, seed, known))
        dataset.notes[:0] = notes
        return dataset

    def _format(self, path: Path) -> str:
        return self.format or format_of(path)

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
            raise OptionError(
                f"splits {name}: {file} is a file, {other}: {value} is not; expected files, or shares and slices of "
                "one file; a folder whose name has no dot is written as ./NAME"
            )
        if files:
            paths = {name: find(str(file), folder, self.path) for name, file in files.items()}
            for name, path in paths.items():
                twin = next(other for other, file in paths.items() if file == path)
                if twin != name:
                    raise OptionError(f"splits {twin} and {name} are both {path}; expected splits without a common row")
            return paths, {name: name for name in paths}
        root = None if self.path is None else find(self.path, folder)
        if root is not None and root.is_dir() and self._format(root) == "parquet" and any(root.rglob("*.parquet")):
            from backprop_cli.data.files.parquet import shards

            paths = shards(root)
            return (paths, self.splits) if len(paths) == 1 else (paths, self.splits or {name: name for name in paths})
        if self.path is None:
            raise OptionError("dataset.path is missing; expected a file or folder, or splits: {train: FILE, …}")
        return {"train": find(self.path, folder)}, self.splits
