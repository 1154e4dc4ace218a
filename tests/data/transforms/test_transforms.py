"""Transforms: what each does to a batch, fitted on the training split and put back from its state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load, save

from backprop_cli import registry
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.finite import check_finite
from backprop_cli.data.pipeline import fit_transforms, load_transforms_state, transforms_state
from backprop_cli.errors import BuildError, DataError

IMAGES = np.random.default_rng(0).integers(0, 255, (12, 8, 10, 3), dtype=np.uint8)
TABLE = np.random.default_rng(1).normal([0, 5, -3], [1, 10, 0.1], (40, 3))
TOKENS = np.random.default_rng(2).integers(0, 7, (9, 5))
SOUNDS = np.random.default_rng(3).normal(0, 0.3, (10, 300, 2)).astype(np.float32)
TEXTS = np.array(["The cat sat.", "the DOG sat", "a cat!"] * 3)
LABELS = np.arange(12) % 4

#: name -> (options, rows to try it on); every registered transform must be here
CASES = {
    "scale": ({"by": 0.5, "offset": 1}, TABLE),
    "cast": ({}, TOKENS),
    "standardize": ({}, TABLE),
    "robust_scale": ({}, TABLE),
    "smooth_clip": ({"limit": 2}, TABLE),
    "normalize": ({"low": -1, "high": 1}, TABLE),
    "one_hot": ({"of": "input"}, TOKENS),
    "reshape": ({"shape": [-1, 3]}, IMAGES),
    "input_as_target": ({}, IMAGES),
    "clip": ({"low": -1, "high": 1}, TABLE),
    "log1p": ({}, np.abs(TABLE)),
    "pad": ({"length": 7}, TOKENS),
    "tokenize": ({"length": 4}, TEXTS),
    "flip": ({}, IMAGES),
    "shift": ({"pixels": 2}, IMAGES),
    "crop": ({"size": [6, 5], "padding": 1}, IMAGES),
    "rotate": ({"degrees": 30}, IMAGES),
    "noise": ({}, TABLE),
    "cutout": ({"size": 3}, IMAGES),
    "mixup": ({}, IMAGES),
    "pairs": ({}, IMAGES),
    "spectrogram": ({"window": 64, "mels": 8, "sample_rate": 8000}, SOUNDS),
}


def make(name, **options):
    return registry.make("transform", {"type": name, **options})


def run(transforms, x, y=None, **options):
    """All rows in order through fitted transforms."""
    split = Split(x, np.arange(len(x)) % 4 if y is None else y)
    fit_transforms(transforms, split, np.dtype(np.float32))
    batches = Batches(split, len(x), transforms=transforms, shuffle=False, **options)
    out = next(iter(batches.epoch(0)))
    assert (out[0].dtype, out[0].shape[1:]) == (batches.input_dtype, batches.input_shape)
    assert (out[1].dtype, out[1].shape[1:]) == (batches.target_dtype, batches.target_shape)
    return out


def test_every_transform_is_tried():
    assert set(CASES) == set(registry.classes("transform"))


@pytest.mark.parametrize("name", sorted(CASES))
def test_its_state_restores_it(name):
    options, x = CASES[name]
    first, second = make(name, **options), make(name, **options)
    expected, targets = run([first], x)
    state = transforms_state([first])
    load_transforms_state([second], load(save(state)) if state else {})
    split = Split(x, np.arange(len(x)) % 4)
    again, again_targets = next(iter(Batches(split, len(x), transforms=[second], shuffle=False).epoch(0)))
    np.testing.assert_array_equal(expected, again)
    np.testing.assert_array_equal(targets, again_targets)


@pytest.mark.parametrize("name", sorted(CASES))
def test_it_leaves_the_dataset_alone(name):
    options, x = CASES[name]
    x = x.copy()
    before = x.copy()
    x.setflags(write=False)
    run([make(name, **options)], x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", [name for name in CASES if registry.get("transform", name).augments])
def test_augmentation_is_for_training_only(name):
    options, x = CASES[name]
    changed, _ = run([make(name, **options)], x)
    out, y = run([make(name, **options)], x, augment=False)
    if name == "crop":
        np.testing.assert_array_equal(out, x[:, 1:7, 2:7].astype(np.float32))
    elif name == "pairs":
        np.testing.assert_array_equal(out[:, 0], x.astype(np.float32))
    else:
        np.testing.assert_array_equal(out, x.astype(np.float32))
        assert not np.array_equal(changed, out)
    if name != "pairs":  # whose targets are its own
        np.testing.assert_array_equal(y, np.arange(len(x)) % 4)


@given(x=arrays(np.int64, (30, 3), elements=st.integers(-(10**6), 10**6)))
@settings(deadline=None)
def test_standardized_columns_have_mean_0_and_std_1(x):
    out, _ = run([make("standardize")], x)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(0), x.std(0) > 0, rtol=1e-5)


def test_statistics_of_many_blocks_are_those_of_the_whole(monkeypatch):
    monkeypatch.setattr("backprop_cli.data.pipeline._FIT_ROWS", 7)
    standardize, normalize = make("standardize"), make("normalize")
    split = Split(TABLE, np.zeros(len(TABLE), int))
    for each in (standardize, normalize):
        fit_transforms([each], split, np.dtype(np.float64))
    np.testing.assert_allclose(standardize.learned_mean, TABLE.mean(0))
    np.testing.assert_allclose(standardize.learned_std, TABLE.std(0))
    np.testing.assert_array_equal(normalize.smallest, TABLE.min(0))
    np.testing.assert_array_equal(normalize.largest, TABLE.max(0))


@pytest.mark.parametrize(("per", "shape"), [("channel", (3,)), ("position", (8, 10, 3)), ("all", ())])
def test_statistics_of_images(per, shape):
    each = make("standardize", per=per)
    out, _ = run([make("scale"), each], IMAGES)
    assert each.learned_mean.shape == shape
    assert abs(out.mean()) < 1e-5


def test_a_given_mean_and_std_are_taken():
    out, _ = run([make("standardize", mean=[1, 2, 3], std=2)], TABLE)
    np.testing.assert_allclose(out, (TABLE - [1, 2, 3]) / 2, rtol=1e-5, atol=1e-5)


def test_a_constant_column_does_not_divide_by_zero():
    x = np.ones((5, 2))
    assert run([make("standardize")], x)[0].tolist() == [[0, 0]] * 5
    assert run([make("normalize", low=-1)], x)[0].tolist() == [[-1, -1]] * 5


@given(x=arrays(np.int64, (20, 2), elements=st.integers(-1000, 1000)))
@settings(deadline=None)
def test_normalized_columns_fill_the_range(x):
    out, _ = run([make("normalize", low=2, high=5)], x)
    for column, values in zip(out.T, x.T, strict=True):
        assert column.min() == 2
        assert column.max() == pytest.approx(5 if np.ptp(values) else 2)


def test_one_hot():
    out, y = run([make("one_hot"), make("one_hot", of="input")], TOKENS, TOKENS[:, 0])
    np.testing.assert_array_equal(out.argmax(-1), TOKENS)
    np.testing.assert_array_equal(y, np.eye(TOKENS[:, 0].max() + 1)[TOKENS[:, 0]])


def test_an_id_that_training_never_saw_is_named():
    each = make("one_hot")
    fit_transforms([each], Split(TOKENS, np.array([0, 1, 2] * 3)), np.dtype(np.float32))
    with pytest.raises(DataError, match=r"id 7 is outside 0 … 2"):
        list(Batches(Split(TOKENS, np.full(9, 7)), 9, transforms=[each]).epoch(0))
    with pytest.raises(DataError, match="expected integer ids, got float64"):
        fit_transforms([make("one_hot")], Split(TOKENS, np.zeros(9)), np.dtype(np.float32))


def test_class_ids_as_values():
    x, y = run([make("cast", of="target")], TOKENS, np.arange(9))
    assert x.dtype == np.int64
    assert y.tolist() == [[float(i)] for i in range(9)]


@given(
    steps=st.integers(1, 9),
    length=st.integers(1, 9),
    fill=st.sampled_from(["start", "end"]),
    keep=st.sampled_from(["start", "end"]),
)
@settings(deadline=None)
def test_pad(steps, length, fill, keep):
    x = np.arange(1, 1 + 2 * steps).reshape(2, steps)
    out, _ = run([make("pad", length=length, fill=fill, keep=keep, value=-1)], x)
    for row, got in zip(x.tolist(), out.tolist(), strict=True):
        kept = row[:length] if keep == "start" else row[max(0, steps - length) :]
        gap = [-1] * (length - len(kept))
        assert got == (gap + kept if fill == "start" else kept + gap)


def test_tokenize():
    each = make("tokenize", length=4, vocabulary=4)
    out, _ = run([each], TEXTS)
    assert each.tokens == {"cat": 2, "sat": 3, "the": 4, "!": 5}  # by count, then by letter
    assert out[:3].tolist() == [[4, 2, 3, 1], [4, 1, 3, 0], [1, 2, 5, 0]]
    letters, _ = run([make("tokenize", length=3, level="character", lower=False)], np.array([b"abA", "é".encode()]))
    assert len(np.unique(letters)) == 5  # padding, a, b, A, é


def test_flip_mirrors_some_images():
    out, _ = run([make("flip", axis="vertical")], IMAGES)
    flipped = [np.array_equal(a, b[::-1]) for a, b in zip(out, IMAGES, strict=True)]
    kept = [np.array_equal(a, b) for a, b in zip(out, IMAGES, strict=True)]
    assert 0 < sum(flipped) < len(IMAGES)
    assert sum(flipped) + sum(kept) == len(IMAGES)


def test_shift_moves_each_image_as_a_whole():
    out, _ = run([make("shift", pixels=2, value=7)], IMAGES)
    padded = np.pad(IMAGES, [(0, 0), (2, 2), (2, 2), (0, 0)], constant_values=7)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 10), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    moved = [any(np.array_equal(image, w) for row in own for w in row) for image, own in zip(out, windows, strict=True)]
    assert all(moved)


def test_crop_takes_a_window_of_the_padded_image():
    out, _ = run([make("crop", size=8, padding=2, value=9)], IMAGES)
    padded = np.pad(IMAGES, [(0, 0), (2, 2), (2, 2), (0, 0)], constant_values=9)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    assert all(
        any(np.array_equal(image, w) for row in own for w in row) for image, own in zip(out, windows, strict=True)
    )


def test_rotate_agrees_with_interpolating_pixel_by_pixel():
    x = IMAGES[:2, :, :, 0].astype(np.float64)
    each = make("rotate", degrees=40, value=3)
    out = np.empty(x.shape)
    each.apply(x, x, out, np.random.default_rng(4))
    angles = np.deg2rad(np.random.default_rng(4).uniform(-40, 40, (2, 1, 1)))[:, 0, 0]
    for image, turned, angle in zip(x, out, angles, strict=True):
        for r in range(8):
            for c in range(10):
                y0, x0 = r - 3.5, c - 4.5
                up = np.cos(angle) * y0 - np.sin(angle) * x0 + 3.5
                left = np.sin(angle) * y0 + np.cos(angle) * x0 + 4.5
                total = 0.0
                for i in (int(np.floor(up)), int(np.floor(up)) + 1):
                    for j in (int(np.floor(left)), int(np.floor(left)) + 1):
                        inside = 0 <= i < 8 and 0 <= j < 10
                        total += (1 - abs(up - i)) * (1 - abs(left - j)) * (image[i, j] if inside else 3)
                assert turned[r, c] == pytest.approx(total)


def test_cutout_paints_one_square():
    out, _ = run([make("cutout", size=3, value=255)], IMAGES)
    for image, original in zip(out, IMAGES, strict=True):
        painted = (image == 255).all(-1)
        rows, columns = np.flatnonzero(painted.any(1)), np.flatnonzero(painted.any(0))
        assert 2 <= len(rows) <= 3
        assert 2 <= len(columns) <= 3
        assert painted.sum() == len(rows) * len(columns)
        np.testing.assert_array_equal(image[~painted], original[~painted])


def test_noise_has_the_std_asked_for():
    out, _ = run([make("noise", std=0.5)], np.zeros((400, 50)))
    assert out.std() == pytest.approx(0.5, rel=0.05)


def test_mixup_blends_rows_and_targets_alike():
    x = np.eye(12)
    out, y = run([make("mixup", alpha=1)], x, LABELS)
    np.testing.assert_allclose(out.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(y, out @ np.eye(4)[LABELS], rtol=1e-6)
    assert len(np.unique(out)) > 2


def test_transforms_run_in_order_and_fit_on_what_they_get():
    later = make("standardize", per="all")
    out, _ = run([make("scale", by=0.1), make("reshape", shape=[-1]), later], IMAGES)
    assert out.shape == (12, 240)
    assert later.learned_mean == pytest.approx(IMAGES.mean() * 0.1)


@pytest.mark.parametrize(
    ("name", "options", "x", "message"),
    [
        ("reshape", {"shape": [7, -1]}, IMAGES, "hold 240 values and cannot become"),
        ("reshape", {"shape": [-1, -1]}, IMAGES, "cannot become"),
        ("crop", {"size": 9}, IMAGES, "does not fit into images of 8 × 10"),
        ("shift", {"pixels": 8}, IMAGES, "out of view"),
        ("flip", {}, TABLE, "expected images"),
        ("standardize", {"mean": [1, 2], "std": 1}, TABLE, "do not fit rows"),
        ("tokenize", {"length": 3}, TABLE, "expected one text a row"),
        ("tokenize", {"length": 3}, TABLE[:, 0], "expected text, got float64"),
        ("cutout", {"value": -1}, IMAGES, "value -1 does not fit into x of dtype uint8"),
        ("pad", {"length": 3, "value": 0.5}, TOKENS, "does not fit into x of dtype int64"),
        ("pad", {"length": 3}, TEXTS, "expected sequences"),
    ],
)
def test_rows_that_do_not_fit_are_refused(name, options, x, message):
    with pytest.raises(BuildError, match=message):
        run([make(name, **options)], x)


def test_text_without_tokenize_is_explained():
    with pytest.raises(BuildError, match=r"text needs \{type: tokenize\}"):
        Batches(Split(TEXTS, np.zeros(9)), 2)


def test_log1p_of_a_negative_value_is_refused():
    with pytest.raises(DataError, match=r"log1p: -3\.0 in x"):
        run([make("log1p")], np.array([[0.0], [-3.0]]))


@given(row=st.integers(0, 39), column=st.integers(0, 2), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_value_that_is_not_finite_is_found(row, column, value):
    x = TABLE.copy()
    x[row, column] = value
    dataset = Dataset("d", "files", {"test": Split(x, np.zeros(40))}, features=["a", "b", "c"])
    with pytest.raises(DataError, match=f"split test: x has {value} in row {row}, column '{'abc'[column]}'"):
        check_finite(dataset)


def test_large_finite_values_are_fine():
    check_finite(Dataset("d", "files", {"train": Split(np.full((9, 2), 3e38, np.float32), np.zeros(9))}))


def test_dates_in_seconds_keep_their_hours_in_float32():
    hours = 1.7e9 + 3600.0 * np.arange(6)[:, None]
    for name in ("standardize", "normalize"):
        out, _ = run([make(name)], hours)
        np.testing.assert_allclose(np.diff(out[:, 0]), np.diff(out[:, 0])[0], rtol=1e-4)
