"""The result as Markdown, and what in it should not be."""

from __future__ import annotations

from typing import Any

from benchmarks import goals
from benchmarks.machine import QUIET

TOLERANCE = {"mlp": 0.02, "cnn": 0.04, "vgg": 0.25, "lstm": 0.12, "transformer": 0.05, "xor": 1.0}
TOLERANCE |= {"resnet": 1.0, "gru": 0.12}  # so few steps that the answers of a residual network mean nothing
NAMES = {
    "bp-numpy": "bp, NumPy kernels",
    "bp-compiled": "bp, compiled kernels",
    "gemm": "only the matrix products",
    "torch": "PyTorch, as people write it",
    "torch-best": "PyTorch, at its best",
    "torch-compile": "PyTorch, compiled",
    "jax": "JAX, an epoch in one scan",
    "keras-tf": "Keras + TensorFlow",
    "keras-jax": "Keras + JAX",
    "sklearn": "scikit-learn",
}


def markdown(result: dict[str, Any]) -> str:
    """Goals, what is missed first; then tables, and the machine they are from."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    parts = [
        f"Measured {machine['date']} by `python -m benchmarks`, {verdict(result)}",
        f"Machine: {machine['processor']}, {machine['cpus']} hardware threads, {machine['memory_gib']} GiB, "
        f"{machine['system']}; Python {machine['python']}, {versions}; {machine['kernels']}.",
        "## Goals",
        _table(
            ["work", "goal", "measured", ""],
            [[*row[:3], MET[row[3]]] for row in goals.rows(result)],
            "|---|---|---|---|",
        ),
        "## Steps",
        "Times are medians over rounds in which the peers took turns; a ratio is the median over rounds of the "
        "peer's time over bp's, so above 1 bp is faster.",
    ]
    for found in result["workloads"].values():
        parts += [f"### {found['title']}", _workload(found["peers"]), *_skipped(found)]
    if "epoch" in result:
        parts += ["### One epoch of MNIST, whole command: imports, data, training, results on disk"]
        parts += [_commands(result["epoch"]["peers"]), *_skipped(result["epoch"])]
    if "start" in result:
        parts += ["### Start", _commands(result["start"]["peers"]), *_skipped(result["start"])]
    if "sweep" in result:
        text = "100 trials of XOR, 1,000 epochs each, in two processes: bp sweep {bp:.1f} s, joblib {joblib:.1f} s."
        parts += ["### A sweep", text.format(**result["sweep"])]
    if "scaling" in result:
        head = ["examples", "s an epoch", "µs an example", "private MiB beyond them"]
        parts += ["### Examples in an epoch", _table(head, [_scaling(row) for row in result["scaling"]])]
    return "\n\n".join(parts) + "\n"


MET = {True: "met", False: "**missed**", None: "**missing**"}


def verdict(result: dict[str, Any]) -> str:
    """Whether the machine was quiet, as a sentence."""
    busiest = max((found.get("others", 0.0) for found in result["workloads"].values()), default=0.0)
    load = result["machine"]["load_average"][0]
    if busiest <= QUIET:
        return (
            f"on a quiet machine: other processes used at most {busiest:.2f} of a processor (load {load} at the start)."
        )
    return (
        f"**not on a quiet machine**: other processes used up to {busiest:.2f} processors at a time (load {load} at "
        "the start). Only ratios of rounds in turn mean something, and those less than on a quiet one."
    )


def _scaling(row: dict[str, Any]) -> list[str]:
    per_example = 1e6 * row["seconds"] / row["samples"]
    return [f"{row['samples']:,}", f"{row['seconds']:.2f}", f"{per_example:.1f}", f"{row['beyond_mib']:.0f}"]


def _workload(peers: dict[str, Any]) -> str:
    rows = []
    for name, each in peers.items():
        score = "" if each["accuracy"] is None else f"{100 * each['accuracy']:.1f} %"
        ratios = [f"{each['ratio'][ours]:.2f}" if ours in each["ratio"] else "" for ours in ("bp-numpy", "bp-compiled")]
        step = each["us_per_step"]
        rows.append(
            [
                NAMES[name],
                f"{step:,.0f}" if step >= 100 else f"{step:.1f}",
                f"{each['cpu_us_per_step']:,.0f}",
                *ratios,
                score,
                each["about"],
            ]
        )
    return _table(["", "µs a step", "CPU µs", "÷ bp NumPy", "÷ bp", "accuracy", "with"], rows)


def _commands(peers: dict[str, Any]) -> str:
    first = next(iter(peers.values()))
    rows = [
        [
            NAMES.get(name, name),
            f"{each['seconds']:.2f}",
            f"{each['seconds'] / first['seconds']:.2f}",
            f"{each['peak_mib']:.0f}",
            f"{each['peak_mib'] / first['peak_mib']:.2f}",
        ]
        for name, each in peers.items()
    ]
    return _table(["", "s", "÷ first", "peak MiB", "÷ first"], rows)


def _table(head: list[str], rows: list[list[str]], rule: str = "") -> str:
    rule = rule or f"|---|{'---:|' * (len(head) - 1)}"
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])


def _skipped(found: dict[str, Any]) -> list[str]:
    return [f"Left out: {'; '.join(found['skipped'])}."] if found["skipped"] else []


def disagreements(result: dict[str, Any]) -> list[str]:
    """Peers whose accuracy after the same number of epochs is not bp's."""
    from benchmarks.workloads import WORKLOADS

    lines = []
    for name, found in result["workloads"].items():
        ours = found["peers"].get("bp-numpy", {}).get("accuracy")
        for peer, each in found["peers"].items():
            apart = abs((each["accuracy"] or 0) - (ours or 0)) if each["accuracy"] is not None else 0.0
            if apart > TOLERANCE[WORKLOADS[name].family]:
                lines.append(f"{name}: {peer} reaches {each['accuracy']:.3f}, bp {ours:.3f}")
    return lines
