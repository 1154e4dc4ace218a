"""Every loss with every last layer, kind of target and metric: refused in words, or right.

What is refused is refused as a ConfigError, never a traceback. What is taken is trained for an epoch, and every metric
is held against its textbook definition, worked out here from outputs, logits and the targets of the file alone.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.commands.answers import Csv, document
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.predict import predict
from backprop_cli.commands.train import train
from backprop_cli.commands.trained import load
from backprop_cli.data.loading import load_dataset
from backprop_cli.engine.metrics.base import tell
from backprop_cli.errors import BuildError, ConfigError
from backprop_cli.insight.report.report import report
from backprop_cli.insight.view import View
from backprop_cli.registry import classes, make, options
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.passes import evaluate

N = 24
VALUES = ("mse", "mae", "r2", "rmse", "mape", "median_absolute_error", "explained_variance", "pinball_0.9")
RANKED = ("auc", "average_precision")
WHOLE = ("balanced_accuracy", "mcc", "kappa", "kappa_linear", "kappa_quadratic")  # of the confusion matrix
ANSWERS = ("accuracy", "f1", "f1_macro", "precision", "recall", *RANKED)
LIKELY = ("perplexity", "log_loss", "brier")  # of probabilities
RATES_CLASSES = ("categorical", "ranked_probability")
VALUE_LOSSES = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "poisson", "cosine_similarity")
RANGES = {  # of the activations, worked out by hand; the others reach every number
    "elu": (-1, math.inf), "gelu": (-0.17, math.inf), "hard_sigmoid": (0, 1), "hard_swish": (-0.375, math.inf),
    "log_softmax": (-math.inf, 0), "mish": (-0.309, math.inf), "relu": (0, math.inf), "selu": (-1.7581, math.inf),
    "sigmoid": (0, 1), "silu": (-0.279, math.inf), "softmax": (0, 1), "softplus": (0, math.inf),
    "softsign": (-1, 1), "tanh": (-1, 1),
}  # fmt: skip
METRICS: dict[str, Any] = {name: name for name in (*VALUES, *ANSWERS, *WHOLE, *LIKELY) if name in classes("metric")}
METRICS |= {
    "f1_macro": {"type": "f1", "average": "macro"},
    "f1_binary": {"type": "f1", "average": "binary"},
    "kappa_linear": {"type": "kappa", "weights": "linear"},
    "kappa_quadratic": {"type": "kappa", "weights": "quadratic"},
    "pinball_0.9": {"type": "pinball", "alpha": 0.9},
    "top_2": {"type": "top_k", "k": 2},
    "top_5": "top_k",
}
UNITS = (1, 2, 3)
EPS = 2.0**-52  # how far scikit-learn keeps probabilities from 0 and 1


def kinds() -> dict[str, Any]:
    """Targets as a file has them, by what one would call them."""
    rng = np.random.default_rng(3)
    ids = rng.permutation(np.arange(N) % 3)
    yes = (rng.random((N, 1)) < 0.4).astype(float)
    many = (rng.random((N, 3)) < 0.4).astype(float)
    many[:2] = [[1, 1, 0], [0, 0, 0]]  # so that they are no one-hot rows
    return {
        "three classes": ids,
        "two classes": ids % 2,
        "classes per step": rng.permutation(np.arange(2 * N) % 3).reshape(N, 2),
        "one-hot rows": np.eye(3)[ids],
        "distributions": rng.dirichlet(np.ones(3), N),
        "yes or no": yes,
        "signs": 2 * yes - 1,
        "several yes or no": many,
        "prices": rng.normal(200_000, 40_000, (N, 1)),
        "counts": rng.poisson(3.0, (N, 1)).astype(float),
        "shares": rng.uniform(0.1, 0.9, (N, 1)),
        "equal values": np.full((N, 1), 0.1),
        "two values": rng.normal(0, 3, (N, 2)),
    }


KINDS = kinds()


def meaning(kind: str, loss: str, units: int) -> str | None:
    """What outputs say beside such targets under this loss, decided by hand; None where they can say nothing."""
    family, y = loss.removesuffix(" of logits"), KINDS[kind]
    if family == "contrastive":  # one distance, between two of one kind or not
        return "binary" if units == 1 and kind in ("two classes", "yes or no") else None
    if family == "combined":  # of several outputs: see test_several_outputs
        return None
    if kind in ("three classes", "two classes", "classes per step"):
        count = 2 if kind == "two classes" else 3
        if family.startswith(RATES_CLASSES) or (family.endswith("hinge") and units > 1):
            return "classes" if units == count else None
        if units == 1 and kind == "two classes" and (family.startswith("binary") or family.endswith("hinge")):
            return "binary"
        whole = family in VALUE_LOSSES and family != "cosine_similarity"
        return "values" if kind == "classes per step" and units == 1 and whole else None  # whole numbers for each step
    if units != y.shape[1]:
        return None
    if family.startswith((*RATES_CLASSES, "kl_divergence")):
        return "classes" if kind in ("one-hot rows", "distributions") else None
    if family.endswith("hinge"):
        known = {"one-hot rows": "labels", "several yes or no": "labels", "yes or no": "binary", "signs": "binary"}
        return known.get(kind)
    if family.startswith("binary"):
        known = {"one-hot rows": "labels", "several yes or no": "labels", "yes or no": "binary"}
        return known.get(kind, "values" if y.min() >= 0 and y.max() <= 1 else None)
    if (family == "cosine_similarity" and units == 1) or (family == "poisson" and y.min() < 0):
        return None
    known = {"one-hot rows": "classes", "several yes or no": "labels", "yes or no": "binary", "signs": "binary"}
    return known.get(kind, "values")


def can_say(kind: str, loss: str, last: str, units: int, means: str) -> bool:
    """Whether the last activation lets outputs say that."""
    low, high = RANGES.get(last, (-math.inf, math.inf))
    if units == 1 and last in ("softmax", "log_softmax"):
        return False
    if means == "labels" and last == "softmax":
        return False
    if loss.endswith("of logits"):
        return low == -math.inf and high == math.inf
    if loss.startswith((*RATES_CLASSES, "kl_divergence")):
        return last == "softmax"
    if loss.startswith("binary"):
        return low >= 0 and high <= 1
    if loss.endswith("hinge"):
        return low <= -1 and high >= 1
    if loss == "contrastive":
        return low >= 0
    if loss == "poisson" and low < 0:
        return False
    return loss == "cosine_similarity" or bool(low <= KINDS[kind].min() and high >= KINDS[kind].max())


def measurable(means: str, loss: str, last: str, units: int) -> set[str]:
    """The metrics that measure something there."""
    names = set(VALUES) if means == "values" or loss in VALUE_LOSSES else set()
    if means == "values":
        return names
    names |= {*ANSWERS, *(() if means == "labels" else WHOLE)}
    if means == "binary" or (means == "classes" and units == 2):
        names |= {"f1_binary"}
    if means == "classes" and units == 3:
        names |= {"top_2"}
    probabilities = loss.endswith("of logits") or RANGES.get(last, (-1, 2)) == (0, 1)
    return names | (set(LIKELY) if means != "labels" and probabilities else set())


def test_no_metric_and_no_kind_of_reading_is_left_out() -> None:
    assert {make("metric", spec).type_name for spec in METRICS.values()} | {"of_output"} == set(classes("metric"))
    assert set(RANGES) <= set(classes("activation"))


def base(folder: Path, kind: str) -> Any:
    x = np.random.default_rng(0).normal(size=(N, 2, 2) if kind == "classes per step" else (N, 2))
    np.savez(folder / "d.npz", x=x, y=KINDS[kind])
    plain = {
        "dataset": {"source": "files", "path": str(folder / "d.npz"), "splits": {"train": "100%"}},
        "architecture": [{"type": "dense", "units": 1}],
        "loss": "mse",
        "dtype": "float64",
        "optimizer": {"type": "sgd", "learning_rate": 1e-3},
        "trainer": {"epochs": 1, "batch_size": 7, "diagnostics": False},
    }
    return load_config(plain)


def losses() -> list[tuple[str, Any]]:
    of_logits = [name for name in classes("loss") if "from_logits" in options(classes("loss")[name])]
    return [(name, name) for name in classes("loss")] + [
        (f"{name} of logits", {"type": name, "from_logits": True}) for name in of_logits
    ]


COMMON = ("three classes", "yes or no", "several yes or no", "prices", "two values")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in COMMON else [pytest.mark.long]) for kind in KINDS]
)
def test_every_pairing_is_refused_in_words_or_right(tmp_path: Path, kind: str) -> None:
    cfg = base(tmp_path, kind)
    dataset = load_dataset(cfg.dataset, cfg.seed, cfg.folder)  # once: it knows nothing of losses and layers
    taken, expected = [], []
    for (name, loss), last, units in itertools.product(losses(), classes("activation"), UNITS):
        means = meaning(kind, name, units)
        if means is not None and can_say(kind, name, last, units, means):
            expected.append((name, last, units))
        layer = {"type": "dense", "units": units, "activation": last}
        trainer = replace(cfg.trainer, metrics=[])
        tried = replace(cfg, architecture=make("layer", [layer]), loss=make("loss", loss), trainer=trainer)
        try:
            prepared = build.prepare(tried, dataset=dataset)
        except ConfigError:
            continue
        taken.append((name, last, units))
        prepared.config.trainer.metrics[:] = check_metrics(prepared, name, last, units, str(means))
        build.training(prepared)[0].run()  # as `bp train` does
    assert taken == expected


REPORTED = ("three classes", "yes or no", "several yes or no", "two values")  # one kind for each meaning
PREFERRED = ("softmax", "sigmoid", "linear", "tanh", "softplus")


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_reads_every_meaning_alike(tmp_path: Path, kind: str) -> None:
    """One loss for each meaning that targets can have: trained, then told by eval, predict and report."""
    base(tmp_path, kind)
    np.save(tmp_path / "x.npy", np.load(tmp_path / "d.npz")["x"])
    tried = set()
    for (name, loss), units in itertools.product(losses(), UNITS):
        means = meaning(kind, name, units)
        last = next((each for each in PREFERRED if means and can_say(kind, name, each, units, means)), None)
        if means is None or last is None or (means, units, last == "linear") in tried:
            continue
        tried.add((means, units, last == "linear"))
        metrics = [METRICS[key] for key in sorted(measurable(means, name, last, units))]
        plain = {
            "dataset": {"source": "files", "path": str(tmp_path / "d.npz"), "splits": {"train": "100%"}},
            "architecture": [{"type": "dense", "units": units, "activation": last}],
            "loss": loss,
            "dtype": "float64",
            "trainer": {"epochs": 1, "batch_size": 7, "metrics": metrics, "diagnostics": False},
        }
        run = RunDirectory(Path(train(plain, run_dir=tmp_path / f"run{len(tried)}")["run_dir"]))
        found = evaluate_run(run, "train", resamples=20)  # intervals take their time
        model = load(run.path)
        said = document(model, predict(model, [tmp_path / "x.npy"]))
        text = "".join(map(Csv(), predict(model, [tmp_path / "x.npy"])))
        page = report([View(run)]) if kind in REPORTED and len(tried) == 1 else ""  # it draws, which takes its time
        assert len(said["predictions"]) == N and len(text.splitlines()) == N + 1
        assert "Traceback" not in page and "could not be" not in page
        assert bool(found["confusion_matrix"]) == (means in ("classes", "binary"))
        truth = KINDS[kind].argmax(axis=-1) if means == "classes" and KINDS[kind].shape[1:] == (units,) else KINDS[kind]
        answers = np.array(said["predictions"], dtype=object)
        if means in ("classes", "binary"):
            names = np.array(found["classes"])
            right = names[(np.squeeze(truth) > 0).astype(int) if means == "binary" else np.squeeze(truth)]
            assert float((answers == right).mean()) == pytest.approx(found["metrics"]["accuracy"])
            assert np.sum(found["confusion_matrix"]) == right.size
        elif means == "values":
            gaps = np.abs(answers.astype(float).reshape(N, -1) - KINDS[kind].reshape(N, -1))
            assert gaps.mean() == pytest.approx(found["metrics"]["mae"])
        else:
            chosen = [[f"y{k + 1}" in each for k in range(units)] for each in said["predictions"]]
            assert (np.array(chosen) == KINDS[kind]).mean() == pytest.approx(found["metrics"]["accuracy"])
    assert tried


def check_metrics(prepared: Any, loss: str, last: str, units: int, means: str) -> list[Any]:
    """Every metric is refused by name, or has the textbook's value over batches of which one is short. Gives these."""
    metrics, shapes = [], (prepared.network.output_shape, prepared.batches("train").target_shape)
    for key, spec in METRICS.items():
        metric = make("metric", spec)
        words = refusal(metric, *shapes, prepared.reading)
        assert words is None or f"the metric {metric.type_name}" in words
        if words is None:
            assert metric.key == key
            metrics.append(metric)
    assert {metric.key for metric in metrics} == measurable(means, loss, last, units), (loss, last, units)
    network, batches = prepared.network, prepared.batches("train")
    tell(metrics, prepared.reading, network.gives_logits)
    with np.errstate(all="raise", under="ignore"):
        values = evaluate(network, batches.epoch(0), metrics)
    assert math.isfinite(values.pop("loss"))
    y, z, t = outputs(network, batches)
    for key, value in values.items():
        right = textbook(key, means, y, z if network.gives_logits or loss.endswith("of logits") else None, t, loss)
        assert value == pytest.approx(right, rel=1e-6, abs=1e-9, nan_ok=True), (loss, last, units, key)
    return metrics


