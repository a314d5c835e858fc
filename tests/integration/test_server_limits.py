"""The real server under abuse: slow, endless, huge and malformed requests, and sockets that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import select
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from pipulate.web import live
from pipulate.web import server as limits
from tests.support.raw import Wire, exchange, forget_peak, handshake, peak, replies, request
from tests.support.server import Server

MB = 1_000_000
IMPATIENT = """
from pipulate.web import live, server
server.HEADERS_S = live._SEND_S = 4.0
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("limits"), before=IMPATIENT) as running:
        running.get("/")
        yield running
        assert running.stop() == 0


def post(server: Server, path: str, body: bytes = b"", **headers: str) -> Any:
    (reply,) = exchange(server.port, request("POST", path, server.port, cookie=server.cookie(), body=body, **headers))
    return reply


def new_run(server: Server) -> str:
    """Start a run; return its id."""
    address = post(server, "/hello", b"key=&offered=").header("location")
    return re.search(r'data-run="(\w+)"', server.get(address)[1])[1]  # type: ignore[index]


def write(server: Server, run: str, *texts: str) -> None:
    """Write notes into a run."""
    for text in texts:
        assert post(server, "/-/notes", f"_conversation={run}&text={text}".encode(), hx_request="true").status == 204


def socket_to(server: Server, query: str = "") -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{server.port}/-/live?{query}", origin=Origin(server.address), compression=None, max_size=None,
        additional_headers={"Cookie": server.cookie()}, open_timeout=20, close_timeout=5, ping_interval=None,
    )  # fmt: skip


# Time


def test_nothing_is_waited_for_longer_than_ten_seconds() -> None:
    assert max(limits.HEADERS_S, live._SEND_S) <= 10


