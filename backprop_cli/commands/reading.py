"""How a command reads data that nothing is trained on yet: a file, of which `--set` says what is not to be guessed."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import Any

from backprop_cli.config import load_config
from backprop_cli.data import look
from backprop_cli.data.catalogue import summary
from backprop_cli.data.files import Files
from backprop_cli.data.files.meant import LAYOUT
from backprop_cli.data.files.paths import find, missing
from backprop_cli.data.loading import load_dataset
from backprop_cli.data.look_files import look_at_folder
from backprop_cli.errors import UsageError
from backprop_cli.untrusted.consent import require_for


def file_to_read(
    path: Path, overrides: Sequence[str] = (), *, target: str | None = None, query: str | None = None
) -> Files:
    """The source of one file, with `--set` style overrides of `dataset`.

    Raises ConfigError for keys and values that the config does not have, UsageError for one outside of `dataset`.
    """
    other = next((text for text in overrides if not text.lstrip("~").startswith("dataset.")), None)
    if other is not None:
        raise UsageError(
            f"--set {other}: {path} is a file of data; expected a key of dataset, such as dataset.skip_rows=2"
        )
    source = {"source": "files", "path": str(find(path, Path()).absolute()), "target": target, "query": query}
    given = {key: value for key, value in source.items() if value is not None}
    dataset = load_config({"dataset": given, "architecture": ["flatten"], "loss": "mse"}, overrides).dataset
    if not isinstance(dataset, Files):
        raise UsageError(f"--set dataset.source: {path} is a file, whose source is files; leave it out")
    return dataset


def check_layout(overrides: Sequence[str]) -> None:
    """Raise UsageError for an override that does not say how a table lies in its file: a config that is written says
    the rest by itself."""
    for text in overrides:
        key = text.partition("=")[0].rstrip("+").removeprefix("dataset.").partition(".")[0]
        if key not in LAYOUT:
            raise UsageError(
                f"--set {text}: expected how the table is read: {', '.join(f'dataset.{name}' for name in LAYOUT)}; "
                "change other keys in the config that is written"
            )


def looked(
    name: str, target: str | None = None, query: str | None = None, overrides: Sequence[str] = ()
) -> look.Look | dict[str, Any] | None:
    """What is seen of a file or a config's data: a table, or the summary of what is none; None for a bare name."""
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml"):
        given = {"target": target, "query": query}
        cfg = load_config(
            path, [f"dataset.{key}={dumps(value)}" for key, value in given.items() if value] + [*overrides]
        )
        source, folder, seed = cfg.dataset, cfg.folder, cfg.seed
        require_for(folder, source.files())
    elif path.exists():
        source, folder, seed = file_to_read(path, overrides, target=target, query=query), Path(), 0
    elif path.suffix or "/" in name:
        missing(path)
    else:
        return None
    table = source.path if isinstance(source, Files) else None
    if isinstance(source, Files) and (table is None or look.is_table(table, source.format)):
        return look.look_at_file(source, folder)
    if path.is_dir() and not overrides and (media := look_at_folder(path)) is not None:
        return media.as_dict()
    dataset = load_dataset(source, seed, folder)
    facts = look.look_at_dataset(dataset).as_dict()
    return {**summary(dataset), "rows": facts["rows"], "columns": facts["columns"]}
