"""Runs the handlers of class-style plugins on an event loop of their own.

Their calls of `pip` are plain calls inside coroutines, so they hold up the loop they run on. On this one they hold up
nobody but each other: pages, sockets and other apps run elsewhere.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastcore.xml import FT
from starlette.responses import JSONResponse, Response

from pipulate._clock import Clock
from pipulate._threads import Outcome
from pipulate.explicit import chain, logs, markup
from pipulate.explicit.book import Book
from pipulate.explicit.context import CURRENT, Current
from pipulate.explicit.loading import ExplicitApp
from pipulate.explicit.messages import Speaker
from pipulate.explicit.pip import Pipulate
from pipulate.explicit.routes import Handler, Routes, arguments, find
from pipulate.explicit.tables import Dictionary, PipelineTable
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.ledger import RunRow, Written
from pipulate.ui.html import EMPTY, Html

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answered:
    """What a handler answered.

    Attributes:
        content: Its markup, where it answered with elements or text.
        response: Its response, where it answered with one.
        row: The run the request worked on, as it is now, or None.
    """

    content: Html = EMPTY
    response: Any = None
    row: RunRow | None = None


class Host:
    """Everything class-style plugins work with.

    Attributes:
        pip: The `pip` object.
        rt: Takes the routes that plugins register outside their class.
    """

    def __init__(
        self,
        db: Database,
        files: FileStore,
        clock: Clock,
        stored: Callable[[Written], None],
        said: Callable[[str, int], None],
        *,
        tables: bool = False,
    ) -> None:
        """Wire it up and start the loop; with `tables`, each request logs the state of its run."""
        logs.connect()
        self._tables = tables
        self._speaker = Speaker(db, clock, said)
        self._book = Book(db, files, clock, stored)
        self.rt = Routes()
        table, dictionary = PipelineTable(self._book, clock), Dictionary(db)
        self.pip = Pipulate(db, self._book, self._speaker, table, dictionary)
        self._running: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="explicit", daemon=True)
        self._thread.start()

    def handed_in(self) -> Mapping[str, Any]:
        """Return parameter name -> what a plugin's constructor gets under it."""
        pip = self.pip
        return {
            "pipulate": pip, "pipulate_instance": pip, "pipeline": pip.table, "pipeline_table": pip.table,
            "db": pip.db, "db_dictlike": pip.db, "db_key_value_store": pip.db, "config": pip.get_config(),
        }  # fmt: skip

    def close(self) -> None:
        """Stop the loop; whatever a plugin still does ends with the program."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)

    async def call(
        self, app: ExplicitApp, handler: Handler, request: Any, given: Mapping[str, str], now: Current, nonce: str
    ) -> Answered:
        """Call a handler of a plugin for a request.

        Args:
            app: The app.
            handler: The handler; a landing page is called with the request alone.
            request: The request, with its whole body.
            given: What stands in the places of its path.
            now: What the request works on.
            nonce: Lets scripts of the plugin's own markup run.

        Raises:
            Exception: Whatever the handler raises.
        """
        return await self._on_loop(self._answer(app, handler, request, given, now, nonce))

    async def page(self, app: ExplicitApp, request: Any, now: Current, nonce: str) -> Answered:
        """Return the landing page of an app, with the cells of the run where the request names one."""
        return await self._on_loop(self._page(app, request, now, nonce))

    async def anew(self, app: ExplicitApp, request: Any, now: Current, nonce: str) -> Answered:
        """Return the cells of a run as they are now."""
        return await self._on_loop(self._cells(app, request, now, nonce))

    async def next_key(self, app: ExplicitApp, now: Current) -> str:
        """Return the next free key of an app."""

        async def made() -> str:
            token = CURRENT.set(now)
            try:
                return self.pip.generate_pipeline_key(app.instance)[0]
            finally:
                CURRENT.reset(token)

        return await self._on_loop(made())

    async def relay(self, response: Any, scope: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Yield the body of a response that a plugin sends bit by bit, as fast as it is taken."""
        ours = asyncio.get_running_loop()
        parts: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=8)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body" and message.get("body"):
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(parts.put(message["body"]), ours))

        async def receive() -> Any:
            return await asyncio.get_running_loop().create_future()  # Whoever goes away cancels all of this.

        async def work() -> None:
            try:
                await response(dict(scope), receive, send)
            finally:
                asyncio.run_coroutine_threadsafe(parts.put(None), ours)

        task = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            while (part := await parts.get()) is not None:
                yield part
        finally:
            task.cancel()

    async def _answer(
        self, app: ExplicitApp, handler: Handler, request: Any, given: Mapping[str, str], now: Current, nonce: str
    ) -> Answered:
        return await self._with(now, self._called(app, handler, request, given, now, nonce))

    async def _called(
        self, app: ExplicitApp, handler: Handler, request: Any, given: Mapping[str, str], now: Current, nonce: str
    ) -> Answered:
        try:
            form = await _form_of(handler, request)
            result = await _result(handler, arguments(handler, request, given, form))
        finally:
            await request.close()  # Files that were sent are the handler's for as long as it runs.
        if isinstance(result, dict):
            result = JSONResponse(result)
        if isinstance(result, Response):
            return Answered(response=result, row=self._row(now))
        return await self._drawn(app, result, request, now, nonce)

    async def _page(self, app: ExplicitApp, request: Any, now: Current, nonce: str) -> Answered:
        async def made() -> Answered:
            landing = app.instance.landing
            result = await _result(landing, {}, request)
            if isinstance(result, Response):
                return Answered(response=result, row=self._row(now))
            if now.key is not None and app.steps:
                result = _put(result, f"{app.name}-container", self.pip.rebuild(app.name, app.steps))
            return await self._drawn(app, result, request, now, nonce)

        return await self._with(now, made())

    async def _cells(self, app: ExplicitApp, request: Any, now: Current, nonce: str) -> Answered:
        return await self._with(now, self._drawn(app, self.pip.rebuild(app.name, app.steps), request, now, nonce))

    async def _drawn(self, app: ExplicitApp, result: Any, request: Any, now: Current, nonce: str) -> Answered:
        async def follow(path: str) -> Any:
            found = find(app.routes, "GET", path)
            if found is None:
                raise LookupError(path)
            route, given = found
            asked = _as_get(request, path)
            return await _result(route.handler, arguments(route.handler, asked, given, {}))

        resolved = await chain.resolve(result, app_prefixes=(f"/{app.name}/", f"/{app.module}/"), call=follow)
        row = self._row(now)
        content = markup.render(resolved.content, nonce=nonce, seen=row.version if row is not None else None)
        return Answered(content, row=row)

    def _row(self, now: Current) -> RunRow | None:
        return self._book.row(now.key) if now.key is not None else None

    async def _with(self, now: Current, work: Coroutine[Any, Any, Answered]) -> Answered:
        """Do something in a request; what was said in it is written when it has been answered."""
        token = CURRENT.set(now)
        try:
            return await work
        finally:
            CURRENT.reset(token)
            now.is_over = True
            spoken, now.spoken = now.spoken, []
            self._loop.call_soon(self._speaker.write, now, spoken)
            if self._tables and now.key is not None:
                logs.state_table(now.key, dict(self._book.read(now.key) or {}))

    async def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the plugins' loop and wait for it on the caller's."""
        outcome = Outcome()

        async def run() -> None:
            try:
                result = await work
            except BaseException as error:  # noqa: BLE001 - plugin border: handed to whoever waits for it
                outcome.deliver(None, error)
            else:
                outcome.deliver(result, None)

        self._loop.call_soon_threadsafe(self._start, run())
        returned: T = await outcome
        return returned

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
        finally:
            self._loop.close()


async def _result(handler: Handler, arguments_: Mapping[str, Any], *positional: Any) -> Any:
    """Call a handler; a plain function runs on a thread, as FastHTML does it."""
    if inspect.iscoroutinefunction(handler):
        return await handler(*positional, **arguments_)
    made = await asyncio.to_thread(handler, *positional, **arguments_)
    return await made if inspect.isawaitable(made) else made


def _as_get(request: Any, path: str) -> Any:
    """Return the request that a browser would send for a part of what it was just answered."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {**request.scope, "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    return type(request)(scope, receive)


def _put(node: Any, id_: str, element: Any) -> Any:
    """Return a tree with another element in place of the one with this id."""
    if isinstance(node, markup.LISTS):
        return tuple(_put(each, id_, element) for each in node)
    if not isinstance(node, FT):
        return node
    if (node.attrs or {}).get("id") == id_:
        return element
    return FT(node.tag, tuple(_put(each, id_, element) for each in node.children), node.attrs, void_=node.void_)


async def _form_of(handler: Handler, request: Any) -> Mapping[str, Any]:
    """Return the form a request sent, where the handler asks for more than the request itself."""
    names = [name for name in inspect.signature(handler).parameters if not "request".startswith(name)]
    if not names or request.method in ("GET", "HEAD"):
        return {}
    form: Mapping[str, Any] = await request.form()
    return form
