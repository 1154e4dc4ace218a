"""Helpers to serve the pages of `bp`: their files, and answers in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from backprop_cli.errors import BpError
from backprop_cli.runs.json_text import dumps

CHARTS = Path(__file__).parents[1] / "insight/report/page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def folder(path: Path) -> dict[str, Path]:
    """The files of a folder by name."""
    return {file.name: file for file in sorted(path.iterdir())}


#: files that every page may load
SHARED = {
    "chart.js": CHARTS / "chart.js",
    "report.css": CHARTS / "report.css",
    **folder(Path(__file__).parent / "page"),
}


def pages(files: Mapping[str, Path]) -> Callable[[Request], Awaitable[Response]]:
    """A request handler that answers with one of these files, by default `index.html`, or with 404."""

    async def file(request: Request) -> Response:
        path = files.get(request.path_params.get("name", "index.html"))
        if path is None:
            return Response("no such file\n", 404)
        return FileResponse(path, media_type=f"{TYPES[path.suffix]}; charset=utf-8")

    return file


def told(make: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """A request handler that answers with the JSON of what `make(request)` gives: a coroutine, or a function that is
    run in a thread. A BpError or an OSError of either is answered with 400 and its message."""

    async def respond(request: Request) -> Response:
        try:
            answer = make(request)
            answer = await answer if asyncio.iscoroutine(answer) else await asyncio.to_thread(answer)
        except (BpError, OSError) as error:
            return as_json({"error": str(error)}, 400)
        return as_json(answer)

    return respond


def as_json(answer: Any, status: int = 200) -> Response:
    """A response with the status `status` whose body is `answer` as JSON."""
    return Response(dumps(answer), status, media_type="application/json")
