"""Looks for changes on disk, and tells every open page which runs they concern (server-sent events)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from backprop_cli.browser.board.shelf import Shelf
from backprop_cli.browser.stream import FULL, stream
from backprop_cli.runs.json_text import dumps

OFTEN = 0.25  # seconds between two looks at runs that train
SELDOM = 2.0  # and at all the others
SHARE = 0.05  # of one processor that looking may take, at most
MOST = 200  # keys told one by one; of more, a page asks for all
PAGES = 64  # pages that may listen at a time


class Live:
    """One task looks; every page that listens gets a queue of its own, which never grows beyond one message."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._pages: dict[asyncio.Event, set[str]] = {}
        self._over = False

    def stop(self) -> None:
        """End every stream: the server is about to stop."""
        self._over = True
        for event in self._pages:
            event.set()

    async def look(self) -> None:
        """Until cancelled: look, tell, wait. Nobody listening: nothing is looked at."""
        next_whole = 0.0
        while True:
            start = time.monotonic()
            if self._pages:
                changed = await asyncio.to_thread(self.shelf.refresh if start >= next_whole else self.shelf.watch)
                cost = time.monotonic() - start
                if start >= next_whole:
                    next_whole = start + max(SELDOM, cost / SHARE)
                if changed:
                    self._tell(changed)
            await asyncio.sleep(OFTEN)

    def _tell(self, changed: set[str]) -> None:
        for event, waiting in self._pages.items():
            waiting |= changed
            event.set()

    async def events(self) -> AsyncIterator[str]:
        """The stream of one page: `data: {"changed": [key, …]}`, or {"all": true}."""
        if len(self._pages) >= PAGES:
            yield FULL
            return
        event = asyncio.Event()
        waiting = self._pages[event] = set()

        def news() -> Iterator[str]:
            changes = {"all": True} if len(waiting) > MOST else {"changed": sorted(waiting)}
            waiting.clear()
            yield f"data: {dumps(changes)}\n\n"

        try:
            async for message in stream(event, news, lambda: self._over):
                yield message
        finally:
            del self._pages[event]
