"""Puts the parts together: the one place that chooses an adapter."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path

from watchfiles import awatch

from pipulate._clock import Clock, SystemClock, to_text
from pipulate._log import get_logger
from pipulate._program import program
from pipulate.actions.brought import brought
from pipulate.actions.own import own_actions
from pipulate.actions.own_pages import OwnPages
from pipulate.actions.proposing import StepProposals
from pipulate.actions.scenes import AppScenes
from pipulate.actions.world import World
from pipulate.chat.assistant import Assistant
from pipulate.crud import roles
from pipulate.crud.chosen import Chosen
from pipulate.crud.engine import Records
from pipulate.crud.fitting import fit_command
from pipulate.crud.long import Long
from pipulate.crud.tables import Tables
from pipulate.crud.uploads import RecordUploads
from pipulate.crud.waiting import Room
from pipulate.errors import PipulateError
from pipulate.events import AppsChanged, Bus, MessagesAdded, ModelChanged
from pipulate.explicit.driving import Driver
from pipulate.explicit.entry import Explicit
from pipulate.explicit.loading import ExplicitApp
from pipulate.explicit.longwork import KIND, LongWork
from pipulate.explicit.messages import ModelBeside
from pipulate.jobs import scheduling
from pipulate.jobs.engine import Place
from pipulate.jobs.port import Jobs
from pipulate.jobs.transact import TransactJobs
from pipulate.llm.models import Models
from pipulate.llm.opening import open_models
from pipulate.llm.port import Model
from pipulate.plugins.host import PluginHost, Table
from pipulate.reports.engine import Reports
from pipulate.security.capability import Capability, open_capability, write_private
from pipulate.security.who import Who
from pipulate.settings import Settings
from pipulate.storage import keyvalue, lookups, uploads
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.folder import FolderLock, Layout
from pipulate.storage.janitor import Janitor
from pipulate.storage.jobs import ended_before
from pipulate.storage.ledger import Written
from pipulate.storage.migrate import migrate_postgres, migrate_sqlite
from pipulate.storage.restore import finish_restore
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.tools.registry import Registry
from pipulate.web.answers import Answers
from pipulate.web.assets import Assets
from pipulate.web.errors import refused
from pipulate.web.guard import OPEN, App, Guard
from pipulate.web.known import known_apps
from pipulate.web.routes import router
from pipulate.web.site import Site
from pipulate.workflows.engine import Engine
from pipulate.workflows.model import Asker
from pipulate.workflows.unattended import Unattended, missing_app
from pipulate.workflows.uploads import Uploads

IN_BOX = Path(str(resources.files("pipulate") / "builtin"))
_TIDY_EVERY_S = 3_600.0
_SLICE_S = 0.2
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


def _held(settings: Settings, layout: Layout) -> tuple[FolderLock, Capability, Database]:
    """Take hold of the data folder; let go of it again where something in it cannot be used."""
    layout.make()
    lock = FolderLock(layout)
    try:
        finish_restore(layout)
        return lock, open_capability(layout.root), open_database(settings, layout)
    except BaseException:
        lock.release()
        raise


def _jobs(settings: Settings, layout: Layout, db: Database, clock: Clock, capability: Capability) -> Jobs:
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    return TransactJobs(db, clock, Place(layout.jobs, url, f"pipulate-{capability.instance}"), settings.plugins)


def _reports(
    db: Database, files: FileStore, clock: Clock, runs_jobs: Jobs, engine: Engine, records: Records
) -> Reports:
    """Return what makes reports; it reads the records as steps do."""
    engine.work.tables = lambda profile: Tables(db, lambda: records.resources, profile)
    return Reports(db, files, clock, runs_jobs, engine.work.tables)


def _actions(
    db: Database, engine: Engine, records: Records, reports: Reports, table: Callable[[], Table], own_pages: OwnPages
) -> tuple[World, Registry]:
    """Return what the assistant's actions work with, and the actions."""
    world = World(db, engine, records, reports, lambda: known_apps(table()), own_pages=own_pages)
    return world, Registry(own_actions(world))


def _assistant(
    settings: Settings, model: Model | None, bus: Bus, clock: Clock, world: World, registry: Registry
) -> tuple[Models, Assistant]:
    """Return the models, and the assistant with the actions a model may ask for and what it is told of the page."""

    def news() -> None:
        bus.publish(ModelChanged())

    models = open_models(settings, changed=news) if model is None else Models(model, settings, changed=news)
    chat = Assistant(
        world.db, bus, clock, models, registry, AppScenes(world), proposals=StepProposals(world),
        answer=settings.model_answer,
    )  # fmt: skip
    return models, chat


def _asker(settings: Settings, models: Models, chat: Assistant, loops: Sequence[asyncio.AbstractEventLoop]) -> Asker:
    return Asker(models, chat.ready, chat.is_there, lambda: next(iter(loops), None), answer=settings.model_answer)


