"""The HTTP server: uvicorn, with limits to how long and how large a request's beginning may be."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request as Handshake

from pipulate.web.guard import takes_files

HEADERS_S = 10.0
"""Seconds a request may take to send its headers."""

BODY_S = 45.0
"""Seconds it may take to send its body, or each `PACE_BYTES` of a file."""

PACE_BYTES = 262_144

HEADERS_BYTES = 65_536
_KEEP_ALIVE_S = 30
_GRACE_S = 10
_SOCKET_BYTES = 65_536


class PatientProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, to clients that get on with it: half a request does not hold a connection."""

    _deadline: asyncio.TimerHandle | None = None
    _idle_bytes = 0  # What came since the request last got on: since its beginning, or the last piece of its body.
    _gets_on = False
    _since_armed = 0  # Bytes of the body that came since the clock was started.
    _in_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._arm(HEADERS_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse headers without end, be they before the body, in it (beside the size of a chunk), or after it."""
        self._gets_on = False
        super().data_received(data)
        self._idle_bytes = 0 if self._gets_on else self._idle_bytes + len(data)
        if self._idle_bytes > HEADERS_BYTES and not self.transport.is_closing():
            self._disarm()
            self.send_400_response("Too many headers.")

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be read; one whose answer is on its way already gets no second one."""
        if not self._in_headers and getattr(self.cycle, "response_started", False):
            self.transport.close()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """Start the clock for the headers."""
        super().on_message_begin()
        self._in_headers = True
        if self._deadline is None:
            self._arm(HEADERS_S)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those that come after the body say nothing that may count."""
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the clock for the body."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEADERS_BYTES:
            raise ValueError("too many headers")  # The parser turns this into a refusal.
        self._gets_on = True
        self._arm(BODY_S)
        super().on_headers_complete()
        self._in_headers = False

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body. Files take as long as they take, while they keep coming."""
        self._gets_on = True
        self._since_armed += len(body)
        if self._since_armed >= PACE_BYTES and takes_files(self.scope["path"]):
            self._arm(BODY_S)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock: all of the request is here."""
        self._in_headers, self._gets_on = True, True
        self._disarm()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Stop the clock: sockets have a heartbeat of their own."""
        self._disarm()
        super().handle_websocket_upgrade()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._since_armed = 0
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


class AbortableSocket(WebSocketsSansIOProtocol):
    """A socket that the application can let go of at once, whatever still waits to be sent."""

    def handle_connect(self, event: Handshake) -> None:
        """Hand the application the way to do so."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions["pipulate.abort"] = self._drop

    def _drop(self) -> None:
        """Close at once; the system too is to forget what its reader does not take."""
        if not self.transport.is_closing():
            system: socket.socket = self.transport.get_extra_info("socket")
            system.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def config(app: Any, *, host: str, port: int) -> uvicorn.Config:
    """Return how the server runs."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PatientProtocol,
        ws=AbortableSocket,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        ws_max_size=_SOCKET_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
    )


class Server(uvicorn.Server):
    """Ends with status 0 when it is asked to end: being told to stop is no failure."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second Ctrl C ends at once."""
        del frame
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