def refusal(metric: Any, *pairing: Any) -> str | None:
    """Why a metric cannot measure this; None if it can."""
    try:
        metric.check(*pairing)
    except BuildError as error:
        return str(error)
    return None


def outputs(network: Any, batches: Any) -> tuple[Any, Any, Any]:
    """Outputs, logits and targets of all rows, as rows."""
    y, z, t = [], [], []
    for x, target in batches.epoch(0):
        y.append(network.forward(x).reshape(-1, network.output_shape[-1]))
        z.append(network.logits.copy().reshape(y[-1].shape))
        t.append(target.copy())
    t = np.concatenate(t)
    y, z = np.concatenate(y), np.concatenate(z)
    return y.astype(np.longdouble), z.astype(np.longdouble), t.reshape(len(y), -1)


def textbook(key: str, means: str, y: Any, z: Any, t: Any, loss: str) -> float:
    """The value of a metric by its definition, from all rows at once. z are logits, None where there are none."""
    if key == "mse":
        return float(((y - t) ** 2).mean())
    if key == "mae":
        return float(np.abs(y - t).mean())
    if key == "r2":
        return float(np.mean([r2(y[:, k], t[:, k]) for k in range(y.shape[1])]))
    if key == "rmse":
        return float(np.mean(np.sqrt(((y - t) ** 2).mean(axis=0))))
    if key == "mape":
        return float((np.abs(y - t) / np.maximum(np.abs(t), 2.0**-52)).mean())
    if key == "median_absolute_error":
        return float(np.median(np.abs(y - t), axis=0).mean())
    if key == "explained_variance":
        return float(np.mean([r2(y[:, k] + (t - y)[:, k].mean(), t[:, k]) for k in range(y.shape[1])]))
    if key == "pinball_0.9":
        return float(np.where(t > y, 0.9 * (t - y), 0.1 * (y - t)).mean())
    if means == "classes":
        truth = t[:, 0].astype(int) if t.shape != y.shape else t.argmax(axis=1)
        answer = y.argmax(axis=1)
        if key == "accuracy":
            return float((answer == truth).mean())
        if key == "top_2":
            return float(np.mean([(row > row[i]).sum() < 2 for row, i in zip(y, truth, strict=True)]))
        if key == "perplexity":
            shares = t if t.shape == y.shape else np.eye(y.shape[1])[truth]
            return perplexity(np.log(y) if z is None else z - logsumexp(z), shares)
        if key in WHOLE:
            return of_matrix(key, confusion(answer, truth, y.shape[1]))
        if key in ("log_loss", "brier"):
            shares = t if t.shape == y.shape else np.eye(y.shape[1])[truth]
            return likely(key, y if z is None else np.exp(z - logsumexp(z)), z, shares)
        if key in RANKED:
            scores = (
                y
                if z is None
                else np.stack([z[:, k] - logsumexp(np.delete(z, k, 1))[:, 0] for k in range(z.shape[1])], 1)
            )
            questions = [1] if y.shape[1] == 2 else range(y.shape[1])
            return mean_known([ranked(key, scores[:, k], truth == k) for k in questions])
        of = [counts(answer == k, truth == k, key) for k in range(y.shape[1])]
        occur = [k for k in range(y.shape[1]) if (answer == k).any() or (truth == k).any()]
        binary = key == "f1_binary" or (y.shape[1] == 2 and key != "f1_macro")
        return of[1] if binary else float(np.mean([of[k] for k in occur]))
    border = 0.0 if loss.endswith(("hinge", "of logits")) or t.min() < 0 else 0.5
    answer, truth = y > border, t > 0
    if key == "accuracy":
        return float((answer == truth).mean())
    if key in RANKED:
        scores = y if z is None else z
        return mean_known([ranked(key, scores[:, k], truth[:, k]) for k in range(y.shape[1])])
    if key in WHOLE:
        return of_matrix(key, confusion(answer[:, 0].astype(int), truth[:, 0].astype(int), 2))
    if key == "brier":
        return float((((y if z is None else sigmoid(z)) - truth) ** 2).mean())
    if key == "log_loss":
        p = np.clip(y, EPS, 1 - EPS)
        losses = np.logaddexp(0, np.where(truth, -z, z)) if z is not None else -np.log(np.where(truth, p, 1 - p))
        return float(losses.mean())
    if key == "perplexity":
        p = np.concatenate([1 - y, y], axis=1) if z is None else None
        log = np.log(p) if p is not None else np.concatenate([-np.logaddexp(0, z), -np.logaddexp(0, -z)], axis=1)
        return perplexity(log, np.concatenate([~truth, truth], axis=1))
    if means == "binary":
        no, yes = counts(~answer, ~truth, key), counts(answer, truth, key)
        occur = [v for v, a, b in ((no, ~answer, ~truth), (yes, answer, truth)) if a.any() or b.any()]
        return float(np.mean(occur)) if key == "f1_macro" else yes
    if key == "f1_macro":
        of = [counts(answer[:, k], truth[:, k], key) for k in range(y.shape[1])]
        return float(np.mean([v for k, v in enumerate(of) if answer[:, k].any() or truth[:, k].any()]))
    return counts(answer, truth, key)