def _take_into_use(table: Table, world: World, registry: Registry) -> None:
    """Hand the apps of a table to those who work with them, and their actions to who offers them."""
    engine, records, reports = world.engine, world.records, world.reports
    apps = table.by_app.items()
    engine.catalog = {name: each.workflow for name, each in apps if each.workflow is not None}
    records.resources = {name: each.resource for name, each in apps if each.resource is not None}
    reports.catalog = {name: each.report for name, each in apps if each.report is not None}
    registry.take_in(brought(world))


def _limits(settings: Settings) -> uploads.Limits:
    mb = uploads.MB
    return uploads.Limits(
        settings.upload_file_mb * mb, settings.upload_form_mb * mb, settings.upload_run_mb * mb,
        settings.upload_user_mb * mb,
    )  # fmt: skip


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
        await self.site.assistant.start()
        try:
            async with _in_background(self.site):
                yield
        finally:
            self._loops.clear()
            await self.close()

    async def close(self) -> None:
        """Let go of everything; what was acknowledged is stored."""
        await self.site.assistant.close()
        await self.site.engine.background.jobs.close()
        if self.site.engine.work.asker is not None:  # After the jobs: those that wait for a model are to go on later.
            await self.site.engine.work.asker.close()
        await self.site.models.close()
        await self.site.engine.close()
        self.site.uploads.close()
        self.site.record_uploads.close()
        self.site.long.room.close()
        if self.site.explicit is not None:
            self.site.explicit.close()
        await asyncio.get_running_loop().run_in_executor(None, self.site.db.close)
        self.layout.server.unlink(missing_ok=True)
        self._lock.release()


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    in_box: Path = IN_BOX,
    jobs: Callable[[Database, Clock], Jobs] | None = None,
    model: Model | None = None,
) -> Application:
    """Put the application together. Nothing listens yet, and no plugin is imported.

    Args:
        settings: What can be set.
        clock: The time; the computer's own where it is not given.
        in_box: The folder of the apps that came with the program.
        jobs: Makes what runs the jobs; the engine where it is not given.
        model: What serves the language model; what the settings name where it is not given.

    Raises:
        PipulateError: If it cannot start; says why and what to do.
    """
    layout, assets = Layout(settings.data.resolve()), Assets()
    lock, capability, db = _held(settings, layout)
    bus, clock = Bus(), clock or SystemClock()
    files = FileStore(layout.files)
    runs_jobs = jobs(db, clock) if jobs is not None else _jobs(settings, layout, db, clock, capability)
    engine = Engine(db, files, bus, clock, runs_jobs, is_only_writer=not settings.is_postgres)
    runs_jobs.register(scheduling.KIND, Unattended(engine))
    scheduler = scheduling.Scheduler(db, clock, runs_jobs, bus, functools.partial(missing_app, engine))
    records = Records(db, bus, clock, engine.apart, files)
    reports = _reports(db, files, clock, runs_jobs, engine, records)
    long = Long(
        records, Room(layout.state / "imports", db, clock), Chosen(db, clock), runs_jobs, clock, engine.there
    )  # fmt: skip
    loops, hosts = list[asyncio.AbstractEventLoop](), set[str]()

    def changed(modules: frozenset[str]) -> None:
        """Take the new table into use, on the thread that loaded it; tell the pages, on the loop."""
        _take_into_use(plugins.table, world, registry)
        roles.take_in(db, clock, _roles_in(plugins.table), told=lambda news: on_loop(bus.publish, news))
        if plugins.wait_ready(0):  # Those a start loads are no news to a page that comes back to it.
            on_loop(bus.publish, AppsChanged(modules))

    def on_loop(call: Callable[..., object], *args: object) -> None:
        for loop in loops:
            with contextlib.suppress(RuntimeError):  # The loop is closing; nobody is left to tell.
                loop.call_soon_threadsafe(call, *args)

    def heard(written: Written) -> None:
        on_loop(engine.heard, written)

    def installed(name: str) -> ExplicitApp | None:
        plugin = plugins.table.by_app.get(name)
        return plugin.app if plugin is not None and isinstance(plugin.app, ExplicitApp) else None

    explicit = Explicit(
        lambda: db,
        files,
        clock,
        stored=heard,
        work=lambda book: LongWork(book, runs_jobs, installed, heard, on_loop),
        tables=settings.state_tables,
        log_level=settings.log_level,
        said=lambda conversation, seq: on_loop(bus.publish, MessagesAdded(conversation, seq)),
        changed=lambda change: on_loop(bus.publish, change),
        model=ModelBeside(lambda user: assistant.is_there(Who(user)), lambda where: on_loop(assistant.wake, where)),
    )
    driver = Driver(db, explicit.host, installed)
    world, registry = _actions(db, engine, records, reports, lambda: plugins.table, driver)
    plugins = PluginHost(
        settings.plugins, in_box, layout.state, limit_s=settings.import_limit_s, changed=changed,
        read_class=explicit.read,
    )  # fmt: skip
    if explicit.work is not None:
        engine.background.orders[KIND] = explicit.work.order
    limits = _limits(settings)
    models, assistant = _assistant(settings, model, bus, clock, world, registry)
    engine.work.asker = _asker(settings, models, assistant, loops)
    site = Site(
        settings, db, engine, records, reports, long, plugins, capability, assets, bus, clock,
        Uploads(db, files, clock, limits), RecordUploads(db, files, clock, limits), scheduler, models, assistant,
        world, registry, Answers(assistant.growing), explicit, world.tables,
    )  # fmt: skip

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with application.running():
            yield

    where = "" if settings.data == Path("data") else f" --data {shlex.quote(str(settings.data))}"
    records.command = lambda name: f"{fit_command(name)}{where}{_plugins_option(settings)}"

    guard = Guard(
        router(site, lifespan),
        capability=capability,
        hosts=hosts,
        max_body_bytes=settings.max_body_bytes,
        max_upload_bytes=limits.form + settings.max_body_bytes,
        refused=refused(site, f"{program()} link{where}"),
    )
    application = Application(site, guard, layout, lock, hosts, loops)
    return application


