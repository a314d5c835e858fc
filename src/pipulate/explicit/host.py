"""Runs the handlers of class-style plugins on an event loop of their own.

Their calls of `pip` are plain calls inside coroutines, so they hold up the loop they run on. On this one they hold up
nobody but each other: pages, sockets and other apps run elsewhere.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from fastcore.xml import FT
from starlette.responses import JSONResponse, Response

from pipulate._clock import Clock
from pipulate._log import get_logger
from pipulate._threads import Outcome
from pipulate.events import RecordsChanged
from pipulate.explicit import chain, logs, markup
from pipulate.explicit.book import Book
from pipulate.explicit.calls import Calls, without_headers
from pipulate.explicit.context import CURRENT, Current, current
from pipulate.explicit.keeping import Store
from pipulate.explicit.kept import KeptAnswers
from pipulate.explicit.loading import ExplicitApp
from pipulate.explicit.longwork import LongWork
from pipulate.explicit.look import Chained
from pipulate.explicit.messages import ModelBeside, Speaker
from pipulate.explicit.own_tables import Tables
from pipulate.explicit.pip import Pipulate
from pipulate.explicit.relay import Relay
from pipulate.explicit.routes import Handler, Routes, SharedRoutes, arguments, find
from pipulate.explicit.tables import Dictionary, PipelineTable
from pipulate.explicit.training import training_of
from pipulate.explicit.watch import Watch
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.ledger import RunRow, Written
from pipulate.ui.html import EMPTY, Html

T = TypeVar("T")
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a handler answered.

    Attributes:
        content: Its markup, where it answered with elements or text.
        response: Its response, where it answered with one.
        row: The run the request worked on, as it is now, or None.
        headers: What it put beside its elements as headers, unchecked.
    """

    content: Html = EMPTY
    response: Any = None
    row: RunRow | None = None
    headers: Sequence[tuple[str, str]] = ()


class _NoRouteError(LookupError):
    """The chain came to an address of the app that nothing answers; the browser is told so."""


