"""The server's end of the engine's process: commands down, answers and pictures up."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from backprop_cli.browser.stream import FULL, stream
from backprop_cli.errors import BpError, RunError

WAITING = 32  # commands that may wait for the engine at a time
SECONDS = 300.0  # that one may take
PAGES = 16  # that may listen at a time


class AskedError(BpError):
    """The engine's error message for a command, with its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


class Link:
    """One engine. It keeps only the newest model and picture: a slow page misses some, and delays nothing."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backprop_cli.browser.play.process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        self._answers: dict[int, Future[dict[str, Any]]] = {}
        self._number = 0
        self._writing = threading.Lock()
        self._latest = {"model": (0, ""), "frame": (0, "")}
        self._pages: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._over = False
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """Send a command to the engine and return its answer. Raises AskedError for a mistake in the command, RunError
        if the engine has ended or too many commands are waiting."""
        return self.send(do, **what)()

    def send(self, do: str, **what: Any) -> Callable[[], dict[str, Any]]:
        """Send a command to the engine; the function returned waits for the answer and returns it. Both raise what
        `ask` does."""
        with self._writing:
            if len(self._answers) >= WAITING:
                raise RunError(f"{WAITING} commands are waiting already; wait for the engine")
            self._number += 1
            number = self._number
            answer = self._answers[number] = Future()
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps({**what, "id": number, "do": do}) + "\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                self._answers.pop(number, None)
                raise self._ended() from None
        return lambda: self._wait(number, answer)

    def _wait(self, number: int, answer: Future[dict[str, Any]]) -> dict[str, Any]:
        try:
            result = answer.result(SECONDS)
        except TimeoutError:
            raise RunError(f"no answer after {SECONDS:.0f} s; the engine is still working") from None
        finally:
            self._answers.pop(number, None)
        if "code" in result:
            raise AskedError(result["error"], result["code"])
        return result

    def _ended(self) -> RunError:
        return RunError("the engine has ended; start `bp play` again")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            kind, _, text = line.partition(" ")
            if kind == "answer":
                number, _, text = text.partition(" ")
                if waiting := self._answers.get(int(number)):
                    waiting.set_result(json.loads(text))
            else:
                self._latest[kind] = (self._latest[kind][0] + 1, text.rstrip("\n"))
                self._wake()
        for answer in list(self._answers.values()):
            with suppress(Exception):  # answered already
                answer.set_exception(self._ended())
        if not self._over:
            self._latest["frame"] = (self._latest["frame"][0] + 1, '{"ended": true}')
            self._wake()

    def _wake(self) -> None:
        for event, loop in list(self._pages.items()):
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(event.set)

    async def events(self) -> AsyncIterator[str]:
        """The stream of one page: the model, and from then on pictures. When the last page goes, the engine pauses."""
        if len(self._pages) >= PAGES:
            yield FULL
            return
        event = asyncio.Event()
        self._pages[event] = asyncio.get_running_loop()
        seen = {"model": 0, "frame": 0}
        event.set()

        def news() -> Iterator[str]:
            for kind, (number, text) in list(self._latest.items()):  # the model first
                if number != seen[kind]:
                    seen[kind] = number
                    yield f"event: {kind}\ndata: {text}\n\n"

        try:
            async for message in stream(event, news, lambda: self._over):
                yield message
        finally:
            del self._pages[event]
            if not self._pages and not self._over:
                threading.Thread(target=self._rest, daemon=True).start()

    def _rest(self) -> None:
        with suppress(BpError):
            self.ask("pause")

    def close(self) -> None:
        """End the streams and the engine."""
        self._over = True
        self._wake()
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