def confusion(answer: Any, truth: Any, count: int) -> Any:
    return np.array([[((truth == i) & (answer == j)).sum() for j in range(count)] for i in range(count)])


def of_matrix(key: str, c: Any) -> float:
    n, places = c.sum(), np.arange(len(c))
    if key == "balanced_accuracy":
        return float(np.mean([row[k] / row.sum() for k, row in enumerate(c) if row.sum()]))
    if key == "mcc":
        pairs = np.array([(i, j) for i in places for j in places for _ in range(c[i, j])])
        t, p = (np.eye(len(c))[side] - np.eye(len(c))[side].mean(axis=0) for side in pairs.T)
        below = math.sqrt((t * t).sum() * (p * p).sum())
        return float((t * p).sum() / below) if below > 1e-12 else 0.0
    far = np.abs(places[:, None] - places).astype(float)
    w = {"kappa": far > 0, "kappa_linear": far, "kappa_quadratic": far**2}[key]
    chance = (w * np.outer(c.sum(axis=1), c.sum(axis=0))).sum() / n
    return float(1 - (w * c).sum() / chance) if chance else math.nan


def likely(key: str, p: Any, z: Any, shares: Any) -> float:
    """Brier score and log loss of classes."""
    if key == "brier":
        return float(((p - shares) ** 2).sum(axis=1).mean())
    log = np.log(np.clip(p, EPS, 1 - EPS)) if z is None else z - logsumexp(z)
    return float(-np.where(shares > 0, shares * log, 0).sum(axis=1).mean())


