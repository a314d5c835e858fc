"""Files on their way out: only those a journal names, only to whom the run belongs, and never as a page of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipulate.security.who import Who
from tests.support.raw import stored
from tests.support.site import Answer, Browser, running
from tests.support.uploads import on_disk, uploaded

pytestmark = pytest.mark.anyio

PLUGIN = """
from pathlib import Path

from pipulate import File, Files, Workflow

app = Workflow("makes")


@app.step("given")
def given(file: File) -> File:
    return file


@app.step("made")
def made(files: Files) -> Path:
    with files.open("half.txt", "w") as out:
        out.write("kept")
    try:
        with files.open("never.txt", "w") as out:
            out.write("not kept")
            raise ValueError
    except ValueError:
        pass
    return files.save("made.csv", "a;b\\n1;<b>2</b>\\n").path


@app.step("large")
def large(text: str = "") -> str:
    return "x" * 70_000
"""
CSV = b"a,b\n1,<script>x</script>\n"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "makes.py").write_text(PLUGIN)
    async with running(tmp_path) as application:
        yield Browser(application)


async def given(browser: Browser, name: str = "a.csv", content: bytes = CSV) -> tuple[str, str]:
    """Answer the first step with a file; return the run and where its file is."""
    run, _ = await browser.start("makes")
    upload = await uploaded(browser, run, "file", step="given", name=name, content=content)
    answer = await browser.submit(run, "given", 1, file=upload)
    assert answer.status == 200, answer.text
    found = re.search(rf'href="(/-/runs/{run}/files/[^"?]+)"', answer.text)
    assert found, answer.text
    await browser.application.site.engine.advance(run, Who("owner"))  # The next step has made its files.
    return run, found[1]


async def test_file_is_sent_whole_and_to_be_kept(browser: Browser) -> None:
    _, address = await given(browser)
    answer = await browser.get(address)
    assert (answer.status, answer.body) == (200, CSV)
    assert answer.headers["content-disposition"] == "attachment; filename=\"a.csv\"; filename*=UTF-8''a.csv"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["etag"] == f'"{hashlib.sha256(CSV).hexdigest()}"'
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    "name",
    ["report.csv", "ключ 🙂.csv", "a;b=c.csv", "a'b.csv", "%0d%0aX-Evil 1.csv", "e\u0301.csv", "x" * 200 + ".csv",
     "-rf.csv", "CON.csv", ".htaccess"],
)  # fmt: skip
async def test_name_of_a_download_adds_no_header(browser: Browser, name: str) -> None:
    _, address = await given(browser, name)
    answer = await browser.get(address)
    kept = answer.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename=\"[A-Za-z0-9._-]+\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", kept)
    assert len(answer.every_header) == len({header for header, _ in answer.every_header})
    assert unquote(kept.partition("UTF-8''")[2]) == name.strip(". ")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.png", "image/png"), ("x.PDF", "application/pdf"), ("x.html", None), ("x.svg", None), ("x.xml", None),
     ("x.xhtml", None), ("x.js", None), ("x.txt", None), ("x", None), ("x.png.html", None)],
)  # fmt: skip
async def test_only_kinds_that_cannot_run_anything_are_shown(browser: Browser, name: str, kind: str | None) -> None:
    _, address = await given(browser, name, b"<html><script>alert(1)</script>")
    answer = await browser.get(f"{address}?show=1")
    assert answer.headers["content-disposition"].partition(";")[0] == ("inline" if kind else "attachment")
    assert answer.headers["content-type"] == (kind or "application/octet-stream")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.startswith("sandbox") is (kind != "application/pdf")


@pytest.mark.parametrize(
    ("sent", "status", "body", "range_"),
    [("bytes=0-3", 206, CSV[:4], f"bytes 0-3/{len(CSV)}"), ("bytes=-4", 206, CSV[-4:], None),
     ("bytes=2-", 206, CSV[2:], None), ("bytes=900-", 416, b"", f"bytes */{len(CSV)}"), ("nonsense", 400, None, None)],
)  # fmt: skip
async def test_part_of_a_file_can_be_asked_for(
    browser: Browser, sent: str, status: int, body: bytes | None, range_: str | None
) -> None:
    _, address = await given(browser)
    answer = await browser.get(address, headers={"range": sent})
    assert answer.status == status
    assert body is None or answer.body == body
    assert range_ is None or answer.headers["content-range"] == range_


async def test_file_the_browser_has_is_not_sent_again(browser: Browser) -> None:
    _, address = await given(browser)
    etag = (await browser.get(address)).headers["etag"]
    answer = await browser.get(address, headers={"if-none-match": etag})
    assert (answer.status, answer.body) == (304, b"")


async def test_only_files_of_the_journal_of_ones_own_run_can_be_had(browser: Browser, tmp_path: Path) -> None:
    run, address = await given(browser)
    other, _ = await browser.start("makes")
    waiting = hashlib.sha256(b"waiting").hexdigest()
    await uploaded(browser, other, "file", step="given", content=b"waiting")
    sha256 = hashlib.sha256(CSV).hexdigest()
    assert on_disk(browser.application, other) == [waiting]
    for path in (
        f"/-/runs/{other}/files/{waiting}/a.csv", f"/-/runs/{other}/files/{sha256}/a.csv",
        f"/-/runs/{run}/files/{'0' * 64}/a.csv", f"/-/runs/{run}/files/..%2f{sha256}/a.csv",
        f"/-/runs/{run}/files/..%2f..%2fcapability.json/a.csv", f"/-/runs/..%2f{run}/files/{sha256}/a.csv",
        f"/-/runs/{run}/files/{sha256}%0a/a.csv", f"/-/runs/{run}/files/{sha256.upper()}/a.csv",
        f"/-/runs/{run}/files/C:%5cwindows/a.csv", f"/-/runs/{run}/files/{sha256}%00/a.csv",
    ):  # fmt: skip
        for each in (path, f"{path}/preview"):
            answer = await browser.get(each)
            assert answer.status == 404, each
            assert CSV not in answer.body
            assert browser.application.capability.secret not in answer.text
    db = browser.application.site.db
    await db.write(lambda tx: tx.run("UPDATE runs SET owner = 'bob' WHERE id = :run", run=run))
    assert [(await browser.get(each)).status for each in (address, f"{address}/preview")] == [404, 404]


async def test_file_of_a_run_in_the_bin_cannot_be_had(browser: Browser) -> None:
    run, address = await given(browser)
    await browser.post(f"/-/runs/{run}/delete")
    assert (await browser.get(address)).status == 404
    await browser.post(f"/-/runs/{run}/undelete")
    assert (await browser.get(address)).status == 200


async def test_download_changes_nothing(browser: Browser) -> None:
    _, address = await given(browser)
    before = await stored(browser.application)
    for path in (address, f"{address}?show=1", f"{address}/preview"):
        await browser.get(path)
        await browser.send("HEAD", path)
    assert await stored(browser.application) == before


# Previews


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [("a.csv", CSV, ["<th scope=\"col\" dir=\"auto\">a</th>", "&lt;script&gt;x&lt;/script&gt;"]),
     ("a.tsv", b"x\ty\n1\t2\n", ["<td>2</td>"]), ("a.csv", b"x;y\n1;2\n", ["<td>2</td>"]),
     ("a.txt", b"one\n<b>two</b>", ["one\n&lt;b&gt;two&lt;/b&gt;"]), ("a.html", b"<h1>x</h1>", ["&lt;h1&gt;x"]),
     ("a.txt", b"\xff\xfe\0", ["\ufffd"]), ("a.csv", b"", ["This file is empty."]),
     ("a.csv", b"n\n" + b"%d\n" * 100, ["The first 20 rows."]), ("a.txt", b"l\n" * 100, ["The first 40 lines."]),
     ("a.csv", b"x" * 200_000, ["xxx"]), ("a.csv", b'"' + b"y" * 150_000, ["yyy"])],
)  # fmt: skip
async def test_beginning_of_a_file_is_shown_as_text(
    browser: Browser, name: str, content: bytes, shown: list[str]
) -> None:
    _, address = await given(browser, name, content)
    answer = await browser.get(f"{address}/preview", htmx=True)
    assert answer.status == 200
    for each in shown:
        assert each in answer.text
    assert len(answer.body) < 100_000
    assert "<script" not in answer.text


# What steps make


async def test_files_a_step_makes_are_part_of_its_value(browser: Browser) -> None:
    run, _ = await given(browser)
    await browser.post(f"/-/runs/{run}/steps/made/run", {"_seen": 2})
    events = await browser.application.site.db.read(
        lambda tx: tx.all("SELECT data FROM run_events WHERE run = :run AND step = 'made'", run=run)
    )
    assert "half.txt" in events[0][0]
    assert "never.txt" not in events[0][0]
    names = {hashlib.sha256(each).hexdigest() for each in (CSV, b"kept", b"a;b\n1;<b>2</b>\n")}
    assert set(on_disk(browser.application, run)) == names
    page = await browser.get(f"/-/runs/{run}")
    assert page.status == 303
    shown = (await browser.get(page.headers["location"])).text
    assert re.search(r"/files/\w{64}/made\.csv", shown)


async def test_export_is_sent_in_pieces_and_comes_back_with_its_files(browser: Browser, tmp_path: Path) -> None:
    run, _ = await given(browser)
    engine = browser.application.site.engine
    answer: Answer = await browser.get(f"/-/runs/{run}/export")
    assert int(answer.headers["content-length"]) == len(answer.body)
    (tmp_path / "run.zip").write_bytes(answer.body)
    copy = (await engine.take_in(tmp_path / "run.zip", "copy", Who("owner"))).row.id
    assert hashlib.sha256(CSV).hexdigest() in on_disk(browser.application, copy)
    assert on_disk(browser.application, copy) == on_disk(browser.application, run)
    assert list((browser.application.layout.state).glob("tmp*")) == []