class Host:
    """Everything class-style plugins work with.

    Attributes:
        pip: The `pip` object.
        tables: The tables of plugins, as the old host's own database had them.
        rt: Takes the routes that plugins register outside their class.
    """

    def __init__(
        self,
        db: Database,
        files: FileStore,
        clock: Clock,
        stored: Callable[[Written], None],
        said: Callable[[str, int], None],
        changed: Callable[[RecordsChanged], None],
        *,
        work: LongWork | None = None,
        tables: bool = False,
        log_level: str = "info",
        model: ModelBeside | None = None,
    ) -> None:
        """Wire it up and start the loop; with `tables`, each request logs the state of its run."""
        logs.connect(log_level)
        self._tables = tables
        self._speaker = Speaker(db, clock, said, model)
        self._book = Book(db, files, clock, stored)
        self._registered: dict[str, Routes] = {}
        self.rt = SharedRoutes(self._of_request)
        self._kept = KeptAnswers()
        self._last_opened: dict[str, str] = {}
        self._keeping = Store(db, clock, changed)
        runs = PipelineTable(self._book, clock)
        self.pip = Pipulate(db, self._book, self._speaker, runs, Dictionary(db), work)
        self.tables = self.database()
        self._running: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="explicit", daemon=True)
        self._thread.start()
        self._watch, self._calls = Watch(self._loop, self._thread, lambda: bool(self._running)), Calls()

    def handed_in(self) -> Mapping[str, Any]:
        """Return parameter name -> what a plugin's constructor gets under it."""
        pip = self.pip
        return {
            "pipulate": pip, "pipulate_instance": pip, "pipeline": pip.table, "pipeline_table": pip.table,
            "db": pip.db, "db_dictlike": pip.db, "db_key_value_store": pip.db, "config": pip.get_config(),
            "profiles_table_from_server": self.tables["profiles"],
        }  # fmt: skip

    def database(self, *_: Any, **__: Any) -> Tables:
        """Return the tables of plugins for one of them, whatever file it names; its filters are its own."""
        return Tables(self._keeping, {"pipeline": self.pip.table})

    def took(self, app: ExplicitApp) -> None:
        """Take note of an app that was loaded, in place of the one of its module before."""
        self.pip.plugins[app.module] = app.instance
        self._registered[app.module] = app.registered

    def _of_request(self) -> Routes | None:
        now = current()
        return self._registered.get(now.instance.name) if now is not None else None

    def close(self) -> None:
        """Stop the loop; whatever a plugin still does ends with the program. What was said is stored."""
        self._is_closing = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)
        self._watch.close()
        self._calls.close()
        self.wait_written(2)

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

    def wait_written(self, seconds: float) -> bool:
        """Wait until all that plugins said so far is stored; tell whether that is so."""
        return self._speaker.wait_written(seconds)

    async def relay(self, response: Any, scope: Mapping[str, Any]) -> Relay:
        """Have a response sent that a plugin sends bit by bit; return it when it has begun.

        Raises:
            Exception: Whatever it raises before it begins.
        """
        relay = Relay(response, scope, self._loop)
        await relay.begin()
        return relay

    async def _answer(
        self, app: ExplicitApp, handler: Handler, request: Any, given: Mapping[str, str], now: Current, nonce: str
    ) -> Answered:
        return await self._with(now, self._called(app, handler, request, given, now, nonce))

    async def _called(
        self, app: ExplicitApp, handler: Handler, request: Any, given: Mapping[str, str], now: Current, nonce: str
    ) -> Answered:
        try:
            result = await self._made(app, handler, request, given, now)
            self._keep_uploads(now, request)
        finally:
            await request.close()  # Files that were sent are the handler's for as long as it runs.
        if isinstance(result, dict):
            result = JSONResponse(result)
        if isinstance(result, Chained) and result.is_untouched:
            drawn = await self._drawn(app, result.element, request, now, nonce)
            result.body = drawn.content.encode("utf-8", "replace")
        if isinstance(result, Response):
            return Answered(response=result, row=self._row(now))
        content, headers = without_headers(result)
        return replace(await self._drawn(app, content, request, now, nonce), headers=headers)

    def _keep_uploads(self, now: Current, request: Any) -> None:
        """Keep with the run what was uploaded to it, wherever the handler put it."""
        if request.uploads and now.key is not None and now.refusal is None and now.failure is None:
            self._book.keep(now.key, request.uploads)

    async def _made(
        self, app: ExplicitApp, handler: Handler, request: Any, given: Mapping[str, str], now: Current
    ) -> Any:
        """Call a handler, unless its answer was made already, when the browser was sent what makes it ask."""
        if request.method == "GET" and self._kept and not now.is_look:
            kept = self._kept.take(self._asked(app, request.url.path, request.url.query, now))
            if kept is not None:
                if isinstance(kept[0], BaseException):
                    raise kept[0]
                return kept[0]
        form = await _form_of(handler, request)
        return await self._calls.result(handler, arguments(handler, request, given, form))

    def _asked(self, app: ExplicitApp, path: str, query: str, now: Current) -> Hashable:
        """Return what an answer to a GET is made for: who asks what, in which page, of the run as it is now."""
        row = self._row(now)
        return now.actor, app.module, path, query, now.nonce, (row.id, row.version) if row is not None else None

    async def _page(self, app: ExplicitApp, request: Any, now: Current, nonce: str) -> Answered:
        async def made() -> Answered:
            await self._opened(app, now)
            landing = app.instance.landing
            result = await self._calls.result(landing, {}, request)
            if isinstance(result, Response):
                return Answered(response=result, row=self._row(now))
            if now.key is not None and app.steps:
                result = _put(result, f"{app.name}-container", self.pip.rebuild(app.name, app.steps))
            return await self._drawn(app, result, request, now, nonce)

        return await self._with(now, made())

    async def _opened(self, app: ExplicitApp, now: Current) -> None:
        """Tell the history which app the person went over to, and what a model should know of it."""
        if self._last_opened.get(now.actor) == app.module:
            return
        self._last_opened[now.actor] = app.module
        for text in (self.pip.message_of(app.instance), await asyncio.to_thread(training_of, app.instance)):
            if text:
                self._speaker.remember(text, "system")

    async def _cells(self, app: ExplicitApp, request: Any, now: Current, nonce: str) -> Answered:
        return await self._with(now, self._drawn(app, self.pip.rebuild(app.name, app.steps), request, now, nonce))

    async def _drawn(self, app: ExplicitApp, result: Any, request: Any, now: Current, nonce: str) -> Answered:
        async def follow(address: str) -> Any:
            path, query = _parts(address)
            found = find(app.routes, "GET", path)
            if found is None:
                raise _NoRouteError(address)
            route, given = found
            asked = _as_get(request, path, query)
            return await self._calls.result(route.handler, arguments(route.handler, asked, given, {}))

        prefixes = (f"/{app.name}/", f"/{app.module}/")
        resolved = await chain.resolve(result, app_prefixes=prefixes, call=follow, seconds=chain.LASTS_S)
        if resolved.unused is not None and now.refusal is None and not isinstance(resolved.unused[1], _NoRouteError):
            address, answer = resolved.unused
            self._kept.keep(self._asked(app, *_parts(address), now), answer)
        row = self._row(now)
        seen = row.version if row is not None else None
        content = markup.render(resolved.content, nonce=nonce, seen=seen, held=now.is_page)
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
            if not now.is_look:
                self._speaker.write(now, spoken)
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
        self._watch.begin()
        task.add_done_callback(self._running.discard)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._is_closing:  # A plugin can stop the loop: `sys.exit()` in a task of its own is enough.
                self._run_until_stopped()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
        finally:
            self._loop.close()

    def _run_until_stopped(self) -> None:
        try:
            self._loop.run_forever()
        except BaseException as error:  # noqa: BLE001 - plugin border: the others go on
            _log.error("plugin.quit", reason=repr(error), exc_info=error)


def _parts(address: str) -> tuple[str, str]:
    """Return the path of an address, as requests have it, and its query."""
    path, _, query = address.partition("?")
    return unquote(path), query


def _as_get(request: Any, path: str, query: str) -> Any:
    """Return the request that a browser would send for a part of what it was just answered."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        **request.scope, "method": "GET", "path": path, "raw_path": quote(path).encode(),
        "query_string": query.encode(),
    }  # fmt: skip
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