def _roles_in(table: Table) -> set[str]:
    """Return the roles that apps name in their module, or on their class."""
    on_classes = (getattr(getattr(each.app, "instance", None), "ROLES", ()) for each in table.plugins)
    return {role for each in table.plugins for role in each.roles} | {
        role for names in on_classes for role in roles.of_module(names)
    }


def _plugins_option(settings: Settings) -> str:
    return "" if settings.plugins == Path("plugins") else f" --plugins {shlex.quote(str(settings.plugins))}"


@contextlib.asynccontextmanager
async def _in_background(site: Site) -> AsyncIterator[None]:
    """Watch the plugin folder, and remove what nobody wants any more, while the server runs."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(each) for each in (_tidy(site, stop), _take_up(site), site.models.run())]
    if site.settings.reload:
        tasks.append(asyncio.create_task(_watch(site, stop)))
    try:
        yield
    finally:
        stop.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _take_up(site: Site) -> None:
    """Take up what was left, once the apps it is of are there: jobs, questions; then look after the schedules."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + site.settings.import_limit_s * 2
    # In slices: a thread that waits for an app which hangs would hold up the end of the program.
    while not await loop.run_in_executor(None, site.plugins.wait_loaded, _SLICE_S) and loop.time() < ends:
        continue
    try:
        await site.engine.background.wake()
    except PipulateError as error:
        _log.warning("jobs.not_taken_up", reason=str(error))
    await site.assistant.resume()
    await site.scheduler.run()


async def _watch(site: Site, stop: asyncio.Event) -> None:
    """Take up changes of plugin files as they are saved."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, site.plugins.wait_ready, site.settings.import_limit_s * 2)
    async for changes in awatch(site.plugins.folder, debounce=50, step=10, stop_event=stop, recursive=True):
        await loop.run_in_executor(None, site.plugins.refresh, [Path(path) for _, path in changes])


async def _tidy(site: Site, stop: asyncio.Event) -> None:
    """Remove what nobody wants any more: now, and every hour."""
    janitor = Janitor(site.db, site.engine.files, site.clock)
    while not stop.is_set():
        await _empty_bin(site)
        await _forget_jobs(site)
        try:
            await site.db.write(keyvalue.forget_old, to_text(site.clock.now()))
            await asyncio.get_running_loop().run_in_executor(None, janitor.clear)
            await site.long.room.run(site.long.room.clear)
        except (PipulateError, OSError) as error:
            _log.warning("files.not_cleared", reason=str(error))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TIDY_EVERY_S):
                await stop.wait()


async def _empty_bin(site: Site) -> None:
    """Erase what has been in the bin for longer than the settings say."""
    limit = to_text(site.clock.now() - timedelta(days=site.settings.bin_days))
    try:
        for run, owner in await site.db.read(lookups.deleted_before, limit):
            await site.engine.purge(run, Who(owner))
            _log.info("run.purged", run=run)
        await site.reports.purge(limit)
    except PipulateError as error:
        _log.warning("bin.failed", reason=str(error))


async def _forget_jobs(site: Site) -> None:
    """Remove the jobs that ended longer ago than the settings say."""
    limit = to_text(site.clock.now() - timedelta(days=site.settings.jobs_days))
    try:
        while ended := await site.db.read(ended_before, limit):
            await site.engine.background.jobs.forget(ended)
    except PipulateError as error:
        _log.warning("jobs.not_forgotten", reason=str(error))
