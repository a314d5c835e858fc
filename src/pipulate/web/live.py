"""The one socket of a page: tells it what is new in its conversation, its run, and the apps.

Nothing is queued for a page. What happens only wakes its sender, which reads what the page lacks from the store, in
order, from the last number the page has: so a page that was away misses nothing and gets nothing twice, and one that
reads slowly costs no memory. A page that stops reading is dropped.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from pipulate._clock import to_text
from pipulate._log import get_logger
from pipulate.errors import PipulateError, RunNotFoundError
from pipulate.events import (
    AppsChanged,
    Happening,
    JobChanged,
    RecordsChanged,
    RunChanged,
    StepProgressed,
)
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import messages as stored
from pipulate.storage.records import catalog
from pipulate.ui.html import join
from pipulate.ui.overrides import failure
from pipulate.web.feed import Feed, Place
from pipulate.web.profiles import refuse_others
from pipulate.web.site import Site
from pipulate.web.talking import Talking, number
from pipulate.workflows.own import LiveView
from pipulate.workflows.run import Run

_SEND_S = 8.0
_FRAME_S = 1 / 60  # A screen shows no more changes a second, so what comes in quick succession is told as one.
_HEARD_PER_S = 20  # Pages have nothing to say; one that talks this much is no page of ours.
_JOBS_MAX = 20  # Jobs told of at once; a page that lists them looks at the list.
_LIVE_MAX = 20  # Live views on one page.
_TOO_MANY, _NOT_WELCOME, _GONE = 1013, 1008, 4004
_NAME_MAX = 200
_RUN = re.compile(r"[0-9a-f]{32}")
_TABLE = re.compile(r"([a-z][a-z0-9_]{0,49})@([0-9]{1,9})")
_log = get_logger()


class Live:
    """Serves the sockets of all pages."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._feed = Feed(site)
        self._open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it goes away."""
        if self._open >= self._site.settings.max_sockets:
            await socket.close(_TOO_MANY)
            return
        try:
            page = _Page(self._site, self._feed, socket)
        except ValueError:
            await socket.close(_NOT_WELCOME)
            return
        self._open += 1
        try:
            await page.serve()
        finally:
            self._open -= 1


class _Page:
    def __init__(self, site: Site, feed: Feed, socket: WebSocket) -> None:
        query = socket.query_params
        self._site, self._feed, self._socket = site, feed, socket
        self._run = query.get("run") or None
        if self._run is not None and not _RUN.fullmatch(self._run):
            raise ValueError("not a run")
        self._version = number(query.get("version", "0"))
        self._who = Who(OWNER, query.get("tab"))
        self._talking = Talking(site, feed, Place(_conversation(query, self._run), self._who), query, self._send)
        self._modules = set[str]()
        self._run_version = self._version
        self._by_tab: str | None = None
        self._app = ""
        self._topics = _topics(query.get("live", ""))
        self._table, self._records = _table(query.get("records"))
        self._records_version = self._records
        self._records_by: str | None = None
        self._progress: StepProgressed | None = None
        self._jobs: dict[str, JobChanged] = {}
        self._woken = asyncio.Event()
        self._is_gone = False

    async def serve(self) -> None:
        unsubscribe = self._site.bus.subscribe(self._hear_of)  # Before it looks, so that nothing falls in between.
        try:
            if await self._may_come():
                await self._socket.accept()
                await self._talk()
        finally:
            unsubscribe()

    async def _may_come(self) -> bool:
        """Find the run the page is about; send the page away where there is none."""
        try:
            if self._run is not None:
                view = await self._site.engine.view(self._run, self._who)
                await self._site.db.read(refuse_others, self._site, self._who.actor, {"run": self._run})
                if view.row.version > self._version:  # Who knows who did what the page has missed.
                    self._run_version, self._by_tab = max(self._run_version, view.row.version), None
                self._app = view.row.app
                self._talking.place = replace(self._talking.place, workflow=self._site.titles_of(self._app))
                self._progress = self._site.engine.progress_of(self._run)
                if self._progress is not None:
                    self._woken.set()
            if self._table:  # Who knows who did what the page has missed.
                now = await self._site.db.read(catalog.version, self._table)
                self._records_version = max(self._records_version, now)
        except RunNotFoundError:
            await self._socket.accept()  # Of a socket that was never open, a page does not learn why.
            await self._socket.close(_GONE)
            return False
        except PipulateError as error:
            _log.warning("socket.failed", code=error.code, reason=str(error))
            await self._socket.close(_TOO_MANY)
            return False
        return True

    async def _talk(self) -> None:
        tasks = [asyncio.create_task(each) for each in self._tasks()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except RunNotFoundError:
            await self._socket.close(_GONE)
            self._is_gone = True
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            pass
        except PipulateError as error:
            _log.warning("socket.failed", code=error.code, reason=str(error))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not self._is_gone:
                self._let_go()

    def _tasks(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._tell()
        yield self._listen()
        yield self._talking.follow()
        yield from self._live_views()

    def _hear_of(self, happening: Happening) -> None:
        if self._talking.hear(happening):
            self._woken.set()
        match happening:
            case RunChanged(run, version, tab) if run == self._run:
                # Several changes may be told as one; it is a tab's own only where all of them were.
                is_first = self._run_version <= self._version
                self._by_tab = tab if is_first or tab == self._by_tab else None
                self._run_version = max(self._run_version, version)
            case RecordsChanged(resource, version, tab) if resource == self._table:
                is_first = self._records_version <= self._records
                self._records_by = tab if is_first or tab == self._records_by else None
                self._records_version = max(self._records_version, version)
            case StepProgressed(run=run) if run == self._run:
                self._progress = happening
            case JobChanged(owner=owner) if owner == self._who.actor:
                self._jobs[happening.job] = happening
            case AppsChanged(modules):
                self._modules |= modules
            case _:
                return
        self._woken.set()

    async def _tell(self) -> None:
        """Send what the page missed before it came, or while it was away; then whatever is new."""
        await self._talking.begin()
        while True:
            await self._send_version()
            await self._send_records()
            await self._woken.wait()
            await asyncio.sleep(_FRAME_S)
            self._woken.clear()
            await self._talking.tell()
            if self._progress is not None:
                progress, self._progress = self._progress, None
                await self._send(_told(progress))
            await self._send_jobs()
            if self._modules:
                modules, self._modules = sorted(self._modules), set()
                await self._send({"type": "apps", "modules": modules})

    def _live_views(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what draws the live views that the page has a place for."""
        workflow = self._site.engine.catalog.get(self._app)
        if workflow is None:
            return
        for topic in self._topics:
            name, _, step = topic.partition("@")
            if name in workflow.live_views and (not step or workflow.find(step) is not None):
                yield self._draw(workflow.live_views[name], topic, step or None)

    async def _draw(self, live: LiveView, topic: str, step: str | None) -> None:
        """Draw a live view again and again, for one step or none; send it where it looks otherwise than before."""
        assert self._run is not None  # noqa: S101 - an app was found by the run
        last = ""
        while True:
            run = self._site.engine.run_of(await self._site.engine.view(self._run, self._who))
            try:
                html = join(await self._made(live, run, step))
            except Exception as error:  # noqa: BLE001 - plugin border: a view that fails shows so in its place
                _log.warning("live_view.failed", view=live.name, exc_info=error)
                html = failure("This part", error)
            if html != last:
                last = html
                at = to_text(self._site.clock.now())
                await self._send({"type": "live", "topic": topic, "html": html, "at": at})
            await asyncio.sleep(live.every_s)

    async def _made(self, live: LiveView, run: Run, step: str | None) -> Any:
        given = live.given(step)
        if asyncio.iscoroutinefunction(live.function):
            return await live.function(run, **given)
        return await self._site.engine.apart(partial(live.function, run, **given))

    async def _send_jobs(self) -> None:
        """Tell of jobs; of those in one frame's time the last status, and no more than a page can use."""
        told, self._jobs = list(self._jobs.values())[-_JOBS_MAX:], {}
        for each in told:
            await self._send(
                {"type": "job", "job": each.job, "run": each.run, "step": each.step, "status": each.status}
            )

    async def _send_version(self) -> None:
        if self._run_version > self._version:
            self._version = self._run_version
            await self._send({"type": "run", "run": self._run, "version": self._version, "tab": self._by_tab})

    async def _send_records(self) -> None:
        if self._records_version > self._records:
            self._records = self._records_version
            await self._send(
                {"type": "records", "resource": self._table, "version": self._records, "tab": self._records_by}
            )

    async def _send(self, frame: dict[str, Any]) -> None:
        async with asyncio.timeout(_SEND_S):
            await self._socket.send_text(json.dumps(frame, ensure_ascii=False))

    async def _listen(self) -> None:
        """Notice that the page has gone, and that it is no page of ours."""
        began, heard = time.monotonic(), 0
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if time.monotonic() - began > 1:
                began, heard = time.monotonic(), 0
            heard += 1
            if heard > _HEARD_PER_S:
                async with asyncio.timeout(_SEND_S):
                    await self._socket.close(_NOT_WELCOME)
                return

    def _let_go(self) -> None:
        """Close the connection at once, whatever still waits to be sent: its reader has gone or stopped."""
        abort = self._socket.scope.get("extensions", {}).get("pipulate.abort")
        if abort is not None:
            abort()


def _conversation(query: Mapping[str, str], run: str | None) -> str:
    """Return the conversation a page shows: that of its run, or one of the person's own outside of runs.

    Raises:
        ValueError: If it is neither.
    """
    if run is not None:
        return run
    named = query.get("talk") or stored.general(OWNER)
    if not stored.is_outside(named, OWNER) or len(named) > _NAME_MAX:
        raise ValueError("not a conversation")
    return named


def _table(text: str | None) -> tuple[str, int]:
    """Return the table of records a page shows, and the version it shows.

    Raises:
        ValueError: If that is none of ours.
    """
    if not text:
        return "", 0
    match = _TABLE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a table: {text[:20]!r}")
    return match[1], int(match[2])


def _topics(text: str) -> list[str]:
    """Return the live views a page says it has places for; what is none of the app's is left out later."""
    return list(dict.fromkeys(each for each in text.split(",") if each))[:_LIVE_MAX]


def _told(progress: StepProgressed) -> dict[str, Any]:
    now = progress.now
    frame: dict[str, Any] = {"type": "progress", "step": progress.step, "ended": now is None}
    return frame if now is None else frame | {
        "done": now.done, "total": now.total, "text": now.text, "left": progress.left_s,
    }  # fmt: skip
