"""Records: a list of 100,000 against the same SQL run bare, the bytes of its page, and what is done to very many."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.support.site import Browser, running

from benchmarks.table import Row
from pipulate.app import Application
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import jobs
from pipulate.storage.database import Transaction
from pipulate.storage.ledger import Author
from pipulate.storage.records import catalog, operations, queries, rows
from pipulate.storage.records.places import between
from pipulate.storage.records.queries import Condition, Query, Sort
from pipulate.storage.records.rows import Operation
from pipulate.ui.records.view import PAGE

LOTS, FEW, IMPORTED = 100_000, 100, 50_000
BUDGET = 3.0
_ROUNDS = 15
_WHO = Who(OWNER, None)
_APP = '''"""A table of records."""
from datetime import date
from typing import Literal

from pydantic import BaseModel

from pipulate import Resource


class Thing(BaseModel):
    text: str
    number: int = 0
    price: float = 0.0
    done: bool = False
    due: date | None = None
    mood: Literal["good", "bad"] = "good"


things = Resource("{name}", Thing{key})
'''
QUERIES = {
    "list": Query("default"),
    "search": Query("default", words="thing 777"),
    "filter": Query("default", conditions=(Condition("mood", "any", ["bad"]), Condition("number", "min", 5_000))),
    "sort": Query("default", sort=(Sort("text", descending=True),)),
}


def everything(folder: Path) -> Iterator[Row]:
    """Yield the rows of the table."""
    yield from asyncio.run(_all(folder))


async def _all(folder: Path) -> list[Row]:
    async with _filled(folder) as application:
        browser = Browser(application)
        found = [await _against_bare(application, folder, browser, name) for name in QUERIES]
        return [*found, await _bytes(browser), *await _import(application, browser), *await _bulk(application, browser)]


@asynccontextmanager
async def _filled(folder: Path) -> Any:
    (folder / "plugins").mkdir(parents=True)
    for name, key in (("lots", ""), ("few", ""), ("taken", ', key="text"')):
        (folder / "plugins" / f"{name}.py").write_text(_APP.replace("{name}", name).replace("{key}", key))
    async with running(folder) as application:
        site = application.site
        for name, number in (("lots", LOTS), ("few", FEW)):
            resource = site.records.resources[name]
            await site.records.ready(resource)
            await site.db.write(_fill, resource.shape, number)
        await site.records.ready(site.records.resources["taken"])
        yield application


def _fill(tx: Transaction, shape: Any, number: int) -> None:
    operation, place = Operation(f"fill-{shape.name}", Author(OWNER, "2026-11-20T00:00:00.000000Z")), None
    operations.begin(tx, shape, operation, "import", {})
    for each in range(number):
        place = between(place, None)
        values: dict[str, Any] = {
            "text": f"Thing {each * 7919 % number:06d}", "number": each % 10_000, "price": each / 7,
            "done": each % 3 == 0, "due": "2026-11-30", "mood": "bad" if each % 20 == 0 else "good",
        }  # fmt: skip
        rows.add(tx, shape, operation, values, values["text"].casefold(), profile="default", place=place)


async def _timed(call: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def _against_bare(application: Application, folder: Path, browser: Browser, name: str) -> Row:
    """Time the answer of the records to a list against its own SQL, run bare on the same file."""
    site, query = application.site, QUERIES[name]
    resource = site.records.resources["lots"]
    statements = _statements(resource.shape, query)
    asked = {
        "list": "",
        "search": "?find=thing+777",
        "filter": "?f.mood.any=bad&f.number.min=5000",
        "sort": "?sort=-text",
    }
    ours, bare, whole = [], [], []
    with closing(sqlite3.connect(folder / "data" / "pipulate.sqlite3")) as connection:
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            for sql, values in statements:
                connection.execute(sql, values).fetchall()
            bare.append(time.perf_counter() - began)
            ours.append(await _timed(lambda: site.records.page(resource, query, limit=PAGE)))
            whole.append(await _timed(lambda: browser.get(f"/lots{asked[name]}", htmx=True)))
    ratio = median(ours) / median(bare)
    times = {"bare": bare, "records": ours, "whole answer": whole}
    how = ", ".join(f"{what} {median(each) * 1e3:.1f} ms" for what, each in times.items())
    return Row(f"records: {name} of {LOTS:,}", f"{ratio:.2f} x bare SQL", f"<= {BUDGET:g} x", ratio <= BUDGET, how)


def _statements(shape: Any, query: Query) -> list[tuple[str, dict[str, Any]]]:
    """Return the statements that a list is made of, with their values."""
    noted: list[tuple[str, dict[str, Any]]] = []

    class Noting:
        def all(self, sql: str, /, **values: Any) -> list[Any]:
            noted.append((sql, values))
            return []

        def one(self, sql: str, /, **values: Any) -> None:
            noted.append((sql, values))

    tx: Any = Noting()
    queries.page(tx, shape, query, limit=PAGE)
    queries.count(tx, shape, query)
    catalog.version(tx, shape.name)
    return noted


async def _bytes(browser: Browser) -> Row:
    lots, few = [len((await browser.get(f"/{name}")).body) for name in ("lots", "few")]
    ratio = lots / few
    return Row(
        "records: bytes of the page",
        f"{ratio:.2f} x",
        "<= 1.1 x",
        ratio <= 1.1,
        f"{lots:,} of {LOTS:,} rows, {few:,} of {FEW:,}",
    )


async def _import(application: Application, browser: Browser) -> list[Row]:
    """Take in a large table as a job, and take it back as another one."""
    lines = "".join(f"Item {number},{number},1.5,yes,2026-11-30,bad\n" for number in range(IMPORTED))
    body = (
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\ntext,number,price,done,due,mood\n'
        + lines.encode() + b"\r\n--b--\r\n"
    )  # fmt: skip
    sent = {"content-type": "multipart/form-data; boundary=b"}
    address = (await browser.send("POST", "/-/records/taken/import", body, headers=sent)).headers["location"]
    names = ("text", "number", "price", "done", "due", "mood")
    form = {f"column.{place}": name for place, name in enumerate(names)} | {"do": "take"}
    took, seen, slowest = await _job(application, browser, lambda: browser.post(address, form))
    site = application.site
    resource = site.records.resources["taken"]
    there = (await site.records.page(resource, Query(), limit=1)).total
    assert there == IMPORTED, there
    (operation, *_) = await site.records.done_lately(resource)
    undo = {"operation": operation.id}
    back, seen_back, _ = await _job(application, browser, lambda: browser.post("/-/records/taken/undo", undo))
    assert (await site.records.page(resource, Query(), limit=1)).total == 0
    how = f"{took:.1f} s, progress seen {seen} times; meanwhile the slowest page took {slowest * 1e3:.0f} ms"
    return [
        Row(f"records: import of {IMPORTED:,}", f"{IMPORTED / took:,.0f} rows/s", "progress is seen", seen >= 3, how),
        Row(f"records: undo of {IMPORTED:,}", f"{IMPORTED / back:,.0f} rows/s", "progress is seen", seen_back >= 3,
            f"{back:.1f} s, progress seen {seen_back} times"),
    ]  # fmt: skip


async def _bulk(application: Application, browser: Browser) -> list[Row]:
    """Restore what the import left in the bin, change, delete and erase it: each as a job."""
    base, every = "/-/records/taken", {"all": "1", "query": ""}
    asked: dict[str, tuple[str, dict[str, str]]] = {
        "restore": (f"{base}/many/restore", {"all": "1", "query": "?bin=1"}),
        "change": (f"{base}/many", every | {"_field": "mood", "mood": "good"}),
        "delete": (f"{base}/many/delete", every),
        "erase": (f"{base}/empty-bin", {}),
    }
    found, site = list[Row](), application.site
    for what, (address, form) in asked.items():
        took, seen, slowest = await _job(application, browser, partial(browser.post, address, form))
        (row, *_) = await site.db.read(jobs.listed, OWNER, profile=None, statuses=jobs.STATUSES, limit=1)
        result = await site.db.read(jobs.result_of, row.id)
        assert result["changed"] == IMPORTED, result
        how = f"{took:.1f} s, progress seen {seen} times; meanwhile the slowest page took {slowest * 1e3:.0f} ms"
        name = f"records: {what} of {IMPORTED:,}"
        found.append(Row(name, f"{IMPORTED / took:,.0f} rows/s", "progress is seen", seen >= 3, how))
    return found


async def _job(
    application: Application, browser: Browser, ask: Callable[[], Awaitable[Any]]
) -> tuple[float, int, float]:
    """Ask for a job and wait for its end; return seconds, how often its progress was another, the slowest page."""
    began, seen, slowest = time.perf_counter(), set[str](), 0.0
    await ask()
    while True:
        (row, *_) = await application.site.db.read(jobs.listed, OWNER, profile=None, statuses=jobs.STATUSES, limit=1)
        seen.add(row.progress or "")
        if not row.is_open:
            assert row.status == jobs.DONE, row
            return time.perf_counter() - began, len(seen), slowest
        slowest = max(slowest, await _timed(lambda: browser.get("/few", htmx=True)))
        await asyncio.sleep(0.05)
