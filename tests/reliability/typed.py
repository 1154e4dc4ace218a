"""Every JSON file of a run with values that do not belong there, given to every command that reads it.

    python -m tests.reliability.typed [--trials 10000] [--seed 0]

A trial changes up to three places of one file (run.json, metrics.jsonl, diagnostics.jsonl, the values of a checkpoint,
sweep.json, an entry of the cache) and runs one command, in this process. A command may refuse or make do; what it may
not is end in a traceback, hang, or write an escape sequence to the terminal.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backprop_cli.cli import main as command_line
from backprop_cli.cli import ui
from backprop_cli.cli.streams import Visible
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.checkpoints.writer import write
from backprop_cli.runs.files import Folder
from backprop_cli.untrusted import consent
from tests.reliability.asking import PICTURES, board, pictures
from tests.reliability.harness import folder

POINTS = """
dataset: {source: synthetic, name: moons, samples: 60, splits: {train: "train[:40]", validation: "train[40:]"}}
architecture: [{type: dense, units: 4, activation: relu}, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
optimizer: {type: adam, learning_rate: 0.01, ema: 0.9, schedule: {type: reduce_on_plateau, patience: 0}}
trainer: {epochs: 2, batch_size: 10, metrics: [accuracy], early_stopping: {patience: 1}, diagnostics: true}
"""
#: what is asked of a run, of its rows, of its weights, of a sweep and of the cache
OF_RUN = """
board
runs ls
runs ls --json
runs ls --sort validation/loss
runs ls --sort -best.validation/loss
runs ls --where status=completed --format csv
runs ls --columns run_id,best.epoch,dataset,optimizer.learning_rate
runs show mine
runs show mine --json
runs compare mine other
runs compare other mine --format csv
runs compare mine other other --json
runs compare mine other --plot c.svg
runs pack mine -o r.zip
runs prune --status failed
runs prune --keep 1 --dry-run
runs rm mine
plot mine other -o p.svg
plot mine other --kind compare -o p.png
plot latest --kind gradients -o p.svg
report mine -o r.html
report other mine -o r.html
doctor mine --steps 5
eval mine
eval mine --json
train --resume mine --epochs 3
train --resume latest --quiet
"""
OF_METRICS = """
board
plot mine -o p.svg
plot mine other --x time -o p.svg
plot mine --x step --metric loss -o p.png
plot mine other other --group -o p.svg
report mine -o r.html
doctor mine --steps 5
runs compare mine other --plot c.svg
runs ls
runs show mine
train --resume mine --epochs 3
"""
OF_DIAGNOSTICS = """
board
plot mine --kind gradients -o p.svg
report mine -o r.html
doctor mine --steps 5
doctor mine --json --steps 5
train --resume mine --epochs 3
"""
OF_CHECKPOINT = """
board
eval mine
eval mine --checkpoint last
predict mine input.npy
predict mine/checkpoints/last.safetensors input.npy
export mine --to numpy -o m.npz
export mine --to safetensors -o m.safetensors
export mine --to onnx -o m.onnx
runs pack mine -o r.zip
train --resume mine --epochs 3
train start.yaml --dry-run
check start.yaml
doctor mine --steps 5
trace mine
plot mine --kind boundary -o p.png
plot mine --kind confusion -o p.svg
plot mine --kind network -o p.svg
plot mine --kind weights -o p.svg
plot mine --kind activations -o p.svg
plot mine --kind gradients -o p.svg
report mine -o r.html
"""
OF_SWEEP = """
board
runs ls
runs ls --runs swept
runs compare swept
runs summary swept
runs summary swept --group-by seed --format csv
plot swept -o p.svg
plot swept --kind slice -o p.svg
plot swept --kind parallel -o p.svg
report swept -o r.html
runs rm swept
runs show 4e07ecd7
sweep points.yaml --set seed=1,2 --runs . --name swept --resume --quiet
"""
OF_CACHE = """
eval pictures-run
train pictures.yaml --run-dir new --quiet
train --resume pictures-run --epochs 2
check pictures.yaml
data info pictures.yaml
report pictures-run -o r.html
"""

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2, 10**30, -(10**400), 0.5, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf]),
    st.sampled_from(["", "x", "1", "latest", "../..", "/etc/passwd", "\x1b[31mred", "\u202eabc", "a\nb", "y" * 3000]),
    st.sampled_from(["\udcff", "${env:HOME}", "$x_1$", "_hidden", "completed", "running", "2026-13-45T99"]),
    st.recursive(
        st.one_of(st.integers(), st.text(max_size=3), st.floats(), st.none()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a document, itself included."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield from places(each, (*path, key))


def changed(draw: Callable[[Any], Any], document: Any) -> Any:
    """A document in which up to three values are others, are gone, or have another name."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(places(document), key=str)))
        if not path:
            if draw(st.integers(0, 9)) == 0:
                document = draw(ODD)
            continue
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        how = draw(st.sampled_from(["other", "other", "other", "gone", "renamed"]))
        if how == "other":
            holder[path[-1]] = draw(ODD)
            continue
        value = holder.pop(path[-1])
        if how == "renamed" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["", "x", "validation/", "/", "a/b/c", "\x1b]0;x\x07", "\u2066", "_x"]))] = (
                value
            )
    return document


