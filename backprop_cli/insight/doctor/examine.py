"""Why a network does not learn, and the edit of its config that makes it.

Evidence (a probe in memory, or what a run recorded) → signs → the edits are tried → verdicts. A trial is
the same training with the edit, for as many steps: most verdicts are only given if that ends better. After a
verdict the cured training is examined in turn, until no sign is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.commands.trained import config_of, learnt, load_run
from backprop_cli.errors import BpError, CheckpointError, ConfigError, ConsentError, DataError, Problem
from backprop_cli.insight.doctor.edits import Patient
from backprop_cli.insight.doctor.probe import Observed, examples, kernel_scales, look
from backprop_cli.insight.doctor.verdicts import Limits, Verdict, verdicts_on
from backprop_cli.model import build
from backprop_cli.runs.contents import DIAGNOSIS
from backprop_cli.runs.directory import DIAGNOSTICS, RunDirectory
from backprop_cli.runs.metrics_log import read

TREND = 5  # epochs from which on their losses are a curve


@dataclass
class Examination:
    """The result of an examination."""

    name: str
    steps: int
    layers: list[dict[str, Any]]
    verdicts: list[Verdict]
    notes: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether no disease was found."""
        return not self.verdicts


def examine_config(path: Path, overrides: tuple[str, ...] = (), limits: Limits | None = None) -> Examination:
    """Examine a config by training it for a moment, in memory. Raises ConfigError, DataError."""
    limits = limits or Limits()
    patient = Patient(path, overrides)
    evidence = limits.probe(patient)
    verdicts = list(verdicts_on(patient, evidence, evidence, limits))
    notes = [f"{evidence.steps} steps of training in memory; nothing was written"]
    if not verdicts and evidence.stuck and evidence.steps > 1:
        notes.append(
            f"the loss has not yet fallen below {evidence.end:.3g}, and nothing inside explains it; "
            "a longer look: --steps N --seconds S"
        )
    return Examination(evidence.config.name, evidence.steps, _layers(evidence), verdicts, notes)


def examine_run(run: RunDirectory, limits: Limits | None = None) -> Examination:
    """Examine a run by what it recorded and by its last weights. Raises ConfigError, ConsentError or DataError where it
    cannot be built again."""
    limits = limits or Limits()
    try:
        cfg = config_of(run)
        untrained = build.prepare(cfg, observe=True, initial=True, **learnt(run), **limits.options)
    except (ConfigError, ConsentError, DataError) as error:
        raise _gone(run, error) from None
    patient = Patient(run.config, (), "fallback" in run.info.get("dataset", {}), tuple(run.plugin_copies()))
    notes: list[str] = []
    baseline: Observed | None = None
    rows = list(read(run.path / DIAGNOSTICS, DIAGNOSIS))
    if not rows:
        baseline = limits.probe(patient)
        rows = baseline.rows
        notes.append(
            f"the run has no {DIAGNOSTICS} (trainer.diagnostics: true records it); "
            f"its first {baseline.steps} steps were repeated in memory instead"
        )
    evidence = _recorded(run, untrained, rows, notes)
    verdicts = list(verdicts_on(patient, evidence, baseline, limits))
    return Examination(run.id, evidence.steps, _layers(evidence), verdicts, notes)


def _said_already(message: str) -> None:
    """Swallow warnings that loading the run's config gave already."""


def _recorded(run: RunDirectory, untrained: build.Prepared, rows: list[dict[str, Any]], notes: list[str]) -> Observed:
    """The evidence that a run recorded; what is missing is said in `notes`."""
    cfg, network = untrained.config, untrained.network
    x, y = examples(untrained)
    first, kernels = look(network, x), kernel_scales(network, cfg.parameters)
    try:
        network = load_run(run, "last", warn=_said_already, observe=True)[0].network
    except CheckpointError as error:
        notes.append(f"no weights to look at: {error}")
    epochs = list(read(run.metrics))
    measured = [row for row in rows if "nonfinite" not in row]
    losses = [row["train/loss"] for row in epochs if row.get("train/loss") is not None]
    if len(losses) < TREND:
        notes.append(f"{len(epochs)} epoch{'s' * (len(epochs) != 1)} recorded: too few to see a trend in")
        losses = [row["loss"] for row in measured if row.get("loss") is not None] or losses
    return Observed(
        cfg,
        network,
        measured,
        losses,
        epochs,
        first,
        look(network, x),
        x,
        y,
        kernels,
        cfg.loss.chance(y),
        epochs[-1]["step"] if epochs else 0,
        run.status == "completed",
        run.info.get("reason") if run.status == "diverged" else None,
        next((row["nonfinite"] for row in rows if "nonfinite" in row), {}),
    )


def _gone(run: RunDirectory, error: ConfigError | ConsentError | DataError) -> BpError:
    """The error, with what is still possible."""
    left = f"the run cannot be built again; what it recorded is in {run.metrics} and {run.path / DIAGNOSTICS}"
    if isinstance(error, ConfigError):
        return ConfigError([*error.problems, Problem(str(run.config), None, None, "", left)])
    return type(error)(f"{error}\n{left}")


def _layers(evidence: Observed) -> list[dict[str, Any]]:
    """A row for each layer: medians over the steps, outputs at the end."""
    over = {key: evidence.typical(key) for key in ("gradient_norm", "weight_norm", "gradient_ratio", "update_ratio")}
    rows = []
    for node in evidence.network.nodes:
        row: dict[str, Any] = {"name": node.name, "type": node.layer.type_name}
        row |= {key: by_layer.get(node.name) for key, by_layer in over.items()}
        seen = evidence.last.get(node.name, {})
        row |= {key: seen.get(key) for key in ("dead", "saturated", "mean", "std")}
        rows.append(row)
    return rows


def as_json(examination: Examination) -> dict[str, Any]:
    """What `bp doctor --json` prints."""
    return {
        "name": examination.name,
        "steps": examination.steps,
        "healthy": examination.healthy,
        "verdicts": [
            {
                "disease": verdict.disease,
                "layer": verdict.layer,
                "sentence": verdict.sentence,
                "evidence": _plain(verdict.evidence),
                "edit": {"set": list(verdict.edit.set), "yaml": verdict.yaml} if verdict.edit else None,
                "tried": vars(verdict.tried) if verdict.tried else None,
            }
            for verdict in examination.verdicts
        ],
        "layers": examination.layers,
        "notes": examination.notes,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    return value.item() if isinstance(value, np.generic) else value
