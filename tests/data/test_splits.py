"""Split expressions: the same rows as tensorflow-datasets, and clear errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.data import splits
from backprop_cli.data.splits import Part
from backprop_cli.errors import DataError


class Info:
    """What ReadInstruction reads of a split."""

    def __init__(self, shard_lengths: list[int]) -> None:
        self.shard_lengths = shard_lengths
        self.num_examples = sum(shard_lengths)


def by_tfds(expression: str, shards: dict[str, list[int]]) -> list[Part]:
    import tensorflow_datasets as tfds

    infos = {name: Info(lengths) for name, lengths in shards.items()}
    found = tfds.core.ReadInstruction.from_spec(expression).to_absolute(infos)
    return [
        Part(
            part.splitname,
            part.from_ or 0,
            infos[part.splitname].num_examples if part.to is None else part.to,
        )
        for part in found
    ]


bound = st.one_of(
    st.just(""),
    st.integers(-220, 220).map(str),
    st.integers(-110, 110).map("{}%".format),
    st.floats(-101, 101).map(lambda value: f"{value:.2f}%"),
    st.integers(-6, 6).map("{}shard".format),
    st.sampled_from(["1_0", "1.5", ".", "-", "x", " 3", "5 %"]),
)
term = st.builds(
    lambda base, inside: base + inside,
    st.sampled_from(["train", "test", "all", "nope", "tr ain", ""]),
    st.one_of(
        st.just(""),
        bound.map("[{}]".format),
        st.tuples(bound, bound).map(lambda pair: f"[{pair[0]}:{pair[1]}]"),
        st.just("[1:2:3]"),
    ),
)
expressions = st.lists(term, min_size=1, max_size=3).map(" + ".join)


@pytest.mark.large
@given(expressions, st.lists(st.integers(1, 70), min_size=1, max_size=4))
@settings(max_examples=400, deadline=None)
def test_the_rows_are_those_of_tfds(expression: str, lengths: list[int]) -> None:
    shards = {"train": lengths, "test": [10]}
    sizes = {name: sum(each) for name, each in shards.items()}
    try:
        right = by_tfds(expression, shards)
    except (ValueError, NotImplementedError):  # TFDS cannot read it
        with pytest.raises(DataError):
            splits.parse(expression, sizes, shards)
    else:
        assert splits.parse(expression, sizes, shards) == right


def test_slices_of_shards() -> None:
    shards = {"train": [3, 4]}
    for low in range(-4, 4):
        for high in range(-4, 4):
            for expression in (
                f"train[{low}shard:{high}shard]",
                f"train[:{high}shard]",
                f"train[{low}shard]",
            ):
                try:
                    right = by_tfds(expression, shards)
                except ValueError:
                    continue
                assert splits.parse(expression, {"train": 7}, shards) == right, expression


@pytest.mark.parametrize("expression", ["train[:80%]", "train[80%:]+test", "train[:100]", "train[-50:]", "all"])
def test_the_documented_forms(expression: str) -> None:
    shards = {"train": [100, 51], "test": [10]}
    assert splits.parse(expression, {"train": 151, "test": 10}, shards) == by_tfds(expression, shards)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("trian", "did you mean 'train'"),
        ("train[:200]", "beyond the 150 rows"),
        ("train[:120%]", "outside -100%"),
        ("train[5]", "one row"),
        ("train[:]", "cannot read the slice"),
        ("train[0:1shard]", "only datasets of source tfds have shards"),
        ("", "cannot read"),
    ],
)
def test_a_wrong_expression_is_named(expression: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        splits.parse(expression, {"train": 150, "test": 10})
    assert repr(expression) in str(caught.value)


def test_splits_may_not_share_rows() -> None:
    with pytest.raises(DataError, match=r"share 15 rows of 'train', from row 120"):
        splits.resolve({"train": "train[:90%]", "validation": "train[80%:]"}, {"train": 150})
    resolved = splits.resolve({"train": "train[:80%]", "validation": "train[80%:]+test"}, {"train": 150, "test": 5})
    assert resolved == {
        "train": [Part("train", 0, 120)],
        "validation": [Part("train", 120, 150), Part("test", 0, 5)],
    }


@pytest.mark.parametrize("expression", ["train[:0]", "train[10:5]", "train[100%:]"])
def test_an_empty_split_is_refused(expression: str) -> None:
    with pytest.raises(DataError, match=r"split test: .* is empty; the rows there are: train 150"):
        splits.resolve({"train": "train", "test": expression}, {"train": 150})


def test_defaults_cover_every_row_once() -> None:
    for size in (7, 150, 569):
        resolved = splits.resolve(splits.default({"all_rows": size}), {"all_rows": size})
        assert sum(part.stop - part.start for parts in resolved.values() for part in parts) == size
    assert splits.default({"train": 5, "test": 3, "unsupervised": 9}) == {"train": "train", "test": "test"}


def test_take_gives_a_view_of_one_run_and_a_copy_of_several() -> None:
    arrays = {"train": np.arange(20).reshape(10, 2), "test": -np.arange(8).reshape(4, 2)}
    view = splits.take(arrays, [Part("train", 2, 4), Part("train", 4, 7)])
    assert np.shares_memory(view, arrays["train"])
    assert view.tolist() == arrays["train"][2:7].tolist()
    both = splits.take(arrays, [Part("train", 8, 10), Part("test", 0, 1)])
    assert both.tolist() == [[16, 17], [18, 19], [0, -1]]
