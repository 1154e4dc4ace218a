"""`bp data info` and `bp config init --data` for pictures and sounds: what is seen, and a config that trains."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backprop_cli.commands.media_config import folder_config, listed_config
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.data.look import file_source, look_at_file
from backprop_cli.errors import UsageError
from tests.data.files.test_sounds import tone, tones, wav


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_CACHE", str(tmp_path / "cache"))


def listed(folder: Path, count: int = 40) -> Path:
    rng = np.random.default_rng(0)
    (folder / "pics").mkdir()
    rows = []
    for i in range(count):
        pixels = np.clip(rng.normal(60 + 120 * (i % 2), 20, (20 + i % 2, 24, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels if i % 4 else pixels[..., 0]).save(folder / "pics" / f"{i}.png")
        rows.append(f"pics/{i}.png,{['dark', 'light'][i % 2]},{'a|b' if i % 4 == 0 else 'a' if i % 2 else 'b'},{i}.5")
    path = folder / "pics.csv"
    path.write_text("file,label,tags,score\n" + "\n".join(rows) + "\n")
    return path


def test_a_column_of_files_is_said_with_sizes_and_modes(tmp_path: Path) -> None:
    path = listed(tmp_path)
    (tmp_path / "pics" / "3.png").write_bytes(b"no picture")
    (tmp_path / "pics" / "5.png").unlink()
    column = look_at_file(file_source(path, target="label")).column("file")
    assert (column.type, column.width) == ("picture", None)
    assert column.files == {"size": [["20 × 24", 20], ["21 × 24", 18]], "mode": [["RGB", 28], ["L", 10]]}
    assert "no such files" in column.notes[0] and "pics/5.png" in column.notes[0]
    assert "3.png: not an image, or a damaged one" in column.notes[1]
    assert json.dumps(column.as_dict())
    tones(tmp_path / "tones", 3)
    rows = [f"tones/{name}/{i:02},{name}" for name in ("low", "high") for i in range(3)]
    (tmp_path / "t.csv").write_text("clip,label\n" + "\n".join(rows) + "\n")
    column = look_at_file(file_source(tmp_path / "t.csv", target="label")).column("clip")
    assert column.type == "sound"
    assert column.files == {"rate": [["8000 Hz", 6]], "seconds": [["0.25 s", 6]], "channels": [["1 channel", 6]]}


@pytest.mark.trains
@pytest.mark.parametrize(("target", "last"), [("label", "softmax"), ("tags", "sigmoid"), ("score", "unscale")])
def test_the_config_for_a_list_of_pictures_trains(target: str, last: str, tmp_path: Path) -> None:
    path = listed(tmp_path)
    (tmp_path / "pics" / "3.png").write_bytes(b"no picture")
    look = look_at_file(file_source(path, target=target))
    text = listed_config(look, look.column("file"), "c.yaml", "pics.csv")
    assert last in text and "corrupt: skip" in text and "size: [20, 24]    # height and width" in text
    (tmp_path / "c.yaml").write_text(text)
    said: list[str] = []
    train(load_config(tmp_path / "c.yaml", ["trainer.epochs=1"]), run_dir=tmp_path / "run", warn=said.append)
    assert any("left out, as corrupt: skip says" in note for note in said)


@pytest.mark.trains
def test_the_config_for_folders_of_sounds_trains(tmp_path: Path) -> None:
    root = tones(tmp_path / "tones")
    (root / "low" / "00.wav").write_bytes(wav(tone(400, 0.5, 16000), rate=16000))
    text = folder_config(root, "c.yaml", "tones")
    for option in ("sample_rate: 8000    #", "duration: 0.5    #", "{type: spectrogram, window: 256, mels: 32}"):
        assert option in text
    (tmp_path / "c.yaml").write_text(text)
    train(load_config(tmp_path / "c.yaml", ["trainer.epochs=1"]), run_dir=tmp_path / "run")


def test_what_no_config_can_be_written_for_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="expected a folder of pictures or of WAV files for each"):
        folder_config(tmp_path / "empty", "c.yaml", "empty")
    path = listed(tmp_path)
    (tmp_path / "pics" / "5.png").unlink()
    look = look_at_file(file_source(path, target="label"))
    with pytest.raises(UsageError, match=r"column 'file': no such files in .*: pics/5.png"):
        listed_config(look, look.column("file"), "c.yaml", "pics.csv")
