"""What each column of a table is to become (`ColumnOptions`, from the config), and what was learnt for it (`Plan`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, MinLen

from backprop_cli.errors import expected
from backprop_cli.registry import Doc

Kind = Literal["number", "category", "boolean", "date", "text"]
Part = Literal["year", "quarter", "month", "day", "weekday", "day_of_year", "hour", "minute", "days"]
Missing = Literal["error", "drop", "mean", "median", "zero", "most_frequent", "category"]
Scale = Literal["none", "standard", "robust", "log", "quantile"]
Encoding = Literal["one_hot", "integer", "embedding", "target"]
FILLS = {"number": ("mean", "median", "zero"), "date": ("mean", "median", "zero"),
         "category": ("most_frequent", "category"), "boolean": ("most_frequent",), "text": ()}  # fmt: skip


@dataclass(kw_only=True)
class ColumnOptions:
    """What one column becomes. Everything that is learnt for it comes from the training split and stays in the run.

    A number is one column of x, a date its days since 1970 or its `parts`, yes and no 0 and 1, a text how often it has
    each of the training split's most frequent words (log(1 + count)). A category is a column of x for each known one,
    a code, a code for a category_embedding, or the mean of the target among its rows.
    """

    type: Annotated[Kind | None, Doc("what the column holds; by default as `bp data info` says")] = None
    missing: Annotated[
        Missing | None,
        Doc(
            "a gap is an error, drops its row, or becomes the training split's mean, median or most frequent value, 0, "
            "or a category of its own; by default as dataset.missing says"
        ),
    ] = None
    flag: Annotated[bool, Doc("a column of x more: 1 where the value is missing")] = False
    scale: Annotated[
        Scale,
        Doc(
            "of a number: to mean 0 and deviation 1; by median and quartiles; sign(x) log(1 + |x|), then standard; or "
            "its rank among the training split, 0 to 1"
        ),
    ] = "none"
    encoding: Annotated[Encoding | None, Doc("of a category; by default as dataset.categories says")] = None
    rare: Annotated[Annotated[int, Ge(1)] | None, Doc("categories that fewer training rows have are one, `other`")] = (
        None
    )
    unseen: Annotated[
        Literal["error", "other"] | None,
        Doc("a category that the training split lacks; by default other with one_hot or `rare`, else an error"),
    ] = None
    smooth: Annotated[
        Annotated[float, Ge(0)], Doc("of `encoding: target`: rows of the overall mean that each category counts")
    ] = 10.0
    parts: Annotated[
        Annotated[list[Part], MinLen(1)] | None, Doc("of a date; weekday 0 is Monday; by default its days since 1970")
    ] = None
    words: Annotated[Annotated[int, Gt(0)], Doc("of a text: the most frequent words that have a column each")] = 200
    unit: Annotated[
        str | None, Doc("what it is measured in, such as EUR; told beside predictions and in exports; of a target, too")
    ] = None

    @property
    def plain(self) -> bool:
        """Whether only a unit is given."""
        return self == ColumnOptions(unit=self.unit)


@dataclass
class Plan:
    """How one column becomes columns of x, with what the training split has settled."""

    type: Kind
    missing: str = "error"
    flag: bool = False
    scale: Scale = "none"
    encoding: Encoding = "one_hot"
    rare: int | None = None
    unseen: str = "error"
    smooth: float = 10.0
    parts: list[str] = field(default_factory=list)
    limit: int = 200  # words
    # learnt
    fill: float | str | None = None
    center: float = 0.0
    spread: float = 1.0
    knots: list[float] = field(default_factory=list)  # quantiles
    categories: list[str] = field(default_factory=list)  # of a boolean: no, yes
    other: bool = False  # whether a code after the known ones stands for the rest
    words: list[str] = field(default_factory=list)
    means: list[list[float]] = field(default_factory=list)  # of the target: for each category, last for the rest
    targets: list[str] = field(default_factory=list)  # what these means are of

    @property
    def is_text(self) -> bool:
        """Whether the column is read as text."""
        return self.type in ("category", "boolean", "text")

    @property
    def fills(self) -> bool:
        """Whether a gap gets a value."""
        return self.missing not in ("error", "drop")

    @property
    def codes(self) -> int:
        """Different codes, where x holds codes for a category_embedding; else 0."""
        embedded = self.type == "category" and self.encoding == "embedding"
        return len(self.categories) + self.other if embedded else 0

    def names(self, name: str) -> list[str]:
        """The name of each column of x."""
        if self.type == "date" and self.parts:
            columns = [f"{name}.{part}" for part in self.parts]
        elif self.type == "text":
            columns = [f"{name}:{word}" for word in self.words]
        elif self.type == "category" and self.encoding == "one_hot":
            columns = [f"{name}={category}" for category in [*self.categories, *(["other"] if self.other else [])]]
        elif self.type == "category" and self.encoding == "target":
            columns = [f"{name} -> {target}" for target in self.targets]
        else:
            columns = [name]
        return [*columns, *([f"{name} is missing"] if self.flag else [])]

    def told(self) -> str:
        """What was learnt, in words, for `bp runs show`."""
        said = [self.type if self.type != "category" else f"{self.type}, {self.encoding}"]
        if self.type == "category":
            shown = ", ".join(self.categories[:6]) + (", …" if len(self.categories) > 6 else "")
            said.append(f"{len(self.categories)} categories ({shown}){' and other' if self.other else ''}")
        if self.type == "boolean":
            said.append(f"no is {self.categories[0]}, yes is {self.categories[1]}")
        if self.parts:
            said.append(f"parts {', '.join(self.parts)}")
        if self.type == "text":
            said.append(f"{len(self.words)} words")
        if self.fills:
            said.append(f"gaps become {self.fill if self.missing != 'category' else 'a category'}")
        if self.flag:
            said.append("with a flag for gaps")
        if self.scale == "quantile":
            said.append(f"ranked among {len(self.knots)} quantiles")
        elif self.scale != "none":
            said.append(
                f"{self.scale}: ({'log ' if self.scale == 'log' else ''}x − {self.center:.6g}) / {self.spread:.6g}"
            )
        return "; ".join(said)


def problems(
    columns: Mapping[str, ColumnOptions], names: Sequence[str], used: Sequence[str], targets: Sequence[str]
) -> Iterator[str]:
    """What is wrong with dataset.columns for a file with these columns, of which some are features or targets."""
    for name, options in columns.items():
        path = f"dataset.columns.{name}"
        if name not in names:
            yield f"{path}: the file has no such column; {expected(name, names)}"
        elif name in targets and name not in used:
            if not options.plain:
                yield f"{path}: {name!r} is a target, for which only the unit can be given; remove the rest"
        elif name not in used:
            yield f"{path}: {name!r} is no feature; remove it here, or take it into the features"
        yield from (f"{path}.{option}" for option in meaningless(options))


def meaningless(options: ColumnOptions) -> Iterator[str]:
    """Options that mean nothing for a column of its type."""
    of = options.type
    mine = {"scale": ("number", "date"), "encoding": ("category",), "rare": ("category",), "unseen": ("category",),
            "parts": ("date",), "smooth": ("category",), "words": ("text",)}  # fmt: skip
    usual = ColumnOptions()
    for name, kinds in mine.items():
        if of is not None and of not in kinds and getattr(options, name) != getattr(usual, name):
            yield f"{name} means nothing for a {of}; it is for a {' or '.join(kinds)}"
    if of is not None and options.missing not in (None, "error", "drop", *FILLS[of]):
        yield f"missing: {options.missing} means nothing for a {of}; {expected('', ['error', 'drop', *FILLS[of]])}"
    if options.parts and options.scale != "none":
        yield "scale means nothing beside parts; use the transform standardize"


def planned(options: ColumnOptions, kind: Kind, missing: str, categories: str) -> Plan:
    """The plan of a column of this kind, before anything is learnt. `missing` and `categories` are the dataset's."""
    encoding = options.encoding or ("integer" if categories == "integer" else "one_hot")
    gaps: str = options.missing or missing
    if options.missing is None and gaps in ("mean", "median"):
        gaps = "most_frequent" if kind in ("category", "boolean") else "error" if kind == "text" else gaps
    lenient = encoding == "one_hot" or options.rare is not None
    return Plan(
        type=kind,
        missing=gaps,
        flag=options.flag,
        scale=options.scale,
        encoding=encoding,
        rare=options.rare,
        unseen=options.unseen or ("other" if lenient else "error"),
        smooth=options.smooth,
        parts=list(options.parts or []),
        limit=options.words,
    )


def kind_of(column: Any, options: ColumnOptions) -> Kind:
    """What an Arrow column (N,) holds: as its options say, else by its Arrow type."""
    import pyarrow as pa

    if options.type is not None:
        return options.type
    of = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if options.parts:
        return "date"
    if options.encoding or options.rare or pa.types.is_string(of) or pa.types.is_large_string(of):
        return "category"
    return "boolean" if pa.types.is_boolean(of) else "number"
