"""The addresses of the board: one page, its files, and JSON about the runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from backprop_cli.browser.board.commands import CommandRunner
from backprop_cli.browser.board.facts import Facts
from backprop_cli.browser.board.live import Live
from backprop_cli.browser.board.shelf import Shelf
from backprop_cli.browser.kit import SHARED, folder, pages, told
from backprop_cli.commands.columns import near
from backprop_cli.errors import UsageError
from backprop_cli.runs.listing import matching, order, value
from backprop_cli.runs.versions import __version__

FILES = {**folder(Path(__file__).parent / "page"), **SHARED}  # what a page may load
ROWS = 500  # of the table at a time, at most
SPARKS = 100
KEYS = 200  # characters of what is asked for: columns, conditions


def app(shelf: Shelf) -> Starlette:
    """The board as an ASGI application."""
    live, facts, commands = Live(shelf), Facts(shelf), CommandRunner(shelf)

    @asynccontextmanager
    async def looking(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(live.look())
        try:
            yield
        finally:
            task.cancel()

    def about(make: Callable[[str], Any]) -> Callable[[Request], Any]:
        return told(lambda request: lambda: make(_key(request)))

    async def events(_: Request) -> Response:
        return StreamingResponse(live.events(), media_type="text/event-stream")

    routes = [
        Route("/", pages(FILES)),
        Route("/page/{name}", pages(FILES)),
        Route("/events", events),
        Route("/api/runs", told(lambda request: lambda: _runs(shelf, request))),
        Route("/api/sparks", told(lambda request: lambda: {key: facts.spark(key) for key in _keys(request)[:SPARKS]})),
        Route("/api/run", about(facts.run)),
        Route("/api/curves", about(facts.curves)),
        Route("/api/flow", about(facts.flow)),
        Route("/api/histograms", about(facts.histograms)),
        Route("/api/sweep", about(facts.sweep)),
        Route("/api/compare", told(lambda request: lambda: facts.compare(_keys(request)))),
        Route("/api/doctor", told(lambda request: commands.answer("doctor", _key(request)))),
        Route("/api/importance", told(lambda request: commands.importance(_key(request)))),
        Route("/api/eval", told(lambda request: commands.answer("eval", _key(request)))),
    ]
    application = Starlette(routes=routes, lifespan=looking)

    async def stop() -> None:
        live.stop()
        commands.stop()

    application.state.stop = stop
    return application


def _key(request: Request) -> str:
    return request.query_params.get("key", "")


def _keys(request: Request) -> list[str]:
    return request.query_params.getlist("key")


def _runs(shelf: Shelf, request: Request) -> dict[str, Any]:
    """The rows a page of the table shows: chosen by conditions and words, in order, with the columns asked for."""
    asked = request.query_params
    rows = [book.row for book in shelf.books.values()]
    keys = {id(book.row): key for key, book in shelf.books.items()}
    words = asked.get("where", "")[:KEYS].split()
    conditions = [word for word in words if any(sign in word for sign in "<>=")]
    chosen = matching(rows, conditions, near)
    for word in words:
        if word not in conditions:
            chosen = [
                row for row in chosen if word.lower() in f"{row['run_id']} {row['status']} {row['dataset']}".lower()
            ]
    if sweep := asked.get("sweep"):
        chosen = [row for row in chosen if row["sweep"] == sweep]
    if "folded" in asked:
        chosen = [row for row in chosen if not row["sweep"]]
    ordered = order(chosen, asked.get("sort", "-started")[:KEYS])
    start, count = (_count(asked.get(name), most) for name, most in (("from", len(ordered)), ("rows", ROWS)))
    columns = [name for name in asked.get("columns", "")[:KEYS].split(",") if name]
    shown = [
        {**shelf.told(keys[id(row)]), "columns": {name: value(row, name) for name in columns}}
        for row in ordered[start : start + count]
    ]
    return {
        "version": __version__,
        "folders": [str(folder) for folder in shelf.folders],
        "total": len(rows),
        "matching": len(ordered),
        "cut": shelf.cut,
        "metrics": sorted({str(name) for row in shown for name in row["metrics"] if "/" in str(name)})[:100],
        "sweeps": _sweeps(shelf, rows),
        "rows": shown,
    }


def _sweeps(shelf: Shelf, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each sweep with how many of its trials stand how."""
    counts = {key: Counter[str]() for key in shelf.sweeps}
    for row in rows:
        if row["sweep"] in counts:
            counts[row["sweep"]][str(row["status"])] += 1
    return [{"key": key, "name": path.name, "trials": dict(counts[key])} for key, path in shelf.sweeps.items()]


def _count(text: str | None, most: int) -> int:
    if text is None:
        return 0 if most != ROWS else ROWS
    if not text.isdigit():
        raise UsageError(f"expected a number, got {text!r:.40}")
    return min(int(text[:9]), most)
