"""Every address and method, asked by somebody who may not: generated from the table of addresses."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.app import Application
from pipulate.chat.calls import digest
from pipulate.crud.long import MANY
from pipulate.llm.port import Ask, Ended, Known, Part
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import calls, jobs, keyvalue, messages, report_files, schedules
from pipulate.storage.calls import CallRow
from pipulate.storage.database import Transaction
from pipulate.storage.records import catalog
from pipulate.storage.records.shape import Column, Shape
from pipulate.storage.report_files import ReportFile
from pipulate.web.errors import refused
from pipulate.web.guard import OPEN, BodyTooLargeError, Guard, Receive, Scope, Send
from pipulate.web.routes import ADDRESSES, OLD_HOST, Address
from tests.support.jobs import put_one
from tests.support.raw import Tab, stored
from tests.support.site import HOST, PORT, Answer, Browser, running
from tests.support.uploads import id_in, uploaded

pytestmark = pytest.mark.anyio

Headers = list[tuple[bytes, bytes]]

READING = ("GET", "HEAD")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
EVERY = pytest.mark.parametrize("address", ADDRESSES, ids=lambda each: each.path)
OWN = f"http://{HOST}"

FOREIGN_HOSTS: tuple[list[str], ...] = (
    ["evil.test"], ["localhost.evil.com"], [f"localhost.evil.com:{PORT}"], ["127.0.0.1.nip.io"],
    [f"127.0.0.1.nip.io:{PORT}"], [f"0.0.0.0:{PORT}"], [""], [], [HOST, HOST], [HOST, "evil.test"],
    [f"127.0.0.1:{PORT + 1}"], ["127.0.0.1"], [f"127.0.0.1:{PORT}0"], [f"{HOST}@evil.test"], [f"{HOST} "], [f"{HOST},"],
)  # fmt: skip
FOREIGN_ORIGINS = (
    "http://evil", "null", "http://localhost.evil.com", "http://127.0.0.1:8888", f"https://{HOST}", f"{OWN}.evil.com",
    f"http://localhost:{PORT}", "",
)  # fmt: skip
OTHER_PAGES = (
    *({"origin": origin} for origin in FOREIGN_ORIGINS),
    {"origin": "null", "sec-fetch-site": "same-origin"},
    {"origin": "http://evil", "sec-fetch-site": "none"},
    {"origin": "http://evil", "sec-fetch-mode": "navigate"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": OWN},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {"sec-fetch-site": "cross-site", "sec-fetch-dest": "script"},
    {"sec-fetch-site": ""},
)
FORMS = {
    "/-/look": b"theme=dark",
    "/-/records/{resource:part}/{record:number}": b"_seen=9&_field=name&name=Mallory",
    "/-/records/{resource:part}/{record:number}/with-files": b"_seen=9&_field=name&name=Mallory",
    "/-/records/{resource:part}/many": b"chosen=1&_field=name&name=Mallory",
    "/-/records/{resource:part}/many/restore": b"chosen=4",
    "/-/records/{resource:part}/import": b"paste=name%0AAda%0A",
    "/-/records/{resource:part}/import/{table:part}": b"do=take&column.0=name",
    "/-/assistant/model": b"model=other",
    "/-/control/delete": b"app=greeting&key=open",
    "/-/control/fit-records": b"name=differs",
    "/-/control/schedule": b'app=greeting&answers={"name":{"name":["Ada"]}}&cron=0+7+*+*+1&zone=UTC',
}
"""Forms that have to be just so; every other one takes what it needs from the same big form."""
SENDS = """
from pipulate import File, Workflow

app = Workflow("sends")


@app.step("file")
def file(file: File) -> str:
    return file.name
"""
VIEWS = """
import pandas as pd

from pipulate import Mermaid, Picture, SandboxedHtml, Workflow

app = Workflow("views")
PNG = b"\\x89PNG\\r\\n\\x1a\\n"


@app.step("shown")
def shown() -> list[object]:
    return [pd.DataFrame({"a": ["Ada"]}), Picture(PNG, "image/png"), Mermaid("flowchart"), SandboxedHtml("<b>Ada</b>")]
"""
KEEPS = """
from pydantic import BaseModel

from pipulate import File, Resource


class Kept(BaseModel):
    name: str
    done: bool = False
    scan: File | None = None


