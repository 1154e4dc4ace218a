"""Make metrics.npz: outputs, targets and the values scikit-learn gives.  python tests/reference/make_metrics.py"""

from pathlib import Path

import numpy as np
from sklearn import metrics

rng = np.random.default_rng(7)
arrays: dict[str, np.ndarray] = {}


def case(name: str, y: np.ndarray, target: np.ndarray, **values: float) -> None:
    arrays[f"{name}/y"], arrays[f"{name}/target"] = y, target
    for metric, value in values.items():
        arrays[f"{name}/{metric}"] = np.float64(value)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


p = 1 / (1 + np.exp(-2 * rng.normal(size=(200, 1))))
t = (rng.random(200) < 0.3 + 0.4 * p[:, 0]).astype(np.int64)
case(
    "binary",
    p,
    t,
    accuracy=metrics.accuracy_score(t, p[:, 0] > 0.5),
    precision=metrics.precision_score(t, p[:, 0] > 0.5),
    recall=metrics.recall_score(t, p[:, 0] > 0.5),
    f1=metrics.f1_score(t, p[:, 0] > 0.5),
    f1_macro=metrics.f1_score(t, p[:, 0] > 0.5, average="macro"),
    auc=metrics.roc_auc_score(t, p[:, 0]),
    perplexity=np.exp(metrics.log_loss(t, p[:, 0])),
    f1_weighted=metrics.f1_score(t, p[:, 0] > 0.5, average="weighted"),
    precision_micro=metrics.precision_score(t, p[:, 0] > 0.5, average="micro"),
    balanced_accuracy=metrics.balanced_accuracy_score(t, p[:, 0] > 0.5),
    mcc=metrics.matthews_corrcoef(t, p[:, 0] > 0.5),
    kappa=metrics.cohen_kappa_score(t, p[:, 0] > 0.5),
    average_precision=metrics.average_precision_score(t, p[:, 0]),
    log_loss=metrics.log_loss(t, p[:, 0]),
    brier=metrics.brier_score_loss(t, p[:, 0]),
)
grid = np.round(rng.uniform(-4, 4, 150)) + 0.005  # scores on a grid as coarse as the bins: ties, but exact
t = (rng.random(150) < 1 / (1 + np.exp(-grid / 2))).astype(np.int64)
case("ties", 1 / (1 + np.exp(-grid[:, None])), t, auc=metrics.roc_auc_score(t, grid),
     average_precision=metrics.average_precision_score(t, grid))  # fmt: skip

p = softmax(1.5 * rng.normal(size=(150, 6)))
p /= p.sum(axis=1, keepdims=True)
t = np.array([rng.choice(5, p=row[:5] / row[:5].sum()) for row in p])  # class 5 is guessed, but never right
answers = p.argmax(axis=1)
seen = [metrics.roc_auc_score(t == k, p[:, k]) for k in range(5)]
case(
    "classes",
    p,
    t,
    accuracy=metrics.accuracy_score(t, p.argmax(axis=1)),
    precision=metrics.precision_score(t, p.argmax(axis=1), average="macro", zero_division=0),
    recall=metrics.recall_score(t, p.argmax(axis=1), average="macro", zero_division=0),
    f1=metrics.f1_score(t, p.argmax(axis=1), average="macro", zero_division=0),
    top_2=metrics.top_k_accuracy_score(t, p, k=2, labels=range(6)),
    top_5=metrics.top_k_accuracy_score(t, p, k=5, labels=range(6)),
    auc=np.mean(seen),
    perplexity=np.exp(metrics.log_loss(t, p, labels=range(6))),
    precision_weighted=metrics.precision_score(t, answers, average="weighted", zero_division=0),
    recall_weighted=metrics.recall_score(t, answers, average="weighted", zero_division=0),
    f1_weighted=metrics.f1_score(t, answers, average="weighted", zero_division=0),
    f1_micro=metrics.f1_score(t, answers, average="micro", zero_division=0),
    balanced_accuracy=metrics.recall_score(t, answers, labels=range(5), average="macro"),
    mcc=metrics.matthews_corrcoef(t, answers),
    kappa=metrics.cohen_kappa_score(t, answers),
    kappa_linear=metrics.cohen_kappa_score(t, answers, weights="linear"),
    kappa_quadratic=metrics.cohen_kappa_score(t, answers, weights="quadratic"),
    average_precision=np.mean([metrics.average_precision_score(t == k, p[:, k]) for k in range(5)]),
    log_loss=metrics.log_loss(t, p, labels=range(6)),
    brier=metrics.brier_score_loss(t, p, labels=range(6)),
)
y, t = rng.normal(size=(80, 3)) * [1, 10, 0.1] + 1000, rng.normal(size=(80, 3)) * [1, 10, 0.1] + 1000
y = 0.8 * t + 0.2 * y
case(
    "values",
    y,
    t,
    mse=metrics.mean_squared_error(t, y),
    mae=metrics.mean_absolute_error(t, y),
    r2=metrics.r2_score(t, y),
    rmse=metrics.root_mean_squared_error(t, y),
    median_absolute_error=metrics.median_absolute_error(t, y),
    mape=metrics.mean_absolute_percentage_error(t, y),
    explained_variance=metrics.explained_variance_score(t, y),
    **{f"pinball_{a}": metrics.mean_pinball_loss(t, y, alpha=a) for a in (0.5, 0.9)},
)
t = t.copy()
t[:, 1] = 3
case("constant", y, t, r2=metrics.r2_score(t, y), explained_variance=metrics.explained_variance_score(t, y))

np.savez_compressed(Path(__file__).with_name("metrics.npz"), **arrays)
