"""`bp doctor` and `bp eval` of a run, and the importances of a sweep's keys, each in a process of its own, one at a
time, the answer kept while the run or sweep stays the same."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from backprop_cli.browser.board.shelf import Shelf
from backprop_cli.errors import UsageError, visible

SECONDS = 120.0
MAX_OUTPUT = 8 << 20  # bytes of an answer, at most
KEPT = 64


class CommandRunner:
    """Runs a verb on a run, in a process that inherits --allow-plugins; without it no plugin from elsewhere runs."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._answers: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}
        self._turn = asyncio.Semaphore(1)
        self._process: asyncio.subprocess.Process | None = None

    def stop(self) -> None:
        """End the running process: the server is about to stop."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def answer(self, verb: str, key: str) -> dict[str, Any]:
        """What `bp VERB RUN` prints as JSON, or {"error": its message}. Raises UsageError for a run that is gone."""
        book = self.shelf.books.get(key)
        if book is None:
            raise UsageError("there is no such run any more")
        return await self._kept(verb, key, lambda: book.signature, [verb, str(book.path.absolute()), "--json"])

    async def importance(self, key: str) -> dict[str, Any]:
        """{"importance": [{"key", "importance"}]} of a sweep, or {"error": message}. Raises UsageError for one that is
        gone."""
        folder = self.shelf.sweeps.get(key)
        if folder is None:
            raise UsageError("there is no such sweep any more")

        def signature() -> tuple[Any, ...]:
            return tuple(book.signature for book in list(self.shelf.books.values()) if book.sweep == key)

        command = ["runs", "summary", str(folder.absolute()), "--importance", "--json"]
        return await self._kept("importance", key, signature, command)

    async def _kept(
        self, verb: str, key: str, sign: Callable[[], tuple[Any, ...]], command: list[str]
    ) -> dict[str, Any]:
        kept = self._answers.get((verb, key))
        if kept is not None and kept[0] == sign():
            return kept[1]
        async with self._turn:
            signature = sign()
            answer = await self._run(command)
        self._answers.pop((verb, key), None)
        self._answers[verb, key] = (signature, answer)
        if len(self._answers) > KEPT:
            del self._answers[next(iter(self._answers))]
        return answer

    async def _run(self, arguments: list[str]) -> dict[str, Any]:
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "backprop_cli", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, said = await asyncio.wait_for(process.communicate(), SECONDS)
        except (TimeoutError, asyncio.CancelledError) as error:
            process.kill()
            await process.wait()
            if isinstance(error, asyncio.CancelledError):
                raise
            return {"error": f"not done after {SECONDS:.0f} s; `bp {' '.join(arguments[:-1])}` takes its time"}
        if process.returncode or len(out) > MAX_OUTPUT:
            return {"error": visible(said.decode("utf-8", "replace"))[-4000:].strip() or "it ended without a word"}
        answer = json.loads(out)
        return answer if isinstance(answer, dict) else {"importance": answer}
