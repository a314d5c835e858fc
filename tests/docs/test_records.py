"""The pages about tables of records are followed to the letter: their files are apps, and do what the pages say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from pipulate.crud import long
from pipulate.crud.resource import RESERVED, Resource
from pipulate.storage.records.queries import Test
from pipulate.storage.records.shape import NAME
from tests.docs.pages import ROOT, blocks, files
from tests.support.site import Answer, Browser, running
from tests.support.uploads import id_in

pytestmark = pytest.mark.anyio

HOW_TO = ROOT / "docs" / "how-to"
RECORDS = ROOT / "docs" / "reference" / "records.md"


def today() -> date:
    """Return the day as apps see it; asked for in each test, for the tests may run past midnight."""
    return datetime.now().astimezone().date()


class Reader:
    """Somebody who has saved the files of a page."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    async def add(self, table: str, **values: object) -> Answer:
        return await self._sent(f"/-/records/{table}", values)

    async def change(self, table: str, record: int, seen: int, **values: object) -> Answer:
        return await self._sent(f"/-/records/{table}/{record}", values, ("_seen", seen))

    async def delete(self, table: str, record: int) -> Answer:
        return await self.browser.post(f"/-/records/{table}/{record}/delete")

    async def ended(self, address: str) -> str:
        """Return a page that says how a job stands, once that has ended."""
        async with asyncio.timeout(30):
            while "They are being deleted" in (page := await self.shown(address)):
                pass
        return page

    async def shown(self, address: str) -> str:
        return (await self.browser.get(address)).text

    async def _sent(self, address: str, values: dict[str, object], *more: tuple[str, object]) -> Answer:
        form = [*more, *(("_field", name) for name in values), *values.items()]
        return await self.browser.post(address, form)


@asynccontextmanager
async def reading(page: str, folder: Path) -> AsyncIterator[Reader]:
    """Save the files of a page where it says, and start the server."""
    text = (HOW_TO / page).read_text()
    (folder / "plugins").mkdir()
    names = list(dict.fromkeys(re.findall(r"`plugins/(\w+\.py)`", text)))
    for name, code in zip(names, files(HOW_TO / page), strict=True):
        (folder / "plugins" / name).write_text(code)
    async with running(folder) as application:
        yield Reader(Browser(application))


async def test_page_about_links_says_what_is_protected_and_what_is_emptied(tmp_path: Path) -> None:
    async with reading("link-two-tables.md", tmp_path) as reader:
        await reader.add("customers", code="a1", name="Acme")
        await reader.add("orders", what="Bolts", customer=1)
        await reader.add("orders", what="Nuts", customer=1, follows=1)
        refused = await reader.delete("customers", 1)
        assert "This cannot be deleted: 2 records in Orders belong to it." in refused.text
        assert (await reader.delete("orders", 1)).status == 303
        shown = await reader.shown("/orders?f.customer.any=1")
        assert "Acme</a>" in shown
        assert re.findall(r'class="label"[^>]*>([^<]+)<', shown) == ["Nuts"]
        assert (await reader.browser.get("/-/records/customers/options?find=a1")).text.count("Acme") == 1


async def test_page_about_drawing_shows_the_bar_the_mark_and_the_days(tmp_path: Path) -> None:
    async with reading("draw-rows-yourself.md", tmp_path) as reader:
        begins = {"begins": "2026-03-01", "ends": "2026-03-03"}
        await reader.add("visits", place="<i>Rome</i>", kind="visit", done=70, page="https://example.com", **begins)
        shown = await reader.shown("/visits")
    assert "<mark>&lt;i&gt;Rome&lt;/i&gt;</mark>" in shown
    assert '<progress value="70" max="100" aria-label="70 %">' in shown
    assert '<a href="https://example.com">https://example.com</a>' in shown
    assert re.search(r'class="computed"[^>]*>3</td>', shown)
    assert "Done, %" in shown


async def test_page_about_rules_fills_in_and_refuses_what_it_says(tmp_path: Path) -> None:
    soon, later = today() + timedelta(days=7), today() + timedelta(days=8)
    async with reading("rules-and-hooks-of-a-table.md", tmp_path) as reader:
        assert (await reader.add("bookings", room="B12", name="Ada", begins=soon)).status == 303
        assert re.search(rf'data-field="ends"[^>]*>{soon}</td>', await reader.shown("/bookings"))
        taken = await reader.add("bookings", room="B12", name="Bob", begins=soon)
        assert "There is a record with this room and begins already." in taken.text
        wrong = await reader.add("bookings", room="B13", name="Bob", begins=later, ends=soon)
        assert (wrong.status, "This is before the first day." in wrong.text) == (422, True)
        moved = await reader.change("bookings", 1, 1, room="C1")
        assert "Delete this booking and make another one." not in moved.text  # It is no room at all.
        moved = await reader.change("bookings", 1, 1, room="C11")
        assert "Delete this booking and make another one." in moved.text
        await reader.add("bookings", room="B14", name="Eve", begins=today())
        assert "They are here already." in (await reader.delete("bookings", 2)).text
        await reader.add("bookings", room="B15", name="Old", begins=today() - timedelta(days=3))
        assert "You may not do this." in (await reader.change("bookings", 3, 1, name="New")).text


