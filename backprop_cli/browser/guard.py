"""Access: only browsers on this machine, or requests with the token.

A page of another site must not read runs or start anything: its requests carry a foreign Origin, or, after DNS
rebinding, a foreign Host. Every answer forbids the page to load or run anything from elsewhere. A page inside a
notebook belongs to another site, so no cookie reaches it: there the token is in the path of every address.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "bp_board"
LOCAL = ("127.0.0.1", "localhost", "[::1]")
MAX_BODY = 8 << 20  # bytes of a request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Lets a request through, or answers 400, 403 or 413 itself.

    With a token (needed where others can reach the port) a request must carry it: `?token=` once, a cookie from then
    on, or `Authorization: Bearer`. Without one, only the names of this machine are accepted as Host. `in_path`: every
    address starts with the token instead, and pages that know it may show this one in a frame.
    """

    def __init__(self, app: Asgi, port: int, token: str | None, *, in_path: bool = False) -> None:
        self.app, self.token, self.in_path = app, token, in_path
        self.hosts = {f"{name}:{port}" for name in LOCAL}
        self.headers = {**HEADERS, "content-security-policy": POLICY} if in_path else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refuse(scope, given)
        if refused is not None:
            return await _answer(send, *refused)
        if self.in_path:
            scope = {**scope, "path": scope["path"][len(self.token or "") + 1 :]}
        handed = "" if self.in_path else self._handed(scope)
        cookie = f"{COOKIE}={handed}; HttpOnly; SameSite=Strict; Path=/" if handed else None

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = {**self.headers, **({"set-cookie": cookie} if cookie else {})}
                message["headers"] = [*message.get("headers", []), *((k.encode(), v.encode()) for k, v in own.items())]
            await send(message)

        return await self.app(scope, receive, guarded)

    def _refuse(self, scope: Scope, given: dict[str, str]) -> tuple[int, str] | None:
        host = given.get("host", "")
        if self.token is None and host not in self.hosts:
            return 403, f"this board answers to {sorted(self.hosts)[0]} only"
        if "origin" in given and given["origin"] not in (f"http://{host}", f"https://{host}"):
            return 403, "requests from pages of other sites are not answered"
        if not self.in_path and given.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "requests from pages of other sites are not answered"
        if self.token is not None and not self._known(scope, given):
            return 403, "the token is missing or wrong; open the address that `bp` printed"
        length = given.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY or "transfer-encoding" in given:
            return 413, f"a request may have at most {MAX_BODY >> 20} MiB, and says how long it is"
        return None

    def _known(self, scope: Scope, given: dict[str, str]) -> bool:
        if self.in_path:
            first, slash, _ = str(scope["path"])[1:].partition("/")
            return bool(slash) and hmac.compare_digest(first.encode(), (self.token or "").encode())
        try:
            morsel = SimpleCookie(given.get("cookie", "")).get(COOKIE)
        except CookieError:
            morsel = None
        offered = [
            self._handed(scope),
            morsel.value if morsel else "",
            given.get("authorization", "")[len("Bearer ") :],
        ]
        return any(hmac.compare_digest(text.encode(), (self.token or "").encode()) for text in offered if text)

    def _handed(self, scope: Scope) -> str:
        return (
            str(parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]) if self.token else ""
        )


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *((k.encode(), v.encode()) for k, v in HEADERS.items())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
