"""A sweep on Dask's workers, which are killed at random moments. Every other worker does not see the sweep's folder.

    python -m tests.reliability.workers_lost [--trials 50]

The number is that of the kills, in a sweep of 20 trainings. Needs the extra `cluster`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.clusters import Cluster
from tests.reliability.compare import EVERYTHING, differences, outcome
from tests.reliability.harness import bp, folder, trials

SWEEP = ["sweep", str(EVERYTHING), "--set", "seed=0..19", "--set", "trainer.epochs=1200", "--quiet"]
SWEEP += ["--set", "trainer.early_stopping.patience=1200"]
WORKERS = 3
JOINED = (0.0, 4.0)  # seconds that a worker lives after it has begun with a trial
LIMIT = 3000.0


def begun(sweep: Path) -> bool:
    """Whether a trial is running or has run."""
    return any(sweep.glob("*/run.json"))


def main() -> None:
    kills, chance = trials(50), random.Random(0)
    with folder() as base:
        code, said = bp(base, *SWEEP, "--name", "undisturbed")
        assert code == 0, said
        with Cluster(base / "cluster") as cluster:
            sweep = base / "runs" / "disturbed"
            command = [sys.executable, "-m", "backprop_cli", *SWEEP, "--name", sweep.name]
            process = subprocess.Popen(
                [*command, "--on", f"dask://{cluster.address}"], cwd=base, stdout=-1, stderr=-1, text=True
            )
            started, killed, deadline = 0, 0, time.monotonic() + LIMIT
            while process.poll() is None and time.monotonic() < deadline:
                while len(cluster.workers) < WORKERS:
                    cluster.worker(hidden=[base / "runs"] if started % 2 else [])
                    started += 1
                time.sleep(chance.uniform(*JOINED) if killed < kills else 0.5)
                if killed < kills and begun(sweep):
                    cluster.kill(chance.choice(cluster.workers))
                    killed += 1
            _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        runs = sorted((base / "runs/undisturbed").glob("*/run.json"))
        same = sum(not differences(outcome(run.parent), outcome(sweep / run.parent.name)) for run in runs)
        infos = [json.loads((sweep / run.parent.name / "run.json").read_text()) for run in runs]
        resumed = sum(info["resumed_from"] is not None for info in infos)
        complete = sum(info["status"] == "completed" for info in infos)
        print(
            f"{killed} workers killed in a sweep of {len(runs)}: {complete} complete, {same} identical, "
            f"{resumed} of them went on from a checkpoint on another worker"
        )
        assert killed == kills
        assert complete == same == len(runs)


if __name__ == "__main__":
    main()
