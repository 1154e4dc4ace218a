"""What travels between a sweep and another machine: a config there, and the run back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from backprop_cli.config import Config, diff, dump, load_config
from backprop_cli.errors import BpError, RunError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.lock import is_held
from backprop_cli.runs.pack import pack, unpack
from backprop_cli.untrusted import consent

ARCHIVE = "run.tar.zst"
PATIENCE = 30.0  # seconds for the process that had a trial before to write its last checkpoint


@dataclass(frozen=True)
class Sent:
    """A config whose file the other machine may not have. Data and weights that it names have to be there."""

    text: str  # with every default, and absolute paths
    plugins: tuple[tuple[str, bytes], ...]  # name and text of each plugin file
    folder: str  # of the config's file
    relative: frozenset[Path]  # paths that were written relative
    cwd: str  # of the sweep

    @classmethod
    def of(cls, config: Config) -> Sent:
        """A config with all that it takes to load it elsewhere, besides data and weights. Raises OSError."""
        plugins = tuple((path.name, path.read_bytes()) for path in config.plugins)
        home = str(config.folder.absolute())
        return cls(dump(replace(config, plugins=[])), plugins, home, frozenset(config.relative), os.getcwd())

    @contextmanager
    def config(self, overrides: tuple[str, ...]) -> Iterator[Config]:
        """The config as it is where it came from. Its plugins lie in a folder that is there as long as the context."""
        with TemporaryDirectory(prefix="bp-config-") as folder:
            paths = []
            for number, (name, text) in enumerate(self.plugins):
                paths.append(Path(folder) / str(number) / name)
                paths[-1].parent.mkdir()
                paths[-1].write_bytes(text)
            file = Path(folder) / "config.yaml"
            file.write_text(self.text, encoding="utf-8")
            config = load_config(file, plugins=paths)
            yield replace(config, folder=Path(self.folder), relative=set(self.relative), overrides=overrides)

    def settle_in(self, run: Path) -> None:
        """Work in the sweep's folder where this machine has it, with consent to what the sweep has sent: it could run
        any code here. Wait for the process that had the run before."""
        consent.allow(consent.PLUGINS)
        with suppress(OSError):
            os.chdir(self.cwd)
        deadline = time.monotonic() + PATIENCE
        while is_held(run) and time.monotonic() < deadline:
            time.sleep(0.05)


def packed(run: RunDirectory) -> bytes:
    """A run as the bytes of an archive. Raises RunError."""
    with TemporaryDirectory(prefix="bp-packed-") as folder:
        return pack(run, Path(folder) / ARCHIVE, running=True).read_bytes()


def unpacked(archive: bytes, folder: Path, name: str) -> RunDirectory:
    """The run of an archive, which is checked as any foreign file, in the place of the one that was there. Raises
    RunError."""
    with TemporaryDirectory(prefix="bp-packed-") as temporary:
        path = Path(temporary) / ARCHIVE
        path.write_bytes(archive)
        return unpack(path, folder, name, replace=True)


def check_and_remember(run: RunDirectory, config: Config) -> None:
    """Note that a run which another machine trained is this user's own: its config says what was sent. Raises
    RunError where it does not."""
    if tuple(run.info.get("overrides", [])) != config.overrides:
        raise RunError(f"{run.path}: came back with other --set values than it was sent with")
    try:
        back = load_config(run.config, plugins=config.plugins)
    except BpError as error:
        raise RunError(f"{run.path}: came back with a config that cannot be read: {error}") from None
    now = replace(config, trainer=replace(config.trainer, kernels=back.trainer.kernels), plugins=back.plugins)
    if type(now.dataset) is type(back.dataset):
        now.dataset.take_settled(back.dataset)
    changed = [key for key, _, _ in diff(now, back) if key != "name"]
    if changed:
        raise RunError(f"{run.path}: came back with another config than it was sent with: {', '.join(changed)}")
    with suppress(OSError):
        consent.remember([run.config])
