"""Serving an application on a port of this machine, until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable
from typing import Any

import uvicorn

from backprop_cli.browser.guard import LOCAL, Guard
from backprop_cli.errors import RunError


def serve(app: Any, host: str, port: int, *, open_: bool, say: Callable[[str], None], embedded: bool = False) -> None:
    """Say the address, and answer requests at host:port until a signal; then await `app.state.stop()`. Port 0 takes a
    free one.

    Where others than this machine can reach the port, a new token is part of the address, and requests without it are
    refused. `embedded`: the token is in the path, other pages may show the address in a frame, and the server also
    ends when its standard input does, and so with the process that started it. Raises RunError if the port is not
    available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
        server.listen(128)  # a browser that opens before all is loaded waits
    except OSError as error:
        server.close()
        raise RunError(f"cannot listen on {host}:{port} ({error.strerror or error}); choose another --port") from None
    port = server.getsockname()[1]
    local = host in LOCAL or host == "::1"
    token = None if local and not embedded else secrets.token_urlsafe(24)
    name = f"[{host}]" if ":" in host else host
    secret = "" if token is None else f"{token}/" if embedded else f"?token={token}"
    address = f"http://{name}:{port}/{secret}"
    config = uvicorn.Config(
        Guard(app, port, token, in_path=embedded),
        log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=1, limit_concurrency=256,
        h11_max_incomplete_event_size=1 << 16, ws="none",
    )  # fmt: skip

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            # only now: a signal that comes while asyncio sets itself up leaves a traceback
            say(address)
            if embedded:
                threading.Thread(target=_follow_input, daemon=True).start()
            if open_ and not webbrowser.open(address):
                say("no browser could be opened; open the address yourself")

        async def shutdown(self, sockets: Any = None) -> None:
            # not in the signal's handler: a second signal may come while the first is handled
            await app.state.stop()  # streams of events never end by themselves
            await super().shutdown(sockets)

    Server(config).run(sockets=[server])


def _follow_input() -> None:
    """End the server when its standard input ends."""
    while os.read(0, 1 << 12):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
