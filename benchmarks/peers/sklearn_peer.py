"""scikit-learn's MLPClassifier; a `partial_fit` is an epoch."""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from benchmarks.task import Data, Task
from benchmarks.workloads import Workload


class SklearnTask(Task):
    """Adam without penalty."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.x, self.y = data.floats(data.x), data.y
        self.x_test, self.y_test = data.floats(data.x_test), data.y_test
        hidden = workload.sizes[1:-1]
        self.model = MLPClassifier(hidden, alpha=0.0, batch_size=workload.batch, random_state=0)

    def round(self) -> None:
        self.model.partial_fit(self.x, self.y, classes=np.arange(10))

    def accuracy(self) -> float:
        return float((self.model.predict(self.x_test) == self.y_test).mean())

    @property
    def about(self) -> str:
        return f"scikit-learn {sklearn.__version__}"


def prepare(workload: Workload, data: Data, variant: str) -> Task:
    return SklearnTask(workload, data)
