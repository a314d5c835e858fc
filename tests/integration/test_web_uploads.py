"""Files that people send: taken in, kept while a form comes back, bound to run, step and field, and cleared away."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipulate.errors import UploadTooLargeError
from pipulate.forms.sending import Sent
from pipulate.storage import lookups, uploads
from pipulate.storage.files import FileStore
from pipulate.storage.janitor import Janitor
from pipulate.testing import ManualClock
from tests.support.raw import stored
from tests.support.site import Answer, Browser, running
from tests.support.uploads import PLUGIN, id_in, multipart, on_disk, send, uploaded

pytestmark = pytest.mark.anyio

CSV = b"a,b\n1,2\n"
MB = 1_000_000


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "sends.py").write_text(PLUGIN)
    async with running(
        tmp_path, clock=ManualClock(), upload_file_mb=3, upload_form_mb=4, upload_run_mb=6, upload_user_mb=8
    ) as application:
        yield Browser(application)


async def value_of(browser: Browser, run: str, step: str) -> dict[str, Any]:
    """Return what a step holds, as it is stored."""
    events = await browser.application.site.db.read(lookups.values_of_step, run, step)
    found: dict[str, Any] = events[0].data["value"]
    return found


async def answered(browser: Browser, run: str, seen: int, upload: str, **more: Any) -> Answer:
    """Send the form of the first step with a file; it has to be taken."""
    answer = await browser.submit(run, "one", seen, table=upload, **more)
    assert answer.status == 200, answer.text
    return answer


# Taken in


async def test_file_is_shown_with_its_name_and_size_and_becomes_the_value(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    answer = await send(browser, run)
    assert answer.status == 201
    assert re.sub(r"<[^>]+>", "", answer.text) == "a.csv, 8 bytes Remove a.csv"
    shown = await answered(browser, run, 1, id_in(answer), note="n")
    assert "a.csv 8 n" in shown.text
    sha256 = hashlib.sha256(CSV).hexdigest()
    named = {"sha256": sha256, "bytes": 8, "name": "a.csv", "type": "text/csv"}
    value = await value_of(browser, run, "one")
    assert (value["input"]["table"], value["files"]) == (named, [named])
    assert await browser.application.site.db.read(lookups.files_of, run) == [sha256]
    assert on_disk(browser.application, run) == [sha256]


async def test_several_files_and_an_optional_one(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    await answered(browser, run, 1, await uploaded(browser, run))
    ids = [await uploaded(browser, run, "files", step="many", name=f"{n}.txt", content=b"%d" % n) for n in (1, 2)]
    answer = await browser.post(
        f"/-/runs/{run}/steps/many/with-files", [("_seen", 2), *(("files", each) for each in ids)], htmx=True
    )
    assert answer.status == 200, answer.text
    assert (await value_of(browser, run, "many"))["output"] == ["1.txt", "2.txt"]


async def test_path_is_where_the_file_is_and_can_be_returned(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    await answered(browser, run, 1, await uploaded(browser, run))
    many = await uploaded(browser, run, "files", step="many")
    await browser.submit(run, "many", 2, files=many)
    given = await uploaded(browser, run, "given", step="path", name="report.pdf", content=b"%PDF")
    answer = await browser.submit(run, "path", 3, given=given)
    assert answer.status == 200, answer.text
    value = await value_of(browser, run, "path")
    assert (value["view"], value["output"]["name"], len(value["files"])) == ("path", "report.pdf", 1)
    assert "report.pdf" in answer.text
    assert f"/-/runs/{run}/files/{value['output']['sha256']}/report.pdf" in answer.text


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../etc/passwd.csv", "passwd.csv"), ("C:\\x\\y.csv", "y.csv"), ("a\0b\r\nX: 1.csv", "abX 1.csv"),
     ("\u202evsc.exe.csv", "vsc.exe.csv"), ("x" * 10_000 + ".csv", "x" * 236 + ".csv"), ("<b>.csv", "b.csv"),
     ("..csv", None), ("é" * 300 + ".csv", "é" * 118 + ".csv"), ("'\"&;.csv", "'&;.csv")],
)  # fmt: skip
async def test_hostile_name_is_only_text(browser: Browser, name: str, kept: str | None) -> None:
    run, _ = await browser.start("sends")
    answer = await send(browser, run, name=name)
    if kept is None:
        assert answer.status == 422
        return
    await answered(browser, run, 1, id_in(answer))
    assert (await value_of(browser, run, "one"))["files"][0]["name"] == kept
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in on_disk(browser.application, run))


async def test_kind_that_is_not_accepted_is_refused_in_words_and_leaves_nothing(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    answer = await send(browser, run, name="a.exe")
    assert answer.status == 422
    assert "a%20.csv%20file" in answer.headers["x-pipulate-notice"]
    assert on_disk(browser.application, run) == []


# Bound to a run, a step and a field


async def test_id_of_another_run_step_or_field_is_refused(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    other, _ = await browser.start("sends")
    for upload in (await uploaded(browser, other), "0" * 32, "../../x", "kept:" + "0" * 64, '{"sha256": "x"}'):
        answer = await browser.submit(run, "one", 1, table=upload)
        assert answer.status == 422
        assert "Choose it again" in answer.text
    await answered(browser, run, 1, own := await uploaded(browser, run))
    swapped = await uploaded(browser, run, "other", step="many")
    for wrong in (own, swapped):
        assert (await browser.submit(run, "many", 2, files=wrong)).status == 422


async def test_upload_of_somebody_else_is_not_offered(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    upload = await uploaded(browser, run)
    db = browser.application.site.db
    await db.write(lambda tx: tx.run("UPDATE uploads SET owner = 'somebody'"))
    assert (await browser.submit(run, "one", 1, table=upload)).status == 422


@pytest.mark.parametrize(
    ("address", "status"),
    [("/-/runs/{run}/steps/one/uploads/note", 404), ("/-/runs/{run}/steps/one/uploads/nothing", 404),
     ("/-/runs/{run}/steps/nothing/uploads/table", 404), ("/-/runs/{other}/steps/one/uploads/table", 404),
     ("/-/runs/..%2f..%2fx/steps/one/uploads/table", 404)],
)  # fmt: skip
async def test_what_is_no_field_for_files_takes_none(browser: Browser, address: str, status: int) -> None:
    run, _ = await browser.start("sends")
    before = await stored(browser.application)
    answer = await browser.post(address.format(run=run, other="f" * 32), CSV, headers={"x-pipulate-name": "a.csv"})
    assert answer.status == status
    assert await stored(browser.application) == before


async def test_locked_or_deleted_run_takes_no_file(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    await browser.post(f"/-/runs/{run}/lock")
    before = await stored(browser.application)
    assert (await send(browser, run)).status == 409
    assert await stored(browser.application) == before
    await browser.post(f"/-/runs/{run}/unlock")
    await browser.post(f"/-/runs/{run}/delete")
    before = await stored(browser.application)
    assert (await send(browser, run)).status == 404
    assert await stored(browser.application) == before


async def test_run_of_somebody_else_takes_no_file(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    await browser.application.site.db.write(lambda tx: tx.run("UPDATE runs SET owner = 'bob'"))
    before = await stored(browser.application)
    assert (await send(browser, run)).status == 404
    assert await stored(browser.application) == before


# Forms that come back


async def test_form_that_comes_back_keeps_its_file(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    upload = await uploaded(browser, run)
    answer = await browser.submit(run, "one", 1, table=upload, note="x" * 2_000)
    assert answer.status == 422
    assert f'value="{upload}"' in answer.text
    assert "a.csv" in answer.text
    await answered(browser, run, 1, upload)


async def test_page_that_is_opened_again_still_has_the_file(browser: Browser) -> None:
    run, address = await browser.start("sends")
    upload = await uploaded(browser, run)
    assert f'value="{upload}"' in (await browser.get(address)).text


async def test_same_form_twice_is_taken_once(browser: Browser) -> None:
    run, address = await browser.start("sends")
    upload = await uploaded(browser, run)
    for _ in range(2):
        await answered(browser, run, 1, upload, submit="form-0001")
    assert await browser.version(address) == 2


async def test_reopened_step_has_its_file_and_can_be_saved_as_it_is(browser: Browser) -> None:
    run, address = await browser.start("sends")
    await answered(browser, run, 1, await uploaded(browser, run))
    await browser.post(f"/-/runs/{run}/steps/one/revert", {"_seen": 2})
    text = re.search(r'name="table" value="(kept:\w+)"', (await browser.get(address)).text)
    assert text
    await answered(browser, run, 3, text[1], note="again")
    assert (await value_of(browser, run, "one"))["output"] == "a.csv 8 again"


async def test_conflict_names_the_file_and_a_copy_gets_it(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    mine = await uploaded(browser, run, name="mine.csv", content=b"mine")
    await answered(browser, run, 1, await uploaded(browser, run, name="theirs.csv"))
    answer = await browser.submit(run, "one", 1, table=mine)
    assert answer.status == 409
    shown = re.sub(r"</?mark>", "", answer.text)
    assert "mine.csv" in shown
    assert "theirs.csv" in shown
    done = await browser.post(f"/-/runs/{run}/steps/one/copy", {"_seen": 1, "table": mine})
    assert done.status == 303, done.text
    copy = await browser.run_id(done.headers["location"])
    assert (await value_of(browser, copy, "one"))["output"].startswith("mine.csv")
    assert (browser.application.layout.files / copy / hashlib.sha256(b"mine").hexdigest()).read_bytes() == b"mine"


async def test_file_that_is_removed_is_gone_at_once(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    upload = await uploaded(browser, run)
    address = f"/-/runs/{run}/steps/one/uploads/table/remove"
    answer = await browser.post(address, {"_seen": 1, "table": upload, "note": "typed", "_remove": upload})
    assert answer.status == 200
    assert upload not in answer.text
    assert 'value="typed"' in answer.text
    assert on_disk(browser.application, run) == []


async def test_file_that_an_answer_took_cannot_be_removed(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    await answered(browser, run, 1, upload := await uploaded(browser, run))
    await browser.post(
        f"/-/runs/{run}/steps/one/uploads/table/remove", {"_remove": upload}, headers={"x-pipulate-script": "1"}
    )
    assert len(on_disk(browser.application, run)) == 1


# Without our script


async def test_form_with_files_is_taken_without_a_script(browser: Browser) -> None:
    run, address = await browser.start("sends")
    page = (await browser.get(address)).text
    assert f'action="/-/runs/{run}/steps/one/with-files" enctype="multipart/form-data"' in page
    body, headers = multipart([("_seen", None, b"1"), ("table", "t.csv", CSV), ("note", None, "é".encode())])
    answer = await browser.post(f"/-/runs/{run}/steps/one/with-files", body, headers=headers)
    assert answer.status == 303, answer.text
    assert (await value_of(browser, run, "one"))["output"] == "t.csv 8 é"


async def test_form_without_a_script_comes_back_with_its_good_file_and_the_reason(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    body, headers = multipart([("_seen", None, b"1"), ("table", "t.csv", CSV), ("note", None, b"x" * 2_000)])
    answer = await browser.post(f"/-/runs/{run}/steps/one/with-files", body, headers=headers)
    assert answer.status == 422
    assert "t.csv" in answer.text
    body, headers = multipart([("_seen", None, b"1"), ("table", "t.csv", b"x" * (MB + 1)), ("note", None, b"typed")])
    answer = await browser.post(f"/-/runs/{run}/steps/one/with-files", body, headers=headers)
    assert answer.status == 413
    assert "up to 1 MB" in answer.text
    assert 'value="typed"' in answer.text


async def test_file_field_in_which_nothing_was_chosen_is_empty(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    body, headers = multipart([("_seen", None, b"1"), ("table", "", b"")])
    answer = await browser.post(f"/-/runs/{run}/steps/one/with-files", body, headers=headers)
    assert answer.status == 422
    assert on_disk(browser.application, run) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"nonsense", 400), (b"--xyz\r\n", 400),
     (b'--xyz\r\ncontent-disposition: form-data; name="table"; filename="a.csv"\r\n\r\nhalf', 400),
     (b'--xyz\r\ncontent-disposition: form-data; name="\xff"\r\n\r\nx\r\n--xyz--\r\n', 400),
     (b"--xyz\r\nx: " + b"a" * 20_000 + b"\r\n\r\nx\r\n--xyz--\r\n", 400),
         (b"--xyz\r\n" + b"x: yz\r\n" * 7_000 + b"\r\nx\r\n--xyz--\r\n", 400),
     (b'--xyz\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n' * 1_001 + b"--xyz--\r\n", 413)],
)  # fmt: skip
async def test_form_that_cannot_be_read_leaves_nothing(browser: Browser, body: bytes, status: int) -> None:
    run, _ = await browser.start("sends")
    before = await stored(browser.application)
    answer = await browser.post(
        f"/-/runs/{run}/steps/one/with-files", body, headers={"content-type": "multipart/form-data; boundary=xyz"}
    )
    assert answer.status == status
    assert await stored(browser.application) == before


# Limits


@pytest.mark.parametrize(("size", "status"), [(MB, 201), (MB + 1, 413)])
async def test_file_may_be_as_large_as_its_field_says(browser: Browser, size: int, status: int) -> None:
    run, _ = await browser.start("sends")
    answer = await send(browser, run, content=b"x" * size)
    assert answer.status == status
    if status == 413:
        assert "up%20to%201%20MB" in answer.headers["x-pipulate-notice"]
        assert on_disk(browser.application, run) == []


async def test_file_without_a_length_is_refused_while_it_comes(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    answer = await send(browser, run, content=b"x" * (MB + 1), headers={"content-length": None})
    assert answer.status == 413
    assert on_disk(browser.application, run) == []


async def test_file_that_is_too_large_is_read_no_further_than_the_limit(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100 * MB:
            read += 100_000
            yield b"x" * 100_000

    site = browser.application.site
    field = site.engine.catalog["sends"]["one"].fields[0]
    with pytest.raises(UploadTooLargeError, match="up to 1 MB"):
        await site.uploads.receive(run, "owner", "one", field, Sent("a.csv", "text/csv", endless()))
    assert read == MB + 100_000
    assert on_disk(browser.application, run) == []


async def test_form_run_and_user_have_limits_of_their_own(browser: Browser) -> None:
    async def big(run: str, size_mb: float, step: str = "many", field: str = "files") -> tuple[int, str]:
        content = bytes([len(sent)]) * int(size_mb * MB)
        sent.append(run)
        answer = await send(browser, run, field, content=content, step=step, name=f"{len(sent)}.bin")
        return answer.status, answer.headers.get("x-pipulate-notice", "")

    sent: list[str] = []
    run, _ = await browser.start("sends")
    other, _ = await browser.start("sends")
    assert [(await big(run, 2))[0] for _ in range(2)] == [201, 201]
    status, why = await big(run, 0.1)
    assert (status, "one%20step%20together%20can%20have%20up%20to%204%20MB" in why) == (413, True)
    assert (await big(run, 2, "path", "given"))[0] == 201
    status, why = await big(run, 0.1, "path", "given")
    assert (status, "one%20run%20together" in why) == (413, True)
    assert (await big(other, 2))[0] == 201
    status, why = await big(other, 0.1)
    assert (status, "your%20files%20together" in why) == (413, True)


async def test_two_files_at_once_do_not_pass_a_limit_together(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    contents = [bytes([n]) * (3 * MB) for n in range(4)]
    answers = await asyncio.gather(
        *(send(browser, run, "files", content=each, step="many", name=f"{each[0]}.bin") for each in contents)
    )
    assert sorted(answer.status for answer in answers) == [201, 413, 413, 413]
    assert len(on_disk(browser.application, run)) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [("/-/notes", 413), ("/-/runs/{run}/steps/one", 413), ("/-/runs/{run}/steps/one/uploads/table/remove", 413),
     ("/-/runs/{run}/steps/one/uploads/table", 413), ("/-/runs/{run}/steps/a/b/uploads/table", 413),
     ("/-/runs/x/steps/one/with-files", 413), ("/sends", 413)],
)  # fmt: skip
async def test_only_addresses_for_files_take_more_than_other_forms(browser: Browser, path: str, status: int) -> None:
    run, _ = await browser.start("sends")
    before = await stored(browser.application)
    answer = await browser.post(path.format(run=run), b"a" * 8_000_001)
    assert answer.status == status
    assert await stored(browser.application) == before


@pytest.mark.parametrize("length", ["3", "80"])
async def test_length_that_lies_is_noticed(browser: Browser, length: str) -> None:
    run, _ = await browser.start("sends")
    answer = await send(browser, run, headers={"content-length": length})
    assert answer.status == 400
    assert on_disk(browser.application, run) == []


async def test_full_disk_is_told_and_leaves_nothing(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    run, _ = await browser.start("sends")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = await send(browser, run)
    assert answer.status == 507
    assert "free%20some%20room" in answer.headers["x-pipulate-notice"]
    assert on_disk(browser.application, run) == []


# Cleared away


def janitor(browser: Browser) -> Janitor:
    site = browser.application.site
    return Janitor(site.db, site.engine.files, site.clock)


async def clear(cleaner: Janitor) -> int:
    return await asyncio.to_thread(cleaner.clear)


def later(browser: Browser, **by: float) -> None:
    clock = browser.application.site.clock
    assert isinstance(clock, ManualClock)
    clock.move(**by)


async def test_upload_nobody_takes_is_cleared_after_a_day_and_not_before(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    upload = await uploaded(browser, run)
    later(browser, hours=23, minutes=59)
    assert await clear(janitor(browser)) == 0
    later(browser, minutes=2)
    assert await clear(janitor(browser)) == 1
    assert on_disk(browser.application, run) == []
    answer = await browser.submit(run, "one", 1, table=upload)
    assert answer.status == 422
    assert "Choose it again" in answer.text


async def test_file_that_an_answer_took_is_never_cleared(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    await answered(browser, run, 1, await uploaded(browser, run))
    await uploaded(browser, run)
    later(browser, days=400)
    cleaner = Janitor(
        browser.application.site.db, browser.application.site.engine.files, browser.application.site.clock,
        began_ns=2**62,
    )  # fmt: skip
    assert await clear(cleaner) == 0
    assert len(on_disk(browser.application, run)) == 1


async def test_leftovers_of_a_program_that_was_killed_are_cleared_by_the_next(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    files = browser.application.site.engine.files
    files.put(run, b"never named")
    part = files.blobs.begin(run)
    part.write(b"half")
    nowhere = "e" * 32
    files.put(nowhere, b"of no run")
    assert await clear(janitor(browser)) == 0
    cleaner = Janitor(browser.application.site.db, files, browser.application.site.clock, began_ns=2**62)
    assert await clear(cleaner) == 3
    part.drop()
    assert on_disk(browser.application, run) == []


async def test_file_nobody_named_is_left_alone_for_a_day_and_longer_where_it_is_wanted_again(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    files, cleaner = browser.application.site.engine.files, janitor(browser)
    files.put(run, b"made by a step that still runs")
    assert await clear(cleaner) == 0
    later(browser, hours=23)
    files.put(run, b"made by a step that still runs")
    assert await clear(cleaner) == 0
    later(browser, hours=23)
    assert await clear(cleaner) == 0
    later(browser, hours=2)
    assert await clear(cleaner) == 1


async def test_answer_and_clearing_at_the_same_moment_never_lose_a_file_of_the_journal(browser: Browser) -> None:
    for turn in range(20):
        run, _ = await browser.start("sends")
        upload = await uploaded(browser, run, content=b"%d" % turn)
        later(browser, hours=25)
        answer, _ = await asyncio.gather(browser.submit(run, "one", 1, table=upload), clear(janitor(browser)))
        named = await browser.application.site.db.read(lookups.files_of, run)
        assert (answer.status == 200) is bool(named)
        assert on_disk(browser.application, run) == named


async def test_answer_whose_file_was_cleared_while_its_step_ran_is_refused_and_keeps_what_was_typed(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, address = await browser.start("sends")
    upload = await uploaded(browser, run)
    store = FileStore.store

    def cleared(files: FileStore, run: str, value: Any) -> Any:
        made = store(files, run, value)
        files.prune(run, frozenset())
        return made

    monkeypatch.setattr(FileStore, "store", cleared)
    answer = await browser.submit(run, "one", 1, table=upload, note="typed")
    assert answer.status == 409
    assert "Choose it again" in answer.text
    assert 'value="typed"' in answer.text
    assert await browser.version(address) == 1


async def test_purge_takes_uploads_and_files_along(browser: Browser) -> None:
    run, _ = await browser.start("sends")
    await answered(browser, run, 1, await uploaded(browser, run))
    await uploaded(browser, run, "files", step="many")
    await browser.post(f"/-/runs/{run}/delete")
    await browser.post(f"/-/runs/{run}/purge")
    assert on_disk(browser.application, run) == []
    assert await browser.application.site.db.read(lambda tx: tx.all("SELECT id FROM uploads")) == []


async def test_names_of_any_kind_never_leave_their_place() -> None:
    from pipulate.fields.files import plain_name

    @given(st.text(max_size=400))
    @settings(max_examples=300)
    def check(name: str) -> None:
        plain = plain_name(name)
        assert 0 < len(plain) <= 255
        assert len(plain.encode()) <= 255
        assert not set(plain) & set('/\\\0<>:"|?*')
        assert plain.isprintable()
        assert plain not in (".", "..")
        assert plain_name(plain) == plain
        quote(plain)

    check()
    assert plain_name("a." + "x" * 5_000) == "a." + "x" * 238


def test_limits_are_told_as_people_read_them() -> None:
    assert [uploads.in_mb(each) for each in (500_000, 2_500_000, MB, 1_000 * MB)] == [
        "0.5 MB", "2.5 MB", "1 MB", "1,000 MB",
    ]  # fmt: skip
