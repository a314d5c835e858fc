"""The store on PostgreSQL: a pool of connections, a thread for each, one transaction a unit.

PostgreSQL commits concurrent transactions together by itself, so units need no batching here. What two units of one
run must not do at the same time, they order by first locking the run's row (see `runs.claim`).
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Concatenate, LiteralString, ParamSpec, TypeVar

from pipulate._program import installing

try:
    import psycopg
    from psycopg_pool import ConnectionPool, PoolTimeout
except ImportError as error:  # pragma: no cover - the extra is always there where the tests run
    raise ImportError(f"PostgreSQL needs one more package: {installing('psycopg')}") from error

from pipulate._threads import Threads
from pipulate.errors import StorageError, StoreFullError, StoreUnavailableError
from pipulate.storage.database import Row, Transaction

P = ParamSpec("P")
T = TypeVar("T")

_POOL = 8
_ANSWER_S = 5.0
_FIRST_ANSWER_S = 2.0
_STATEMENT_MS = 8_000
_GIVE_UP_S = 9.0
_ATTEMPTS = 3

_READ: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE: LiteralString = "BEGIN"

_BUSY = "The database is too busy. Nothing was changed; try again."
_SILENT = "The database does not answer. What you sent may or may not have been saved; sending it again is safe."

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


@lru_cache(maxsize=1_024)
def _pyformat(sql: str) -> Any:
    """Return the statement with the driver's own placeholders: `:name` becomes `%(name)s`."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


