"""bp among other tools: readers that leave, full disks, small terminals, odd encodings, wrong words."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BP = f"{sys.executable} -m backprop_cli"


def bash(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "BP": BP} | environment
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=cwd, env=env, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["tran", "x"], "did you mean 'train'"),
        (["runs", "lss"], "did you mean 'ls'"),
        (["train", "c.yaml", "--epoch", "3"], "did you mean --epochs"),
        (["train", "c.yaml", "--learning-rate", "3"], "--set KEY=VALUE"),
        (["train", "c.yaml", "--lr", "3"], "--set KEY=VALUE"),
        (["runs", "prune", "--status", "faild"], "'faild' is not one of"),
        (["runs", "prune", "--status", "faild"], "did you mean failed?"),
        (["runs", "ls", "--format", "cvs"], "did you mean csv?"),
        (["check"], "missing argument 'CONFIG'"),
        (["train", "c.yaml", "--seed", "x"], "--seed"),
        (["layers", "dens"], "did you mean 'dense'"),
        (["check", "configs/xor.yml"], "did you mean 'configs/xor.yaml'"),
        (["check", "configs/xor.yaml", "--set", "optimizer.leaning_rate=1"], "did you mean 'learning_rate'"),
        (["check", "configs/xor.yaml", "--unset", "optimiser"], "did you mean 'optimizer'"),
        (["train", "--resume", "latest", "--seed", "3"], "keeps its name, seed and directory"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(bp, typed: list[str], meant: str) -> None:
    done = bp(*typed)
    assert done.code == 2
    assert meant in done.err
    assert "Value error" not in done.err
    assert not done.out
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "content", [None, b"", b"\x89PNG\r\n\x1a\n\x00\xff", "dataset: \u2028".encode("utf-16"), b"[1]"]
)
def test_what_is_no_config_is_refused_in_a_line(bp, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "c.yaml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    for verb in ("check", "sweep"):
        done = bp(verb, path, *(["--set", "seed=0..1"] if verb == "sweep" else []))
        assert done.code == 2
        assert done.err.startswith(str(path))
        assert len(done.err.splitlines()) == 1


def test_unset_is_set_with_a_tilde(bp) -> None:
    quoted = bp("config", "show", "configs/xor.yaml", "--set", "~optimizer.learning_rate")
    unset = bp("config", "show", "configs/xor.yaml", "--unset", "optimizer.learning_rate")
    assert quoted.code == unset.code == 0
    assert quoted.out == unset.out != bp("config", "show", "configs/xor.yaml").out


@pytest.mark.parametrize("command", ["layers", "layers --json", "--help", "config schema"])
def test_a_reader_may_leave(tmp_path: Path, command: str) -> None:
    done = bash(f"set -o pipefail; $BP {command} | head -1", tmp_path)
    assert done.returncode == 0
    assert not done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_a_full_disk_is_an_error_in_a_line(tmp_path: Path) -> None:
    done = bash("$BP layers > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "bp: cannot write: No space left on device\n"


@pytest.mark.long
def test_progress_that_cannot_be_written_ends_no_training(tmp_path: Path) -> None:
    config = shlex.quote(str(ROOT / "configs" / "xor.yaml"))
    done = bash(f"$BP train {config} --epochs 2 --json 2> /dev/full", tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "completed"
    assert bash(f"$BP train {config} --epochs 2 2>&1 | head -0; exit ${{PIPESTATUS[0]}}", tmp_path).returncode == 0
    assert bash("$BP layers >&-", tmp_path).returncode == 0


def test_any_encoding_and_any_width(tmp_path: Path) -> None:
    plain = bash("$BP layers dense", tmp_path, PYTHONIOENCODING="ascii")
    assert plain.returncode == 0
    assert plain.stdout.isascii()
    assert "activation" in plain.stdout
    assert bash("$BP layers dense", tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").returncode == 0
    narrow = bash("$BP layers && $BP losses", ROOT, COLUMNS="40")
    assert narrow.returncode == 0
    assert max(map(len, narrow.stdout.splitlines())) <= 40
    assert "\x1b" not in narrow.stdout


@pytest.mark.parametrize("width", [24, 40, 60, 80])
def test_narrow_tables_stay_legible(bp, width: int) -> None:
    layers = bp("check", "configs/cnn.yaml", "--json").json["layers"]
    shown = bp("check", "configs/cnn.yaml", COLUMNS=str(width)).out.split()
    for layer in layers:
        assert {layer["name"], layer["type"], f"{layer['parameters']:,}", f"{layer['flops']:,}"} <= set(shown)


def test_the_bar_has_room_for_the_time_left(tmp_path: Path) -> None:
    (tmp_path / "xor.yaml").write_bytes((ROOT / "configs" / "xor.yaml").read_bytes())
    command = f"{BP} train xor.yaml --epochs 4000 --set trainer.kernels=numpy"  # the compiled ones end before a guess
    done = bash(f"script -qec 'stty cols 80; {command}' /dev/null", tmp_path, TERM="xterm", COLUMNS="80")
    assert done.returncode == 0
    assert re.search(r"\d+/4000.{1,20}\b\d:\d\d:\d\d\b", re.sub(r"\x1b\[[\d;]*m", "", done.stdout)), done.stdout


def test_lines_in_a_pipe_are_whole_and_end_where_they_end(tmp_path: Path) -> None:
    done = bash("env -u COLUMNS $BP transforms", tmp_path)
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]
    assert len(done.stdout.splitlines()) == 1 + len(json.loads(bash("$BP transforms --json", tmp_path).stdout))


@pytest.mark.long
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_is_written_in_one_piece(tmp_path: Path, unbuffered: str) -> None:
    """Several trainings in the background share a pipe; a socket of packets shows what each write held."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    first = ["train", str(ROOT / "configs/xor.yaml"), "--epochs", "2", "--quiet", "--run-dir", "first"]
    with ours, theirs:
        for command in (first, ["train", "--resume", "first", "--quiet"]):
            subprocess.run(
                [*BP.split(), *command], stdout=theirs, stderr=theirs, env=env, cwd=tmp_path, timeout=60, check=True
            )
        theirs.close()
        assert list(iter(lambda: ours.recv(1 << 16), b"")) == [
            b"first\n",
            b"bp: first is complete after 2 epochs; --epochs N makes it longer\n",
            b"first\n",
        ]


