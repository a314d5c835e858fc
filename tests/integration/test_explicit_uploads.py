"""Files that come with forms of class-style apps, under names that lead nowhere, and files that are fetched."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pipulate._clock import SystemClock
from pipulate.app import Application
from pipulate.errors import RunNotFoundError
from pipulate.storage import lookups
from pipulate.storage.archive import backup
from pipulate.storage.files import FileStore
from pipulate.storage.ledger import events
from pipulate.storage.tables import reading_sqlite
from tests.support.explicit import Desk, explicit
from tests.support.site import Answer, Browser

pytestmark = pytest.mark.anyio

SAVER = """
import json
from pathlib import Path
from fasthtml.common import *

class Saver:
    APP_NAME = "saver"
    DISPLAY_NAME = "Saver"
    steps = []

    def __init__(self, app, pipulate, db):
        self.pip, self.db = pipulate, db
        app.route("/saver/init", methods=["POST"])(self.init)
        app.route("/saver/send/{how}", methods=["POST"])(self.send)

    async def landing(self, request):
        return Div(id="saver-container")

    async def init(self, request):
        form = await request.form()
        self.db["pipeline_id"] = form["pipeline_id"]
        return self.pip.initialize_if_missing(form["pipeline_id"], {"app_name": "saver"})[1]

    async def send(self, request, how):
        form, folder = await request.form(), Path("downloads") / "saver" / self.db.get("pipeline_id", "none")
        folder.mkdir(parents=True, exist_ok=True)
        names = []
        for file in form.getlist("files"):
            if file.filename:
                (folder / file.filename).write_bytes(await file.read())
                names.append(file.filename)
            await file.close()
        if how == "raises":
            raise ValueError("no")
        if how == "stores":
            await self.pip.set_step_data(self.db["pipeline_id"], "files", names, [])
        return P(json.dumps(names) + str([dict(file.headers) for file in form.getlist("files")]))
"""
"""Saves what is sent as plugins do: under the name the browser gave, in a folder it puts together itself."""

HOSTILE = [
    "../../x", "..\\..\\x", "/etc/x", "C:\\x", "a\0b", "x" * 300 + ".csv", "\U0001f600" * 300, "\u202egpj.exe",
    "<img src=x onerror=f()>", ".htaccess", "CON", "-rf", "....//x", "%2e%2e%2fx",
]  # fmt: skip


@pytest.fixture
async def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Application]:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    async with explicit(folder, saver=SAVER) as made:
        yield made
        assert await Desk(made).problems() == []


def multipart(files: Sequence[tuple[str, bytes]]) -> tuple[bytes, str]:
    """Return the body of a form with files, and its type."""
    parts = [
        b'--edge\r\nContent-Disposition: form-data; name="files"; filename="'
        + name.replace("\\", "\\\\").replace('"', "%22").encode("utf-8", "surrogatepass")
        + b'"\r\nContent-Type: text/csv\r\n\r\n' + content + b"\r\n"
        for name, content in files
    ]  # fmt: skip
    return b"".join(parts) + b"--edge--\r\n", "multipart/form-data; boundary=edge"


async def begun(browser: Browser, key: str) -> str:
    """Begin a run; return its id."""
    opened = await browser.post("/saver/init", {"pipeline_id": key}, htmx=True)
    return opened.headers["x-pipulate-run"]


async def sent(browser: Browser, run: str, *files: tuple[str, bytes], how: str = "keeps", submit: str = "") -> Answer:
    """Send files to a run."""
    body, kind = multipart(files)
    headers: dict[str, str | None] = {"content-type": kind, "x-pipulate-run": run}
    if submit:
        headers["x-pipulate-submit"] = submit
    return await browser.post(f"/saver/send/{how}", body, htmx=True, headers=headers)


async def uploads(application: Application, run: str) -> list[tuple[str, str]]:
    """Return what a run's journal tells after its beginning: kinds, and names of files."""
    found = await application.site.db.read(events, run)
    return [(each.kind, each.data.get("name", "")) for each in found[1:]]


