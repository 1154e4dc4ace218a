"""`python -m benchmarks`: everything side by side, as a Markdown table and JSON.

python -m benchmarks                          all of it, some ten minutes
python -m benchmarks --quick                  fewer rounds and peers, under three minutes
python -m benchmarks --workload mlp-32 --peers torch,jax
python -m benchmarks -o result                writes result.md and result.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import commands, driver, machine, report, scaling
from benchmarks.workloads import ALL, WORKLOADS

OTHERS = ("start", "epoch", "scaling")
QUICK = ("mlp-32", "cnn", "lstm", "xor", "epoch")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (*WORKLOADS, *OTHERS)
    parser.add_argument("--workload", action="append", choices=names, help="one of them; may be given several times")
    parser.add_argument("--peers", default=",".join(ALL), help=f"with commas between, of {','.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="three rounds of the most important workloads")
    parser.add_argument("-o", "--output", type=Path, help="write FILE.md and FILE.json")
    given = parser.parse_args()
    peers = given.peers.split(",")
    unknown = set(peers) - set(ALL)
    if unknown:
        parser.error(f"unknown peers {', '.join(sorted(unknown))}; expected some of {', '.join(ALL)}")
    if given.quick and given.peers == ",".join(ALL):
        peers = [peer for peer in peers if peer not in ("keras-jax", "sklearn")]
    chosen = given.workload or (QUICK if given.quick else names)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    result: dict[str, Any] = {"machine": machine.describe(), "workloads": {}}
    rounds, budget = (3, 4.0) if given.quick else (9, 12.0)
    for name in chosen:
        if name in WORKLOADS:
            result["workloads"][name] = driver.run(name, peers, rounds=rounds, budget=budget, say=say)
        elif name == "scaling":
            result["scaling"] = scaling.run(say)
        else:
            result[name] = getattr(commands, name)(peers, 1 if given.quick else 3, say)
    text = report.markdown(result)
    print(text)
    if given.output:
        given.output.with_suffix(".md").write_text(text, encoding="utf-8")
        given.output.with_suffix(".json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    wrong = report.disagreements(result)
    for line in wrong:
        say(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