def test_debug_shows_where(bp) -> None:
    done = bp("--debug", "layers", "dens")
    assert "Traceback" in done.err and done.code == 2
    assert "Traceback" in bp("layers", "dens", BP_DEBUG="1").err
    assert "Traceback" not in bp("layers", "dens").err


def test_what_is_unset_goes_before_what_is_set(bp) -> None:
    new = ["--set", "optimizer.type=adam", "--set", "optimizer.beta_1=0.5"]
    shown = bp("config", "show", "configs/xor.yaml", *new, "--unset", "optimizer", "--json")
    assert shown.code == 0, shown.err
    assert (shown.json["optimizer"]["type"], shown.json["optimizer"]["learning_rate"]) == ("adam", 0.001)
    assert shown.json["optimizer"]["beta_1"] == 0.5
    lines = bp("config", "show", "configs/xor.yaml", *new, "--unset", "optimizer", "--origin").out.splitlines()
    assert any(line.split() == ["optimizer.amsgrad", "false", "#", "default"] for line in lines)


ENDING = """
import signal, sys, time
from backprop_cli.cli import main

class Late:
    def __del__(self):
        raise {error}

def run(arguments, debug):
    Late()
    time.sleep(20)
    return 0

main.run = run
main.main()
"""


@pytest.mark.parametrize(("error", "code"), [("KeyboardInterrupt", 130), ("SystemExit(143)", 143)])
def test_a_signal_that_comes_in_a_finalizer_ends_bp(tmp_path: Path, error: str, code: int) -> None:
    """Python only prints an exception from there; so the same end is asked for again."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ENDING.format(error=error)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (code, "")
