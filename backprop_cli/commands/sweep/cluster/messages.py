"""What a worker and the sweep say to each other besides the messages of the trial."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

NONCE = ".seen-by-workers-"


@dataclass(frozen=True)
class Nonce:
    """A file with a random text in the sweep's folder, by which a worker sees whether it has the same folder."""

    folder: str
    text: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def path(self) -> Path:
        """Where the file lies in the sweep's folder."""
        return Path(self.folder) / f"{NONCE}{self.text}"

    def write(self) -> None:
        """Write the file. Raises OSError."""
        self.path.write_text(self.text)

    def reply(self, attempt: str) -> bool:
        """On a worker: whether the text is there and an answer could be written beside it."""
        try:
            if self.path.read_text() != self.text:
                return False
            Path(f"{self.path}-{attempt}").write_text(attempt)
        except OSError:
            return False
        return True

    def answered(self, attempt: str) -> bool:
        """In the sweep: whether the answer has arrived; it is deleted."""
        path = Path(f"{self.path}-{attempt}")
        try:
            return path.read_text() == attempt
        except OSError:
            return False
        finally:
            with suppress(OSError):
                path.unlink()

    def remove(self) -> None:
        """Delete the file and the answers beside it; one that cannot be deleted stays."""
        for path in Path(self.folder).glob(f"{NONCE}{self.text}*"):
            with suppress(OSError):
                path.unlink()


@dataclass(frozen=True)
class Arrived:
    """A worker is about to begin with a task."""

    sees: bool  # the folder, as far as the worker can tell
    host: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Begin:
    """The answer to that."""

    shared: bool  # whether the run is trained in the sweep's folder
    archive: bytes | None = None  # the run as it is there, if the worker does not see it


@dataclass(frozen=True)
class Packed:
    """A copy of the run can be fetched from the worker."""
