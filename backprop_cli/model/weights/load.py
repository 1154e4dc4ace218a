"""The weights that a config gives a network to begin with.

First `weights:`, a file that is found, fitted to the network and loaded, with a line that says what was paired; then
`parameters:`, the arrays that are written in the config itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from backprop_cli.config import Config
from backprop_cli.config.schema import Weights
from backprop_cli.data.sample_files import PREFIX, is_sample
from backprop_cli.engine.graph import Network
from backprop_cli.errors import BpError, BuildError, ConfigError, DataError
from backprop_cli.model.weights.files import read
from backprop_cli.model.weights.fit import Fit, fit
from backprop_cli.runs.checkpoints import saved
from backprop_cli.runs.directory import RUN_JSON
from backprop_cli.runs.finding import find_run
from backprop_cli.untrusted.consent import require_for
from backprop_cli.untrusted.regular import real

SHIPPED = Path(__file__).parent / "shipped"


class MisfitError(BpError):
    """Weights that do not fit the network; `problems` has a line for each array (exit code 2)."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def load_first(network: Network, cfg: Config, say: Callable[[str], None] | None = None) -> None:
    """The weights of another file, then those written in the config. Raises ConfigError."""
    problems = []
    if isinstance(cfg.weights, Weights):
        try:
            require_for(cfg.folder, [] if is_sample(cfg.weights.path) else [cfg.weights.path])
            settle(cfg)
            load_foreign(network, cfg.weights, say)
        except MisfitError as error:
            problems += [cfg.problem(("weights",), problem) for problem in error.problems]
        except BpError as error:
            problems.append(cfg.problem(("weights",), str(error)))
    for name, value in cfg.parameters.items():
        try:
            network.load_parameters({name: value})
        except (BuildError, ValueError) as error:
            problems.append(cfg.problem(("parameters", name), str(error)))
    if problems:
        raise ConfigError(problems)


def load_foreign(network: Network, given: Weights, say: Callable[[str], None] | None = None) -> None:
    """Put the weights that a config names into the network; all of them, or none.

    Raises MisfitError; DataError, CheckpointError for a file that cannot be read.
    """
    path = find(given.path)
    foreign = read(path)
    fitted = fit(network, foreign, names=given.map, match=given.match, skip=given.skip, strict=given.strict)
    if not fitted.pairs and not fitted.problems:
        fitted.problems.append("nothing in it fits a layer of the network")
    if fitted.problems:
        raise MisfitError([f"{path.name}: {problem}" for problem in fitted.problems])
    for target, _, arrays in fitted.pairs:
        for name, array in arrays.items():
            np.copyto(target.wanted[name], array, casting="unsafe")
    if say is not None:
        say(f"weights of {path}: {summary(fitted, network)}")


def settle(cfg: Config) -> None:
    """Let a config name the very file in place of the run that it means: `latest` will be another one."""
    given = cfg.weights
    if not isinstance(given, Weights) or given.path.is_file() or is_sample(given.path):
        return
    written, given.path = given.path, find(given.path)
    if written in cfg.relative:
        cfg.relative.add(given.path)


def find(path: Path) -> Path:
    """The file of weights that a path, a run's path or its id means, or `sample:NAME`. Raises DataError, UsageError."""
    if is_sample(path):
        name = path.name.removeprefix(PREFIX)
        known = sorted(file.stem for file in SHIPPED.glob("*.safetensors"))
        if name not in known:
            raise DataError(f"no weights {name!r} ship with bp; expected one of {', '.join(known)}")
        return SHIPPED / f"{name}.safetensors"
    if path.is_file():
        return real(path)
    if path.is_dir() and not os.path.lexists(path / RUN_JSON):
        raise DataError(f"{path}: a folder that is no run of bp; expected a run, or a file of weights")
    if path.suffix and not path.is_dir():
        return path  # `read` says that it is not there, and what is
    run = find_run(str(path) if path.is_dir() else path.name, Path(os.environ.get("BP_RUNS", "runs")))
    best = run.checkpoints / saved.BEST
    return real(best if best.exists() else run.checkpoints / saved.LAST)


def summary(fitted: Fit, network: Network) -> str:
    """Who got whose weights, and who none."""
    pairs = [
        target.name if target.name in (module.name, module.label) else f"{module.label or module.name} → {target.name}"
        for target, module, _ in fitted.pairs
    ]
    filled = {f"{target.name}.{name}" for target, _, arrays in fitted.pairs for name in arrays}
    rest = sorted({name.rpartition(".")[0] for name in [*network.parameters, *network.states] if name not in filled})
    return ", ".join(pairs) + (f"; not loaded: {', '.join(rest)}" if rest else "")