kept = Resource("kept", Kept, toggle="done")
"""
TOLD = """
from pathlib import Path
from pipulate import Files, File, Report

told = Report("told")


@told.table
def rows() -> list[dict[str, str]]:
    return [{"name": "Ada"}]


@told.make("note")
def note(files: Files) -> File:
    return files.save("ada.txt", "Ada")
"""
DIFFERS = """
from pydantic import BaseModel

from pipulate import Resource


class Entry(BaseModel):
    text: str
    more: str = ""


entries = Resource("differs", Entry)
"""
"""Records whose table has one field less."""
PARTS = {"table": 0, "table.csv": 0, "table.xlsx": 0, "picture": 1, "drawing": 2, "html": 3, "json": 0}
"""What results are made of -> the part of the result above that has it."""
LEAVES_NO_TRACE = (
    "/run",
    "/steps/{step:part}/stop",
    "/{path:key}",
    "/-/preview",
    "/-/plugins/retry",
    "/-/assistant/look",
    "/-/control/plugins",
)


@dataclass
class World:
    """An application with a run in every state there is.

    Attributes:
        values: Name of a part of an address -> what can stand there.
        files: The same for addresses of files.
        versions: Run -> its version.
        files: As `values`, in addresses of files.
        shown: The run whose result has a part of each kind.
        made: Files that a report made; the second is in the bin.
        answer: Number of an answer that broke off, in the conversation of the run `shown`.
    """

    application: Application
    browser: Browser
    values: dict[str, list[str]]
    versions: dict[str, int]
    files: dict[str, list[str]]
    shown: str
    made: list[str]
    answer: int

    def paths(self, template: str) -> Iterator[str]:
        """Yield an address with every combination of real things in it."""
        names = re.findall(r"{(\w+)", template)
        last = template.rsplit("/", 1)[-1]
        template += f"?conversation={self.shown}&seq={self.answer}" if last == "text" else ""
        if last in PARTS:
            yield f"/-/runs/{self.shown}/steps/shown/{last}?part={PARTS[last]}"
            return
        known = self.values | (self.files if "field" in names or "sha256" in names else {})
        if template.startswith("/-/records"):
            known = {"resource": ["kept"], "record": ["1", "2", "4"], "field": ["name"],
                     "table": self.values["table"], "job": self.values["bulk"]}  # fmt: skip
            if "uploads" in template or "sha256" in names:
                known |= {"field": ["scan"], "sha256": self.files["scan"], "name": ["a.csv"]}
            template += {"toggle": "?field=done&to=on", "many": "?chosen=1"}.get(last, "")
        if template.startswith("/-/reports"):
            known = {"report": ["told"], "maker": ["note"], "file": self.made, "name": ["a.txt"]}
        for values in itertools.product(*(known.get(name, ["01"]) for name in names)):
            filled = iter(values)
            yield re.sub(r"{[^}]*}", lambda _: next(filled), template)  # noqa: B023 - used up before the next turn

    def own(self, kind: str, method: str) -> dict[str, str]:
        """Return the headers of a request that is let in."""
        if kind == "control":
            headers = {"host": HOST, "authorization": f"Bearer {self.application.capability.secret}"}
        else:
            headers = {"host": HOST, "cookie": self.browser.cookie, "sec-fetch-site": "same-origin"}
        if method not in READING:
            headers["content-type"] = "application/x-www-form-urlencoded"
        if method not in READING and kind != "control":
            headers["origin"] = OWN
        return headers

    async def send(self, method: str, path: str, headers: dict[str, str] | Headers, template: str = "") -> Answer:
        """Send a form that every action finds what it needs in, with exactly these headers."""
        pairs = headers if isinstance(headers, list) else [(n.encode(), v.encode()) for n, v in headers.items()]
        return await self.browser.raw(method, path, pairs, FORMS.get(template) or self.form(path))

    def form(self, path: str) -> bytes:
        """Return what any action needs, for the newest version of the run it is about."""
        seen = next((version for run, version in self.versions.items() if run in path), 1)
        waits = self.files["upload" if "/-/runs" in path else "of record" if "/1/" in path else "of new"][0]
        return (
            f"_seen={seen}&_submit={uuid4()}&name=Mallory&language=Deutsch&version=2&text=note&profile=default"
            f"&offered=x&file=hello.py&key=stolen&_retry=1&_remove={waits}&path={self.values['file'][0]}"
            f"&job={self.values['job'][0]}&_field=name&beside=3&after=1&chosen=1&operation={self.values['operation'][0]}"
            f"&_conversation={self.shown}&answer={self.answer}&decision=deny&shown={digest(WANTED)}&upto=0"
            f"&run={self.values['run'][2]}&title=Stolen&kind=day&zone=UTC&id={self.values['schedule'][0]}"
        ).encode()


class Silent:
    """A language model that never says anything."""

    async def known(self) -> list[Known]:
        """Return two models."""
        return [Known("tiny"), Known("other")]

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Say nothing."""
        del ask
        await asyncio.Event().wait()
        yield Ended("stop")

    async def close(self) -> None:
        """Do nothing."""


