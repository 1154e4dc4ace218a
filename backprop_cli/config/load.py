"""`load_config`: a YAML file and overrides to a Config, or every problem at once.

read and merge (`text`, `extends`) -> `--set` (`overrides`) -> `${…}` (`interpolate`) -> plugins
-> types (`validate`) -> what types cannot say (`checks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.config.checks import check
from backprop_cli.config.extends import read_extended
from backprop_cli.config.interpolate import interpolate
from backprop_cli.config.marked import DEFAULT, Keys, Mark, Marked, in_run, marked, marks, problem
from backprop_cli.config.overrides import apply
from backprop_cli.config.plugin_files import load_plugin
from backprop_cli.config.schema import Config, Options, Weights
from backprop_cli.config.shipped import located
from backprop_cli.config.spelling import SECTIONS, belongs, example, nearest_key
from backprop_cli.config.types import option_types
from backprop_cli.config.validate import INVALID, MAX_UNKNOWN, Validator
from backprop_cli.errors import ConfigError, ConsentError, Problem, UsageError, did_you_mean, expected

MAX_SHOWN = 100  # problems of one config; nobody reads more at once
IN_MEMORY = "dict"  # where messages say that the values of a dict come from


def load_config(
    source: str | Path | Mapping[str, Any], overrides: Sequence[str] = (), *, plugins: Sequence[Path] | None = None
) -> Config:
    """The checked config of a file, of `bp:NAME` or of a dict, with `--set` style overrides applied.

    Relative paths in a dict start in the working directory. Its plugins run first: those that the overrides or the
    user's own config name; those of a config in a run directory only with consent (see `consent`). `plugins` replace
    those that a file names, and need consent.
    Raises ConfigError with all the problems found, UsageError for a NAME that does not ship, ConsentError.
    """
    problems: list[Problem] = []
    if isinstance(source, Mapping):
        root = marked(source, Mark(IN_MEMORY))
        if "extends" in root.value:
            raise ConfigError([problem(root.mark, ("extends",), "only a file can extend another; load that file")])
        return replace(_finish(root, Path("run"), overrides, problems, given=True), path=None)
    path = located(source)
    root = read_extended(path, problems)
    if plugins is not None:
        root.value["plugins"] = Marked([Marked(str(plugin.absolute()), root.mark) for plugin in plugins], root.mark)
    return _finish(root, path, overrides, problems, given=plugins is None)


def _finish(root: Marked, path: Path, overrides: Sequence[str], problems: list[Problem], given: bool) -> Config:
    apply(root, overrides, problems)
    name = path.stem.strip(". ")[:50] or "run"
    before = len(problems)
    secrets = interpolate(root, {"name": name, "seed": 0, "dtype": "float32"}, problems)
    unresolved, after = {replace(earlier, message="") for earlier in problems[before:]}, len(problems)
    root.value.setdefault("name", Marked(name, DEFAULT, DEFAULT))
    for section in SECTIONS:
        root.value.setdefault(section, Marked({}, DEFAULT, DEFAULT))
    validator = Validator(path.parent, problems)
    plugins = _load_plugins(root, validator, given)
    values = {**_validate(root, validator), "plugins": plugins}
    if isinstance(values.get("weights"), Path):
        values["weights"] = Weights(path=values["weights"])
    where = marks(root)
    problems.extend(check(values, validator.places, where))
    problems[after:] = [later for later in problems[after:] if replace(later, message="") not in unresolved]
    if problems:
        problems.sort(key=_reading_order)
        more = [Problem(str(path), None, None, "", f"{len(problems) - MAX_SHOWN:,} more problems")]
        raise ConfigError(problems[:MAX_SHOWN] + (more if len(problems) > MAX_SHOWN else []))
    return Config(
        **values,
        path=path,
        folder=path.parent,
        marks=where,
        places=validator.places,
        relative=validator.relative,
        overrides=tuple(overrides),
        secrets=secrets,
    )


def _load_plugins(root: Marked, validator: Validator, given: bool) -> Any:
    """Run the plugin files first: what they define, the rest of the config may name."""
    node = root.value.get("plugins")
    if node is None:
        return []
    paths = validator.value(option_types(Options)["plugins"], node, ("plugins",))
    for index, plugin in enumerate(paths if paths is not INVALID else ()):
        item = node.value[index]
        try:
            load_plugin(plugin, given=given and not in_run(item.mark))
        except ConsentError:
            raise
        except UsageError as error:
            validator.complain(item, ("plugins", index), str(error))
    return paths


def _validate(root: Marked, validator: Validator) -> dict[str, Any]:
    """Every top-level option on its own, so that one mistake hides no other."""
    types, options = option_types(Options), registry.options(Options)
    unknown = [key for key in root.value if key not in options]
    for key in unknown[:MAX_UNKNOWN]:
        at_key = Marked(None, root.value[key].key or root.value[key].mark)
        message = f"unknown key {key!r}; {expected('', [*options, 'extends'])}"
        near = nearest_key(key, list(options)) or belongs(key)
        validator.complain(at_key, (key,), message + did_you_mean(near))
    if len(unknown) > MAX_UNKNOWN:
        validator.complain(root, (), f"{len(unknown) - MAX_UNKNOWN:,} more unknown keys")
    values: dict[str, Any] = {}
    for name in options:
        if name in root.value and name != "plugins":
            values[name] = validator.value(types[name], root.value[name], (name,))
        elif name in ("dataset", "architecture", "loss"):
            text = example(Options, name)
            values[name] = validator.complain(root, (), f"missing key {name!r}; for example `{text}`")
    return values


def _reading_order(mistake: Problem) -> tuple[Any, ...]:
    path: Keys = tuple(mistake.path.split("."))
    return (str(mistake.file).startswith("--set"), str(mistake.file), mistake.line or 0, mistake.column or 0, path)
