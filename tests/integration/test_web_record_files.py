"""Files of records over HTTP: sent, shown, replaced, removed, downloaded, and there for nobody else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from pipulate.app import Application
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import profiles
from pipulate.storage.records.files import folder_of
from pipulate.storage.records.rows import Record
from pipulate.web.guard import takes_files
from tests.support.site import Answer, Browser, running
from tests.support.uploads import id_in, multipart

pytestmark = pytest.mark.anyio

WHO = Who(OWNER)
PAPERS = """
from typing import Annotated

from pydantic import BaseModel, Field

from pipulate import Accept, File, Resource


class Where(BaseModel):
    shelf: str = ""
    photo: File | None = None


class Paper(BaseModel):
    title: str
    scan: Annotated[File | None, Accept(".txt", max_mb=1)] = None
    more: Annotated[list[File], Accept(max_files=2)] = Field(default_factory=list)
    where: Where | None = None


papers = Resource("papers", Paper, title="Papers", key="title")
"""
FIRST, SECOND = b"the first", b"the second"
NEW = "/-/records/papers/uploads"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Application]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "papers.py").write_text(PAPERS)
    async with running(tmp_path, upload_file_mb=3) as application:
        yield application


@pytest.fixture
def browser(site: Application) -> Browser:
    return Browser(site)


async def send(browser: Browser, address: str = f"{NEW}/scan", content: bytes = FIRST, name: str = "a.txt") -> Answer:
    headers = {"content-type": "text/plain", "x-pipulate-name": quote(name)}
    return await browser.post(address, content, htmx=True, headers=headers)


async def uploaded(browser: Browser, address: str = f"{NEW}/scan", content: bytes = FIRST, name: str = "a.txt") -> str:
    answer = await send(browser, address, content, name)
    assert answer.status == 201, answer.text
    return id_in(answer)


async def added(browser: Browser, title: str = "One", **sent: Any) -> Answer:
    """Add a record with a file, as our script does."""
    text = await uploaded(browser, **sent)
    form = [("_field", "title"), ("_field", "scan"), ("title", title), ("scan", text)]
    answer = await browser.post("/-/records/papers/with-files", form, htmx=True)
    assert answer.status == 200, answer.text
    return answer


async def kept(site: Application, number: int = 1) -> Record:
    records = site.site.records
    return await records.find(records.resources["papers"], number, deleted=True)


def on_disk(site: Application) -> list[str]:
    folder = site.layout.files / folder_of("papers")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# Sent


async def test_file_of_a_new_record_stands_in_its_row_with_a_link_that_downloads_it(
    site: Application, browser: Browser
) -> None:
    answer = await added(browser)
    assert (await kept(site)).values["scan"] == {
        "sha256": sha(FIRST), "bytes": 9, "name": "a.txt", "type": "text/plain"
    }  # fmt: skip
    address = f"/-/records/papers/1/files/{sha(FIRST)}/a.txt"
    assert f'href="{address}"' in answer.text
    assert "9 bytes" in answer.text
    file = await browser.get(address)
    assert (file.status, file.body) == (200, FIRST)
    assert file.headers["content-disposition"] == "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-type"] == "application/octet-stream"
    assert file.headers["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    ("field", "content", "name", "status", "words"),
    [("scan", FIRST, "a.exe", 422, "Choose a .txt file"), ("scan", b"x" * 1_000_001, "a.txt", 413, "up to 1 MB"),
     ("more", b"x" * 3_000_001, "a.txt", 413, "up to 3 MB"), ("title", FIRST, "a.txt", 404, ""),
     ("nothing", FIRST, "a.txt", 404, "")],
)  # fmt: skip
async def test_file_that_a_field_does_not_take_says_why_and_leaves_nothing(
    site: Application, browser: Browser, field: str, content: bytes, name: str, status: int, words: str
) -> None:
    answer = await send(browser, f"{NEW}/{field}", content, name)
    assert answer.status == status
    assert words in unquote(answer.headers.get("x-pipulate-notice", "")) + answer.text
    assert on_disk(site) == []


async def test_several_files_and_one_in_a_group(site: Application, browser: Browser) -> None:
    more = [await uploaded(browser, f"{NEW}/more", content, f"{n}.txt") for n, content in enumerate((FIRST, SECOND))]
    photo = await uploaded(browser, f"{NEW}/where.photo", b"photo", "p.png")
    form = [("_field", "title"), ("_field", "more"), ("_field", "where"), ("title", "One"), ("where", "on"),
            ("where.shelf", "A"), ("where.photo", photo), *(("more", each) for each in more)]  # fmt: skip
    assert (await browser.post("/-/records/papers/with-files", form, htmx=True)).status == 200
    values = (await kept(site)).values
    assert [each["name"] for each in values["more"]] == ["0.txt", "1.txt"]
    assert values["where"]["photo"]["name"] == "p.png"
    extra = await uploaded(browser, "/-/records/papers/1/uploads/more", b"third", "2.txt")
    page = await browser.get("/papers/1")
    held = re.findall(r'type="hidden" name="more" value="([^"]+)"', page.text)
    form = [("_seen", "1"), ("_field", "more"), *(("more", each) for each in [*held, extra])]
    refused = await browser.post("/-/records/papers/1", form, htmx=True)
    assert (refused.status, "At most 2 files; these are 3." in refused.text) == (422, True)


async def test_form_that_comes_back_still_has_its_file(site: Application, browser: Browser) -> None:
    text = await uploaded(browser)
    form = {"_field": "title", "title": "", "scan": text}
    answer = await browser.post("/-/records/papers/with-files", [*form.items(), ("_field", "scan")], htmx=True)
    assert answer.status == 422
    assert f'value="{text}"' in answer.text
    again = [("_field", "title"), ("_field", "scan"), ("title", "Mended"), ("scan", text)]
    assert (await browser.post("/-/records/papers/with-files", again, htmx=True)).status == 200
    assert (await kept(site)).values["scan"]["name"] == "a.txt"


async def test_upload_for_one_record_can_be_named_for_no_other_and_for_no_other_field(
    site: Application, browser: Browser
) -> None:
    await added(browser)
    await added(browser, "Two")
    text = await uploaded(browser, "/-/records/papers/1/uploads/scan", SECOND)
    for address, field in (("/-/records/papers/2", "scan"), ("/-/records/papers/1", "more")):
        form = {"_seen": 1, "_field": field, field: text}
        assert (await browser.post(address, form, htmx=True)).status == 422
    kept_of_one = {"_seen": 1, "_field": "scan", "scan": f"kept:{sha(SECOND)}"}
    assert (await browser.post("/-/records/papers/2", kept_of_one, htmx=True)).status == 422
    assert (await kept(site, 2)).version == 1


async def test_file_is_removed_before_and_after_it_is_kept(site: Application, browser: Browser) -> None:
    text = await uploaded(browser)
    headers = {"x-pipulate-script": "1"}
    assert (await browser.post(f"{NEW}/scan/remove", {"_remove": text}, headers=headers)).status == 204
    assert on_disk(site) == []
    await added(browser)
    answer = await browser.post("/-/records/papers/1", {"_seen": 1, "_field": "scan"}, htmx=True)
    assert (answer.status, (await kept(site)).values["scan"]) == (200, None)
    assert on_disk(site) == [sha(FIRST)]


# Without a script


async def test_form_with_files_is_taken_without_a_script_and_comes_back_with_what_was_good(
    site: Application, browser: Browser
) -> None:
    page = await browser.get("/-/records/papers/new")
    assert 'action="/-/records/papers/with-files"' in page.text
    assert 'enctype="multipart/form-data"' in page.text
    parts: list[tuple[str, str | None, bytes]] = [
        ("_field", None, b"title"), ("_field", None, b"scan"), ("_field", None, b"more"), ("title", None, b"One"),
        ("scan", "a.exe", FIRST), ("more", "b.txt", SECOND),
    ]  # fmt: skip
    body, headers = multipart(parts)
    answer = await browser.post("/-/records/papers/with-files", body, headers=headers)
    assert (answer.status, "Choose a .txt file" in answer.text) == (422, True)
    held = re.search(r'type="hidden" name="more" value="(\w+)"', answer.text)
    assert held
    parts[4:] = [("scan", "a.txt", FIRST), ("more", None, held[1].encode())]
    body, headers = multipart(parts)
    assert (await browser.post("/-/records/papers/with-files", body, headers=headers)).status == 303
    values = (await kept(site)).values
    assert (values["scan"]["name"], values["more"][0]["name"]) == ("a.txt", "b.txt")
    parts = [("_seen", None, b"1"), ("_field", None, b"scan"), ("scan", "c.txt", SECOND)]
    body, headers = multipart(parts)
    assert (await browser.post("/-/records/papers/1/with-files", body, headers=headers)).status == 303
    assert (await kept(site)).values["scan"]["name"] == "c.txt"


async def test_file_is_taken_out_of_a_form_without_a_script(site: Application, browser: Browser) -> None:
    text = await uploaded(browser)
    parts: list[tuple[str, str | None, bytes]] = [("title", None, b"Typed"), ("scan", None, text.encode()),
                                                  ("_remove", None, text.encode())]  # fmt: skip
    body, headers = multipart(parts)
    answer = await browser.post(f"{NEW}/scan/remove", body, headers=headers)
    assert (answer.status, 'value="Typed"' in answer.text, text in answer.text) == (200, True, False)
    assert on_disk(site) == []


# Shown, replaced, brought back


async def test_history_names_both_files_and_the_older_one_is_downloaded_and_comes_back(
    site: Application, browser: Browser
) -> None:
    await added(browser)
    text = await uploaded(browser, "/-/records/papers/1/uploads/scan", SECOND, "b.txt")
    changed = await browser.post("/-/records/papers/1", {"_seen": 1, "_field": "scan", "scan": text}, htmx=True)
    assert changed.status == 200
    page = await browser.get("/papers/1")
    history = page.text.partition('id="history"')[2]
    old = f"/-/records/papers/1/files/{sha(FIRST)}/a.txt"
    assert old in history
    assert f"/-/records/papers/1/files/{sha(SECOND)}/b.txt" in history
    assert (await browser.get(old)).body == FIRST
    await browser.post("/-/records/papers/1/go-back", {"version": 1})
    assert (await kept(site)).values["scan"]["name"] == "a.txt"
    operation = changed.headers["x-pipulate-operation"]
    await browser.post("/-/records/papers/undo", {"operation": operation}, htmx=True)
    assert (await kept(site)).version == 3  # It was changed since, so nothing is taken back.


async def test_record_that_was_erased_takes_its_file_along(site: Application, browser: Browser) -> None:
    await added(browser)
    address = f"/-/records/papers/1/files/{sha(FIRST)}/a.txt"
    await browser.post("/-/records/papers/1/delete", htmx=True)
    assert (await browser.get(address)).status == 200  # The bin has it.
    await browser.post("/-/records/papers/1/erase", htmx=True)
    assert ((await browser.get(address)).status, on_disk(site)) == (404, [])


async def test_file_of_another_profile_is_not_there_and_takes_none(site: Application, browser: Browser) -> None:
    await added(browser)
    waiting = await uploaded(browser)
    await site.site.db.write(profiles.add, "other", "Other", "2026-01-01T00:00:00Z")
    assert (await browser.post("/-/profile", {"profile": "other"})).status == 303
    for path in (f"/-/records/papers/1/files/{sha(FIRST)}/a.txt", "/papers/1", "/-/records/papers/1/cells/scan"):
        assert (await browser.get(path)).status == 404
    assert (await send(browser, "/-/records/papers/1/uploads/scan")).status == 404
    form = [("_field", "title"), ("_field", "scan"), ("title", "Mine"), ("scan", waiting)]
    refused = await browser.post("/-/records/papers/with-files", form, htmx=True)
    assert (refused.status, "This file is not there any more." in refused.text) == (422, True)
    assert (await browser.get("/papers")).text.count(sha(FIRST)) == 0


@pytest.mark.parametrize(
    "path",
    [f"1/files/{sha(SECOND)}/a.txt", f"1/files/{sha(FIRST)}/b.txt", f"2/files/{sha(FIRST)}/a.txt",
     "1/files/..%2F..%2Fx/a.txt", f"1/files/{sha(FIRST)}/..%2Fa.exe"],
)  # fmt: skip
async def test_only_what_a_record_names_can_be_downloaded_and_under_its_own_name(
    site: Application, browser: Browser, path: str
) -> None:
    await added(browser)
    records = site.site.records
    await records.create(records.resources["papers"], {"title": "Two"}, "default", WHO)
    assert (await browser.get(f"/-/records/papers/{path}")).status == 404


@pytest.mark.parametrize(
    "name",
    ["<img src=x onerror=alert(1)>.txt", 'a"; filename=evil.exe; x=".txt', "é\u202etxt.exe.txt", "a\r\nX: 1.txt"],
)
async def test_hostile_name_is_only_text_in_the_cell_the_history_and_the_header(browser: Browser, name: str) -> None:
    answer = await added(browser, name=name)
    for text in (answer.text, (await browser.get("/papers/1")).text, (await browser.get("/papers")).text):
        assert "<img" not in text
        assert "onerror=alert(1)>" not in text
    address = re.search(r'href="(/-/records/papers/1/files/[^"]+)"', answer.text)
    assert address
    file = await browser.get(address[1].replace("&amp;", "&"))
    assert (file.status, file.body) == (200, FIRST)
    said = file.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename=\"[A-Za-z0-9._-]+\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", said)
    assert "x" not in file.headers


# Lists, files, tables that are brought


async def test_list_is_narrowed_to_records_with_a_file_or_without(site: Application, browser: Browser) -> None:
    await added(browser)
    records = site.site.records
    await records.create(records.resources["papers"], {"title": "Two"}, "default", WHO)
    for value, wanted in (("0", ["One"]), ("1", ["Two"])):
        shown = await browser.get(f"/papers?f.scan.empty={value}")
        assert re.findall(r'data-field="title"[^>]*>(?:<[^>]*>)*([^<]*)', shown.text) == wanted


async def test_exported_table_has_names_and_an_import_of_it_leaves_files_alone(
    site: Application, browser: Browser
) -> None:
    await added(browser)
    table = (await browser.get("/-/records/papers/export.csv")).text
    assert table.splitlines()[1].startswith("One,a.txt,")
    assert json.loads((await browser.get("/-/records/papers/export.json")).body)[0]["scan"] == "a.txt"
    address = (await browser.post("/-/records/papers/import", {"paste": table})).headers["location"]
    page = await browser.get(address)
    assert "A table cannot bring files: no column can be for Scan, More, Where." in page.text
    assert not re.search(r'<option[^>]*value="scan"', page.text)
    decided = {"column.0": "title", "column.1": "scan", "choice": "update", "do": "take"}
    await browser.post(address, decided)
    assert "1 the same already." in (await browser.get(address)).text
    assert (await kept(site)).values["scan"]["name"] == "a.txt"


async def test_files_are_left_out_of_a_change_of_many(site: Application, browser: Browser) -> None:
    await added(browser)
    form = await browser.get("/-/records/papers/many?chosen=1", htmx=True)
    assert "Files are changed one record at a time: Scan, More, Where" in form.text
    assert 'value="scan"' not in form.text
    sent = [("chosen", "1"), ("_field", "scan"), ("scan", "")]
    assert (await browser.post("/-/records/papers/many", sent, htmx=True)).status == 422
    assert (await kept(site)).values["scan"]["name"] == "a.txt"


@pytest.mark.parametrize(
    ("path", "takes"),
    [("/-/records/papers/uploads/scan", True), ("/-/records/papers/12/uploads/scan", True),
     ("/-/records/papers/with-files", True), ("/-/records/papers/12/with-files", True), ("/-/records/papers", False),
     ("/-/records/papers/12", False), ("/-/records/papers/uploads/scan/remove", False),
     ("/-/records/papers/x/with-files", False), ("/-/records/papers/many", False)],
)  # fmt: skip
async def test_only_addresses_for_files_of_records_take_more_than_other_forms(path: str, takes: bool) -> None:
    assert takes_files(path) is takes
