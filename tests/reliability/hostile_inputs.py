"""Configs, names, checkpoints and links made to hurt, given to the command: refused at once, nothing run or written.

python -m tests.reliability.hostile_inputs
"""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.reliability import hostile
from tests.reliability.compare import EVERYTHING
from tests.reliability.harness import RESUME, TRAIN, Ended, bp, folder, options, quickest, start, watched
from tests.training.test_resume import StopAt

TEXT = EVERYTHING.read_text()
CONFIGS = {
    "object tag": (TEXT + "notes: !!python/object/apply:os.system ['touch exploded']\n", "22"),
    "alias bomb": (
        TEXT + "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
        "27",
    ),
    "10,000 brackets deep": (TEXT + "notes: " + "[" * 10_000 + "]" * 10_000 + "\n", "22"),
    "10,000 lines deep": (TEXT + "".join(f"{' ' * i}a:\n" for i in range(10_000)), ""),
    "5,000 digits": (TEXT.replace("seed: 7", f"seed: {'9' * 5000}"), "3"),
    "duplicate key": (TEXT + "seed: 8\n", "22"),
    "NUL byte": (TEXT + "notes: a\0b\n", "22"),
    "200,000 keys": (TEXT + "".join(f"key{i}: {i}\n" for i in range(200_000)), ""),
}
NAMES = ["..", ".", "/", "a/b", "../../tmp/x", "a\nb", "\x1b[31m", "x" * 300, "\u202e" * 200, ""]


def refused(
    folder: Path, what: str, allowed: float, mentions: list[str], *arguments: str, codes: tuple[int, ...]
) -> None:
    """Run `bp`, and insist on how it says no."""
    before = tree(folder)

    def attempt() -> Ended:
        child = start(folder, *arguments)
        try:
            return child.end()
        finally:
            child.errors.unlink()

    ended = quickest(attempt, allowed)
    code, said, seconds, megabytes = ended.code, ended.said, ended.clock, ended.megabytes
    assert code in codes, f"{what}: code {code}: {said}"
    assert "Traceback" not in said, f"{what}: {said}"
    assert all(word in said for word in mentions), f"{what}: {mentions} not in {said:.500}"
    assert seconds < allowed and megabytes < 512, f"{what}: {seconds:.1f} s, {megabytes:.0f} MB"
    assert tree(folder) == before, f"{what}: changed {set(tree(folder)) ^ set(before)}"
    worst["seconds"] = max(worst["seconds"], seconds if allowed == 1 else 0)
    worst["megabytes"] = max(worst["megabytes"], megabytes)
    print(f"{what}: {seconds:.2f} s, {megabytes:.0f} MB, exit code {code}", flush=True)


worst = {"seconds": 0.0, "megabytes": 0.0}


def tree(folder: Path) -> list[tuple[str, bytes]]:
    """Every file with what it holds, links as links; the lock, whose pid changes, aside."""
    found = sorted(path for path in folder.rglob("*") if path.name != "lock" or path.is_symlink())
    return [(str(path), _start(path)) for path in found]


def _start(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(1 << 20)


def configs(path: Path) -> None:
    for what, (text, line) in CONFIGS.items():
        (path / "bad.yaml").write_text(text)
        allowed = 10 if "keys" in what else 1
        refused(path, what, allowed, [f"bad.yaml:{line}"], "train", "bad.yaml", "--runs", "runs", codes=(2,))
    (path / "good.yaml").write_text(TEXT)
    for name in NAMES:
        given = ("train", "good.yaml", "--runs", "runs")
        refused(path, f"--name {name!r:.30}", 1, ["name"], *given, "--name", name, codes=(2,))
        (path / "bad.yaml").write_text(TEXT.replace("name: everything", f"name: {name!r}"))
        refused(path, f"name: {name!r:.30}", 1, ["bad.yaml:2"], "train", "bad.yaml", "--runs", "runs", codes=(2,))
        if name not in (".", ".."):
            refused(path, f"--resume {name!r:.30}", 1, ["no run"], "train", "--resume", name, codes=(2,))


def links(path: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Symbolic links at every name that a run writes to."""
    for part in ("lock", "metrics.jsonl", "run.json", "config.yaml", "checkpoints", "plugins"):

        def plant(run: Path, part: str = part) -> None:
            target = run.parent / "outside" / part
            target.parent.mkdir()
            if (run / part).exists():
                shutil.move(run / part, target)
            else:
                target.write_text("precious")
            (run / part).symlink_to(target)

        yield part, plant


def runs(path: Path) -> None:
    """A stopped run whose parts were exchanged; then its checkpoints, for eval and for resume."""
    stopped = path / "stopped"
    stopped.mkdir()
    assert bp(stopped, *TRAIN, *options("trainer.checkpoint.every_steps=1"), before=watched(StopAt(5)))[0] == 143
    for part, plant in links(path):
        place = path / "place"
        shutil.copytree(stopped, place)
        plant(place / "run")
        refused(place, f"link as {part}", 1, ["symbolic link", part], *RESUME, codes=(1,))
        shutil.rmtree(place)
    for what, write in hostile.files():
        place = path / "place"
        shutil.copytree(stopped, place)
        for name in ("last", "last-1"):
            (place / f"run/checkpoints/{name}.safetensors").unlink()
            write(place / f"run/checkpoints/{name}.safetensors")
        target = "run/checkpoints/last.safetensors"
        refused(place, f"resume: {what}", 1, [target], *RESUME, codes=(1,))
        if "link" not in what:
            refused(place, f"eval: {what}", 1, [target], "eval", "run", "--checkpoint", target, codes=(1,))
        assert not (place / "exploded").exists()
        shutil.rmtree(place)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with folder() as path:
        (path / "configs").mkdir()
        configs(path / "configs")
        runs(path)
    print(f"worst: {worst['seconds']:.2f} s, {worst['megabytes']:.0f} MB")


if __name__ == "__main__":
    main()
