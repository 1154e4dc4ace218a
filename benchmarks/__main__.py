"""`python -m benchmarks`: everything side by side, as a Markdown table and JSON.

python -m benchmarks                          all of it, some fifteen minutes
python -m benchmarks --quick                  fewer rounds and peers, under three minutes
python -m benchmarks --workload mlp-32 --peers torch,jax
python -m benchmarks -o result                writes result.md and result.json
python -m benchmarks --docs result.json       puts the tables of a result into docs/benchmarks.md

It says whether the machine was quiet: how much of the processors others used while it measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from backprop_cli.engine.kernels import described
from backprop_cli.engine.kernels.compiled.build import LIBRARY
from benchmarks import commands, driver, everyday, machine, report, scaling
from benchmarks.workloads import ALL, ROOT, WORKLOADS

OTHERS = ("train", "sweep", "beside", "start", "epoch", "scaling")
BEGIN, END = "<!-- made by python -m benchmarks -->\n", "<!-- end -->\n"
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
    parser.add_argument("--docs", type=Path, metavar="FILE.json", help="measure nothing; write docs/benchmarks.md")
    given = parser.parse_args()
    if given.docs:
        put_into_docs(json.loads(given.docs.read_text(encoding="utf-8")))
        return 0
    peers = given.peers.split(",")
    unknown = set(peers) - set(ALL)
    if unknown:
        parser.error(f"unknown peers {', '.join(sorted(unknown))}; expected some of {', '.join(ALL)}")
    if given.quick and given.peers == ",".join(ALL):
        peers = [peer for peer in peers if peer not in ("keras-jax", "sklearn", "torch-compile")]
    chosen = given.workload or (QUICK if given.quick else names)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    result: dict[str, Any] = {"machine": machine.describe() | {"kernels": described()}, "workloads": {}}
    result["library_mb"] = LIBRARY.stat().st_size / 1e6
    rounds, budget = (3, 3.0) if given.quick else (13, 4.0)  # many, as a machine may be slow for some of them
    for name in chosen:
        if name in WORKLOADS:
            result["workloads"][name] = driver.run(name, peers, rounds=rounds, budget=budget, say=say)
        elif name == "scaling":
            result["scaling"] = scaling.run(say)
        elif name == "beside":
            result["busy"] = everyday.beside(rounds, say)
        elif name in ("train", "sweep"):
            result[name] = getattr(everyday, name)(1 if name == "sweep" else rounds, say)
        else:
            result[name] = getattr(commands, name)(peers, 1 if given.quick else 3, say)
        keep(result, given.output)
    print(report.markdown(result))
    wrong = report.disagreements(result)
    for line in wrong:
        say(line)
    return 1 if wrong else 0


def keep(result: dict[str, Any], output: Path | None) -> None:
    """Write what there is by now, where a file was asked for."""
    if output is not None:
        output.with_suffix(".md").write_text(report.markdown(result), encoding="utf-8")
        output.with_suffix(".json").write_text(json.dumps(result, indent=1), encoding="utf-8")


def put_into_docs(result: dict[str, Any], path: Path = ROOT / "docs" / "benchmarks.md") -> None:
    """Write the tables of a result where docs/benchmarks.md has them."""
    text = path.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    path.write_text(f"{before}\n{report.markdown(result)}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
