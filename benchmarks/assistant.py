"""The assistant: the way from a model's first word to the page's, and what long answers cost in bytes and CPU."""

from __future__ import annotations

import gzip
import json
import re
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import websockets.sync.client
from tests.support.ollama import MODEL, Ollama, Turn
from websockets.typing import Origin

from benchmarks.servers import Process, product
from benchmarks.table import Row

WORDS, ROUNDS, IDLE, READERS = 2_000, 40, 100, 20
TALK = "user:owner"
_HELD_S = 0.03  # Until a model that was asked surely waits at its first word.
_HAS = re.compile(r'data-last="(\d+)" data-changes="(\d+)"')


class Page:
    """The socket of an open page, read to the end of one answer."""

    def __init__(self, server: Process) -> None:
        last, changes = _has(server)
        self._socket = websockets.sync.client.connect(
            f"ws://127.0.0.1:{server.port}/-/live?after={last}&changes={changes}&talk={TALK}&tab=bench",
            additional_headers={"Cookie": server.cookie}, origin=Origin(f"http://127.0.0.1:{server.port}"),
            max_size=None, max_queue=None, ping_interval=None,  # Idle pages are read too, as a browser does.
        )  # fmt: skip
        self.bytes, self.frames, self.first = 0, 0, 0.0

    def read(self) -> None:
        """Read until the answer has ended; note the moment of its first word."""
        while True:
            text = self._socket.recv()
            frame = json.loads(text)
            self.bytes, self.frames = self.bytes + len(text), self.frames + 1
            if frame["type"] == "grows" and not self.first and (frame.get("text") or frame.get("blocks")):
                self.first = time.perf_counter()
            if frame["type"] == "changed" and self.first:
                return

    def close(self) -> None:
        """Go away."""
        self._socket.close()


def everything(folder: Path) -> Iterator[Row]:
    """Yield the rows of the table."""
    folder.mkdir()
    with Ollama() as ollama, product(folder, settings={"PIPULATE_MODEL_URL": ollama.url}) as server:
        _wait_for_model(server, ollama)
        yield _first_word(server, ollama)
        yield from _long_answer(server, ollama)


def _wait_for_model(server: Process, ollama: Ollama) -> None:
    ollama.wait(lambda stub: "GET /api/tags" in stub.asked, 40)
    while MODEL not in _page(server):
        time.sleep(0.1)


def _page(server: Process) -> str:
    """Return the first page; it comes packed."""
    client = server.client()
    content = client.ask("GET", "/")[1]
    client.close()
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()


def _has(server: Process) -> tuple[str, str]:
    """Return what a page has of the conversation when it comes: number of the last message, and of the last change."""
    found = _HAS.search(_page(server))
    assert found is not None
    return found[1], found[2]


def _ask(server: Process) -> None:
    client = server.client()
    head, _ = client.ask("POST", "/-/notes", {"_conversation": TALK, "text": "Tell me something long."})
    assert b" 20" in head[:20], head
    client.close()


def _first_word(server: Process, ollama: Ollama) -> Row:
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(ROUNDS):
        times["bare"].append(_bare(ollama))
        page = Page(server)
        reading = threading.Thread(target=page.read)
        reading.start()
        ollama.script(Turn("Hello, this is an answer.", holds_at=0))
        _ask(server)
        ollama.wait(lambda stub: stub.open == 1)
        time.sleep(_HELD_S)
        began = time.perf_counter()
        ollama.go()
        reading.join(20)
        page.close()
        times["ours"].append(page.first - began)
    found = {name: statistics.median(values) * 1e3 for name, values in times.items()}
    over = found["ours"] - found["bare"]
    how = ", ".join(f"{name} {value:.1f} ms" for name, value in found.items())
    return Row("assistant, first word", f"{over:.1f} ms over a bare client", "<= 20 ms", over <= 20, how)


def _bare(ollama: Ollama) -> float:
    """Return how long the first word takes to a client that does nothing else, in seconds."""
    ollama.script(Turn("Hello, this is an answer.", holds_at=0))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    went: list[float] = []

    def let_go() -> None:
        ollama.wait(lambda stub: stub.open == 1)
        time.sleep(_HELD_S)
        went.append(time.perf_counter())
        ollama.go()

    letting = threading.Thread(target=let_go)
    letting.start()
    with httpx2.Client() as client, client.stream("POST", f"{ollama.url}/api/chat", json=body) as answer:
        for line in answer.iter_lines():
            if json.loads(line)["message"]["content"]:
                came = time.perf_counter()
                break
    letting.join()
    ollama.wait(lambda stub: stub.open == 0)
    return came - went[0]


def _long_answer(server: Process, ollama: Ollama) -> Iterator[Row]:
    """Yield what an answer of 2,000 words costs: read by one page, then by twenty beside a hundred that are idle."""
    text = "\n\n".join(" ".join(f"word{number}" for number in range(each, each + 50)) for each in range(0, WORDS, 50))
    alone, cpu = _read_by(server, ollama, text, 1)
    page = alone[0]
    how = f"{page.frames} frames, {cpu * 1e3:.0f} ms CPU of the server; {WORDS:,} words at 200 a second"
    yield Row("assistant, bytes of an answer", f"{page.bytes / 1e3:.1f} kB", "<= 100 kB", page.bytes <= 100_000, how)
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.callback(Page(server).close)
        before = server.rss_mb()
        many, cpu_many = _read_by(server, ollama, text, READERS)
        grown = server.rss_mb() - before
    ratio, together = cpu_many / cpu, sum(each.bytes for each in many)
    how = f"{cpu_many:.2f} s CPU, {together / 1e3:.0f} kB in all, {grown:+.0f} MB; {IDLE} idle pages besides"
    yield Row("assistant, 20 pages read it", f"{ratio:.1f} x the CPU of one", "<= 20 x", ratio <= READERS, how)


def _read_by(server: Process, ollama: Ollama, text: str, number: int) -> tuple[list[Page], float]:
    pages = [Page(server) for _ in range(number)]
    readers = [threading.Thread(target=each.read) for each in pages]
    for reader in readers:
        reader.start()
    ollama.script(Turn(text, pace_s=0.005))
    before = server.cpu_s()
    _ask(server)
    for reader in readers:
        reader.join(120)
    used = server.cpu_s() - before
    for each in pages:
        each.close()
    return pages, used