WANTED = {"run": "", "step": "name"}
"""Arguments of a call that waits for a person."""


async def a_talk(application: Application, run: str) -> tuple[int, str]:
    """Have a model break off, and then ask for something; return the number of that answer, and the id of the call."""
    models, at = application.site.models, to_text(application.site.clock.now())
    models._server = Silent()
    await models.look()
    await application.site.db.write(keyvalue.put, "user", OWNER, "model", "tiny")

    def talk(tx: Transaction) -> tuple[int, str]:
        first = messages.add(tx, run, at, OWNER, "user", "Ada?", state="done", data={"asked": True})
        broken = messages.add(tx, run, at, "tiny", "answer", "Ada", state="failed", data={"question": first})
        second = messages.add(tx, run, at, OWNER, "user", "Ada!", state="open", data={"asked": True, "since": 0})
        answer = messages.add(tx, run, at, "tiny", "answer", "Yes.", state="done", data={"question": second})
        call = CallRow(
            new_id(), run, 0, second, answer, "1", "revert_step", "write", WANTED, None, "asked", at, OWNER, "tiny"
        )
        return broken, calls.add(tx, call).id

    return await application.site.db.write(talk)


GUARDED = """
from pipulate import Workflow

app = Workflow("guarded", assets=["own.js"])


@app.step("extra", optional=True)
def extra(x: int) -> int:
    return x


@app.get("own")
@app.post("own")
def own() -> str:
    return "Answered."
"""


async def a_run_with_files(browser: Browser) -> dict[str, list[str]]:
    """Start a run with a file in its journal and another that waits; return what stands in addresses of files."""
    run, _ = await browser.start("sends")
    taken, waiting = [await uploaded(browser, run, "file", step="file", content=each) for each in (b"Ada,1", b"Ada,2")]
    await browser.submit(run, "file", 1, file=taken)
    sha256 = hashlib.sha256(b"Ada,1").hexdigest()
    return {
        "run": [run], "step": ["file"], "field": ["file"], "sha256": [sha256], "name": ["a.csv"], "upload": [waiting],
    }  # fmt: skip


async def some_papers(browser: Browser) -> dict[str, list[str]]:
    """Give a record a file, and send one for it and one for a new record that wait; return what names them."""
    sha256 = hashlib.sha256(b"Ada,1").hexdigest()
    for_record = [await sent_for(browser, "/-/records/kept/1/uploads/scan", each) for each in (b"Ada,1", b"Ada,2")]
    form = {"_seen": 3, "_field": "scan", "scan": for_record[0]}
    assert (await browser.post("/-/records/kept/1", form)).status == 303
    of_new = await sent_for(browser, "/-/records/kept/uploads/scan", b"Ada,3")
    return {"scan": [sha256], "of record": for_record[1:], "of new": [of_new]}


async def sent_for(browser: Browser, address: str, content: bytes) -> str:
    """Send a file as our script does; return its id."""
    headers = {"content-type": "text/csv", "x-pipulate-name": "a.csv"}
    return id_in(await browser.post(address, content, htmx=True, headers=headers))


async def some_schedules(browser: Browser, run: str) -> list[str]:
    """Put a run on schedules: one that waits, one that is paused, one that was removed; return their ids."""
    for _ in range(3):
        sent = {"run": run, "title": "Ours", "kind": "day", "zone": "UTC"}
        assert (await browser.post("/-/schedules/new", sent)).status == 303
    ids = [row.id for row in await browser.application.site.db.read(schedules.of_owner, OWNER)]
    await browser.post(f"/-/schedules/{ids[1]}/pause")
    await browser.post(f"/-/schedules/{ids[2]}/delete")
    return ids