def change_file(draw: Callable[[Any], Any], path: Path) -> None:
    """Change a JSON file, a line of a log, or the values of a checkpoint."""
    if path.suffix == ".safetensors":
        file = CheckpointFile(path)
        write(Folder(path.parent), path.name, file.read(), changed(draw, json.loads(json.dumps(file.values))))
        return
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = json.dumps(changed(draw, json.loads(lines[at])))
    path.write_text("\n".join(lines) + "\n")


FILES = {
    "mine/run.json": OF_RUN,
    "mine/metrics.jsonl": OF_METRICS,
    "mine/diagnostics.jsonl": OF_DIAGNOSTICS,
    "mine/checkpoints/best.safetensors": OF_CHECKPOINT,
    "mine/checkpoints/last.safetensors": OF_CHECKPOINT,
    "swept/sweep.json": OF_SWEEP,
    "swept/*/run.json": OF_SWEEP,
    "cache/images/*/entry.json": OF_CACHE,
}
ESCAPES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def call(path: Path, command: str, filled: Callable[[str], str] = str) -> tuple[Any, str, str, BaseException | None]:
    """`bp` in this process: (exit code, stdout, stderr, what it should have caught). `filled` may change its words."""
    out, err = StringIO(), StringIO()
    kept, ui.err.file = ui.err.file, err
    try:
        with chdir(path), redirect_stdout(Visible(out)), redirect_stderr(Visible(err)):  # type: ignore[type-var]
            if command == "board":
                board(path)
                return 0, out.getvalue(), err.getvalue(), None
            return (
                command_line.run([filled(word) for word in command.split()], False),
                out.getvalue(),
                err.getvalue(),
                None,
            )
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None, out.getvalue(), err.getvalue(), error
    finally:
        ui.err.file = kept


def prepare(path: Path) -> None:
    """Two finished runs, a sweep of two trials, a run of pictures with its cache: what each trial starts from."""
    (path / "points.yaml").write_text(POINTS)
    (path / "start.yaml").write_text(POINTS + "weights: mine/checkpoints/best.safetensors\n")
    (path / "pictures.yaml").write_text(PICTURES)
    np.save(path / "input.npy", np.zeros((3, 2)))
    pictures(path / "pictures")
    for command in (
        "train points.yaml --run-dir mine --quiet",
        "train points.yaml --run-dir other --seed 1 --quiet",
        "train pictures.yaml --run-dir pictures-run --quiet",
        "sweep points.yaml --set seed=1,2 --runs . --name swept --quiet",
    ):
        code, _, said, error = call(path, command)
        assert code == 0, f"{command}: {said} {error!r}"


@dataclass
class Tally:
    """What came of the commands."""

    codes: Counter[Any] = field(default_factory=Counter)
    tracebacks: Counter[str] = field(default_factory=Counter)
    escapes: Counter[str] = field(default_factory=Counter)

    def add(self, command: str, code: Any, said: str, error: BaseException | None, tell: Callable[[str], None]) -> None:
        self.codes[code] += 1
        if error is not None or "Traceback" in said:
            frames = traceback.extract_tb(error.__traceback__) if error else []
            where = next((f for f in reversed(frames) if "backprop_cli" in f.filename), None)
            at = f"{Path(where.filename).name}:{where.lineno}" if where else "?"
            what = f"{at}: {type(error).__name__}: {str(error)[:120]!r}  (bp {command})"
            self.tracebacks[what] += 1
            tell(what)
        if ESCAPES.search(said):
            self.escapes[f"bp {command}: {ESCAPES.search(said)!r}"] += 1


def fuzz(trials: int, seed: int, tell: Callable[[str], None] = print) -> Tally:
    tally = Tally()
    with folder() as base:
        made, trial = base / "made", base / "trial"
        os.environ |= {"BP_CACHE": str(trial / "cache"), "BP_RUNS": ".", "COLUMNS": "100"}
        trial.mkdir()
        prepare(trial)  # where every trial will be: absolute paths are in the cache
        shutil.copytree(trial, made)
        files = {each: commands for pattern, commands in FILES.items() for each in sorted(made.glob(pattern))}
        assert len({str(each) for each in files}) >= len(FILES)

        @settings(
            max_examples=trials,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.seed(seed)
        @given(st.data())
        def one(data: Any) -> None:
            shutil.rmtree(trial, ignore_errors=True)
            shutil.copytree(made, trial)
            path = data.draw(st.sampled_from(list(files)))
            command = data.draw(st.sampled_from(files[path].strip().splitlines()))
            change_file(data.draw, trial / path.relative_to(made))
            code, out, err, error = call(trial, command)
            tally.add(command, code, out + err, error, tell)
            if sum(tally.codes.values()) % 500 == 0:
                tell(f"{sum(tally.codes.values())}: {dict(tally.codes)}, {sum(tally.tracebacks.values())} tracebacks")

        one()
    return tally


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given_ = parser.parse_args()
    consent.keep_quiet()
    tally = fuzz(given_.trials, given_.seed, lambda text: print(text, flush=True))
    for found in (tally.tracebacks, tally.escapes):
        for what, count in found.most_common():
            print(f"{count} x {what}", file=sys.stderr)
    count, broke, escaped = (sum(each.values()) for each in (tally.codes, tally.tracebacks, tally.escapes))
    print(f"{count} commands {dict(tally.codes)}: {broke} tracebacks, {escaped} with escape sequences")
    assert broke == escaped == 0


if __name__ == "__main__":
    main()
