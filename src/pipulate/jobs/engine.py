"""What the engine is told to be: DBOS Transact, with every default set that would not do here.

The one module that imports it, and only when the first job is there: that takes a second and 60 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pipulate._log import get_logger
from pipulate.storage.lent import sqlite_engine

State = Literal["under way", "waits", "ended"]
VERSION: Final = "1"
"""Which attempts an engine takes up after a crash: those of its own version. By default it is a digest of all code, so
that any change would strand what was under way."""
SCHEMA: Final = "pipulate_jobs"
"""Where its tables are on PostgreSQL."""
WORKFLOW: Final = "pipulate.job"
THREADS: Final = 32
POLL_S: Final = 0.1
_NOTICE_S: Final = 0.05
_POOL: Final = 5

_ASK_FOR: Final = 500
_STATES: Final[dict[str, State]] = {"PENDING": "under way", "ENQUEUED": "waits", "DELAYED": "waits"}

Attempt = Callable[[str, int], Awaitable[None]]
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the engine keeps its own tables.

    Attributes:
        file: The SQLite file, where there is no `url`.
        url: A PostgreSQL database, or None.
        executor: Id of this process among those that share the tables; the same after a restart.
    """

    file: Path
    url: str | None
    executor: str


class Transact:
    """The engine while it runs. Everything but `open` and `close` is called on the loop it was opened on."""

    def __init__(self, place: Place, attempt: Attempt) -> None:
        self._place, self._attempt = place, attempt
        self._dbos: Any = None
        self._workflow: Any = None
        self._queues: dict[str, int] = {}

    def open(self) -> None:
        """Start it, on the running loop, and let it take up what was left.

        Raises:
            Exception: If it cannot start.
        """
        from dbos import DBOS  # noqa: PLC0415 - see the top

        if _there:
            raise RuntimeError("two engines for jobs cannot run in one process")
        _there.append(self)
        refuse_pickle()
        try:
            self._dbos = DBOS
            DBOS(config=self.config())
            _through_our_log()

            async def job(name: str, number: int) -> None:
                await self._attempt(name, number)

            self._workflow = DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1_000_000)(job)
            DBOS.launch()
        except BaseException:
            with contextlib.suppress(Exception):
                DBOS.destroy(destroy_registry=True)
            _there.remove(self)
            raise

    def config(self) -> Any:
        """Return every setting that is not left to the engine."""
        from dbos._serialization import DBOSPortableJSONSerializer  # noqa: PLC0415

        common = {
            "name": "pipulate",
            "application_version": VERSION,
            "executor_id": self._place.executor,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": THREADS,
            "log_level": "WARNING",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": _NOTICE_S,
        }
        if self._place.url is not None:
            url = "postgresql+psycopg://" + self._place.url.split("://", 1)[1]
            return common | {"system_database_url": url, "dbos_system_schema": SCHEMA, "sys_db_pool_size": _POOL}
        return common | {
            "system_database_url": f"sqlite:///{self._place.file}",
            "system_database_engine": sqlite_engine(self._place.file, _POOL),
        }

    async def start(self, job: str, attempt: int, *, queue: str | None, limit: int) -> None:
        """Begin an attempt: at once, or by way of a queue, where no more than `limit` run at one time.

        The same attempt started twice is done once.
        """
        from dbos import SetWorkflowID  # noqa: PLC0415

        name = name_of(job, attempt)
        if queue is None:
            with SetWorkflowID(name):
                await self._dbos.start_workflow_async(self._workflow, job, attempt)
            return
        await self.provide(queue, limit)
        options: dict[str, Any] = {
            "workflow_name": WORKFLOW, "queue_name": queue, "workflow_id": name, "app_version": VERSION,
        }  # fmt: skip
        await self._dbos.enqueue_workflow_with_options_async(options, job, attempt)

    async def provide(self, queue: str, limit: int) -> None:
        """Look after a queue from now on, so that what an earlier process left in it is done."""
        if self._queues.get(queue) != limit:
            await self._dbos.register_queue_async(
                queue, worker_concurrency=limit, polling_interval_sec=POLL_S, on_conflict="always_update"
            )
            self._queues[queue] = limit

    async def states(self, names: Sequence[str]) -> dict[str, State]:
        """Return how attempts stand, given by name; those that are not known are left out."""
        found: dict[str, State] = {}
        for first in range(0, len(names), _ASK_FOR):
            for each in await self._dbos.list_workflows_async(
                workflow_ids=list(names[first : first + _ASK_FOR]), load_input=False, load_output=False
            ):
                found[each.workflow_id] = _STATES.get(each.status, "ended")
        return found

    async def cancel(self, job: str, attempt: int) -> None:
        """Take an attempt out of its queue."""
        await self._dbos.cancel_workflow_async(name_of(job, attempt))

    async def forget(self, names: list[str]) -> None:
        """Remove what the engine knows of attempts, by name."""
        await self._dbos.delete_workflows_async(names)

    def be_quiet(self) -> None:
        """Say no more about attempts that are cut short: they go on at the next start."""
        logging.getLogger("dbos").setLevel(logging.CRITICAL)

    def close(self) -> None:
        """Stop it; on a thread, because it waits for threads of its own."""
        try:
            self._dbos.destroy(destroy_registry=True)
        finally:
            _there.remove(self)


_there: list[Transact] = []


def name_of(job: str, attempt: int) -> str:
    """Return what the engine calls an attempt."""
    return f"{job}.{attempt}"


def refuse_pickle() -> None:
    """Make the engine refuse what is pickled: whoever can write its tables could run code in this process otherwise.

    It reads each row in the form that row names, whatever form it is told to write.
    """
    from dbos import _serialization  # noqa: PLC0415

    class Refusing(_serialization.DefaultSerializer):
        def serialize(self, data: Any) -> str:  # noqa: ARG002 - as the library has it
            raise PickleRefusedError

        def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805, ARG002 - as the library has it
            raise PickleRefusedError

    _serialization.DBOSDefaultSerializer = Refusing()


class PickleRefusedError(ValueError):
    """A row of the engine's tables holds a pickle."""

    def __init__(self) -> None:
        super().__init__("a pickle was refused: only JSON is kept with jobs")


def _through_our_log() -> None:
    """Let the engine's warnings go where ours go; it would write to the console itself."""
    logger = logging.getLogger("dbos")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.addHandler(_Handler())
    logger.propagate = False


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            exc_info = record.exc_info if record.exc_info and record.exc_info[0] else None
            level = logging.ERROR if record.levelno >= logging.ERROR else logging.WARNING
            _log.log(
                level, "jobs.engine_said", message=record.getMessage(), **({"exc_info": exc_info} if exc_info else {})
            )
        except Exception:  # noqa: BLE001 - library border: what it logs must not stop what it does
            self.handleError(record)


def reset_executor(loop: asyncio.AbstractEventLoop) -> None:
    """Give a loop threads again after the engine, which had replaced them, has ended."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    loop.set_default_executor(ThreadPoolExecutor(4))