async def a_table(browser: Browser) -> str:
    """Bring a table that waits to be taken in, and try it; return its id."""
    address = (await browser.post("/-/records/kept/import", {"paste": "name\tdone\nAda\tyes\nAda\tperhaps"})).headers
    await browser.post(address["location"], {"column.0": "name", "column.1": "done", "do": "check"})
    return address["location"].rsplit("/", 1)[1]


async def some_records(application: Application) -> list[str]:
    """Keep four records, one of them changed and one of them in the bin; return the id of what was done last."""
    records, who = application.site.records, Who(OWNER)
    kept = records.resources["kept"]
    for name in ("Ada", "Bob", "Cleo", "Dora"):
        await records.create(kept, {"name": name}, "default", who)
    for seen, name in enumerate(("Ada B", "Ada C"), start=1):
        await records.change(kept, 1, {"name": name}, who, seen=seen)
    await records.delete(kept, [4], who)
    return [(await records.change(kept, 2, {"name": "Bo"}, who, seen=1)).operation]


def a_bulk(application: Application) -> str:
    """Have three records changed by a job that was stopped; return its id."""
    about = {"resource": "kept", "what": "change", "choice": "c" * 32, "records": 3}
    return application.site.db.write_now(
        put_one, kind=MANY, app="kept", title="Change in Kept", args=json.dumps(about), status=jobs.CANCELLED
    )


def some_made(application: Application) -> list[str]:
    """Keep two files as a report does, one of them in the bin; return their ids."""
    files, write = application.site.engine.files, application.site.db.write_now
    made = []
    for _ in range(2):
        job = application.site.db.read_now(jobs.find, write(put_one, status=jobs.RUNNING, ended_at=None))
        assert job is not None
        row = ReportFile(
            job.id, "told", "note", "", "", "a.txt", "text/plain", 3, files.put(job.id, b"Ada"), job.asked_at, OWNER
        )
        assert write(report_files.keep, job, row)
        made.append(job.id)
    write(report_files.put_into_bin, "told", made[1], OWNER, to_text(application.site.clock.now()))
    return made


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "guarded.py").write_text(GUARDED)
    (plugins / "own.js").write_text("// Nothing.")
    (plugins / "sends.py").write_text(SENDS)
    (plugins / "views.py").write_text(VIEWS)
    (plugins / "kept.py").write_text(KEEPS)
    (plugins / "told.py").write_text(TOLD)
    (plugins / "differs.py").write_text(DIFFERS)
    async with running(folder) as application:
        browser = Browser(application)
        runs, keys, versions = [], [], {}
        for key in ("open", "editing", "locked", "binned"):
            run, address = await browser.start("hello", key)
            await browser.submit(run, "name", 1, name="Ada")
            await browser.submit(run, "language", 2, language="English")
            runs.append(run)
            keys.append(address.rsplit("/", 1)[1])
        await browser.post(f"/-/runs/{runs[0]}/steps/language/revert", {"_seen": "4"})
        await browser.post(f"/-/runs/{runs[1]}/steps/name/revert", {"_seen": "4"})
        await browser.submit(runs[1], "name", 5, name="Bob")
        await browser.post(f"/-/runs/{runs[2]}/lock")
        export = folder / "run.zip"
        export.write_bytes((await browser.get(f"/-/runs/{runs[0]}/export")).body)
        for run, key in zip(runs, keys, strict=True):
            versions[run] = await browser.version(f"/hello/{key}")
        await browser.post(f"/-/runs/{runs[3]}/delete")
        await browser.post("/-/notes", {"text": "A secret note"})
        table = Shape("differs", (Column("text", "text"),))
        await application.site.db.write(catalog.make, table, "2026-01-01", is_postgres=False)
        files = await a_run_with_files(browser)
        shown, _ = await browser.start("views")
        assert (await browser.post(f"/-/runs/{shown}/steps/shown/run")).status < 400
        runs.append((await browser.start("guarded", "skipping"))[0])
        versions[runs[4]] = 1
        values = {"app": ["guarded"], "library": ["mermaid.js"], "path": ["own"], "name": ["own.js"]}
        put = application.site.db.write_now
        values["job"] = [put(put_one, status=each, title="Ada", reason="Ada") for each in (jobs.PARKED, jobs.DONE)]
        values["operation"] = await some_records(application)
        files |= await some_papers(browser)
        values["table"] = [await a_table(browser)]
        values["bulk"] = [a_bulk(application)]
        values |= {"schedule": await some_schedules(browser, runs[2])}
        answer, call = await a_talk(application, shown)
        values |= {"call": [call]}
        values |= {"run": runs, "step": ["name", "language", "greeting", "extra"], "module": ["hello"], "key": keys}
        yield World(
            application, browser, values | {"file": [str(export)]}, versions, files, shown, some_made(application),
            answer,
        )  # fmt: skip


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with a_world(tmp_path_factory.mktemp("world")) as made:
        yield made


