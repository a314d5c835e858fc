"""Puts the parts together: the one place that chooses an adapter."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path

from watchfiles import awatch

from pipulate._clock import Clock, SystemClock, to_text
from pipulate._log import get_logger
from pipulate._program import program
from pipulate.errors import PipulateError
from pipulate.events import AppsChanged, Bus, MessagesAdded
from pipulate.explicit.entry import Explicit
from pipulate.plugins.host import PluginHost
from pipulate.security.capability import Capability, open_capability, write_private
from pipulate.settings import Settings
from pipulate.storage import lookups
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.folder import FolderLock, Layout
from pipulate.storage.migrate import migrate_postgres, migrate_sqlite
from pipulate.storage.restore import finish_restore
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.web.assets import Assets
from pipulate.web.errors import refused
from pipulate.web.guard import OPEN, App, Guard
from pipulate.web.routes import router
from pipulate.web.site import Site
from pipulate.workflows.engine import Engine, Who

IN_BOX = Path(str(resources.files("pipulate") / "builtin"))
_BIN_EVERY_S = 3_600.0
_log = get_logger()


def open_database(settings: Settings, layout: Layout) -> Database:
    """Open the store that the settings name, its tables brought up to date.

    Raises:
        StorageError: If it cannot be used; says why.
    """
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        from pipulate.storage.postgres import PostgresDatabase  # noqa: PLC0415 - an extra, needed for this only

        migrate_postgres(url)
        return PostgresDatabase(url)
    migrate_sqlite(layout.database)
    return SqliteDatabase(layout.database)


@dataclass(slots=True)
class Application:
    """Everything a running server is made of.

    Attributes:
        site: What the web works with.
        asgi: The application, guard included.
        layout: The data folder.
    """

    site: Site
    asgi: App
    layout: Layout
    _lock: FolderLock
    _hosts: set[str]
    _loops: list[asyncio.AbstractEventLoop]

    @property
    def capability(self) -> Capability:
        """What lets browsers in."""
        return self.site.capability

    def answers_at(self, port: int) -> None:
        """Take down the port the server listens on: only requests for it are answered."""
        own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        if port == 80:
            own |= {"127.0.0.1", "localhost", "[::1]"}
        self._hosts |= own | {host.lower() for host in self.site.settings.allowed_hosts}
        write_private(self.layout.server, json.dumps({"pid": os.getpid(), "port": port}))

    def new_link(self, port: int) -> str:
        """Return an address that lets one browser in."""
        return f"http://127.0.0.1:{port}{OPEN}?token={self.capability.new_token()}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load the plugins and do what has to be done in the background, for as long as the block lasts; then close."""
        self._loops.append(asyncio.get_running_loop())
        self.site.plugins.start()
        try:
            async with _in_background(self.site):
                yield
        finally:
            self._loops.clear()
            await self.close()

    async def close(self) -> None:
        """Let go of everything; what was acknowledged is stored."""
        await self.site.engine.close()
        if self.site.explicit is not None:
            self.site.explicit.close()
        await asyncio.get_running_loop().run_in_executor(None, self.site.db.close)
        self.layout.server.unlink(missing_ok=True)
        self._lock.release()


def build(settings: Settings, *, clock: Clock | None = None) -> Application:
    """Put the application together. Nothing listens yet, and no plugin is imported.

    Raises:
        PipulateError: If it cannot start; says why and what to do.
    """
    layout = Layout(settings.data.resolve())
    assets = Assets()
    layout.make()
    lock = FolderLock(layout)
    try:
        finish_restore(layout)
        capability = open_capability(layout.root)
        db = open_database(settings, layout)
    except BaseException:
        lock.release()
        raise
    bus, clock = Bus(), clock or SystemClock()
    files = FileStore(layout.files)
    engine = Engine(db, files, bus, clock, is_only_writer=not settings.is_postgres)
    loops: list[asyncio.AbstractEventLoop] = []

    def changed(modules: frozenset[str]) -> None:
        """Take the new table into use, on the thread that loaded it; tell the pages, on the loop."""
        engine.catalog = {
            name: plugin.workflow for name, plugin in plugins.table.by_app.items() if plugin.workflow is not None
        }
        on_loop(bus.publish, AppsChanged(modules))

    def on_loop(call: Callable[..., object], *args: object) -> None:
        for loop in loops:
            with contextlib.suppress(RuntimeError):  # The loop is closing; nobody is left to tell.
                loop.call_soon_threadsafe(call, *args)

    explicit = Explicit(
        lambda: db,
        files,
        clock,
        stored=lambda written: on_loop(engine.heard, written),
        tables=settings.state_tables,
        said=lambda conversation, seq: on_loop(bus.publish, MessagesAdded(conversation, seq)),
    )
    plugins = PluginHost(
        settings.plugins, IN_BOX, layout.state, limit_s=settings.import_limit_s, changed=changed,
        read_class=explicit.read,
    )  # fmt: skip
    site = Site(settings, db, engine, plugins, capability, assets, bus, clock, explicit)
    hosts: set[str] = set()

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with application.running():
            yield

    where = "" if settings.data == Path("data") else f" --data {shlex.quote(str(settings.data))}"

    guard = Guard(
        router(site, lifespan),
        capability=capability,
        hosts=hosts,
        max_body_bytes=settings.max_body_bytes,
        refused=refused(site, f"{program()} link{where}"),
    )
    application = Application(site, guard, layout, lock, hosts, loops)
    return application


@contextlib.asynccontextmanager
async def _in_background(site: Site) -> AsyncIterator[None]:
    """Watch the plugin folder and empty the bin while the server runs."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_empty_bin(site, stop))]
    if site.settings.reload:
        tasks.append(asyncio.create_task(_watch(site, stop)))
    try:
        yield
    finally:
        stop.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(site: Site, stop: asyncio.Event) -> None:
    """Take up changes of plugin files as they are saved."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, site.plugins.wait_ready, site.settings.import_limit_s * 2)
    async for changes in awatch(site.plugins.folder, debounce=50, step=10, stop_event=stop, recursive=True):
        await loop.run_in_executor(None, site.plugins.refresh, [Path(path) for _, path in changes])


async def _empty_bin(site: Site, stop: asyncio.Event) -> None:
    """Erase what has been in the bin for longer than the settings say."""
    while not stop.is_set():
        limit = to_text(site.clock.now() - timedelta(days=site.settings.bin_days))
        try:
            for run, owner in await site.db.read(lookups.deleted_before, limit):
                await site.engine.purge(run, Who(owner))
                _log.info("run.purged", run=run)
        except PipulateError as error:
            _log.warning("bin.failed", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _BIN_EVERY_S)