class PostgresTransaction:
    """Runs statements on one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def one(self, sql: str, /, **values: Any) -> Row | None:
        row: Row | None = self._connection.execute(_pyformat(sql), values).fetchone()
        return row

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        return self._connection.execute(_pyformat(sql), values).fetchall()

    def run(self, sql: str, /, **values: Any) -> int:
        return self._connection.execute(_pyformat(sql), values).rowcount

    def many(self, sql: str, rows: Sequence[dict[str, Any]], /) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_pyformat(sql), rows)

    def is_taken(self, error: Exception) -> bool:
        return isinstance(error, psycopg.errors.UniqueViolation)

    def attempt(self, sql: str, /, **values: Any) -> bool:
        self._connection.execute("SAVEPOINT attempt")
        try:
            self._connection.execute(_pyformat(sql), values)
        except psycopg.errors.UniqueViolation:
            self._connection.execute("ROLLBACK TO attempt")
            return False
        self._connection.execute("RELEASE attempt")
        return True


class _Connection(psycopg.Connection[Any]):
    """A connection that waits for an answer until a moment, and is closed where none comes.

    Nothing else would end that wait: a server that was stopped, or cut off, may leave the connection open for hours.
    """

    until = math.inf
    """The moment, as `time.monotonic` counts."""

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Do a part of the conversation with the server."""
        return super().wait(self._in_time(gen), *args, **kwargs)

    def _in_time(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > self.until:  # The driver looks up a few times a second.
                    self.pgconn.finish()
                    raise psycopg.OperationalError("no answer in time")
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value


class PostgresDatabase:
    """One PostgreSQL database."""

    name = "postgresql"

    def __init__(self, url: str, *, size: int = _POOL) -> None:
        """Connect.

        Args:
            url: `postgresql://...` as libpq reads it.
            size: Most connections used at a time.

        Raises:
            StoreUnavailableError: If the server does not answer.
            StorageError: If the address cannot be read as one.
        """
        where = _where(url)
        self._size, self._closed = size, False
        self._pool = ConnectionPool(
            url,
            connection_class=_Connection,
            min_size=1,
            max_size=size,
            timeout=_ANSWER_S,
            reconnect_timeout=_ANSWER_S,  # Later it waits ever longer; whoever asks next makes it try again at once.
            open=False,
            kwargs=connection_options(),
        )
        try:
            self._pool.open(wait=True, timeout=_ANSWER_S)
        except PoolTimeout as error:
            self._pool.close()
            raise StoreUnavailableError(f"PostgreSQL does not answer at {where}.") from error
        self._threads = Threads(size, "postgres")

    async def read(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._in_time(_READ, unit, args, kwargs)

    def read_now(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._do(time.monotonic() + _GIVE_UP_S, _READ, unit, args, kwargs)

    async def write(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._in_time(_WRITE, unit, args, kwargs)

    def write_now(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._do(time.monotonic() + _GIVE_UP_S, _WRITE, unit, args, kwargs)

    def close(self) -> None:
        self._closed = True
        self._threads.close(wait=False)
        self._pool.close()

    async def _in_time(self, begin: LiteralString, unit: Callable[..., T], args: Any, kwargs: Any) -> T:
        """Answer in time, even where every thread waits for a server that says nothing at all."""
        until = time.monotonic() + _GIVE_UP_S
        self._refuse_if_closed()
        try:
            async with asyncio.timeout(_GIVE_UP_S + 0.5):
                return await self._threads.run(self._do, until, begin, unit, args, kwargs)
        except TimeoutError as error:
            raise StoreUnavailableError(_SILENT) from error
        except RuntimeError:
            self._refuse_if_closed()  # Between the line above and the threads.
            raise

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailableError("The store is closed.")

    def _do(self, until: float, begin: LiteralString, unit: Callable[..., T], args: Any, kwargs: Any) -> T:
        """Run a unit, again where two stood in each other's way, and on another connection where one was dead."""
        again, dead = _ATTEMPTS, self._size + 1
        while again and dead:
            self._refuse_if_closed()
            left_s = until - time.monotonic()
            if left_s <= 0:  # Whoever asked has been answered; do not do it behind their back.
                break
            try:
                with _ours(), self._pool.connection(min(left_s, _ANSWER_S)) as connection:
                    return self._within(connection, until, begin, unit, args, kwargs)
            except _Again:
                again -= 1
            except _Dead:
                dead -= 1
        raise StoreUnavailableError(_SILENT if again else _BUSY)

    def _within(
        self,
        connection: _Connection,
        until: float,
        begin: LiteralString,
        unit: Callable[..., T],
        args: Any,
        kwargs: Any,
    ) -> T:
        try:
            connection.until = min(until, time.monotonic() + _FIRST_ANSWER_S)
            connection.execute(begin)
        except psycopg.OperationalError as error:
            if connection.closed:  # The server went away while nobody used it; nothing was asked of it yet.
                raise _Dead from error
            raise
        try:
            connection.until = until
            result = unit(PostgresTransaction(connection), *args, **kwargs)
            connection.execute("COMMIT")
        except BaseException:
            if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
            raise
        finally:
            connection.until = math.inf
        return result


class _Again(Exception):  # noqa: N818 - a signal between two functions of this file, never seen outside
    """Two transactions stood in each other's way; the unit can simply be run again."""


class _Dead(Exception):  # noqa: N818 - as above
    """The connection turned out to be dead before anything was asked of it; another one will do."""


@contextmanager
def _ours() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as error:
        raise _Again from error
    except psycopg.errors.DiskFull as error:
        raise StoreFullError from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise StorageError("The database is read-only just now, so nothing can be saved.") from error
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise StoreUnavailableError(_SILENT) from error
    except psycopg.Error as error:
        raise StorageError(f"The database refused: {error}. Nothing was changed.") from error


def connection_options() -> dict[str, Any]:
    """Return how every connection of ours is opened: bounded waits, so that a dead server is noticed in seconds."""
    return {
        "autocommit": True,
        "connect_timeout": int(_ANSWER_S),
        "tcp_user_timeout": int(_ANSWER_S * 1_000),
        "options": f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={int(_ANSWER_S * 1_000)}",
        "application_name": "pipulate",
    }


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open one connection, for a look or a command.

    Raises:
        StoreUnavailableError: If the server does not answer, or does not let us in.
        StorageError: If the address cannot be read as one.
    """
    where = _where(url)
    try:
        connection = psycopg.connect(url, **connection_options() | {"application_name": "pipulate command"})
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise StoreUnavailableError(f"PostgreSQL does not answer at {where}: {reason}") from error
    with connection:
        yield connection


def _where(url: str) -> str:
    try:
        info = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # Its text has the address in it, and that may have a password in it.
        raise StorageError("DATABASE_URL cannot be read as the address of a PostgreSQL database.") from None
    return f"{info.get('host', 'the local socket')}:{info.get('port', 5432)}"