async def refused_all(world: World, address: Address, variants: list[Headers], methods: tuple[str, ...]) -> set[int]:
    """Send every variant to every address a line of the table stands for; return the answers; fail on any effect."""
    before = await stored(world.application)
    statuses = set()
    for method, path, headers in itertools.product(methods, world.paths(address.path), variants):
        answer = await world.send(method, path, headers, address.path)
        assert "set-cookie" not in answer.headers
        assert not any(
            secret in answer.text for secret in ("Ada", "A secret note", world.application.capability.secret)
        )
        statuses.add(answer.status)
    assert await stored(world.application) == before
    return statuses


def pairs(headers: dict[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@EVERY
async def test_address_answers_and_acts_when_its_own_page_asks(address: Address, world: World, tmp_path: Path) -> None:
    """The requests of this file do have an effect once nothing about them is wrong, so that a hole would show."""
    if "POST" not in address.methods:
        await answers_and_acts(address, world)
        return
    async with a_world(tmp_path) as own:  # What is done there is in nobody's way.
        await answers_and_acts(address, own)


async def answers_and_acts(address: Address, world: World) -> None:
    for method in address.methods:
        headers, before = world.own(address.kind, method), await stored(world.application)
        sent = [await world.send(method, path, headers, address.path) for path in world.paths(address.path)]
        assert min(answer.status for answer in sent) < 400, [(each.status, each.text[:300]) for each in sent]
        acted = await stored(world.application) != before
        assert acted is (method == "POST" and not address.path.endswith(LEAVES_NO_TRACE))


@EVERY
async def test_address_refuses_hosts_that_are_not_ours(address: Address, world: World) -> None:
    variants = []
    for method, hosts in itertools.product(address.methods, FOREIGN_HOSTS):
        own = world.own(address.kind, method)
        del own["host"]
        variants.append([*((b"host", host.encode()) for host in hosts), *pairs(own)])
    assert await refused_all(world, address, variants, address.methods) == {400}


@EVERY
async def test_address_refuses_what_another_page_sends(address: Address, world: World) -> None:
    for method in address.methods:
        own = world.own(address.kind, method)
        plain = {name: value for name, value in own.items() if name not in ("origin", "sec-fetch-site")}
        nobodys: list[dict[str, str]] = (
            [{}] if method not in READING and address.kind != "control" else []
        )  # It does not say who asks.
        variants = [pairs(plain | other) for other in (*OTHER_PAGES, *nobodys)]
        assert await refused_all(world, address, variants, (method,)) == {403}


@EVERY
async def test_address_refuses_browsers_that_were_not_let_in(address: Address, world: World) -> None:
    cookie = world.browser.cookie
    name, _, secret = cookie.partition("=")
    cookies = ["", f"{name}=", f"{cookie}x", f"{cookie}; {cookie}", f"other={secret}", f'{name}="{secret}"', secret,
               f"{name.upper()}={secret}", f"{name}={secret.swapcase()}", cookie[:-1]]  # fmt: skip
    for method in address.methods:
        own = world.own(address.kind, method)
        own.pop("cookie", None)
        own.pop("authorization", None)
        variants = [pairs(own | ({"cookie": value} if address.kind != "control" else {})) for value in cookies]
        variants.append([*pairs(own), *([(b"cookie", cookie.encode())] * 2 if address.kind != "control" else [])])
        variants += [
            pairs(own),
            pairs(own | {"authorization": f"Bearer {secret}x"}),
            pairs(own | {"authorization": secret}),
        ]
        assert await refused_all(world, address, variants, (method,)) == {401}


@EVERY
async def test_address_refuses_methods_it_does_not_have(address: Address, world: World) -> None:
    """Reading methods above all: what changes something is no GET."""
    own = {*address.methods, *(["HEAD"] if "GET" in address.methods else [])}
    for method in (each for each in METHODS if each not in own):
        headers = [pairs(world.own(address.kind, method))]
        assert await refused_all(world, address, headers, (method,)) == {405}


@EVERY
async def test_only_pages_can_be_opened_by_a_link_from_elsewhere(address: Address, world: World) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    before = await stored(world.application)
    for method in address.methods:
        headers = world.own(address.kind, method) | visit
        sent = [await world.send(method, path, headers, address.path) for path in world.paths(address.path)]
        may = address.kind == "page" and method == "GET"
        assert {answer.status for answer in sent} <= ({200, 404} if may else {403})
    assert await stored(world.application) == before


async def test_table_has_addresses_of_every_kind_that_is_guarded() -> None:
    assert {each.kind for each in ADDRESSES} >= {"page", "part", "action", "control"}


# Commands


@pytest.mark.parametrize("path", [each.path for each in ADDRESSES if each.kind == "control"] + ["/-/control/nothing"])
async def test_way_for_commands_is_closed_to_browsers_even_with_the_secret(path: str, world: World) -> None:
    own = world.own("control", "POST")
    before = await stored(world.application)
    for more in (
        {"cookie": world.browser.cookie},
        {"origin": OWN},
        {"sec-fetch-site": "same-origin"},
        {"cookie": "a=b"},
    ):
        assert (await world.send("POST", path, own | more)).status == 403
    assert await stored(world.application) == before


async def test_cookie_is_not_the_secret_for_commands_nor_the_other_way_round(world: World) -> None:
    headers = {"host": HOST, "cookie": world.browser.cookie, "origin": OWN, "sec-fetch-site": "same-origin"}
    assert (await world.send("POST", "/-/control/link", headers)).status == 403
    own = world.own("control", "GET")
    assert (await world.send("GET", "/-/bin", own)).status == 401


# What is open


async def test_front_end_files_and_the_way_in_need_no_cookie_but_our_host(world: World) -> None:
    file = world.application.site.assets.addresses["app.js"]
    for path, status in ((file, 200), (OPEN, 303)):
        assert (await world.send("GET", path, {"host": HOST})).status == status
        assert (await world.send("GET", path, {"host": "evil.test"})).status == 400
        assert (await world.send("GET", path, {"host": HOST, "origin": "http://evil"})).status == 403
        assert (await world.send("GET", path, {"host": HOST, "sec-fetch-site": "cross-site"})).status == 403
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert (await world.send(method, path, {"host": HOST, "origin": OWN})).status == 401


async def test_refused_requests_do_not_use_a_link_up(world: World) -> None:
    path = f"{OPEN}?token={world.application.capability.new_token()}"
    for headers in (
        {"host": "evil.test"},
        {"host": HOST, "sec-fetch-site": "cross-site"},
        {"host": HOST, "origin": "null"},
    ):
        assert (await world.send("GET", path, headers)).status in (400, 403)
    assert "set-cookie" not in (await world.send("HEAD", path, {"host": HOST})).headers
    assert "set-cookie" in (await world.send("GET", path, {"host": HOST})).headers


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}", f"LocalHost:{PORT}"])
async def test_names_of_this_machine_are_ours(host: str, world: World) -> None:
    headers = {"host": host, "cookie": world.browser.cookie, "sec-fetch-site": "none"}
    assert (await world.send("GET", "/", headers)).status == 200


async def test_page_opened_as_localhost_is_sent_to_where_the_cookie_is(world: World) -> None:
    answer = await world.send("GET", "/hello/%0d%0aX: y?find=a%20b", {"host": f"localhost:{PORT}"})
    assert answer.status == 307
    assert answer.headers["location"] == f"{OWN}/hello/%0D%0AX%3A%20y?find=a%20b"
    answer = await world.browser.raw("GET", "/hello", [(b"host", b"localhost:%d" % PORT)], server=("::1", PORT))
    assert (answer.status, answer.headers["location"]) == (307, f"http://[::1]:{PORT}/hello")
    for path in ("/-/bin", "/-/runs/x"):
        assert (await world.send("GET", path, {"host": f"localhost:{PORT}"})).status == 401
    sent = {"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}"}
    assert (await world.send("POST", "/hello", sent)).status == 401  # What was typed is not sent on.


async def test_names_without_a_port_are_ours_on_port_80_alone(world: World) -> None:
    hosts: set[str] = set()
    application = dataclasses.replace(world.application, _hosts=hosts)
    application.answers_at(80)
    assert {"127.0.0.1", "localhost", "[::1]", "127.0.0.1:80"} <= hosts
    hosts.clear()
    application.answers_at(PORT)
    assert {host.rpartition(":")[2] for host in hosts} == {str(PORT)}


async def test_unknown_addresses_are_named_not_found(world: World) -> None:
    own = world.own("page", "GET")
    for path in (
        "/nothing",
        "/-/nothing",
        "/-",
        "/-/",
        "/hello/",
        "//hello",
        "/-/runs",
        "/-/live",
        "/-/static/",
        "/-/bin%0a",
    ):
        assert (await world.send("GET", path, own)).status == 404, path
        assert (await world.send("POST", path, world.own("page", "POST"))).status in (404, 405), path


# Sockets


@pytest.mark.parametrize("path", ["/-/live", "/-/nothing", "/", "/hello", "/-/control/link"])
@pytest.mark.parametrize("origin", [*FOREIGN_ORIGINS, None])
async def test_socket_of_another_page_is_refused_before_it_is_taken(
    path: str, origin: str | None, world: World
) -> None:
    async with Tab(world.application, path=path, headers={"origin": origin}) as tab:
        assert (tab.accepted, tab.closed, tab.frames) == (False, 1008, [])


@pytest.mark.parametrize(
    "wrong",
    [{"cookie": None}, {"cookie": "a=b"}, {"host": "evil.test"}, {"host": None}, {"host": "evil.test", "origin": "http://evil.test"},
     {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
     {"origin": f"http://localhost:{PORT}"}],
    ids=str,
)  # fmt: skip
async def test_socket_without_what_our_page_has_is_refused_before_it_is_taken(
    wrong: dict[str, str | None], world: World
) -> None:
    async with Tab(world.application, headers=wrong) as tab:
        assert (tab.accepted, tab.closed, tab.frames) == (False, 1008, [])


async def test_socket_at_an_address_that_has_none_is_refused(world: World) -> None:
    async with Tab(world.application, path="/-/nothing") as tab:
        assert (tab.accepted, tab.ended) == (False, True)


@pytest.mark.parametrize("more", [{}, {"sec-fetch-site": "same-origin"}], ids=str)
async def test_socket_of_our_own_page_is_taken(more: dict[str, str], world: World) -> None:
    async with Tab(world.application, f"run={world.values['run'][0]}", headers=more) as tab:
        await tab.until(lambda tab: tab.numbers)
        assert tab.accepted


# Size


async def test_body_found_too_large_after_the_answer_began_breaks_it_off(world: World) -> None:
    async def answers_early(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    guard = Guard(
        answers_early, capability=world.application.capability, hosts=[HOST], max_body_bytes=3,
        refused=refused(world.application.site, ""),
    )  # fmt: skip
    browser = Browser(dataclasses.replace(world.application, asgi=guard))
    with pytest.raises(BodyTooLargeError):
        await browser.raw("POST", "/", pairs(world.own("page", "POST")), b"four")


OLD = pytest.mark.parametrize("address", OLD_HOST, ids=lambda each: each.path)


@OLD
async def test_address_of_the_old_host_is_guarded_as_all_are(address: Address, world: World) -> None:
    path = address.path.replace("{key:key}", "hello")
    for method in address.methods:
        own = world.own(address.kind, method)
        for changed in ({"host": "evil.test"}, {"cookie": ""}, {"origin": "http://evil"}):
            assert (await world.send(method, path, own | changed)).status in (400, 401, 403), (method, changed)
        if method not in READING:
            assert (await world.send(method, path, own | {"sec-fetch-site": "cross-site"})).status == 403
