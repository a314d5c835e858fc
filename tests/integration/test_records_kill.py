"""The real server, killed while it takes in a table or deletes very many records: nothing is lost, nothing is twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks.client import Client

from pipulate.storage.folder import Layout
from pipulate.storage.tables import reading_sqlite
from tests.support.server import Server, served

ROWS = 2_600
THINGS = """
import time
from pathlib import Path

from pydantic import BaseModel

from pipulate import Resource


class Thing(BaseModel):
    sku: str
    name: str


things = Resource("things", Thing, key="sku")


def wait(thing, what):
    if thing.name == "Thing 1300":
        Path(f"{what} reached").touch()
        while not Path(f"{what} go").exists():
            time.sleep(0.01)


@things.before_create
def created(change):
    wait(change.after, "create")


@things.before_delete
def deleted(change):
    wait(change.before, "delete")
"""


class Table:
    """A folder with a server's data, looked into while the server runs, or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "plugins").mkdir()
        (folder / "plugins" / "things.py").write_text(THINGS)

    def read(self, sql: str) -> list[Any]:
        with reading_sqlite(Layout(self.folder / "data").database) as (_, tx):
            return [tuple(row) for row in tx.all(sql)]

    def rows(self, *, deleted: bool = False) -> list[str]:
        sign = "IS NOT NULL" if deleted else "IS NULL"
        return sorted(name for (name,) in self.read(f"SELECT name FROM rec_things WHERE _deleted_at {sign}"))  # noqa: S608

    def operations(self) -> list[tuple[str, int]]:
        return self.read("SELECT kind, records FROM record_operations WHERE resource = 'things' ORDER BY id")

    def status(self) -> str:
        """Return how the newest job stands."""
        return str(self.read("SELECT status FROM jobs ORDER BY id DESC LIMIT 1")[0][0])


def until(condition: Callable[[], Any], server: Server) -> None:
    """Wait until something is so."""
    never, end = threading.Event(), time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, server.log()
        never.wait(0.02)


@contextmanager
def asking(server: Server) -> Iterator[Client]:
    until(lambda: server.get("/things")[0] == 200, server)
    client = Client(server.port, server.cookie())
    yield client
    client.close()


def take_in(client: Client) -> None:
    """Ask for the import of a large table."""
    table = "sku\tname\n" + "".join(f"{each}\tThing {each}\n" for each in range(ROWS))
    head, _ = client.ask("POST", "/-/records/things/import", {"paste": table})
    address = next(line for line in head.decode().splitlines() if line.lower().startswith("location:")).split()[1]
    head, _ = client.ask("POST", address, {"column.0": "sku", "column.1": "name", "do": "take"})
    assert b" 303 " in head[:20], head


def undo(client: Client, table: Table, kind: str) -> None:
    (operation,) = table.read(f"SELECT id FROM record_operations WHERE kind = '{kind}'")  # noqa: S608
    client.ask("POST", "/-/records/things/undo", {"operation": operation[0]})


def killed_twice(table: Table, what: str, server: Server) -> None:
    """Kill a server that is in the middle of something, and the next one while it goes on with that."""
    until((table.folder / f"{what} reached").exists, server)
    server.kill()
    assert table.status() == "running"
    (before,) = [number for kind, number in table.operations() if kind == ("import" if what == "create" else what)]
    assert 0 < before < ROWS
    (table.folder / f"{what} go").touch()
    with served(table.folder) as again:
        until(lambda: table.operations()[-1][1] > before, again)
        again.kill()


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


EVERY = sorted(f"Thing {each}" for each in range(ROWS))


def test_import_whose_server_is_killed_goes_on_with_every_row_once_and_is_one_operation(table: Table) -> None:
    with served(table.folder) as server:
        with asking(server) as client:
            take_in(client)
        killed_twice(table, "create", server)
    with served(table.folder) as server:
        until(lambda: table.status() == "done", server)
        assert table.rows() == EVERY
        assert table.operations() == [("import", ROWS)]
        with asking(server) as client:
            undo(client, table, "import")
        until(lambda: table.status() == "done" and len(table.operations()) == 2, server)
        assert (table.rows(), table.rows(deleted=True)) == ([], EVERY)
        assert server.stop() == 0


def test_delete_of_many_whose_server_is_killed_goes_on_and_is_one_operation(table: Table) -> None:
    (table.folder / "create go").touch()
    with served(table.folder) as server:
        with asking(server) as client:
            take_in(client)
            until(lambda: table.status() == "done", server)
            client.ask("POST", "/-/records/things/many/delete", {"all": "1", "query": ""})
        killed_twice(table, "delete", server)
    with served(table.folder) as server:
        until(lambda: table.status() == "done", server)
        assert (table.rows(), table.rows(deleted=True)) == ([], EVERY)
        assert table.operations() == [("import", ROWS), ("delete", ROWS)]
        assert table.read("SELECT DISTINCT _version FROM rec_things") == [(2,)]
        with asking(server) as client:
            undo(client, table, "delete")
        until(lambda: table.status() == "done" and len(table.operations()) == 3, server)
        assert table.rows() == EVERY
        assert server.stop() == 0
