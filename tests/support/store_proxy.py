"""A network between a program and its database, that can be cut, closed, or go silent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Literal, Self

import psycopg

Mode = Literal["pass", "refuse", "silent"]


class Proxy:
    """Listens on a free port of this machine and passes on what comes, in both directions."""

    def __init__(self, url: str) -> None:
        info = psycopg.conninfo.conninfo_to_dict(url)
        self._target = (str(info["host"]), int(str(info.get("port", 5432))))
        self._url = url
        self._mode: Mode = "pass"
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._stranded: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """The address of the database by way of this."""
        host, port = self._target
        return self._url.replace(f"@{host}:{port}/", f"@127.0.0.1:{self._port}/")

    def set(self, mode: Mode) -> None:
        """Pass on, refuse new connections, or let everything hang; what is open stays open."""
        asyncio.run_coroutine_threadsafe(self._set(mode), self._loop).result(10)

    def cut(self) -> None:
        """Break every connection that is open now."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def strand(self) -> None:
        """Let every connection that is open now hang for good, as a router does that lost its table."""
        self._stranded = set(self._writers)

    def open(self) -> int:
        """Return how many connections of the program are open."""
        return len(self._writers) // 2

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._ended, self._flows = asyncio.Event(), asyncio.Event()
        self._flows.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        self._flows.set()
        await self._cut()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0)  # For the transports to close.

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        self._flows.clear() if mode == "silent" else self._flows.set()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "refuse":
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ours = {writer}
        self._writers |= ours
        try:
            await self._flows.wait()
            to_reader, to_writer = await asyncio.open_connection(*self._target)
            ours.add(to_writer)
            self._writers |= ours
            await asyncio.gather(self._pump(reader, to_writer), self._pump(to_reader, writer))
        finally:
            for each in ours:
                each.transport.abort()
            self._writers -= ours

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self._flows.wait()
                if writer in self._stranded:
                    await self._ended.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
