"""The addresses of `bp play`: a page, its files, a stream of pictures, and commands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from backprop_cli.board import kit
from backprop_cli.errors import UsageError
from backprop_cli.play.link import Link

FILES = {
    **kit.folder(Path(__file__).parent / "page"),
    **kit.SHARED,
    "board.css": kit.PAGE / "board.css",
    "dom.js": kit.PAGE / "dom.js",
}
#: what a page may have the engine do
COMMANDS = {
    "forward", "backward", "step", "epoch", "run", "pause", "speed", "back", "go_to", "restart", "choose", "point",
    "change", "save", "lesson",
}  # fmt: skip


def app(link: Link) -> Starlette:
    """The playground as an ASGI application."""

    async def events(_: Request) -> Response:
        return StreamingResponse(link.events(), media_type="text/event-stream")

    async def do(request: Request) -> Any:
        asked = await _body(request)
        verb = asked.pop("do", None)
        if not isinstance(verb, str) or verb not in COMMANDS or "id" in asked:
            raise UsageError(f"there is no command {verb!r:.40}")
        return await asyncio.to_thread(lambda: link.ask(verb, **asked))

    routes = [
        Route("/", kit.pages(FILES)),
        Route("/page/{name}", kit.pages(FILES)),
        Route("/events", events),
        Route("/do", kit.told(do), methods=["POST"]),
    ]
    made = Starlette(routes=routes)
    made.state.stop = link.close
    return made


async def _body(request: Request) -> dict[str, Any]:
    """A JSON object. Raises UsageError for anything else."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise UsageError("expected a body of the type application/json")
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        raise UsageError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise UsageError("expected a JSON object")
    return found