def sigmoid(z: Any) -> Any:
    return np.where(z > 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def ranked(key: str, scores: Any, yes: Any) -> float:
    return (auc if key == "auc" else average_precision)(scores, yes)


def average_precision(scores: Any, yes: Any) -> float:
    """The precision with all from its score up as yes, on average over every yes."""
    return float(np.mean([yes[scores >= score].mean() for score in scores[yes]])) if yes.any() else math.nan


def counts(answer: Any, truth: Any, key: str) -> float:
    right, guessed, actual = (answer & truth).sum(), answer.sum(), truth.sum()
    below = {"precision": guessed, "recall": actual}.get(key, (guessed + actual) / 2)
    return float(right / below) if below else 0.0


def auc(scores: Any, yes: Any) -> float:
    if yes.all() or not yes.any():
        return math.nan
    above, below = scores[yes][:, None], scores[~yes][None]
    return float((above > below).mean() + (above == below).mean() / 2)


def mean_known(values: list[float]) -> float:
    return float(np.nanmean(values))


def r2(y: Any, t: Any) -> float:
    if (t == t[0]).all():
        return float((y == t).all())
    return float(1 - ((t - y) ** 2).sum() / ((t - t.mean()) ** 2).sum())


def logsumexp(z: Any) -> Any:
    top = z.max(axis=1, keepdims=True)
    return top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))


def rest(z: Any, k: int) -> Any:
    """log Σ e^z over all classes but one."""
    return logsumexp(np.delete(z, k, 1))[:, 0]


def perplexity(log: Any, shares: Any) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.exp(-np.where(shares > 0, shares * log, 0).sum(axis=1).mean()))
