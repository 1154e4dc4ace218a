"""Keras with TensorFlow or JAX: `model.fit`, an epoch a call."""

from __future__ import annotations

from typing import Any

from benchmarks.task import Data, Task
from benchmarks.workloads import Workload


def model_of(keras: Any, workload: Workload, shape: tuple[int, ...]) -> Any:
    layers = keras.layers
    if workload.family == "mlp":
        hidden = [layers.Dense(units, activation="relu") for units in workload.sizes[1:-1]]
    elif workload.family == "lstm":
        hidden = [layers.LSTM(128)]
    else:
        hidden = [
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
        ]
    return keras.Sequential([layers.Input(shape), *hidden, layers.Dense(10, activation="softmax")])


class KerasTask(Task):
    """compile and fit, defaults otherwise."""

    def __init__(self, workload: Workload, data: Data, backend: str) -> None:
        import os

        os.environ["KERAS_BACKEND"] = {"tf": "tensorflow"}.get(backend, backend)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import keras

        self.batch, self.backend, self.version = workload.batch, keras.backend.backend(), keras.__version__
        self.x, self.y = data.floats(data.x), data.y
        self.x_test, self.y_test = data.floats(data.x_test), data.y_test
        keras.utils.set_random_seed(0)
        self.model = model_of(keras, workload, self.x.shape[1:])
        self.model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")

    def round(self) -> None:
        self.model.fit(self.x, self.y, batch_size=self.batch, epochs=1, verbose=0)

    def accuracy(self) -> float:
        return float((self.model.predict(self.x_test, verbose=0).argmax(1) == self.y_test).mean())

    @property
    def about(self) -> str:
        return f"Keras {self.version}, {self.backend}"


def prepare(workload: Workload, data: Data, variant: str) -> Task:
    return KerasTask(workload, data, variant)
