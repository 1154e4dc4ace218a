"""The base of every data source: a dataclass whose fields are the keys under `dataset:`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Interval

from backprop_cli.data import shares
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.sample_files import is_sample
from backprop_cli.data.shares import Written
from backprop_cli.registry import Component, Doc, Registered, register

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema


def source(name: str, *aliases: str) -> Any:
    """Class decorator: registers a data source under `dataset.source: name`."""
    return register("source", name, *aliases)


@dataclass(kw_only=True)
class Source(Component):
    """Where examples come from. Subclasses add their own keys and implement `load`."""

    splits: Annotated[
        dict[str, Written] | None,
        Doc("rows of train, validation and test: slices such as `train[:80%]`, shares such as 80%, or a file for each"),
    ] = None
    transforms: Annotated[
        Annotated[list[Any], Registered("transform")] | None,
        Doc("what is done to every batch, in this order; statistics are learned from the training split"),
    ] = None
    data_seed: Annotated[
        Annotated[int, Ge(0)] | None,
        Doc("of all that is drawn to make the data (synthetic rows, the deal into splits); by default the seed"),
    ] = None
    label_noise: Annotated[
        Annotated[float, Interval(ge=0, le=1)] | None,
        Doc("probability with which a label of the training split is drawn again, uniformly from all classes"),
    ] = None
    fallback: Annotated[
        Annotated[Any, Registered("source", key="source")] | None,
        Doc("the dataset used if, and only if, this one cannot be downloaded"),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.splits:
            self.splits = shares.named(self.splits)

    @classmethod
    def datasets(cls) -> list[str]:
        """The names of the datasets that it has, for `bp data`; none where a config says it all."""
        return []

    downloads: ClassVar[dict[str, str]] = {}  # name -> what it is, of datasets that are fetched when first used

    @classmethod
    def about(cls, name: str) -> str:
        """What the dataset of that name is, in a sentence."""
        return ""

    @classmethod
    def named(cls, name: str) -> Source:
        """The source of one of those names."""
        return cls(name=name)  # type: ignore[call-arg]  # an option of every source that has names

    def files(self) -> list[Path]:
        """The files and folders that its options name; those that ship with bp left out."""
        paths: list[Path] = []
        for option in fields(self):
            value = getattr(self, option.name, None)
            values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            paths += [one for one in values if isinstance(one, Path) and not is_sample(one)]
        return paths

    def take_settled(self, other: Source) -> None:
        """Take over what `other`, a source of the same kind that was loaded, has settled and this one leaves open."""

    def load(self, seed: int, folder: Path, known: Schema | None = None) -> Dataset:
        """Read the splits. `folder` is what relative paths start from (the config's folder, then the
        working directory). With `known`, what a model has learnt of its data (categories, classes, fills,
        vocabulary), nothing is learnt again. Raises DataError; DownloadError where only the network is missing."""
        raise NotImplementedError  # every source reads its own format