def closed_after(wires: list[Wire], within_s: float) -> list[float]:
    """Wait until the server has closed connections; return after how many seconds each was."""
    began, found = time.monotonic(), list[float]()
    with selectors.DefaultSelector() as waiting:
        for wire in wires:
            waiting.register(wire.socket, selectors.EVENT_READ, wire)
        while len(found) < len(wires) and (left := began + within_s - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                if not key.data.read():
                    waiting.unregister(key.fileobj)
                    found.append(time.monotonic() - began)
    return found


def test_connections_that_get_nowhere_are_closed_while_others_are_served(server: Server) -> None:
    """Half a beginning, none at all, half a one after a whole request, and a page that does not read: all at once."""
    halves = [b"GET / HTTP/1.1\r\nhost: a", b"", b"G", b"POST / HTTP/1.1\r\ncontent-length: 5\r\n",
              request("GET", "/-/static/x", server.port, connection="keep-alive") + b"GET / HT"]  # fmt: skip
    run = new_run(server)
    with ExitStack() as stack:
        stuck = stack.enter_context(Wire(server.port, receive_bytes=4_096))
        stuck.send(handshake(server.port, server.cookie(), f"run={run}"))
        assert b"101 Switching" in stuck.until(b"\r\n\r\n")
        forget_peak(server.process.pid)
        before = peak(server.process.pid)
        wires = [stack.enter_context(Wire(server.port)).send(halves[number % 5]) for number in range(100)]
        writer = threading.Thread(target=write, args=(server, run, *["x" * 19_000] * 400))
        writer.start()
        closed = closed_after(wires, 9)
        writer.join()
        dropped = select.poll()
        dropped.register(stuck.socket, 0)  # Tells of the end alone, not of what there is to read.
        assert dropped.poll(15_000)
    assert len(closed) == 100
    assert min(closed) > 1.5
    assert max(closed) < 7
    assert server.get("/")[0] == 200
    assert peak(server.process.pid) - before < 32 * MB


@contextmanager
def patient_server(app: Any) -> Iterator[int]:
    """Run our server in this process, with an application of the test's; yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    running = limits.Server(limits.config(app, host="127.0.0.1", port=port))
    running.config.lifespan = "off"
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    try:
        yield port
    finally:
        running.should_exit = True
        thread.join()


async def reads_all(scope: Any, receive: Any, send: Any) -> None:
    """An application that waits for the whole body, and takes its time when it is told to."""
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(0.6)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_body_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.BODY_S <= 50
    monkeypatch.setattr(limits, "BODY_S", 0.3)
    heads = [b"content-length: 9", b"transfer-encoding: chunked", b"content-length: 9\r\nexpect: 100-continue"]
    with patient_server(reads_all) as port, ExitStack() as stack:
        wires = [stack.enter_context(Wire(port)).send(b"POST / HTTP/1.1\r\n" + head + b"\r\n\r\n1") for head in heads]
        assert len(closed_after(wires, 5)) == 3


def test_answer_may_take_longer_than_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_S", 0.3)
    monkeypatch.setattr(limits, "HEADERS_S", 0.3)
    with patient_server(reads_all) as port:
        head = b"POST /slow HTTP/1.1\r\ncontent-length: 1\r\n"
        (reply,) = exchange(port, head + b"connection: close\r\n\r\n1")
        assert reply.status == 200
        with Wire(port) as wire:
            wire.send(head + b"\r\n1").until(b"\r\n\r\n")
            wire.send(head + b"connection: close\r\n\r\n1")
            assert [reply.status for reply in replies(wire.rest())] == [200]


def test_connection_that_asks_for_nothing_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits._KEEP_ALIVE_S <= 60
    monkeypatch.setattr(limits, "_KEEP_ALIVE_S", 0.3)
    with patient_server(reads_all) as port, Wire(port) as wire:
        assert b"200 OK" in wire.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").until(b"\r\n\r\n")
        assert len(closed_after([wire], 5)) == 1


async def listens(_scope: Any, receive: Any, send: Any) -> None:
    """An application whose socket has nothing to say."""
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


def test_socket_stays_open_longer_than_a_request_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_S", 0.3)
    monkeypatch.setattr(limits, "HEADERS_S", 0.3)
    with patient_server(listens) as port, Wire(port) as wire:
        assert b"101 Switching" in wire.send(handshake(port, "")).until(b"\r\n\r\n")
        assert closed_after([wire], 1) == []


# Size


@pytest.mark.parametrize(
    "head",
    [b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 15_000 + b"\r\n", b"GET / HTTP/1.1\r\n" + b"a" * 70_000,
     b"a" * 70_000, b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x-" + b"a" * 70_000],
    ids=["address", "value", "number", "name without end", "method", "name"],
)  # fmt: skip
@pytest.mark.parametrize("is_second", [False, True])
def test_beginning_of_a_request_that_is_too_long_is_refused(head: bytes, is_second: bool, server: Server) -> None:
    first = request("GET", "/-/static/x", server.port, connection="keep-alive")
    with Wire(server.port) as wire:
        if is_second:
            wire.send(first).until(b"no such file.")
        for start in range(0, len(head), 8_192):
            wire.send(head[start : start + 8_192])
        (reply,) = replies(wire.rest(5))
    assert reply.status == 400


def test_long_beginning_within_the_limit_is_taken(server: Server) -> None:
    path = "/hello?find=" + "a" * 50_000
    (reply,) = exchange(server.port, request("GET", path, server.port, cookie=server.cookie()))
    assert reply.status == 200


def chunked(size: int, chunk: int = 65_536) -> Iterator[bytes]:
    yield from (b"%x\r\n%s\r\n" % (chunk, b"a" * chunk) for _ in range(size // chunk))
    yield b"0\r\n\r\n"


def send_all(server: Server, head: bytes, body: Iterator[bytes]) -> list[int]:
    """Send a request with a large body and read what comes meanwhile; return the statuses."""
    came = bytearray()
    with Wire(server.port) as wire:
        reader = threading.Thread(target=lambda: came.extend(wire.rest(30)))
        wire.send(head)
        reader.start()
        for part in body:
            if not reader.is_alive():
                break
            wire.send(part)
        reader.join()
    return [reply.status for reply in replies(bytes(came))]


@pytest.mark.parametrize("is_let_in", [True, False])
@pytest.mark.parametrize("way", ["length", "chunks", "small chunks"])
def test_body_over_the_limit_is_refused_and_not_kept_in_memory(way: str, is_let_in: bool, server: Server) -> None:
    cookie = server.cookie() if is_let_in else ""
    if way == "length":
        raw = request("POST", "/-/notes", server.port, cookie=cookie, content_length=str(200 * MB))
        body = iter([b"a" * MB] * 200)
    else:
        raw = request("POST", "/-/notes", server.port, cookie=cookie, content_length="", transfer_encoding="chunked")
        body = chunked(200 * MB if way == "chunks" else 20 * MB, 65_536 if way == "chunks" else 512)
    forget_peak(server.process.pid)
    before = peak(server.process.pid)
    assert send_all(server, raw, body) == [413 if is_let_in else 401]
    assert peak(server.process.pid) - before < 32 * MB


def test_body_over_the_limit_is_refused_before_it_is_sent(server: Server) -> None:
    raw = request(
        "POST", "/-/notes", server.port, cookie=server.cookie(), content_length=str(9 * MB), expect="100-continue"
    )
    (reply,) = exchange(server.port, raw)
    assert reply.status == 413
    assert b"8 MB" in reply.body


@pytest.mark.parametrize("kind", ["many", "long", "extension"])
def test_end_of_a_body_without_end_is_not_kept_in_memory(kind: str, server: Server) -> None:
    """After the last chunk there may come headers, and beside each chunk's size an extension: neither is of use."""
    raw = request(
        "POST", "/-/notes", server.port, cookie=server.cookie(), content_length="", transfer_encoding="chunked"
    )
    parts = {
        "many": [b"0\r\n", b"x: y\r\n" * 10_000],
        "long": [b"0\r\nx: ", b"y" * 60_000],
        "extension": [b"1;", b"y" * 60_000],
    }
    first, more = parts[kind]
    forget_peak(server.process.pid)
    before = peak(server.process.pid)
    statuses = send_all(server, raw + first, (more for _ in range(1_500)))
    assert peak(server.process.pid) - before < 32 * MB
    assert set(statuses) <= {400}
    assert server.get("/")[0] == 200


# Malformed


BEGIN = (
    "POST /-/notes HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
)
INNER = BEGIN + "Connection: close\r\nContent-Length: 13\r\n\r\ntext=smuggled"
SMUGGLED = {
    "length and chunks": BEGIN + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunks and length": BEGIN + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + INNER,
    "two lengths": BEGIN + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + INNER,
    "the same length twice": BEGIN + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + INNER,
    "lengths in one": BEGIN + "Content-Length: 0, 5\r\n\r\n" + INNER,
    "length with a sign": BEGIN + "Content-Length: +0\r\n\r\n" + INNER,
    "length in hex": BEGIN + "Content-Length: 0x0\r\n\r\n" + INNER,
    "length below zero": BEGIN + "Content-Length: -1\r\n\r\n" + INNER,
    "huge length": BEGIN + "Content-Length: 99999999999999999999\r\n\r\n" + INNER,
    "bare line feeds": (BEGIN + "Content-Length: 0\r\n\r\n" + INNER).replace("\r\n", "\n"),
    "one bare line feed": BEGIN + "X: y\nContent-Length: 0\r\n\r\n" + INNER,
    "bare carriage return": BEGIN + "X: y\rContent-Length: 0\r\n\r\n" + INNER,
    "folded line": BEGIN + "X: y\r\n Content-Length: 5\r\nContent-Length: 0\r\n\r\n" + INNER,
    "folded encoding": BEGIN + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + INNER,
    "space before the colon": BEGIN + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + INNER,
    "space in a name": BEGIN + "Transfer Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "another encoding": BEGIN + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "encodings": BEGIN + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + INNER,
    "encoding twice": BEGIN + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + INNER,
    "encoding with a control": BEGIN + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunk size with a sign": BEGIN + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + INNER,
    "chunk size in 0x": BEGIN + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + INNER,
    "huge chunk size": BEGIN + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n\r\n" + INNER,
    "chunk without its end": BEGIN + "Transfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n" + INNER,
    "chunk with line feeds": BEGIN + "Transfer-Encoding: chunked\r\n\r\n0\n\n" + INNER,
    "nul": BEGIN + "X: a\x00b\r\nContent-Length: 0\r\n\r\n" + INNER,
    "no colon": BEGIN + "X\r\nContent-Length: 0\r\n\r\n" + INNER,
    "no name": BEGIN + ": x\r\nContent-Length: 0\r\n\r\n" + INNER,
    "version to come": BEGIN.replace("HTTP/1.1", "HTTP/3.0") + "Content-Length: 0\r\n\r\n" + INNER,
    "http/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
    "method of none": BEGIN.replace("POST", "post") + "Content-Length: 0\r\n\r\n" + INNER,
    "no method": "\x16\x03\x01\x02\x00\x01\x00" + INNER,
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_malformed_request_gets_one_refusal_and_what_hides_behind_it_none(name: str, server: Server) -> None:
    raw = SMUGGLED[name].format(port=server.port, cookie=server.cookie())
    found = exchange(server.port, raw.encode("latin-1"))
    assert [reply.status for reply in found] == [400]
    assert "smuggled" not in server.get("/")[1]


def test_request_that_turns_bad_after_its_answer_gets_no_second_one(server: Server) -> None:
    head = request("POST", "/-/notes", server.port, content_length="", transfer_encoding="chunked")
    with Wire(server.port) as wire:
        came = wire.send(head + b"1\r\na\r\n").until(b"let in.\n")
        came += wire.send(b"no size at all\r\n").rest()
    assert [reply.status for reply in replies(came)] == [401]


@pytest.mark.parametrize("second", ["127.0.0.1:{port}", "evil.test", ""])
def test_request_that_names_two_hosts_is_refused(second: str, server: Server) -> None:
    host = f"Host: 127.0.0.1:{server.port}\r\nHost: {second.format(port=server.port)}\r\n"
    (reply,) = exchange(server.port, f"GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n".encode())
    assert reply.status == 400


def test_host_in_the_address_line_is_not_believed(server: Server) -> None:
    for line in ("GET http://evil.test/ HTTP/1.1", f"GET http://evil.test@127.0.0.1:{server.port}/ HTTP/1.1"):
        raw = request("GET", "/", server.port).replace(b"GET / HTTP/1.1", line.encode())
        (reply,) = exchange(server.port, raw)
        assert reply.status in (400, 401)
        assert b"evil" not in reply.body


def test_header_in_the_end_of_a_body_is_not_taken_for_one_of_the_beginning(server: Server) -> None:
    head = request("POST", "/-/notes", server.port, content_length="", transfer_encoding="chunked", trailer="cookie")
    end = f"d\r\ntext=smuggled\r\n0\r\nCookie: {server.cookie()}\r\nX-Pipulate-Tab: evil\r\n\r\n"
    (reply,) = exchange(server.port, head + end.encode())
    assert reply.status == 401
    assert "smuggled" not in server.get("/")[1]


@pytest.mark.parametrize("odd", ["\x1b[31m", "%0d%0a2026 event", "%1b[2J", "%00", "\u00e4"])
def test_odd_path_and_headers_become_one_escaped_line_of_the_log(odd: str, server: Server) -> None:
    for path in (f"/hello/{odd}", f"/-/runs/{odd}"):
        raw = request("GET", path, server.port, cookie=server.cookie(), user_agent=odd.replace("%", ""), referer=odd)
        assert [reply.status for reply in exchange(server.port, raw)] in ([404], [400])
    log = server.log()
    assert all(line.startswith("{") and line.endswith("}") for line in log.splitlines())
    assert log.replace("\n", "").isprintable()


def test_upload_that_breaks_off_is_no_mistake_of_ours(server: Server) -> None:
    with Wire(server.port) as wire:
        wire.send(request("POST", "/-/notes", server.port, cookie=server.cookie(), content_length="50") + b"text=half")
        assert server.get("/")[0] == 200
    assert server.get("/")[0] == 200
    assert "crashed" not in server.log()
    assert "Exception" not in server.log()


# Sockets


def close_code(connection: ClientConnection) -> int | None:
    """Read until the server closes; return its code."""
    try:
        while True:
            connection.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_socket_that_talks_too_much_is_told_so_and_closed(server: Server) -> None:
    with Wire(server.port) as wire:
        assert b"101 Switching" in wire.send(handshake(server.port, server.cookie())).until(b"\r\n\r\n")
        # All at once: what comes after the end has the system cut the connection, with what was said last.
        assert b"\x88\x02\x03\xf0" in wire.send(b"\x81\x80aaaa" * 25).rest(15)  # 1008.


@pytest.mark.parametrize(
    "message", ["x" * 70_000, b"x" * 70_000, ["x" * 40_000, "x" * 40_000]], ids=["text", "bytes", "parts"]
)
def test_socket_that_sends_too_much_at_once_is_told_so_and_closed(message: Any, server: Server) -> None:
    with socket_to(server) as connection:
        with contextlib.suppress(ConnectionClosed):  # It need not wait for the last part.
            connection.send(message)
        assert close_code(connection) == 1009


@pytest.mark.parametrize(
    "frame", [b"\x81\x02hi", b"\x91\x80aaaa", b"\x8f\x80aaaa", b"\x81\x82\x00\x00\x00\x00\xff\xfe", b"\x09\x80aaaa"],
    ids=["not masked", "reserved bit", "unknown kind", "not utf-8", "ping in parts"],
)  # fmt: skip
def test_frame_that_breaks_the_rules_ends_the_socket(frame: bytes, server: Server) -> None:
    with Wire(server.port) as wire:
        assert b"101 Switching" in wire.send(handshake(server.port, server.cookie())).until(b"\r\n\r\n")
        assert wire.send(frame).rest(15) is not None
    assert server.get("/")[0] == 200


@pytest.mark.parametrize("origin", ["http://evil", "null", None, "https://127.0.0.1:{port}", "http://localhost:{port}"])
def test_socket_of_another_page_gets_no_handshake(origin: str | None, server: Server) -> None:
    own = f"origin: http://127.0.0.1:{server.port}\r\n".encode()
    other = f"origin: {origin.format(port=server.port)}\r\n".encode() if origin else b""
    with Wire(server.port) as wire:
        (reply,) = replies(wire.send(handshake(server.port, server.cookie()).replace(own, other)).rest())
    assert reply.status == 403


@pytest.mark.parametrize("lacks", ["sec-websocket-key", "sec-websocket-version"])
def test_handshake_that_is_none_is_refused(lacks: str, server: Server) -> None:
    raw = re.sub(rf"{lacks}: [^\r]*\r\n".encode(), b"", handshake(server.port, server.cookie()))
    with Wire(server.port) as wire:
        assert [reply.status // 100 for reply in replies(wire.send(raw).rest())] == [4]


def test_more_sockets_than_there_may_be_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("few"), env={"PIPULATE_MAX_SOCKETS": "3"}) as few, ExitStack() as stack:
        held = [stack.enter_context(socket_to(few)) for _ in range(3)]
        with pytest.raises(InvalidStatus, match="403"):
            socket_to(few)
        held[0].close()
        stack.enter_context(eventually(lambda: socket_to(few)))


def eventually(attempt: Any) -> Any:
    deadline = time.monotonic() + 10
    while True:
        try:
            return attempt()
        except InvalidStatus:
            if time.monotonic() > deadline:
                raise


def test_a_thousand_pages_hear_of_every_note(server: Server) -> None:
    count = 1_000 if resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 2_500 else 300
    run = new_run(server)
    forget_peak(server.process.pid)
    with ExitStack() as stack:
        pages = []
        for _ in range(count - 10):  # One after the other: the server waits only so long for what a connection sends.
            page = stack.enter_context(Wire(server.port))
            pages.append(page.send(handshake(server.port, server.cookie(), f"run={run}&after=1")))
            assert b"101 Switching" in page.until(b"\r\n\r\n")
        write(server, run, "one", "two", "three")
        for page in pages:
            assert b"three" in page.until(b"three")
        assert server.get("/")[0] == 200
        assert peak(server.process.pid) < 400 * MB
