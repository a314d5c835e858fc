"""The page about a CRUD app as a class, and what the reference says of tables and `BaseCrud`: it runs, and is whole."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipulate.app import Application
from pipulate.crud.resource import Resource
from pipulate.explicit import mistakes
from pipulate.explicit.context import CURRENT
from pipulate.explicit.crud import BaseCrud
from pipulate.explicit.own_tables import Tables
from pipulate.explicit.table import Table
from pipulate.storage import profiles
from tests.docs.pages import ROOT, blocks
from tests.docs.test_explicit import codes, rows
from tests.support.crudstyle import Page
from tests.support.explicit import explicit

pytestmark = pytest.mark.anyio


class Book(BaseModel):
    """A book, as a declared app has it."""

    title: str | None = None
    done: bool | None = None
    priority: int | None = None
    profile_id: int | None = None


WRITE = ROOT / "docs" / "how-to" / "write-a-crud-app-as-a-class.md"


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    (source,) = blocks(WRITE, "py")
    async with explicit(tmp_path, books=source) as made:
        yield made


@pytest.fixture
def books(application: Application) -> Page:
    return Page(application, "books", "books")


async def test_app_of_the_page_has_no_findings_and_no_mistakes(application: Application) -> None:
    plugin = application.site.plugins.table.by_module["books"]
    assert (plugin.state, plugin.findings, plugin.roles) == ("loaded", (), ("Core",))
    assert mistakes.find(blocks(WRITE, "py")[0], "books.py") == ()


async def test_app_of_the_page_adds_changes_ticks_off_sorts_and_deletes(books: Page) -> None:
    for title in ("Emma", "<i>Dune</i>", ""):
        answer = await books.post(title=title)
        assert answer.status == 200, answer.text
    assert await books.listed() == [1, 2], (await books.browser.get("/books")).text
    page = (await books.browser.get("/books")).text
    assert "&lt;i&gt;Dune&lt;/i&gt;" in page
    assert "What to read next." in page
    assert 'class="done"' in (await books.post("/toggle/1")).text
    assert "Persuasion" in (await books.post("/1", title="Persuasion")).text
    assert (await books.sort({2: 0, 1: 1})).status == 200
    assert await books.listed() == [2, 1]
    assert (await books.delete(2)).text == ""
    assert await books.listed() == [1]


async def test_app_of_the_page_keeps_profiles_apart(books: Page, application: Application) -> None:
    await books.post(title="Emma")
    await books.browser.post("/-/records/profiles", {"_field": "name", "name": "Other"})
    other = next(each for each in await application.site.db.read(profiles.listed) if each.name == "Other")
    await books.browser.post("/select_profile", {"profile_id": other.id})
    assert await books.listed() == []
    assert (await books.delete(1)).status == 404


async def test_answers_are_those_of_the_table_of_the_page(books: Page) -> None:
    await books.post(title="Emma")
    said = {(await books.delete(9)).status, (await books.delete("x")).status, (await books.sort("{")).status}
    listed = {int(line.split("|")[1]) for line in WRITE.read_text().splitlines() if re.match(r"\| \d{3} \|", line)}
    assert said <= listed == {400, 404, 409, 500}


async def test_conditions_of_the_page_are_understood(application: Application) -> None:
    explicit_host = application.site.explicit
    assert explicit_host is not None
    table = explicit_host.host().tables.t.books
    table.insert(title="Emma", done=False, priority=2, profile_id=1)
    asked = [
        codes(line)[0] for line in WRITE.read_text().splitlines() if line.startswith("| `") and "?" not in line[:3]
    ]
    found = {text: len(table(text, {"part": "%MM%"} if ":" in text else [1] * text.count("?"))) for text in asked}
    assert set(found.values()) == {1}, found
    assert len(found) == 4


async def test_declared_app_goes_on_with_the_records_of_the_page(books: Page, application: Application) -> None:
    await books.post(title="Emma")
    assert "`plugin_books`" in WRITE.read_text()
    resource = Resource("plugin_books", Book, per_profile=False)
    assert resource.prepare() == []
    record = await application.site.records.find(resource, 1)
    assert record.values == {"title": "Emma", "done": False, "priority": 0, "profile_id": 1}


def documented(heading: str) -> set[str]:
    """Return the names that the tables below a heading of the reference begin with."""
    names = {name for first, *_ in rows(heading) for name in codes(first)}
    return {re.sub(r"^(?:async )?(\w+).*", r"\1", name) for name in names}


def members(kind: type) -> set[str]:
    """Return the public members of a class."""
    return {name for name in dir(kind) if not name.startswith("_")}


def test_reference_has_every_member_of_tables_and_of_base_crud() -> None:
    tables = documented("Tables of a plugin")
    assert members(Tables) | members(Table) | {"t", "name", "cls"} <= tables
    assert tables - members(Tables) - members(Table) == {"t", "name", "cls"}
    attributes = set(inspect.signature(BaseCrud).parameters) | {"item_name_field"}
    assert documented("BaseCrud") == members(BaseCrud) | attributes
    assert CURRENT.get() is None
