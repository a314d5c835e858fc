"""Very many records changed, deleted, restored and erased through the application: the job, its page, Stop and Undo."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.crud import long, many
from pipulate.crud.resource import Resource
from pipulate.forms.secrets import opened
from pipulate.jobs.local import LocalJobs
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import jobs, profiles
from pipulate.storage.records.queries import Query
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

WHO = Who(OWNER, None)
BASE = "/-/records/things"
MANY = 12
THINGS = """
from pydantic import BaseModel, SecretStr

from pipulate import Resource


class Thing(BaseModel):
    name: str
    number: int = 0
    word: SecretStr | None = None


things = Resource("things", Thing)


@things.before_change
def not_the_third(change):
    if change.before.name == "Thing 3" and change.after.number == 3:
        raise ValueError("<b>Not</b> this one.")
"""


class Desk:
    """A browser at a list that has more records than are dealt with while somebody waits."""

    def __init__(self, application: Application) -> None:
        self.site, self.browser = application.site, Browser(application)

    @property
    def things(self) -> Resource[Any]:
        return self.site.records.resources["things"]

    async def fill(self, number: int = MANY, profile: str = "default") -> None:
        for each in range(1, number + 1):
            await self.site.records.create(self.things, {"name": f"Thing {each}"}, profile, WHO)

    async def all(self, *, deleted: bool = False) -> dict[str, Any]:
        found = await self.site.records.page(self.things, Query("default", deleted=deleted), limit=1_000)
        return {each.values["name"]: dict(each.values) for each in found.records}

    async def press(self, what: str, *, query: str = "", htmx: bool = False, **form: str) -> Answer:
        """Press a button for all that a list finds."""
        where = f"/many/{what}" if what != "change" else "/many"
        if what == "erase":
            return await self.browser.post(f"{BASE}/empty-bin", htmx=htmx)
        return await self.browser.post(BASE + where, {"all": "1", "query": query, **form}, htmx=htmx)

    async def change(self, *, htmx: bool = False, query: str = "", **fields: str) -> Answer:
        return await self.browser.post(
            f"{BASE}/many", [("all", "1"), ("query", query), *(("_field", name) for name in fields), *fields.items()],
            htmx=htmx,
        )  # fmt: skip

    async def idle(self) -> None:
        await self.site.engine.background.jobs.idle()  # type: ignore[attr-defined] # the jobs of this process have it

    async def page(self, answer: Answer) -> str:
        """Return the page that an answer leads to, when nothing is at work any more."""
        await self.idle()
        return (await self.browser.get(answer.headers["location"])).text

    async def jobs(self) -> list[jobs.JobRow]:
        return await self.site.db.read(jobs.listed, OWNER, statuses=jobs.STATUSES, limit=9)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(long, "LONG", 10)
    monkeypatch.setattr(many, "AT_ONCE", 5)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "things.py").write_text(THINGS)
    async with running(tmp_path, jobs=LocalJobs) as application:
        yield Desk(application)


def operation_in(page: str) -> str:
    found = re.search(r'name="operation" value="(\w+)"', page)
    assert found, page
    return found[1]


def heading(page: str) -> str:
    found = re.search(r'id="bulk-state".*?<h2>([^<]*)</h2>', page, re.DOTALL)
    assert found, page
    return found[1]


async def test_very_many_are_deleted_restored_and_erased_by_jobs_with_a_page(desk: Desk) -> None:
    await desk.fill()
    page = await desk.page(await desk.press("delete"))
    assert (heading(page), len(await desk.all(deleted=True))) == ("12 records deleted", MANY)
    page = await desk.page(await desk.press("restore", query="?bin=1"))
    assert (heading(page), len(await desk.all())) == ("12 records restored", MANY)
    await desk.page(await desk.press("delete"))
    page = await desk.page(await desk.press("erase"))
    assert (heading(page), "Undo" in page.partition("bulk-state")[2].partition("</main>")[0]) == (
        "12 records erased", False,
    )  # fmt: skip
    assert (await desk.all(), await desk.all(deleted=True)) == ({}, {})
    titles = [row.title for row in await desk.jobs()]
    assert titles == [f"{what} in Things: 12 records" for what in ("Erase", "Delete", "Restore", "Delete")]


async def test_very_many_are_changed_and_what_was_refused_is_told(desk: Desk) -> None:
    await desk.fill()
    page = await desk.page(await desk.change(number="3"))
    assert heading(page) == "11 records changed"
    assert "1 refused." in page
    assert '/things/3">#3</a>' in page
    assert "&lt;b&gt;Not&lt;/b&gt; this one." in page
    assert {name for name, each in (await desk.all()).items() if each["number"] == 3} == {
        f"Thing {number}" for number in range(1, 13) if number != 3
    }


async def test_very_many_that_were_changed_are_taken_back_from_the_page(desk: Desk) -> None:
    await desk.fill()
    answer = await desk.change(number="7")
    page = await desk.page(answer)
    back = await desk.browser.post(f"{BASE}/undo", {"operation": operation_in(page)})
    assert back.headers["location"].startswith("/-/jobs/")
    assert heading(await desk.page(answer)) == "Taken back"
    assert {each["number"] for each in (await desk.all()).values()} == {0}


async def test_only_what_the_list_finds_is_changed(desk: Desk) -> None:
    await desk.fill(30)
    page = await desk.page(await desk.change(number="7", query="?find=thing+2"))
    assert heading(page) == "12 records changed"
    assert {name for name, each in (await desk.all()).items() if each["number"] != 7} == {
        f"Thing {number}" for number in range(1, 31) if "2" not in str(number)
    }


async def test_few_are_done_while_the_person_waits(desk: Desk) -> None:
    await desk.fill(10)
    answer = await desk.press("delete", htmx=True)
    assert (answer.status, "hx-redirect" in answer.headers, await desk.all()) == (204, False, {})
    assert await desk.jobs() == []


@pytest.mark.parametrize("what", ["change", "delete", "restore", "erase"])
async def test_script_is_sent_to_the_page_of_the_job(desk: Desk, what: str) -> None:
    await desk.fill()
    if what in ("restore", "erase"):
        await desk.site.records.delete(desk.things, range(1, MANY + 1), WHO)
    query = "?bin=1" if what == "restore" else ""
    answer = await (
        desk.change(htmx=True, number="1") if what == "change" else desk.press(what, htmx=True, query=query)
    )
    assert answer.status == 204
    assert re.fullmatch(rf"{BASE}/jobs/\w+", answer.headers["hx-redirect"])
    await desk.idle()


async def test_secret_is_changed_in_many_and_stands_in_no_page(desk: Desk) -> None:
    await desk.fill()
    answer = await desk.change(word="s3same")
    pages = [await desk.page(answer), (await desk.browser.get(f"/-/jobs/{(await desk.jobs())[0].id}")).text]
    found = await desk.site.records.page(desk.things, Query(), limit=1)
    assert opened(found.records[0].values)["word"] == "s3same"
    assert not [page for page in pages if "s3same" in page]


async def test_what_is_wrong_in_every_record_is_said_at_once(desk: Desk) -> None:
    await desk.fill()
    answer = await desk.browser.post(f"{BASE}/many", {"all": "1", "query": "", "number": "1"})
    assert (answer.status, "Tick at least one field." in answer.text, await desk.jobs()) == (422, True, [])


# While it is at work


class Gate:
    """Lets what is done to a record wait."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self._name = name
        desk.things.before_change(self.wait)

    async def wait(self, change: Any) -> None:
        if change.before.name == self._name:
            self.reached.set()
            await self.open.wait()


