"""What every request passes before anything looks at it: who asks, from where, how much.

One small ASGI class in front of the whole application, so that a route added tomorrow is behind it too. It knows
addresses only by their beginning: everything below `/-/` belongs to the host, everything else is a page of an app.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipulate.security.capability import Capability

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

STATIC = "/-/static/"
OPEN = "/-/open"
CONTROL = "/-/control/"
_SAFE = ("GET", "HEAD")
_TAKES_FILES = re.compile(
    r"/-/runs/[0-9a-f]{32}/steps/[^/\n]+/(uploads/[^/\n]+|with-files)"
    r"|/-/records/[a-z][a-z0-9_]*/(import|([0-9]+/)?(uploads/[^/\n]+|with-files))"
)

_FIXED_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_FIXED_NAMES = frozenset({b"content-security-policy", *(name for name, _ in _FIXED_HEADERS)})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further: a status, and a sentence for whoever sent it."""

    status: int
    reason: str


class BodyTooLargeError(Exception):
    """More came than the limit allows."""


class Guard:
    """Checks host, origin, capability and size; adds the security headers to every answer."""

    def __init__(
        self,
        app: App,
        *,
        capability: Capability,
        hosts: Collection[str],
        max_body_bytes: int,
        max_upload_bytes: int = 0,
        refused: Callable[[Scope, Refusal], App],
    ) -> None:
        """Wire it up.

        Args:
            app: What is behind the guard.
            capability: What lets browsers in.
            hosts: The `host:port` values that are ours.
            max_body_bytes: Largest body.
            max_upload_bytes: Largest body where files are uploaded; those addresses count for themselves too.
            refused: Makes the answer to a refused request.
        """
        self._app, self._capability, self._hosts = app, capability, hosts
        self._max_body_bytes, self._refused = max_body_bytes, refused
        self._max_upload_bytes = max(max_upload_bytes, max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        refusal = self._judge(scope, headers)
        if kind == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason})
            return
        scope["nonce"] = nonce = secrets.token_urlsafe(16)
        send = _with_headers(send, nonce)
        if refusal is not None:
            if location := self._elsewhere(scope, headers, refusal):
                await _redirect(location, send)
            else:
                await self._refused(scope, refusal)(scope, receive, send)
            return
        await self._limited(scope, headers, receive, send)

    def _judge(self, scope: Scope, headers: Mapping[bytes, list[bytes]]) -> Refusal | None:
        hosts = headers.get(b"host", [])
        if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in self._hosts:
            return Refusal(400, "This address is not one this server answers to.")
        path: str = scope["path"]
        is_socket = scope["type"] == "websocket"
        is_safe = not is_socket and scope["method"] in _SAFE
        if path.startswith(CONTROL):
            return self._judge_control(headers)
        if not _is_from_here(path, headers, hosts[0], is_safe=is_safe, is_socket=is_socket):
            return Refusal(403, "This was sent by another page, not by Pipulate's own.")
        if is_safe and (path.startswith(STATIC) or path == OPEN):
            return None
        if not self._capability.holds(_cookie(headers, self._capability.cookie)):
            return Refusal(401, "This browser has not been let in.")
        return None

    def _judge_control(self, headers: Mapping[bytes, list[bytes]]) -> Refusal | None:
        """Commands of the same user carry the secret itself; no browser does, and none may use this way."""
        given = headers.get(b"authorization", [b""])[0].decode("latin-1")
        if b"cookie" in headers or b"origin" in headers or b"sec-fetch-site" in headers:
            return Refusal(403, "This way in is for commands, not for browsers.")
        if not self._capability.holds(given.removeprefix("Bearer ") if given.startswith("Bearer ") else None):
            return Refusal(401, "The secret of the data folder is needed.")
        return None

    def _elsewhere(self, scope: Scope, headers: Mapping[bytes, list[bytes]], refusal: Refusal) -> str | None:
        """Return where a page opened as `localhost` lives: the cookie was given to the address we listen on."""
        host, _, port = headers.get(b"host", [b""])[0].decode("latin-1").partition(":")
        if refusal.status != 401 or host != "localhost" or scope["method"] not in _SAFE:
            return None
        if scope["path"].startswith("/-/"):
            return None
        query = scope.get("query_string", b"").decode("latin-1")
        home = (scope.get("server") or ["127.0.0.1"])[0]
        home = f"[{home}]" if ":" in home else home
        return f"http://{home}:{port or 80}{quote(scope['path'])}" + (f"?{query}" if query else "")

    async def _limited(self, scope: Scope, headers: Mapping[bytes, list[bytes]], receive: Receive, send: Send) -> None:
        """Pass a request on with a limit to its body."""
        if scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return
        limit = self._max_upload_bytes if takes_files(scope["path"]) else self._max_body_bytes
        too_large = Refusal(413, f"This is larger than {limit // 1_000_000:,} MB, the limit set here.")
        length = headers.get(b"content-length", [b""])[0]
        if length.isdigit() and int(length) > limit:
            await self._refused(scope, too_large)(scope, receive, send)
            return
        came, has_answered = 0, False

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > limit:
                raise BodyTooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except BodyTooLargeError:
            if has_answered:
                raise
            await self._refused(scope, too_large)(scope, receive, send)


