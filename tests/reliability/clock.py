"""The clock goes back an hour in the middle of a run: the same bits, and `latest` is what the runs say.

    python -m tests.reliability.clock

Needs a C compiler: the clock of a process is set by a library put before the C library's (LD_PRELOAD), so that the
real `bp`, started afresh, is what runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

from backprop_cli.runs.finding import find_run
from tests.conftest import ROOT
from tests.reliability.compare import EVERYTHING, differences, outcome
from tests.reliability.harness import folder, unbroken

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
/* An hour back as soon as the file named by BACK is there. */
static long shift(void) { struct stat s; const char *f = getenv("BACK"); return f && !stat(f, &s) ? 3600 : 0; }
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, t);
    if (id == CLOCK_REALTIME) t->tv_sec -= shift();
    return result;
}
time_t time(time_t *out) {
    struct timespec t; clock_gettime(CLOCK_REALTIME, &t); if (out) *out = t.tv_sec; return t.tv_sec;
}
int gettimeofday(struct timeval *v, void *z) {
    struct timespec t; clock_gettime(CLOCK_REALTIME, &t); v->tv_sec = t.tv_sec; v->tv_usec = t.tv_nsec / 1000; return 0;
}
"""
SETTINGS = ("trainer.epochs=40", "trainer.early_stopping.patience=40", "trainer.checkpoint.every_steps=5")


def main() -> None:
    expected = unbroken(*SETTINGS)
    with folder() as path:
        (path / "shim.c").write_text(SHIM)
        command = ["cc", "-shared", "-fPIC", "-o", str(path / "shim.so"), str(path / "shim.c"), "-ldl"]
        subprocess.run(command, check=True)
        env = os.environ | {"LD_PRELOAD": str(path / "shim.so"), "BACK": str(path / "back"), "PYTHONPATH": str(ROOT)}
        bp = [sys.executable, "-m", "backprop_cli", "train", "--quiet", "--runs", str(path / "runs")]
        train = [*bp, str(EVERYTHING), *[word for each in SETTINGS for word in ("--set", each)]]
        with subprocess.Popen(train, env=env) as process:  # the clock goes back while it trains
            while not list(path.glob("runs/*/checkpoints/last.safetensors")):
                time.sleep(0.001)
            (path / "back").touch()
            assert process.wait() == 0
        first = find_run("latest", path / "runs")
        ended, started = first.info["ended"], first.info["started"]
        assert ended < started, "the clock did not go back"
        subprocess.run([*bp, "--resume", str(first.path)], env=env, check=True, capture_output=True)
        assert not differences(outcome(first.path), expected)
        (path / "back").unlink()
        subprocess.run(train, env=env, check=True)  # the later run, at the later hour
        second = find_run("latest", path / "runs")
        assert second.path != first.path
        os.utime(first.path / "run.json")  # the older one has the newer files
        os.utime(first.path)
        assert find_run("latest", path / "runs").path == second.path
        shutil.copytree(second.path, path / "runs" / "copy")  # `latest` does not depend on how a run got here
        assert find_run("latest", path / "runs").started == second.started
        assert not differences(outcome(second.path), expected)
    print(f"started {started}, ended {ended}: identical weights and rows; latest is the run that says it started last")


if __name__ == "__main__":
    main()
