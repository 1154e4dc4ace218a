"""Sounds in WAV files: folders of classes and tables that list them, read to the very samples that were written."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample

from backprop_cli import load
from backprop_cli.commands.file_evaluation import evaluate_file
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.files.media import DamagedFileError, Packed
from backprop_cli.data.files.sounds import resampled
from backprop_cli.data.files.waves import header, samples
from backprop_cli.errors import DataError
from backprop_cli.registry import make

RATE = 8000


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_CACHE", str(tmp_path / "cache"))


def source(path: Path, **options: Any) -> Dataset:
    loaded = make("source", {"source": "files", "path": path, **options}, key="source")
    return loaded.load(0, path.parent)  # type: ignore[no-any-return]  # a source's


def wav(values: np.ndarray, bits: int = 16, rate: int = RATE) -> bytes:
    """Samples (T,) or (T, C) in [−1, 1) as the standard library writes them: the lower bytes of whole numbers."""
    channels = values.shape[1] if values.ndim == 2 else 1
    whole = np.round(values.reshape(-1) * 2 ** (bits - 1)).astype("<i8") + (128 if bits == 8 else 0)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setparams((channels, bits // 8, rate, 0, "NONE", ""))
        out.writeframes(whole.view(np.uint8).reshape(-1, 8)[:, : bits // 8].tobytes())
    return buffer.getvalue()


def riff(kind: int, bits: int, data: bytes, channels: int = 1, extensible: bool = False, length: int = -1) -> bytes:
    """A WAV file chunk by chunk, with one that nobody knows before the samples."""
    form = struct.pack("<HHIIHH", kind, channels, RATE, RATE * channels * bits // 8, channels * bits // 8, bits)
    if extensible:
        form = struct.pack("<H", 0xFFFE) + form[2:] + struct.pack("<HHIH", 22, bits, 0, kind) + bytes(14)
    parts = [(b"fmt ", form), (b"LIST", b"odd"), (b"data", data)]
    chunks = b"".join(
        name + struct.pack("<I", length % 2**32 if name == b"data" and length != -1 else len(body)) + body
        + bytes(len(body) % 2)
        for name, body in parts
    )  # fmt: skip
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def tone(frequency: float, seconds: float = 0.25, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def tones(folder: Path, count: int = 20) -> Path:
    """A folder of low tones, and one of high ones."""
    rng = np.random.default_rng(0)
    for name, low in (("low", 300), ("high", 900)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            (folder / name / f"{i:02}.wav").write_bytes(wav(tone(low * rng.uniform(1, 2)) + rng.normal(0, 0.01, 2000)))
    return folder


def near(values: np.ndarray, expected: np.ndarray, bits: int) -> None:
    np.testing.assert_allclose(values, expected, rtol=0, atol=max(2.0 ** -(bits - 1), 1e-7))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_samples_of_every_size_are_those_that_were_written(bits: int, channels: int) -> None:
    values = np.random.default_rng(bits).uniform(-1, 0.99, (100, channels))
    file = Packed("it", wav(values, bits))
    assert (header(file).rate, header(file).channels, header(file).frames) == (RATE, channels, 100)
    near(samples(file), values, bits)
    near(samples(file, 7), values[:7], bits)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("extensible", [False, True])
def test_floats_and_long_headers_are_read(bits: int, extensible: bool) -> None:
    values = np.random.default_rng(0).normal(0, 2, 51)  # floats may be beyond ±1
    data = values.astype(f"<f{bits // 8}").tobytes()
    np.testing.assert_array_equal(
        samples(Packed("it", riff(3, bits, data, extensible=extensible)))[:, 0], np.float32(values)
    )
    whole = Packed("it", riff(1, 16, np.arange(-5, 6).astype("<i2").tobytes(), extensible=extensible))
    np.testing.assert_array_equal(samples(whole)[:, 0] * 32768, np.arange(-5, 6))


def test_samples_that_a_pipe_wrote_go_to_the_end_of_the_file() -> None:
    file = Packed("it", riff(1, 16, bytes(200), length=0xFFFFFFFF))
    assert header(file).frames == 100


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a WAV file"),
        (b"RIFX" + wav(tone(100))[4:], "not a WAV file"),
        (wav(tone(100))[:30], "without samples"),
        (wav(tone(100))[:-9], "ends after 3,991 of 4,000 bytes"),
        (wav(np.zeros(0)), "no samples"),
        (riff(7, 8, bytes(50)), "compressed, as µ-law; save it as PCM"),
        (riff(85, 16, bytes(50)), "compressed, as MP3"),
        (riff(1, 12, bytes(48)), "samples of 12 bits; expected one of 8, 16, 24, 32"),
        (riff(1, 16, bytes(48), channels=0), "0 channels"),
        (riff(3, 32, np.array([1, np.nan], "<f4").tobytes()), "no finite number"),
    ],
)
def test_what_is_no_sound_is_said(data: bytes, said: str) -> None:
    with pytest.raises(DamagedFileError, match=f"it: .*{said}"):
        samples(Packed("it", data))


@pytest.mark.large
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_no_damage_does_more_than_to_be_named(data: st.DataObject) -> None:
    whole = bytearray(riff(1, 16, bytes(range(64)), extensible=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        signal = samples(Packed("it", bytes(whole[: data.draw(st.integers(0, len(whole)))])))
    except DamagedFileError:
        return
    assert signal.dtype == np.float32 and np.isfinite(signal).all() and signal.size


@given(frames=st.integers(2, 90), rate=st.integers(1, 50), wanted=st.integers(1, 50))
@settings(deadline=None)
def test_resampling_is_that_of_scipy(frames: int, rate: int, wanted: int) -> None:
    signal = np.random.default_rng(frames).normal(size=(frames, 2))
    new = max(1, round(frames * wanted / rate))
    expected = signal if rate == wanted else resample(signal, new)
    np.testing.assert_allclose(resampled(signal, rate, wanted), expected, atol=1e-6)


def test_a_tone_is_the_same_tone_at_another_rate() -> None:
    np.testing.assert_allclose(resampled(tone(440, 0.5)[:, None], RATE, 22050)[:, 0], tone(440, 0.5, 22050), atol=1e-5)


def test_folders_are_classes(tmp_path: Path) -> None:
    dataset = source(tones(tmp_path / "tones"))
    assert dataset.classes == ["high", "low"] and dataset.input_shape == (2000, 1)
    assert dataset.sounds is not None and (dataset.sounds.rate, dataset.sounds.seconds) == (RATE, 0.25)
    for split in dataset.splits.values():
        peaks = np.abs(np.fft.rfft(split.x[:, :, 0])).argmax(axis=1) * 4  # a bin is 4 Hz
        np.testing.assert_array_equal(split.y, (peaks < 750).astype(int))


def test_a_table_lists_sounds(tmp_path: Path) -> None:
    tones(tmp_path / "tones", 6)
    rows = [f"tones/{name}/{i:02},{name}" for name in ("low", "high") for i in range(6)]
    (tmp_path / "labels.csv").write_text("clip,label\n" + "\n".join(rows) + "\n")
    listed = source(tmp_path / "labels.csv", sounds="clip", target="label", splits={"train": "all"})
    folders = source(tmp_path / "tones", splits={"train": "all"})
    one, other = listed.splits["train"], folders.splits["train"]
    assert listed.classes == folders.classes and one.rows is not None and other.rows is not None
    order = np.argsort((one.rows + 6) % 12)  # the folder high comes first
    np.testing.assert_array_equal(one.x[order], other.x[np.argsort(other.rows)])
    (tmp_path / "labels.csv").write_text("clip,label\n" + "\n".join([*rows, "nothing,low"]) + "\n")
    with pytest.raises(DataError, match=r"no such files in .*: row 13: 'nothing'"):
        source(tmp_path / "labels.csv", sounds="clip", target="label")


def test_what_differs_is_refused_all_at_once_or_converted_and_said(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones", 4)
    (root / "low" / "00.wav").write_bytes(wav(tone(400, 0.5, 16000), rate=16000))
    (root / "low" / "01.wav").write_bytes(wav(np.stack([tone(400), 0 * tone(400)], axis=1)))
    (root / "low" / "02.wav").write_bytes(wav(tone(400, 0.125)))
    with pytest.raises(DataError) as refused:
        source(root)
    lines = str(refused.value).splitlines()
    assert "00.wav: 16000 Hz, other sounds have 8000 Hz; set dataset.sample_rate: 8000 to resample all" in lines[0]
    assert "01.wav: 2 channels, other sounds have 1 channel; set dataset.channels: 1 to average them" in lines[1]
    assert "set dataset.duration: 0.5 to fill shorter ones with silence, or less to cut longer ones" in lines[2]
    dataset = source(root, sample_rate=RATE, channels=1, duration=0.25, splits={"train": "all"})
    assert dataset.notes == [
        "resampled 1 of 8 sounds to 8000 Hz",
        "1 of 8 sounds become 1 channel",
        "cut 1 of 8 sounds at 0.25 s",
        "filled 1 of 8 sounds with silence up to 0.25 s",
    ]
    split = dataset.splits["train"]
    assert split.rows is not None
    x = split.x[np.argsort(split.rows)][4:, :, 0]
    near(x[0, 10:-10], tone(400)[10:-10], 7)  # a whole number of periods, cut a second later
    near(x[1], tone(400) / 2, 15)
    near(x[2], np.concatenate([tone(400, 0.125), np.zeros(1000)]), 15)
    assert source(root, sample_rate=RATE, channels=1, duration=0.25).notes[:4] == dataset.notes  # from the cache, too


def test_pictures_beside_sounds_need_a_word(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones", 4)
    (root / "low" / "waves.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds pictures \(waves.png\) and sounds .*set dataset.format"):
        source(root)
    assert source(root, format="sounds").classes == ["high", "low"]


CONFIG = """
dataset:
  source: files
  path: tones
  corrupt: CORRUPT
  transforms: [{type: spectrogram, window: 128, mels: 20}, standardize]