async def test_page_about_importing_says_what_comes_of_its_table(tmp_path: Path) -> None:
    page = HOW_TO / "import-a-table.md"
    async with reading(page.name, tmp_path) as reader:
        sent = await reader.browser.post("/-/records/books/import", {"paste": blocks(page, "csv")[0]})
        address = sent.headers["location"]
        shown = await reader.shown(address)
        columns = re.findall(r'<select name="(column\.\d+)".*?<option value="(\w*)" selected>', shown, re.DOTALL)
        assert [field for _, field in columns] == ["isbn", "title", "bought", "price", "read"]
        await reader.browser.post(address, [*columns, ("do", "check")])
        shown = await reader.shown(address)
        assert f"That would come of it: {blocks(page, 'text')[0].strip()}" in shown
        for label in ("How the file is written", "(do not take)", "leave out", "change that record", "Check", "Import"):
            assert f"*{label}*" in page.read_text()
            assert label in shown
        await reader.browser.post(address, [*columns, ("do", "take")])
        shown = await reader.shown("/books?sort=title")
    assert re.findall(r'class="label"[^>]*>([^<]+)<', shown) == ["The Iliad", "The Odyssey"]
    assert shown.count("2026-04-30") == 1


async def test_page_about_files_says_what_becomes_of_them(tmp_path: Path) -> None:
    async with reading("keep-files-in-a-table.md", tmp_path) as reader:
        headers = {"content-type": "application/pdf", "x-pipulate-name": "lease.pdf"}
        sent = await reader.browser.post(
            "/-/records/contracts/uploads/scan", b"%PDF signed", htmx=True, headers=headers
        )
        await reader.add("contracts", title="Lease", scan=id_in(sent))
        shown = await reader.shown("/contracts?find=receipt")
        names = re.findall(r'href="(/-/records/contracts/1/files/[^"]+)"[^>]*>([^<]+)<', shown)
        assert [name for _, name in names] == ["lease.pdf", "receipt.txt"]
        found = [(await reader.browser.get(address)).body for address, _ in names]
        assert found == [b"%PDF signed", b"Lease: 11 bytes"]
        assert "lease.pdf" in await reader.shown("/contracts?f.scan.empty=0")
        assert "lease.pdf" not in await reader.shown("/contracts?f.scan.empty=1")


def test_reference_names_every_argument_and_every_hook() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text().partition("## Resource")[2].partition("## Change")[0]
    arguments = list(Resource.__init__.__annotations__)[2:-1]
    public = [name for name in vars(Resource) if not name.startswith("_") and callable(getattr(Resource, name))]
    assert [name for name in arguments if f"`{name}`" not in page] == []
    assert {name for name in public if f"loans.{name}" not in page} == {"typed", "label_of"}


def test_reference_names_what_a_field_cannot_be_called() -> None:
    row = next(line for line in (ROOT / "docs/reference/keys.md").read_text().splitlines() if "of a record" in line)
    assert set(re.findall(r"`(\w+)`", row)) == RESERVED
    assert (bool(NAME.fullmatch("a" * 50)), bool(NAME.fullmatch("a" * 51)), "at most 50" in row) == (True, False, True)


def test_reference_has_every_filter_of_an_address() -> None:
    named = set(re.findall(r"`f\.\w+\.(\w+)=", RECORDS.read_text()))
    assert named == set(get_args(Test)) - {"filled"}  # In an address that is `empty=0`.


async def test_very_many_records_are_dealt_with_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join((HOW_TO / "change-very-many-records.md").read_text().split())
    assert f"up to {long.LONG:,} records" in text
    assert f"More than {long.LONG:,} records" in " ".join(RECORDS.read_text().split())
    monkeypatch.setattr(long, "LONG", 2)
    async with reading("change-very-many-records.md", tmp_path) as reader:
        for number in range(4):
            await reader.add("parcels", number=str(number), shelf=1, **({"paid": "on"} if number else {}))
        answer = await reader.browser.post("/-/records/parcels/many/delete", {"all": "1", "query": ""})
        page = await reader.ended(answer.headers["location"])
        assert "3 records deleted" in page
        assert "This one is not paid for." in page
        assert "This one is not paid for." in text
