"""Server-sent events (HTML Living Standard, section 9.2): one stream a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

BREATH = 15.0  # seconds of silence after which a page is told that the server is still there
FULL = "event: full\ndata: {}\n\n"  # the answer to a page too many


async def stream(
    event: asyncio.Event, news: Callable[[], Iterable[str]], is_over: Callable[[], bool]
) -> AsyncIterator[str]:
    """Whenever `event` is set, the messages that `news` returns; a comment after `BREATH` seconds without any."""
    yield "retry: 1000\n\n"
    while not is_over():
        try:
            await asyncio.wait_for(event.wait(), BREATH)
        except TimeoutError:
            yield ": still here\n\n"
            continue
        event.clear()
        for message in news():
            yield message
