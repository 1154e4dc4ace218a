"""What has been trained, opened again: a run or the file of a model, its config, its network and its data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backprop_cli.config import Config, load_config
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.loading import load_dataset
from backprop_cli.engine.kernels import missing
from backprop_cli.engine.losses.combined import tell_parts
from backprop_cli.engine.metrics.base import tell
from backprop_cli.errors import CheckpointError, UsageError, to_stderr
from backprop_cli.model.build import Prepared, Warn, prepare
from backprop_cli.model.description import TRANSFORMS, description_of
from backprop_cli.model.model import Model, load_weights
from backprop_cli.runs.checkpoints.checkpoint import SUFFIX, CheckpointFile
from backprop_cli.runs.directory import CHECKPOINTS, RUN_JSON, RunDirectory
from backprop_cli.runs.finding import find_run
from backprop_cli.training.kernels import chosen


def config_of(run: RunDirectory, overrides: Sequence[str] = ()) -> Config:
    """The config of a run, with overrides as of --set. If it was trained on its fallback, that is its dataset from
    then on.

    Plugins are Python code: only the run's own copies are used, and only with consent. Raises ConsentError.
    """
    cfg = load_config(run.config, overrides, plugins=run.plugin_copies())
    return cfg.on_fallback() if "fallback" in run.info.get("dataset", {}) else cfg


def learnt(run: RunDirectory) -> dict[str, Any]:
    """What a run has learnt of its data, for `prepare`; nothing where it has no checkpoint, or one of an older bp."""
    try:
        file = CheckpointFile(run.checkpoint("last"))
        said = description_of(file)
        return {"learned": file.read_under(TRANSFORMS), "known": said.data} if said is not None else {}
    except CheckpointError:
        return {}


def load_run(
    run: RunDirectory,
    checkpoint: str = "best",
    *,
    warn: Warn | None = None,
    progress: Any = None,
    **network_options: Any,
) -> tuple[Prepared, Path]:
    """A run's model and the data that its config names, encoded as the model has learnt; with the weights of a
    checkpoint: `best`, `last` or a file. Raises CheckpointError, DataError."""
    path = run.checkpoint(checkpoint)
    cfg = config_of(run)
    network_options.setdefault("kernels", "numpy" if missing() else chosen(cfg.trainer))
    model = Model.read(path, run.plugin_copies(), seed=cfg.seed, **network_options)
    if model is None:
        file = CheckpointFile(path)
        prepared = prepare(cfg, warn=warn, progress=progress, learned=file.read_under(TRANSFORMS), **network_options)
        load_weights(file, prepared.network)
        return prepared, path
    said = model.description
    dataset = load_dataset(cfg.dataset, cfg.seed, cfg.folder, warn=warn, progress=progress, known=said.data)
    if warn is not None and said.data.fingerprint not in (None, fingerprint(dataset)):
        warn(f"the data of {dataset.name} are not those that {run.id} was trained on")
    tell(cfg.trainer.metrics, said.reading, model.network.gives_logits)
    tell_parts(cfg.trainer.metrics, model.loss)
    return Prepared(cfg, dataset, model.transforms, model.network, said.reading, said.data), path


def load(
    source: str | Path,
    checkpoint: str = "best",
    *,
    runs: str | Path = Path("runs"),
    plugins: Sequence[str | Path] = (),
    warn: Warn | None = None,
    progress: Any = None,
) -> Model:
    """The model of a run (a path, an id or `latest`) or of a .safetensors file. It needs neither config nor data.

    `plugins` are Python files that may be run, if the model was trained with them. A run of an older bp did not
    describe its model: its config and its training data are read again, and `warn` is told.
    Raises UsageError, CheckpointError.
    """
    given = Path(source)
    if is_model(given):
        if checkpoint != "best":
            raise UsageError(f"{source} is the file of a model already; --checkpoint {checkpoint} is for a run")
        run, path = run_around(given), given
    else:
        run = find_run(str(source), Path(runs))
        path = run.checkpoint(checkpoint)
    model = Model.read(path, [*map(Path, plugins), *(run.plugin_copies() if run else ())])
    if model is None and run is None:
        raise CheckpointError(
            f"{path} was written by an older bp, whose files do not describe their model; give its run directory, "
            "with the training data where the config says"
        )
    if model is None:
        assert run is not None
        (warn or to_stderr)(f"{run.path} is of an older bp, which did not describe the model: its data are read again")
        prepared, _ = load_run(run, str(path), warn=warn, progress=progress)
        cfg = prepared.config
        parts = prepared.network, prepared.transforms, cfg.loss, cfg.trainer.metrics
        model = Model(prepared.description, *parts, path=path)
    model.run_id = run.id if run else None
    return model


def is_model(source: str | Path) -> bool:
    """Whether RUN|MODEL is the file of a model: a file, or what is called like one."""
    return Path(source).suffix == SUFFIX or Path(source).is_file()


def run_around(path: Path) -> RunDirectory | None:
    """The run whose checkpoint a file is, if it lies in one."""
    folder = path.absolute().parent
    inside = folder.name == CHECKPOINTS and (folder.parent / RUN_JSON).is_file()
    return RunDirectory(folder.parent) if inside else None


def settled_columns(run: RunDirectory) -> dict[str, str]:
    """What a run's model has learnt for the columns of its table, in words; empty where there is nothing."""
    try:
        said = description_of(CheckpointFile(run.checkpoint("last")))
    except CheckpointError:
        return {}
    return said.data.table.told() if said is not None and said.data.table is not None else {}
