"""Spectrograms: each frame by the sum that defines it, and bands of the mel scale."""

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.pipeline import fit_transforms
from backprop_cli.data.transforms.spectrogram import mel, mel_bank
from backprop_cli.errors import BuildError

X = np.random.default_rng(0).normal(size=(3, 90, 2))


def spectrogram(x, **options):
    transform = registry.make("transform", {"type": "spectrogram", **options})
    split = Split(x, np.zeros(len(x), np.int64))
    fit_transforms([transform], split, np.dtype(np.float64))
    return next(Batches(split, len(x), transforms=[transform], shuffle=False, dtype=np.float64).epoch(0))[0]


def by_definition(signal, window, hop):
    """|X[t, k]|² of one channel, sum by sum."""
    n = np.arange(window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / window)
    starts = range(0, len(signal) - window + 1, hop)
    waves = [np.exp(-2j * np.pi * k * n / window) for k in range(window // 2 + 1)]
    return np.array([[abs((hann * signal[t : t + window] * wave).sum()) ** 2 for wave in waves] for t in starts])


@pytest.mark.parametrize(("window", "hop"), [(32, 16), (32, 10), (21, 5), (90, 90)])
def test_every_frame_is_the_sum_that_defines_it(window, hop):
    expected = np.array([[by_definition(row[:, c], window, hop) for c in range(2)] for row in X]).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(spectrogram(X, window=window, hop=hop, log=False), expected, atol=1e-10)
    logs = spectrogram(X, window=window, hop=hop)
    np.testing.assert_allclose(logs, np.log(np.maximum(expected, 1e-6)), atol=1e-6)
    np.testing.assert_array_equal(spectrogram(X[:, :, 0], window=window, hop=hop), logs[..., 0])


def test_silence_has_the_least_logarithm():
    assert (spectrogram(0 * X, window=32) == np.log(1e-6)).all()


def test_mel_bands_sum_the_power_in_triangles_evenly_spaced_in_mel():
    bank = mel_bank(512, 16000, 40)
    assert bank.shape == (257, 40) and (bank >= 0).all() and (bank <= 1).all()
    peaks = np.array([mel(f) for f in bank.argmax(axis=0) * 16000 / 512])
    centres = np.linspace(0, mel(8000), 42)[1:-1]
    np.testing.assert_allclose(peaks[20:], centres[20:], atol=15)  # where frequencies lie closer than bands
    assert mel(1000) == pytest.approx(1000, abs=0.1) and mel(0) == 0  # what defines the scale
    power = spectrogram(X, window=64, log=False)
    expected = np.einsum("ntkc,km->ntmc", power, mel_bank(64, 8000, 8))
    np.testing.assert_allclose(spectrogram(X, window=64, mels=8, sample_rate=8000, log=False), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "x", "said"),
    [
        ({"mels": 8, "window": 64}, X, "mels need the rate of the signals; set sample_rate"),
        ({"mels": 60, "window": 64, "sample_rate": 8000}, X, "60 mels leave band 1 without a frequency"),
        ({"window": 91}, X, "a window of 91 samples does not fit into sounds of 90"),
        ({"window": 9}, X[..., None], "expected sounds"),
    ],
)
def test_what_does_not_fit_is_said(options, x, said):
    with pytest.raises(BuildError, match=said):
        spectrogram(x, **options)
