from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Chunks, Transform, slot, transform
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc

_LEAST = 1e-6  # power below which nothing is told apart, so that silence has a logarithm


def mel(frequency: float) -> float:
    """The pitch in mel of f in Hz: mel(f) = 2595 log₁₀(1 + f / 700).  O'Shaughnessy 1987, Speech Communication."""
    return 2595 * math.log10(1 + frequency / 700)


def mel_bank(window: int, rate: int, bands: int) -> Array:
    """Weights, float32 (window // 2 + 1, bands), of triangles whose corners are evenly spaced in mel from 0 to rate / 2
    Hz: each band rises from the centre of the band before it to 1 at its own, and falls to the centre of the next one.

    Raises BuildError where a band has no frequency. As torchaudio's melscale_fbanks with htk and without norm; Davis &
    Mermelstein 1980, doi:10.1109/TASSP.1980.1163420.
    """
    frequencies = np.fft.rfftfreq(window, 1 / rate)
    corners = 700 * (10 ** (np.linspace(0, mel(rate / 2), bands + 2) / 2595) - 1)
    rise = (frequencies[:, None] - corners[:-2]) / np.diff(corners)[:-1]
    fall = (corners[2:] - frequencies[:, None]) / np.diff(corners)[1:]
    weights = np.maximum(0, np.minimum(rise, fall))
    empty = np.flatnonzero(weights.sum(axis=0) == 0)
    if len(empty):
        raise BuildError(
            f"{bands} mels leave band {empty[0] + 1} without a frequency, which a window of {window} samples has every "
            f"{rate / window:g} Hz; set fewer mels or a longer window",
            "spectrogram",
        )
    return weights.astype(np.float32)


@transform("spectrogram", "mel_spectrogram")
class Spectrogram(Transform):
    """Sounds (N, T, C) ↦ pictures (N, F, K, C) of F = 1 + (T − window) // hop frames of K frequencies; without C, too.

        X[t, k] = Σₙ w[n] x[t · hop + n] exp(−2πi k n / window),   w[n] = ½ − ½ cos(2π n / window)  (Hann)
        y[t, k] = ln max(|X[t, k]|², 10⁻⁶),   k = 0 … window / 2: frequencies k · rate / window

    With `mels`, |X|² is first summed in that many triangles that are evenly spaced in mel: mel(f) = 2595 log₁₀(1 + f /
    700). The end of a sound that fills no frame is left out. y above is what x becomes; targets stay.

    Raises BuildError for sounds shorter than a window, and for mels without a rate or without a frequency in each band.
    Allen & Rabiner 1977, doi:10.1109/PROC.1977.10770; Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420
    """

    window: Annotated[Annotated[int, Ge(2)], Doc("samples of a frame; more tell frequencies better apart")] = 256
    hop: Annotated[
        Annotated[int, Ge(1)] | None,
        Doc("samples from one frame's start to the next one's; by default half a frame"),
    ] = None
    mels: Annotated[
        Annotated[int, Ge(1)] | None, Doc("bands of the mel scale, as ears hear; by default single frequencies")
    ] = None
    log: Annotated[bool, Doc("the logarithm of the power; without it, the power itself")] = True
    sample_rate: Annotated[
        Annotated[int, Ge(1)] | None, Doc("of signals that come as arrays (Hz), for mels; that of sounds is known")
    ] = None

    bank: Array | None = slot()

    def fit(self, chunks: Chunks, y: Array) -> None:
        if self.mels is None:
            return
        rate = self.rate or self.sample_rate
        if rate is None:
            raise BuildError("mels need the rate of the signals; set sample_rate, such as 16000", "spectrogram")
        self.bank = mel_bank(self.window, rate, self.mels)

    def state(self) -> dict[str, Array]:
        return {} if self.bank is None else {"bank": self.bank}

    def load_state(self, state: dict[str, Array]) -> None:
        self.bank = state.get("bank")

    @property
    def _hop(self) -> int:
        return self.hop or max(1, self.window // 2)

    @property
    def _hann(self) -> Array:
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) not in (1, 2):
            raise BuildError(f"expected sounds (samples, channels), got rows of shape {shape}", "spectrogram")
        if shape[0] < self.window:
            raise BuildError(
                f"a window of {self.window} samples does not fit into sounds of {shape[0]}; set a shorter window",
                "spectrogram",
            )
        return (1 + (shape[0] - self.window) // self._hop, self.mels or self.window // 2 + 1, *shape[1:])

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        samples, *channels = graph.shapes[0]
        count = channels[0] if channels else 1
        frames, bands = self.output_shape((samples, *channels))[:2]
        angle = 2 * np.pi * np.outer(np.arange(self.window // 2 + 1), np.arange(self.window)) / self.window
        waves = np.concatenate([np.cos(angle), -np.sin(angle)])[:, None] * self._hann
        signal = graph.add("Transpose", x, perm=[0, 2, 1]) if channels else x
        rows = graph.add("Reshape", signal, np.array([-1, 1, samples]))
        both = graph.add("Conv", rows, waves.astype(np.float32), strides=[self._hop])
        squares, half = graph.add("Mul", both, both), len(angle)
        parts = [
            graph.add("Slice", squares, np.array([start]), np.array([start + half]), np.array([1]))
            for start in (0, half)
        ]
        power = graph.add("Add", *parts)
        if self.bank is not None:
            power = graph.add("MatMul", np.ascontiguousarray(self.bank.T), power)
        if self.log:
            power = graph.add("Log", graph.add("Max", power, _LEAST))
        if not channels:
            return graph.add("Transpose", power, perm=[0, 2, 1])
        parted = graph.add("Reshape", power, np.array([-1, count, bands, frames]))
        return graph.add("Transpose", parted, perm=[0, 3, 2, 1])

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        frames = np.lib.stride_tricks.sliding_window_view(x, self.window, axis=1)[:, :: self._hop]
        spectrum = np.fft.rfft(frames * self._hann.astype(out.dtype))
        power = np.square(spectrum.real) + np.square(spectrum.imag)  # (n, F, [C,] K)
        if self.bank is not None:
            power = power @ self.bank.astype(power.dtype)
        if self.log:
            power = np.log(np.maximum(power, _LEAST))
        np.copyto(out, power if out.ndim == 3 else power.swapaxes(2, 3), casting="unsafe")
        return y
