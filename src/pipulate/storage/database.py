"""The port through which everything is stored: units of work on one transaction.

A unit is a plain function `unit(tx, ...)` that does all its statements on the transaction it is given and has no
effect outside it, because a unit may be run again. SQL is written once, in the subset SQLite and PostgreSQL share,
with `:name` parameters. Why SQL and not a query builder: docs/adr/0003-sql-as-sql.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Row = Sequence[Any]


class Transaction(Protocol):
    """What a unit of work may do."""

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """Run a statement; return its first row, or None."""
        ...

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Run a statement; return its rows."""
        ...

    def run(self, sql: str, /, **values: Any) -> int:
        """Run a statement; return how many rows it changed."""
        ...

    def many(self, sql: str, rows: Sequence[dict[str, Any]], /) -> None:
        """Run a statement once for each set of values."""
        ...

    def is_taken(self, error: Exception) -> bool:
        """Tell whether an error of the driver means that a unique value exists already."""
        ...

    def attempt(self, sql: str, /, **values: Any) -> bool:
        """Run an insert that may meet a unique value; False, and nothing changed, where it does."""
        ...


def as_a_whole(tx: Transaction, work: Callable[[], T], error: type[Exception]) -> T:
    """Do something within a unit; where it raises such an error, nothing of it stays, and the unit may go on."""
    tx.run("SAVEPOINT whole")
    try:
        result = work()
    except error:
        tx.run("ROLLBACK TO whole")
        tx.run("RELEASE whole")
        raise
    tx.run("RELEASE whole")
    return result


class Database(Protocol):
    """A store that runs units of work; safe to use from every thread."""

    name: str
    """`sqlite` or `postgresql`."""

    async def read(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that only reads; it sees one consistent moment."""
        ...

    async def write(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit in a transaction of its own; when this returns, what it did is on the disk.

        Raises:
            StorageError: If it could not be stored. Any error of the unit itself is raised as it is, nothing stored.
        """
        ...

    def read_now(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`, for threads that may wait; never from an event loop."""
        ...

    def write_now(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `write`, for threads that may wait; never from an event loop."""
        ...

    def close(self) -> None:
        """Finish what was taken on, then let go of every thread and connection."""
        ...
