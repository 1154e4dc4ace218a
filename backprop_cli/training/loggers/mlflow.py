from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from backprop_cli.registry import Doc, slot
from backprop_cli.training.loggers.base import Logger, logger, measured, package

RUN_DIR = "bp.run_dir"  # the tag by which a run that goes on is found
QUOTE = "'"  # which ends a text in a filter of MLflow, and cannot be written there


@logger("mlflow", "MLflow", "MLFlowLogger")
class MLflow(Logger):
    """A run in MLflow's file store, with a metric for every number of every row, at the step of the row.

    `MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri mlruns` shows them side by side. Nothing leaves this
    machine. When a run goes on, so does that of MLflow. Needs mlflow-skinny: pip install 'backprop-cli[mlflow]'
    """

    store: Annotated[str, Doc("folder of the file store, seen from where bp runs")] = "mlruns"
    experiment: Annotated[str, Doc("the experiment that the run belongs to")] = "bp"

    client: Any = slot()
    run: str = slot()
    last: int = slot()  # the step up to which it knows the rows

    def check(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # without it MLflow refuses a store without a database
        package("mlflow.tracking", self.type_name)

    def outside(self) -> list[Path]:
        return [Path(self.store)]

    def open(self, folder: Path, step: int) -> None:
        self.check()
        self.client = package("mlflow.tracking", self.type_name).MlflowClient(Path(self.store).absolute().as_uri())
        known = self.client.get_experiment_by_name(self.experiment)
        experiment = known.experiment_id if known else self.client.create_experiment(self.experiment)
        run_dir = str(folder.absolute())
        alike = f"tags.`{RUN_DIR}` LIKE '{run_dir.replace(QUOTE, '_')}'"  # any sign may stand for _
        earlier = self.client.search_runs([experiment], alike) if step else []
        earlier = [run for run in earlier if run.data.tags.get(RUN_DIR) == run_dir]
        self.last = 0
        if earlier:
            self.run = earlier[0].info.run_id
            histories = (self.client.get_metric_history(self.run, name) for name in earlier[0].data.metrics)
            self.last = max((point.step for history in histories for point in history), default=0)
            self.client.update_run(self.run, "RUNNING")
        else:
            self.run = self.client.create_run(experiment, tags={RUN_DIR: run_dir}, run_name=folder.name).info.run_id

    def write(self, row: Mapping[str, Any]) -> None:
        step, now = int(row["step"]), int(time.time() * 1000)
        if step <= self.last:  # a row after the checkpoint that a run goes on from, made once more
            return
        metric = package("mlflow.entities", self.type_name).Metric
        self.client.log_batch(
            self.run, [metric(name, float(value), now, step) for name, value in measured(row).items()]
        )

    def close(self) -> None:
        self.client.set_terminated(self.run)