async def test_page_shows_how_far_it_is_and_stops_it_and_goes_on(desk: Desk) -> None:
    await desk.fill()
    gate = Gate(desk, "Thing 7")
    address = (await desk.change(number="1")).headers["location"]
    await gate.reached.wait()
    (row,) = await desk.jobs()
    doing = desk.site.engine.background.jobs.doing(row.id)
    assert doing is not None
    await doing.write_down()
    page = (await desk.browser.get(address)).text
    assert heading(page) == "They are being changed"
    assert "5 changed (5 of 12)" in page
    assert f'data-jobs="{address}"' in page
    assert f'href="/-/jobs/{row.id}"' in page
    shown = await desk.browser.get(address, htmx=True)
    assert shown.text.startswith('<div id="bulk-state"')
    await desk.browser.post(f"/-/jobs/{row.id}/cancel")
    assert heading((await desk.browser.get(address)).text) == "It stops …"
    gate.open.set()
    await desk.idle()
    page = (await desk.browser.get(address)).text
    assert heading(page) == "Stopped: 10 of 12 records changed"
    assert sum(each["number"] == 1 for each in (await desk.all()).values()) == 10
    await desk.browser.post(f"/-/jobs/{row.id}/retry")
    await desk.idle()
    page = (await desk.browser.get(address)).text
    assert heading(page) == "12 records changed"
    await desk.site.records.undo(desk.things, operation_in(page), WHO)
    assert {each["number"] for each in (await desk.all()).values()} == {0}


