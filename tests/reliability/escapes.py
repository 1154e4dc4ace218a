"""Control characters, escape sequences and changes of direction in every field of a run, given to every command.

    python -m tests.reliability.escapes [--trials 60]

Each of TRIALS commands, in this process, gets runs that carry them in the names of directory, run, dataset, classes,
columns, layers, metrics and plugins, in messages, and in data. None may reach the terminal or a file that is written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np

from backprop_cli.untrusted import consent
from tests.reliability.harness import folder, trials
from tests.reliability.typed import OF_CHECKPOINT, OF_DIAGNOSTICS, OF_METRICS, OF_RUN, call

EVIL = "\x1b]0;PWNED\x07\x1b[31m\u202e\u2066\x9b2J\r"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CONFIG = """
name: mine
dataset: {source: files, path: table.csv, target: kind, splits: {train: "60%", validation: "40%"}}
architecture: [{type: dense, units: 4, name: first}, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 2, metrics: [accuracy], diagnostics: true}
"""
NAME = EVIL.replace("\r", "")  # of a directory
OTHERS = """
data info table.csv
data info mine/config.yaml
check mine/config.yaml
config show mine/config.yaml
config show mine/config.yaml --origin
config show mine/config.yaml --json
check stranger/config.yaml
runs show stranger
runs compare mine stranger
train --resume stranger
eval stranger
eval {evil}
doctor {evil} --steps 5
plot {evil} -o p.svg
plot {evil} --kind network -o p.svg
report {evil} -o r.html
export {evil} --to numpy -o m.npz
runs pack {evil}
runs rm {evil}
train --resume {evil} --epochs 3
train mine/config.yaml --run-dir new
train mine/config.yaml --run-dir new --dry-run
sweep mine/config.yaml --set seed=1,2 --runs sweeps
predict mine table.csv
predict mine table.csv --json
eval mine --split {evil}
runs show {evil}
runs ls --columns {evil}
runs ls --where {evil}=1
runs ls --runs {evil}
runs compare mine {evil}
runs summary {evil}
runs unpack {evil}.zip
runs unpack r.zip --name {evil}
plot mine --kind {evil}
plot mine --kind data -o p.svg
plot mine --metric {evil}
train {evil}.yaml
trace mine -o t.html
profile mine/config.yaml
gradcheck mine/config.yaml
lesson show {evil}
layers {evil}
--{evil}
{evil}
"""


def prepare(path: Path) -> None:
    """A run of a table whose columns and classes are evil; then every name and message that can be changed."""
    rng = np.random.default_rng(0)
    rows = [f'{rng.normal():.3f},{rng.normal():.3f},"{"ab"[i % 2]}{EVIL}"' for i in range(40)]
    (path / "table.csv").write_text("\n".join([f'x,"y{EVIL}",kind', *rows]) + "\n", newline="")
    (path / "c.yaml").write_text(CONFIG)
    code, _, said, error = call(path, "train c.yaml --run-dir mine --quiet")
    assert code == 0, f"{said} {error!r}"
    run = path / "mine"
    info = json.loads((run / "run.json").read_text())
    for key in ("name", "reason", "kernels", "started"):
        info[key] = f"{key}{EVIL}"
    info["dataset"] |= {"name": EVIL, "source": EVIL, "sizes": {EVIL: 3}, EVIL: EVIL}
    info |= {"command": [EVIL], "host": {EVIL: EVIL}, EVIL: EVIL, "status": "failed"}
    info["versions"] = {"python": EVIL, EVIL: "1"}
    info["metrics"] |= {f"train/{EVIL}": 1.0}
    info["best"] |= {f"validation/{EVIL}": 1.0}
    (run / "run.json").write_text(json.dumps(info))
    for name in ("metrics.jsonl", "diagnostics.jsonl"):
        rows = [json.loads(line) for line in (run / name).read_text().splitlines()]
        for row in rows:
            row |= {f"train/{EVIL}": 0.5, f"validation/{EVIL}": 0.5} if name == "metrics.jsonl" else {}
            if "layers" in row:
                row["layers"][EVIL] = row["layers"]["first"]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (run / name).write_text(text + json.dumps({"epoch": EVIL}) + "\n")
    shutil.copytree(run, path / "other")
    shutil.copytree(run, path / NAME)
    shutil.copytree(run, path / "stranger")  # whose config and plugins are evil, too
    run = path / "stranger"
    (run / "config.yaml").write_text(
        (run / "config.yaml").read_text().replace("name: mine", f"name: {json.dumps(EVIL)}")
    )
    (run / "plugins" / f"{NAME}.py").write_text("x = 1\n")


def main() -> None:
    consent.keep_quiet()
    commands = "".join([OF_RUN, OF_METRICS, OF_DIAGNOSTICS, OF_CHECKPOINT, OTHERS]).replace(" input.npy", " table.csv")
    chosen = list(dict.fromkeys(each for each in commands.splitlines() if each))
    count, bad = min(len(chosen), trials(len(chosen))), []
    with folder() as base:
        os.environ |= {"BP_CACHE": str(base / "cache"), "BP_RUNS": ".", "COLUMNS": "100"}
        (base / "made").mkdir()
        prepare(base / "made")
        for command in chosen[:: len(chosen) // count]:
            path = base / "trial"
            shutil.copytree(base / "made", path)
            before = set(path.rglob("*"))
            code, out, err, error = call(path, command, lambda word: word.replace("{evil}", NAME))
            wrong = [("terminal", found) for found in UNSEEN.findall(out + err)]
            for each in path.rglob("*.*"):
                if each not in before and each.suffix in (".html", ".svg", ".csv"):
                    wrong += [(each.name, found) for found in UNSEEN.findall(each.read_text("utf-8", errors="replace"))]
            if wrong or error is not None:
                bad.append(f"bp {command}: {code}: {wrong[:4]} {error!r} {err[-300:]!r}")
                print(bad[-1], flush=True)
            shutil.rmtree(path)
    print(f"{count} commands on runs full of escape sequences: {len(bad)} let one through or broke")
    assert not bad


if __name__ == "__main__":
    main()