def everything_below(folder: Path) -> set[Path]:
    """Return every file below a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", HOSTILE)
async def test_upload_lands_with_the_run_whatever_name_is_sent(
    application: Application, tmp_path: Path, name: str
) -> None:
    browser = Browser(application)
    run, before = await begun(browser, "mine"), everything_below(tmp_path)
    answer = await sent(browser, run, (name, b"content"))
    assert answer.status == 200
    folder, files = tmp_path / "project" / "downloads" / "saver" / "mine", application.layout.files / run
    made = everything_below(tmp_path) - before
    assert {path.parent for path in made} <= {folder, files}
    assert [path.read_bytes() for path in everything_below(folder)] == [b"content"]
    assert (files / hashlib.sha256(b"content").hexdigest()).read_bytes() == b"content"
    assert "filename" not in answer.text
    assert await uploads(application, run) == [("uploaded", next(iter(everything_below(folder))).name)]


async def test_files_of_one_name_do_not_overwrite_each_other(application: Application, tmp_path: Path) -> None:
    browser = Browser(application)
    run = await begun(browser, "mine")
    answer = await sent(browser, run, ("a.csv", b"1"), ("x/a.csv", b"2"), ("", b""), ("A.csv", b"3"))
    assert json.loads(answer.text.split("[{")[0].removeprefix("<p>").replace("&quot;", '"')) == [
        "a.csv", "a-2.csv", "A-3.csv"
    ]  # fmt: skip


async def test_upload_can_be_fetched_by_whoever_has_the_run_and_only_to_keep_it(application: Application) -> None:
    browser = Browser(application)
    run, other = await begun(browser, "mine"), await begun(browser, "other")
    content = b"<script>f()</script>"
    await sent(browser, run, ('"a"\u00e9.html', content))
    sha256 = hashlib.sha256(content).hexdigest()
    answer = await browser.get(f"/download_file?run={run}&file={sha256}")
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["content-disposition"].startswith("attachment; filename*=utf-8''")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    with pytest.raises(RunNotFoundError):
        await application.site.db.read(lookups.upload, run, "somebody else", sha256)
    for wrong in (f"run={other}&file={sha256}", f"run={run}&file=../{sha256}", f"run={run}&file=", "run=&file=x"):
        assert (await browser.get(f"/download_file?{wrong}")).status == 404


async def test_upload_is_in_the_history_the_export_the_copy_and_the_backup_and_goes_with_the_run(
    application: Application, tmp_path: Path
) -> None:
    browser, desk = Browser(application), Desk(application)
    run = await begun(browser, "mine")
    await sent(browser, run, ("a<b>.csv", b"content"), how="stores")
    sha256 = hashlib.sha256(b"content").hexdigest()
    history = (await browser.get(f"/-/runs/{run}/history")).text
    assert "uploaded" in history
    assert "ab.csv" in history
    assert f'href="/download_file?run={run}&amp;file={sha256}"' in history
    exported = tmp_path / "run.zip"
    exported.write_bytes((await browser.get(f"/-/runs/{run}/export")).body)
    assert zipfile.ZipFile(io.BytesIO(exported.read_bytes())).read(f"files/{sha256}") == b"content"
    asked = {"path": str(exported), "key": "taken in"}
    answer = await browser.post("/-/control/import", asked, headers=secret(browser))
    assert answer.status == 200, answer.text
    await browser.post(f"/-/runs/{run}/copy", {}, htmx=True)
    for key in ("taken in", "mine-copy"):
        copy = (await desk.row(key, "saver")).id
        assert (await browser.get(f"/download_file?run={copy}&file={sha256}")).body == b"content"
    archive = tmp_path / "backup.zip"
    with reading_sqlite(application.layout.database) as (source, _):
        backup(source, FileStore(application.layout.files), archive, SystemClock())
    assert f"files/{run}/{sha256}" in zipfile.ZipFile(archive).namelist()
    for action in ("delete", "purge"):
        await browser.post(f"/-/runs/{run}/{action}", {}, htmx=True)
    assert not (application.layout.files / run).exists()


async def test_upload_of_a_handler_that_raises_is_not_kept_and_one_sent_twice_is_kept_once(
    application: Application,
) -> None:
    browser = Browser(application)
    run = await begun(browser, "mine")
    assert (await sent(browser, run, ("a.csv", b"1"), how="raises")).status == 500
    assert await uploads(application, run) == []
    for _ in range(2):
        assert (await sent(browser, run, ("a.csv", b"1"), submit="form-upload")).status == 200
    assert await uploads(application, run) == [("uploaded", "a.csv")]


async def test_upload_to_a_locked_run_is_refused(application: Application) -> None:
    browser = Browser(application)
    run = await begun(browser, "mine")
    await browser.post(f"/-/runs/{run}/lock", {}, htmx=True)
    answer = await sent(browser, run, ("a.csv", b"1"))
    assert answer.status == 409
    assert "This run is locked" in answer.text


def secret(browser: Browser) -> dict[str, Any]:
    """Return the headers of a command of the same user."""
    token = f"Bearer {browser.application.capability.secret}"
    return {"authorization": token, "sec-fetch-site": None, "origin": None, "cookie": None}


@pytest.fixture
def downloads(application: Application, tmp_path: Path) -> Path:
    """A folder for downloads with what must and what must not be fetched from it."""
    folder = tmp_path / "project" / "downloads"
    (folder / "saver").mkdir(parents=True)
    (folder / "saver" / "a.csv").write_text("fine")
    (tmp_path / "project" / "downloads-too").mkdir()
    (tmp_path / "project" / "downloads-too" / "canary").write_text("canary")
    (tmp_path / "project" / "canary").write_text("canary")
    (folder / "link").symlink_to(tmp_path / "project" / "canary")
    (folder / "linked").symlink_to(tmp_path / "project")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "../canary", "saver/../../canary", "..\\canary", "%2e%2e/canary", "link", "linked/canary", "saver", "", ".",
        "../downloads-too/canary", "saver/a.csv\0", "C:\\canary", "\\\\host\\x", "x" * 5_000,
    ],
)  # fmt: skip
async def test_download_never_leaves_its_folder(application: Application, downloads: Path, name: str) -> None:
    for each in (name, f"/{name}", str(downloads.parent / "canary")):
        answer = await Browser(application).get(f"/download_file?file={quote(each, safe='%')}")
        assert answer.status == 404
        assert "canary" not in answer.text.replace("/download_file", "")


async def test_download_is_to_be_kept_and_not_to_be_shown(application: Application, downloads: Path) -> None:
    (downloads / 'q"\r\nX-Evil: 1.html').write_text("<script>f()</script>")
    for name in ("saver/a.csv", 'q"\r\nX-Evil: 1.html'):
        answer = await Browser(application).get(f"/download_file?file={quote(name)}")
        assert answer.status == 200
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert (answer.headers["x-content-type-options"], "x-evil" in answer.headers) == ("nosniff", False)
        assert not any("\n" in text for _, text in answer.every_header)
        assert "access-control-allow-origin" not in answer.headers
