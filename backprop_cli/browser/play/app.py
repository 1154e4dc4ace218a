"""The addresses of `bp play`: a page, its files, a stream of pictures, and commands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from backprop_cli.browser import kit
from backprop_cli.browser.play.link import Link
from backprop_cli.errors import BpError, UsageError

FILES = {**kit.folder(Path(__file__).parent / "page"), **kit.SHARED}
#: what a page may have the engine do
COMMANDS = {
    "forward", "backward", "step", "epoch", "run", "pause", "speed", "back", "go_to", "restart", "choose", "point",
    "change", "save", "lesson", "look",
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

    async def predict(request: Request) -> Response:
        """Rows in, answers out: CSV for CSV, JSON for JSON."""
        form = {"text/csv": "csv", "application/json": "json"}.get(_type(request))
        try:
            if form is None:
                raise UsageError("expected a body of the type text/csv or application/json")
            body = (await request.body()).decode("utf-8")
            model = request.path_params.get("model")
            answer = await asyncio.to_thread(lambda: link.ask("predict", body=body, form=form, model=model))
        except UnicodeDecodeError:
            return kit.as_json({"error": "the body is not UTF-8"}, 400)
        except BpError as error:
            return kit.as_json({"error": str(error)}, 400)
        return Response(answer["csv"], media_type="text/csv") if form == "csv" else kit.as_json(answer)

    routes = [
        Route("/", kit.pages(FILES)),
        Route("/page/{name}", kit.pages(FILES)),
        Route("/events", events),
        Route("/predict", predict, methods=["POST"]),
        Route("/predict/{model}", predict, methods=["POST"]),
        Route("/do", kit.told(do), methods=["POST"]),
    ]

    async def stop() -> None:
        await asyncio.to_thread(link.close)

    application = Starlette(routes=routes)
    application.state.stop = stop
    return application


async def _body(request: Request) -> dict[str, Any]:
    """A JSON object. Raises UsageError for anything else."""
    if _type(request) != "application/json":
        raise UsageError("expected a body of the type application/json")
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise UsageError("expected a JSON object")
    return body


def _type(request: Request) -> str:
    return str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()
