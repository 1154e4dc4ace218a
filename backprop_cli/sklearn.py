"""Networks as scikit-learn's estimators, for pipelines, cross_val_score and GridSearchCV.

>>> from backprop_cli.sklearn import BpClassifier
>>> BpClassifier({"architecture": [{"type": "dense", "units": 32, "activation": "relu"}]}, epochs=20).fit(X, y)

Needs scikit-learn (https://scikit-learn.org/stable/developers/develop.html).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("backprop_cli.sklearn needs scikit-learn 1.6 or newer: pip install scikit-learn") from error

from backprop_cli.config import Config, load_config, resolved
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.files.order import dealt
from backprop_cli.errors import BpError
from backprop_cli.model import build
from backprop_cli.model.model import Model
from backprop_cli.training.loop import Callback, Loop
from backprop_cli.training.threads import limited

#: of BpClassifier() and BpRegressor(): one hidden layer, columns standardized
DEFAULT: dict[str, Any] = {
    "dtype": "float64",
    "dataset": {"transforms": [{"type": "standardize"}]},
    "architecture": [{"type": "dense", "units": 32, "activation": "relu"}],
    "optimizer": {"type": "adam", "learning_rate": 0.01},
    "trainer": {"epochs": 50, "batch_size": 32},
}


class _Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both have: a config, trained on arrays.

    config         a dict, the path of a YAML file, or a Config: `architecture`, `loss`, `optimizer`, `trainer` and the
                   `transforms` of its dataset are used. Without a `loss`, the layers are the hidden ones, and an
                   output layer and its loss are added; with one, the last layer gets as many units as there are
                   classes or targets, if that is a dense layer. By default one hidden layer of 32 units.
    epochs, learning_rate, batch_size
                   the same of the config, where GridSearchCV can set them
    overrides      any other values, as of --set: ("trainer.early_stopping.patience=3",)
    validation_fraction
                   of the rows, held out as the split `validation`, for early stopping
    random_state   an int or a RandomState; by default the config's seed

    Fitted: `model_` (a backprop_cli Model), `history_` (a dict an epoch), `n_features_in_`, `feature_names_in_`.
    """

    def __init__(
        self,
        config: Any = None,
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        overrides: Sequence[str] = (),
        validation_fraction: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.config = config
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.overrides = overrides
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _train(self, x: Array, y: Array, outputs: int, classes: list[str] | None) -> None:
        """Fit to rows x (N, F) and targets: ids (N,) or values (N, K). Raises ValueError."""
        try:
            cfg = self._config(outputs)
            prepared = build.prepare(cfg, dataset=self._dataset(x, y, classes, cfg.seed))
            loop, _ = build.training(prepared)
            with limited(prepared.network, loop.train.batch_size):
                self.history_: list[dict[str, float]] = []
                loop.callbacks.append(_History(self.history_))
                loop.run()
        except BpError as error:
            raise ValueError(f"{type(self).__name__}: {error}") from error
        metrics = cfg.trainer.metrics
        self.model_ = Model(prepared.description, prepared.network, prepared.transforms, cfg.loss, metrics)

    def _config(self, outputs: int) -> Config:
        given = DEFAULT if self.config is None else self.config
        spec = (
            dict(given)
            if isinstance(given, Mapping)
            else resolved(given if isinstance(given, Config) else load_config(given))
        )
        transforms = (spec.get("dataset") or {}).get("transforms") or []
        listed = spec.get("architecture") or []
        if not isinstance(listed, list | tuple) or (spec.get("loss") is not None and not listed):
            return load_config(spec)  # which says what is wrong
        layers = [dict(item) if isinstance(item, Mapping) else item for item in listed]
        if spec.get("loss") is None:
            layers.append({"type": "dense", "units": outputs, **self._output()})
            spec["loss"] = self._loss()
        elif isinstance(layers[-1], dict) and "units" in layers[-1] and not (outputs == 2 and layers[-1]["units"] == 1):
            layers[-1]["units"] = outputs
        placeholder = {"source": "synthetic", "name": "points", "x": [[0.0]], "y": [[0.0]], "transforms": transforms}
        spec |= {"name": spec.get("name", "estimator"), "architecture": layers, "dataset": placeholder}
        options = {"trainer.epochs": self.epochs, "optimizer.learning_rate": self.learning_rate,
                   "trainer.batch_size": self.batch_size, "seed": self._seed()}  # fmt: skip
        set_ = [f"{key}={value}" for key, value in options.items() if value is not None]
        return load_config(spec, [*set_, *self.overrides])

    def _seed(self) -> int | None:
        if self.random_state is None or isinstance(self.random_state, int | np.integer):
            return None if self.random_state is None else int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _dataset(self, x: Array, y: Array, classes: list[str] | None, seed: int) -> Dataset:
        held = int(self.validation_fraction * len(x))
        splits = {"train": Split(x, y)}
        if held:
            order = dealt(len(x), y if classes else None, seed)
            splits = {"train": Split(x[order[held:]], y[order[held:]])}
            splits["validation"] = Split(x[order[:held]], y[order[:held]])
        names = getattr(self, "feature_names_in_", None)
        features = [str(name) for name in names] if names is not None else None
        return Dataset("rows", "memory", splits, classes, features)

    def _output(self) -> dict[str, Any]:
        raise NotImplementedError  # each task has its own

    def _loss(self) -> str:
        raise NotImplementedError  # each task has its own

    def _rows(self, x: Any) -> Array:
        check_is_fitted(self)
        rows: Array = validate_data(self, x, dtype=np.float64, reset=False)
        return rows


class BpClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]  # scikit-learn has no types
    __doc__ = f"A network that tells classes apart.\n{(_Estimator.__doc__ or '').partition('.')[2]}"

    def fit(self, X: Any, y: Any) -> BpClassifier:
        """Train on rows X (N, F) and labels y (N,) of any type. Raises ValueError."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, ids = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"BpClassifier tells classes apart, and y has 1 class: {self.classes_[0]!r}")
        self._train(X, ids.astype(np.int64), len(self.classes_), [str(label) for label in self.classes_])
        return self

    def predict(self, X: Any) -> Array:
        """The label of each row (N,)."""
        rows = self._rows(X)
        labels: Array = self.classes_[self.model_.description.reading.ids(self.model_.outputs(rows))]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """A probability for each of `classes_` (N, K)."""
        rows = self._rows(X)
        return self.model_.predict_proba(rows)

    def _output(self) -> dict[str, Any]:
        return {"activation": "softmax"}

    def _loss(self) -> str:
        return "categorical_crossentropy"


class BpRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]  # scikit-learn has no types
    __doc__ = f"A network for values.\n{(_Estimator.__doc__ or '').partition('.')[2]}"

    def fit(self, X: Any, y: Any) -> BpRegressor:
        """Train on rows X (N, F) and values y (N,) or (N, K). Raises ValueError."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self._flat = y.ndim == 1
        values = np.asarray(y, np.float64).reshape(len(y), -1)
        self._train(X, values, values.shape[1], None)
        return self

    def predict(self, X: Any) -> Array:
        """The value of each row (N,), or of each target (N, K)."""
        rows = self._rows(X)
        y = self.model_.outputs(rows).astype(np.float64)
        return y.reshape(len(y)) if self._flat else y

    def _output(self) -> dict[str, Any]:
        return {}

    def _loss(self) -> str:
        return "mean_squared_error"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class _History(Callback):
    """Keeps the row of each epoch."""

    def __init__(self, rows: list[dict[str, float]]) -> None:
        self.rows = rows

    def epoch(self, loop: Loop, row: dict[str, float]) -> None:
        self.rows.append(dict(row))

    def many_epochs(self, loop: Loop, rows: Sequence[dict[str, float]]) -> None:
        self.rows += map(dict, rows)