async def test_what_was_done_when_it_stopped_is_taken_back_and_does_not_go_on(desk: Desk) -> None:
    await desk.fill()
    gate = Gate(desk, "Thing 2")
    address = (await desk.change(number="1")).headers["location"]
    await gate.reached.wait()
    (row,) = await desk.jobs()
    await desk.browser.post(f"/-/jobs/{row.id}/cancel")
    gate.open.set()
    await desk.idle()
    page = (await desk.browser.get(address)).text
    assert heading(page) == "Stopped: 5 of 12 records changed"
    await desk.browser.post(f"{BASE}/undo", {"operation": operation_in(page)})
    assert {each["number"] for each in (await desk.all()).values()} == {0}
    page = (await desk.browser.get(address)).text
    assert (heading(page), "Go on" in page) == ("Taken back", False)


async def test_same_asked_for_twice_is_done_once(desk: Desk) -> None:
    await desk.fill()
    gate = Gate(desk, "Thing 1")
    first, again = await desk.change(number="1"), await desk.change(number="1")
    other = await desk.change(number="2")
    assert first.headers["location"] == again.headers["location"] != other.headers["location"]
    kept = await desk.site.db.read(_choices)
    assert len(kept) == 2
    gate.open.set()
    await desk.idle()
    assert await desk.site.db.read(_choices) == set()


def _choices(tx: Any) -> set[str]:
    rows = tx.all("SELECT DISTINCT owner FROM key_values WHERE scope = 'temporary' AND owner LIKE 'chosen/%'")
    return {owner for (owner,) in rows}


async def test_page_of_a_job_of_another_kind_table_or_profile_is_not_found(desk: Desk) -> None:
    await desk.fill()
    address = (await desk.change(number="1")).headers["location"]
    await desk.idle()
    assert (await desk.browser.get(address)).status == 200
    job = address.rsplit("/", 1)[1]
    await desk.browser.post(f"{BASE}/undo", {"operation": operation_in((await desk.browser.get(address)).text)})
    await desk.idle()
    undo = next(row.id for row in await desk.jobs() if row.id != job)
    assert (await desk.browser.get(f"{BASE}/jobs/{undo}")).status == 404
    assert (await desk.browser.get(f"{BASE}/jobs/none")).status == 404
    assert (await desk.browser.get(f"/-/records/profiles/jobs/{job}")).status == 404
    await desk.site.records.create(desk.site.records.resources["profiles"], {"name": "Other"}, "default", WHO)
    (other,) = [each.id for each in await desk.site.db.read(profiles.listed) if each.name == "Other"]
    await desk.browser.post("/-/profile", {"profile": other})
    assert (await desk.browser.get(address)).status == 404


async def test_choice_that_was_forgotten_is_said_to_be_on_the_page(desk: Desk) -> None:
    await desk.fill()
    gate = Gate(desk, "Thing 1")
    address = (await desk.change(number="1")).headers["location"]
    await gate.reached.wait()
    (row,) = await desk.jobs()
    await desk.browser.post(f"/-/jobs/{row.id}/cancel")
    gate.open.set()
    await desk.idle()
    await desk.site.long.chosen.forget(_payload(desk, row.id)["choice"])
    page = (await desk.browser.get(address)).text
    assert "What became of them is not known any more." in page
    assert "Go on" not in page


def _payload(desk: Desk, job: str) -> Any:
    row = desk.site.db.read_now(jobs.find, job)
    assert row is not None
    return row.payload