architecture:
  - {type: conv2d, filters: 4, kernel_size: 3, activation: relu}
  - flatten
  - {type: dense, units: 2, activation: softmax}
loss: cross_entropy
optimizer: {type: adam, learning_rate: 1e-2}
trainer: {epochs: 6, batch_size: 8, metrics: [accuracy]}
"""


def trained(folder: Path, corrupt: str, said: list[str] | None = None) -> Any:
    (folder / "tones.yaml").write_text(CONFIG.replace("CORRUPT", corrupt))
    warn = None if said is None else said.append
    run = folder / corrupt
    train(load_config(folder / "tones.yaml"), run_dir=run, warn=warn)
    return load(str(run))


@pytest.mark.trains
def test_a_network_hears_tones_apart_and_passes_over_damaged_files_where_training_did(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones")
    (root / "low" / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(DamagedFileError, match=r"broken.wav: not a WAV file.*; remove or replace, or set dataset.corr"):
        trained(tmp_path, "error")
    said: list[str] = []
    model = trained(tmp_path, "skip", said)
    assert any("left out, as corrupt: skip says" in text and "broken.wav" in text for text in said)
    fresh = tones(tmp_path / "fresh", 5)
    (fresh / "high" / "00.wav").write_bytes(b"")
    rows = model.rows(fresh)
    assert rows.files == [f"{name}/{i:02}.wav" for name in ("high", "low") for i in range(5)][1:]
    assert len(rows.notes) == 1 and "00.wav: not a WAV file" in rows.notes[0]
    assert list(model.predict(fresh)) == ["high"] * 4 + ["low"] * 5
    told: list[str] = []
    measured = evaluate_file(model, fresh, warn=told.append)
    assert (measured["samples"], measured["metrics"]["accuracy"]) == (9, 1)
    assert any("left out, as corrupt: skip says" in text for text in told)
    (fresh / "high" / "01.wav").write_bytes(wav(tone(900, 0.25, 16000), rate=16000))
    with pytest.raises(DataError, match=r"01\.wav: 16000 Hz, the network was trained on 8000 Hz; convert it, or train"):
        model.rows(fresh / "high")
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="a table, but the network was trained on sounds"):
        model.rows(tmp_path / "t.csv")
