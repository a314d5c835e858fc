"""A server that speaks as Ollama does, and as servers of OpenAI's protocol do, word for word as a test tells it.

    with Ollama() as ollama:
        ollama.script(Turn("I look. ", calls=[("read_state", {})]), Turn("It says Jo."))
        ...                          # ask it at `ollama.url`, or `ollama.v1`
        ollama.requests[-1]["messages"]

It is no Ollama: a real one has been asked by nobody here. It runs in a thread on a free port, and knows how many
connections and answers are open, and how many askers went away before the end.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

Fault = Literal[
    "", "silent", "stall", "close", "cut", "reset", "bad_json", "no_object", "error", "too_long_inside", "utf8",
    "long_line", "after_done", "endless", "thinking", "blank", "packed",
]  # fmt: skip
"""What goes wrong after `at` words: `silent` does not even send headers, `stall` says no more, `close` ends cleanly
without an end, `cut` closes in the middle of a chunk, `reset` resets the connection, `bad_json`, `no_object`, `utf8`
send lines that cannot be read, `error` and `too_long_inside` one that tells of an error, `long_line` begins a line of
100 MB, `after_done` goes on after the end, `endless` and `thinking` never end, `blank` sends parts without a word for
ever, `packed` says that it is gzip."""

STATUSES: dict[str, tuple[int, bytes]] = {
    "missing": (404, b'{"error":"model \'gone\' not found"}'),
    "key": (401, b'{"error":{"message":"Incorrect API key provided: SECRET","type":"invalid_request_error"}}'),
    "busy": (429, b'{"error":"too many requests"}'),
    "full": (503, b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'),
    "loading": (503, b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'),
    "html": (502, b"<html><head><title>502 Bad Gateway</title></head><body><script>x</script></body></html>"),
    "too_long": (400, b'{"error":"prompt too long; exceeded max context length by 100 tokens"}'),
    "no_tools": (400, b'{"error":"registry.ollama.ai/library/x:latest does not support tools"}'),
    "wrong": (500, b'{"error":"<b>model</b> runner has \\u0007 unexpectedly stopped"}'),
    "moved": (307, b""),
}
"""Answers with an error from the start, by a name for `Turn.status`."""


@dataclass
class Turn:
    """One answer.

    Attributes:
        text: Sent word by word.
        thinking: Sent before it, word by word.
        calls: Name and arguments of each tool it asks for; arguments of any type.
        reason: Why it ends, as the server says it.
        prompt, answer: Tokens as the server counts them; None where it does not say.
        holds_at: After so many words it waits for `Ollama.go`; None waits never.
        pace_s: Seconds between two words.
        status: A name of `STATUSES`, "" for an answer.
        raw: Goes over the wire as it is, after the words.
        fault: What goes wrong.
        at: After how many words it does.
    """

    text: str = ""
    thinking: str = ""
    calls: Sequence[tuple[Any, Any]] = ()
    reason: str = "stop"
    prompt: int | None = 10
    answer: int | None = 5
    holds_at: int | None = None
    pace_s: float = 0
    status: str = ""
    raw: bytes = b""
    fault: Fault = ""
    at: int = 1


def model(name: str, **more: Any) -> dict[str, Any]:
    """Return a model as `/api/tags` lists it."""
    return {
        "name": name, "model": name, "size": 2_500_000_000, "digest": "0" * 64,
        "modified_at": "2026-10-01T00:00:00Z", "capabilities": ["completion", "tools"],
        "details": {"parameter_size": "4B", "quantization_level": "Q4_K_M", "family": "q", "context_length": 32_768},
    } | more  # fmt: skip


MODEL = "tiny:4b"
END = object()


@dataclass
class Ollama:
    """The server, from `start` or `with` until `stop`.

    Attributes:
        models: What `/api/tags` and `/v1/models` list; may be changed.
        loaded: Names of those in memory.
        requests: Bodies of the questions, the oldest first.
        headers: Headers of every request, the oldest first.
        asked: Method and path of every request.
        open: Answers that are under way.
        aborted: Answers whose asker went away before the end.
        ended: Answers that were sent to their end.
        connections: Connections that are open.
        accepted: Connections that ever were.
        listed: What `/v1/models` lists, where it is to say more than names.
        moved_to: Address of the server that `moved` answers send to.
        missing: Paths of lists where there is nothing.
        cuts: How many of the next lists are cut off, whatever `looks` says.
        drops: How many of the next requests have their connection closed and nothing else.
        looks: How lists of models are answered: "" as they should, "silent", "cut", or a name of `STATUSES`.
    """

    models: list[Any] = field(default_factory=lambda: [model(MODEL)])
    loaded: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    open: int = 0
    aborted: int = 0
    ended: int = 0
    connections: int = 0
    accepted: int = 0
    moved_to: str = ""
    listed: list[Any] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    cuts: int = 0
    drops: int = 0
    looks: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        self._is_listening = False
        self._turns: deque[Turn] = deque()
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._go: asyncio.Event = asyncio.Event()
        self._handlers: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="ollama-stub", daemon=True)

    # For tests

    @property
    def url(self) -> str:
        """Where it is, as Ollama."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def v1(self) -> str:
        """Where it is, as a server of OpenAI's protocol."""
        return f"{self.url}/v1"

    def script(self, *turns: Turn) -> None:
        """Say what it answers next, one turn for each question; without any it repeats the question."""
        self._turns.extend(turns)

    def unasked(self) -> list[Turn]:
        """Forget the turns that no question came for; return them."""
        left = list(self._turns)
        self._turns.clear()
        return left

    def go(self) -> None:
        """Let every answer go on that holds."""
        self._loop.call_soon_threadsafe(self._go.set)

    def wait(self, wanted: Callable[[Ollama], object], within_s: float = 10) -> Self:
        """Wait until something is true of it.

        Raises:
            TimeoutError: If it does not become so.
        """
        with self._news:
            if not self._news.wait_for(lambda: wanted(self), within_s):
                raise TimeoutError(f"open {self.open}, aborted {self.aborted}, connections {self.connections}")
        return self

    async def until(self, wanted: Callable[[Ollama], object], within_s: float = 10) -> Self:
        """Wait as `wait` does, in a coroutine."""
        return await asyncio.to_thread(self.wait, wanted, within_s)

    def start(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self.wait(lambda server: server._is_listening)

    def stop(self) -> None:
        """Close every connection, and listen no more."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # In the thread

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", self.port))
        self._note(_is_listening=True, port=server.sockets[0].getsockname()[1])
        self._loop.run_forever()
        server.close()
        for each in self._handlers:
            each.cancel()
        if self._handlers:
            self._loop.run_until_complete(asyncio.wait(self._handlers))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _note(self, **values: Any) -> None:
        with self._news:
            for name, value in values.items():
                setattr(self, name, value)
            self._news.notify_all()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self._note(connections=self.connections + 1, accepted=self.accepted + 1)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # It is gone, or this server ends.
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._handlers.discard(task)
            self._note(connections=self.connections - 1)

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; return whether another one may come."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if self.drops:
            self.drops -= 1
            return False
        self.headers.append(headers)
        self.asked.append(f"{method} {path}")
        if method == "GET":
            if self.looks == "silent":
                return bool(await reader.read(1))  # Until the asker goes away.
            if self.looks == "cut" or self.cuts:
                self.cuts = max(0, self.cuts - 1)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{half")
                return False
            return await self._list(path, writer)
        given = json.loads(body)
        self.requests.append(given)
        turn = self._turns.popleft() if self._turns else Turn(given["messages"][-1]["content"])
        await self._watched(self._answer(turn, path, given["model"], writer), reader)
        return False

    async def _watched(self, answer: Any, reader: asyncio.StreamReader) -> None:
        """Answer until the asker goes away."""
        self._note(open=self.open + 1)
        doing, left = asyncio.create_task(answer), asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({doing, left}, return_when=asyncio.FIRST_COMPLETED)
            is_whole = doing.done() and not doing.cancelled() and doing.exception() is None
            self._note(ended=self.ended + is_whole, aborted=self.aborted + (not is_whole))
        finally:
            for each in (doing, left):
                each.cancel()
            await asyncio.gather(doing, left, return_exceptions=True)
            self._note(open=self.open - 1)

    async def _list(self, path: str, writer: asyncio.StreamWriter) -> bool:
        if self.looks:
            status, content = STATUSES[self.looks]
            await _plain(writer, status, content)
            return True
        lists: dict[str, Any] = {
            "/api/version": {"version": "0.33.0"},
            "/api/tags": {"models": self.models},
            "/api/ps": {"models": [{"name": each} for each in self.loaded]},
            "/v1/models": {"object": "list", "data": self.listed or [{"id": each} for each in self._names()]},
        }
        found = None if path in self.missing else lists.get(path)
        await _plain(writer, 200 if found else 404, json.dumps(found or {"error": "not found"}).encode())
        return True

    def _names(self) -> list[Any]:
        return [each.get("name") for each in self.models if isinstance(each, dict)]

    async def _answer(self, turn: Turn, path: str, name: str, writer: asyncio.StreamWriter) -> None:
        if turn.fault == "silent":
            await asyncio.Event().wait()
        if turn.status:
            status, content = STATUSES[turn.status]
            await _plain(writer, status, content, self.moved_to + path)
            return
        if name not in self._names():
            await _plain(writer, 404, json.dumps({"error": f"model {name!r} not found"}).encode())
            return
        speaks = _native if path == "/api/chat" else _openai
        kind = b"application/x-ndjson" if speaks is _native else b"text/event-stream"
        packed = b"content-encoding: gzip\r\n" if turn.fault == "packed" else b""
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\n" + packed
                     + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n")  # fmt: skip
        async for part in self._parts(turn):
            await _chunk(writer, speaks(part, turn, name))
            if part is END and turn.fault == "after_done":
                await _chunk(writer, speaks(("text", "and more"), turn, name) * 3)
        if turn.fault == "cut":
            writer.write(b"ff\r\n{half of a chu")
            await writer.drain()
            return
        if turn.fault == "reset":
            writer.transport.abort()
            return
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _parts(self, turn: Turn) -> AsyncIterator[Any]:
        """Yield what is said: (kind, text) for a word, bytes for what goes over the wire as it is, END for the end."""
        for word in _words(turn.thinking):
            yield "thinking", word
        for number, word in enumerate(_words(turn.text)):
            if turn.fault and number == turn.at:
                break
            if number == turn.holds_at:
                await self._go.wait()
                self._go.clear()
            yield "text", word
            await asyncio.sleep(turn.pace_s)
        if turn.raw:
            yield turn.raw
        if turn.fault and turn.fault != "after_done":
            async for part in _broken(turn.fault):
                yield part
            return
        for call in turn.calls:
            yield "call", call
        yield END


async def _broken(fault: Fault) -> AsyncIterator[Any]:
    if fault == "stall":
        await asyncio.Event().wait()
    lines = {
        "bad_json": b'{"message": nonsense}\n', "no_object": b"[1, 2]\n",
        "utf8": b'{"message":{"content":"\xff\xfe"}}\n',
        "error": b'{"error":"an error was encountered while running the model"}\n',
        "too_long_inside": b'{"error":"context length exceeded"}\n',
    }  # fmt: skip
    if fault in lines:
        yield lines[fault]
    if fault == "long_line":
        yield b'{"message":{"content":"'
        for _ in range(100):
            yield b"x" * 1_000_000
    while fault in ("endless", "thinking", "blank"):
        yield {"endless": "text"}.get(fault, "thinking"), "" if fault == "blank" else "again and again " * 20


def _words(text: str) -> list[str]:
    return [f"{word} " for word in text.split(" ")] if text else []


def _native(part: Any, turn: Turn, name: str) -> bytes:
    """Return a part as a line of Ollama's."""
    if isinstance(part, bytes):
        return part
    said: dict[str, Any] = {"role": "assistant", "content": ""}
    line = {"model": name, "created_at": "2026-11-20T00:00:00Z", "message": said, "done": part is END}
    if part is END:
        counted = {"prompt_eval_count": turn.prompt, "eval_count": turn.answer}
        line |= {"done_reason": turn.reason, "total_duration": 1}
        line |= {name: count for name, count in counted.items() if count is not None}
    elif part[0] == "call":
        said["tool_calls"] = [{"function": {"name": part[1][0], "arguments": part[1][1]}}]
    else:
        said[{"text": "content"}.get(part[0], part[0])] = part[1]
    return json.dumps(line).encode() + b"\n"


def _openai(part: Any, turn: Turn, name: str) -> bytes:
    """Return a part as an event of OpenAI's protocol."""
    if isinstance(part, bytes):
        return b"data: " + part + b"\n" if part.startswith((b"{", b"[")) else part
    delta: dict[str, Any] = {"role": "assistant"}
    reason = None
    if part is END:
        reason = "tool_calls" if turn.calls else turn.reason
    elif part[0] == "call":
        wanted, given = part[1]
        text = given if isinstance(given, str) else json.dumps(given)
        index = [each[0] for each in turn.calls].index(wanted)
        delta["tool_calls"] = [
            {"index": index, "id": f"id_{index}", "type": "function", "function": {"name": wanted, "arguments": text}}
        ]
    else:
        delta[{"text": "content", "thinking": "reasoning_content"}[part[0]]] = part[1]
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": name}
    events: list[Any] = [common | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}]
    if part is END and turn.prompt is not None and turn.answer is not None:
        usage = {
            "prompt_tokens": turn.prompt, "completion_tokens": turn.answer, "total_tokens": turn.prompt + turn.answer
        }  # fmt: skip
        events.append(common | {"choices": [], "usage": usage})
    lines = [json.dumps(each) for each in events] + (["[DONE]"] if part is END else [])
    return "".join(f"data: {line}\n\n" for line in lines).encode()


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


async def _plain(writer: asyncio.StreamWriter, status: int, content: bytes, moved_to: str = "") -> None:
    kind = b"text/html" if content.startswith(b"<") else b"application/json"
    moved = f"location: {moved_to}\r\n".encode() if status == 307 else b""
    writer.write(f"HTTP/1.1 {status} Status\r\n".encode() + b"content-type: " + kind + b"\r\n" + moved
                 + f"content-length: {len(content)}\r\n\r\n".encode() + content)  # fmt: skip
    await writer.drain()