def takes_files(path: str) -> bool:
    """Tell whether files may be sent to an address: only there a body may be larger than elsewhere."""
    return _TAKES_FILES.fullmatch(path) is not None


def _headers(scope: Scope) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name, []).append(value)
    return found


def _is_from_here(
    path: str, headers: Mapping[bytes, list[bytes]], host: bytes, *, is_safe: bool, is_socket: bool
) -> bool:
    """Tell whether a request comes from a page of ours, or from the person directly.

    A page of an app may be opened by a link from anywhere, and so may the one-time link; nothing else may.
    """
    site = headers.get(b"sec-fetch-site", [None])[0]
    origin = headers.get(b"origin", [None])[0]
    if origin is not None and origin != b"http://" + host:  # No browser names an origin when a link is followed.
        return False
    if is_socket:
        return origin is not None and site in (None, b"same-origin")
    if is_safe and (path == OPEN or not path.startswith("/-/")):
        is_visit = headers.get(b"sec-fetch-mode", [b""])[0] == b"navigate"
        is_page = headers.get(b"sec-fetch-dest", [b""])[0] == b"document"
        return site in (None, b"same-origin", b"none") or (is_visit and is_page)
    if site is not None:
        return site in (b"same-origin", b"none")
    return is_safe or origin is not None


def _cookie(headers: Mapping[bytes, list[bytes]], name: str) -> str | None:
    """Return the value of a cookie, or None; one that is sent twice counts as none."""
    values = [
        value
        for line in headers.get(b"cookie", [])
        for found, _, value in (part.strip().partition("=") for part in line.decode("latin-1").split(";"))
        if found == name
    ]
    return values[0] if len(values) == 1 else None


def policy(nonce: str) -> str:
    """Return the content security policy: only our own files, only scripts that carry this page's nonce."""
    return f"default-src 'none'; script-src 'nonce-{nonce}'; {_POLICY}"


_POLICY = (
    "style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; frame-src 'self';"
    " form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)


def _with_headers(send: Send, nonce: str) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            added = ((b"content-security-policy", policy(nonce).encode()), *_FIXED_HEADERS)
            own = {name for name, _ in headers}
            if own.isdisjoint(_FIXED_NAMES):
                headers += added
            else:
                headers += [header for header in added if header[0] not in own]
            message["headers"] = headers
        await send(message)

    return with_headers


async def _redirect(location: str, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 307,
            "headers": [(b"location", location.encode("latin-1", "replace")), (b"content-length", b"0")],
        }
    )
    await send({"type": "http.response.body", "body": b""})
