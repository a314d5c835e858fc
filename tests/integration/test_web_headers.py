"""The headers of every answer, errors too, and the front-end files."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import structlog
from starlette.requests import Request

from pipulate.app import Application
from pipulate.errors import StoreUnavailableError
from pipulate.web.assets import Assets, AssetsMissingError
from pipulate.web.routes import ADDRESSES
from tests.support.site import HOST, Answer, Browser, running

pytestmark = pytest.mark.anyio

BROKEN = """
from pipulate import Workflow

app = Workflow("broken", title="Broken")


@app.step("one")
def one(text: str) -> str:
    raise RuntimeError("secret of the author")
"""


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    folder = tmp_path_factory.mktemp("headers")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "010_broken.py").write_text(BROKEN)
    (folder / "plugins" / "020_syntax.py").write_text("def")
    async with running(folder) as application:
        yield Browser(application)


async def a_run(browser: Browser, app: str = "hello") -> str:
    return (await browser.start(app))[0]


async def conflict(browser: Browser) -> Answer:
    run = await a_run(browser)
    await browser.submit(run, "name", 1, name="Ada")
    return await browser.submit(run, "name", 1, name="Bob")


async def crash(browser: Browser, *, htmx: bool = False) -> Answer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipulate.web.pages.bin_page", lambda *_: 1 / 0)
        return await browser.get("/-/bin", htmx=htmx)


async def away(browser: Browser) -> Answer:
    """Ask while the store does not answer."""

    async def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailableError("The database does not answer. Try again in a moment.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser.application.site.db, "read", unavailable)
        return await browser.get("/-/bin")


async def stopped(browser: Browser) -> Answer:
    """Ask for something that takes for ever, of a server that ends."""
    began = asyncio.Event()

    async def for_ever(*_: object, **__: object) -> None:
        began.set()
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser.application.site.db, "read", for_ever)
        asked = asyncio.create_task(browser.get("/-/bin"))
        await began.wait()
        asked.cancel()
        return await asked


ANSWERS: dict[str, tuple[int, Callable[[Browser], Awaitable[Answer]]]] = {
    "page": (200, lambda browser: browser.get("/hello")),
    "head": (200, lambda browser: browser.send("HEAD", "/hello")),
    "part": (200, lambda browser: browser.get("/-/search?find=a", htmx=True)),
    "no content": (204, lambda browser: browser.post("/-/look", {"theme": "dark"}, htmx=True)),
    "redirect": (303, lambda browser: browser.post("/hello", {"key": "", "offered": ""})),
    "way in": (303, lambda browser: browser.get("/-/open?token=x", headers={"cookie": None})),
    "localhost": (307, lambda browser: browser.get("/", headers={"host": "localhost:5001", "cookie": None})),
    "malformed": (400, lambda browser: browser.post("/-/notes", b"%ff")),
    "foreign host": (400, lambda browser: browser.get("/", headers={"host": "evil.test"})),
    "not let in": (401, lambda browser: browser.get("/", headers={"cookie": None})),
    "not let in, no page": (401, lambda browser: browser.get("/", headers={"cookie": None, "accept": "*/*"})),
    "other page": (403, lambda browser: browser.get("/-/bin", headers={"sec-fetch-site": "cross-site"})),
    "unknown": (404, lambda browser: browser.get("/nothing")),
    "unknown, for htmx": (404, lambda browser: browser.get("/nothing", htmx=True)),
    "no file": (404, lambda browser: browser.get("/-/static/nothing.js")),
    "method": (405, lambda browser: browser.get("/-/notes")),
    "conflict": (409, conflict),
    "too large": (413, lambda browser: browser.post("/-/notes", b"a" * 8_000_001)),
    "bad key": (422, lambda browser: browser.post("/hello", {"key": "..", "offered": ""})),
    "bad note": (422, lambda browser: browser.post("/-/notes", {"text": ""})),
    "crash": (500, crash),
    "plugin with a mistake": (503, lambda browser: browser.get("/syntax")),
    "store away": (503, away),
    "server that ends": (503, stopped),
    "command": (403, lambda browser: browser.post("/-/control/link")),
}
SENT = pytest.mark.parametrize("name", ANSWERS)


async def answer_to(name: str, browser: Browser) -> Answer:
    status, send = ANSWERS[name]
    answer = await send(browser)
    assert answer.status == status, answer.text
    return answer


def directives(answer: Answer) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


@SENT
async def test_answer_has_a_policy_that_lets_only_our_own_scripts_run(name: str, browser: Browser) -> None:
    policy = directives(await answer_to(name, browser))
    assert policy["default-src"] == policy["base-uri"] == policy["object-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert policy["font-src"] == policy["frame-src"] == "'self'"
    assert re.fullmatch(r"'nonce-[A-Za-z0-9_-]{22,}'", policy["script-src"])
    assert "unsafe" not in str(policy)


@SENT
async def test_answer_has_the_other_headers_of_safety_and_none_twice(name: str, browser: Browser) -> None:
    answer = await answer_to(name, browser)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert {"camera=()", "microphone=()", "geolocation=()"} <= set(answer.headers["permissions-policy"].split(", "))
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.every_header) == len({header for header, _ in answer.every_header})
    assert not any(header.startswith("access-control-") for header in answer.headers)


async def test_page_names_the_nonce_of_its_answer_on_its_only_script(browser: Browser) -> None:
    run = await a_run(browser)
    # They are no pages: one stands in a frame, the others in a page.
    alone = ("/-/frame", "/-/jobs/active", "/-/assistant/messages")
    shown = [each.path for each in ADDRESSES if "GET" in each.methods and each.path not in alone]
    paths = [path.replace("{run:part}", run) for path in shown]
    sent = [await browser.get(path.replace("{module:module}", "hello").replace("{key:key}", "01")) for path in paths]
    pages = [answer for answer in sent if answer.headers.get("content-type", "").startswith("text/html")]
    assert len(pages) >= 8
    for answer in pages:
        scripts = re.findall(r"<script[^>]*>", answer.text)
        nonce = directives(answer)["script-src"].removeprefix("'nonce-").removesuffix("'")
        assert len(scripts) == 1
        assert f'nonce="{nonce}"' in scripts[0]
        assert "src=" in scripts[0]


async def test_nonce_is_new_for_every_answer(browser: Browser) -> None:
    answers = [await browser.get("/") for _ in range(5)] + [await browser.get("/nothing") for _ in range(5)]
    assert len({answer.headers["content-security-policy"] for answer in answers}) == 10


class Addresses(HTMLParser):
    """Collects where a page leads and loads from, and what it runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: set[str] = set()
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
                self.addresses.add(value or "")
            if name.startswith(("on", "hx-on", "style")):
                self.handlers.append(f"{tag} {name}")


@SENT
async def test_page_names_no_other_host_and_has_no_code_in_attributes(name: str, browser: Browser) -> None:
    found = Addresses((await answer_to(name, browser)).body.decode("utf-8", "replace"))
    assert {address for address in found.addresses if not re.match(r"(/(?!/)|#|\?)", address)} == set()
    assert found.handlers == []


async def test_page_is_shown_without_menus_while_the_store_does_not_answer(browser: Browser) -> None:
    answer = await away(browser)
    assert "The database does not answer." in answer.text
    assert "</html>" in answer.text


async def test_request_cut_short_by_the_end_of_the_server_says_so(browser: Browser) -> None:
    assert "Send it again" in (await stopped(browser)).text


async def test_error_of_an_app_is_told_with_an_id_and_without_its_insides(browser: Browser) -> None:
    run = await a_run(browser, "broken")
    answer = await browser.submit(run, "one", 1, text="typed")
    assert answer.status == 500
    assert "secret of the author" not in answer.text
    assert "Traceback" not in answer.text
    assert re.search(r"under the id\W+\w{6,}", answer.text)
    assert 'value="typed"' in answer.text


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the pages log."""
    capture = structlog.testing.LogCapture()
    monkeypatch.setattr("pipulate.web.errors._log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.mark.parametrize(("htmx", "told"), [(False, r"<strong>(\w{6,})</strong>"), (True, r"id%20(\w{6,})\.")])
async def test_crash_is_told_with_the_id_of_the_log_and_without_its_insides(
    htmx: bool, told: str, browser: Browser, logged: list[Any]
) -> None:
    answer = await crash(browser, htmx=htmx)
    said = answer.text + answer.headers.get("x-pipulate-notice", "")
    assert "ZeroDivisionError" not in said
    assert "division" not in said
    (entry,) = logged
    assert (entry["event"], entry["path"]) == ("request.crashed", "/-/bin")
    assert [entry["error_id"]] == re.findall(told, said)
    assert isinstance(entry["exc_info"], ZeroDivisionError)


async def test_reason_for_our_script_is_a_header_of_harmless_letters(browser: Browser) -> None:
    odd = "\N{CYRILLIC SMALL LETTER KA} 🙂\rX-Evil: 1\x1b<b>"
    answer = await browser.post(f"/-/runs/{quote(odd)}/lock", htmx=True)
    assert answer.status == 404
    assert re.fullmatch(r"[A-Za-z0-9%._~/-]+", answer.headers["x-pipulate-notice"])
    assert "🙂" in unquote(answer.headers["x-pipulate-notice"])


async def test_failure_of_the_store_is_in_the_log_with_its_reason(browser: Browser, logged: list[Any]) -> None:
    await away(browser)
    assert [(entry["event"], entry["log_level"], entry["reason"]) for entry in logged] == [
        ("request.failed", "error", "The database does not answer. Try again in a moment.")
    ]


# Front-end files


def files(application: Application) -> list[str]:
    return list(application.site.assets.addresses.values())


async def test_front_end_file_is_kept_for_good_and_named_by_its_content(browser: Browser) -> None:
    for path in files(browser.application):
        answer = await browser.get(path, headers={"cookie": None})
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "accept-encoding"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert f"-{hashlib.sha256(answer.body).hexdigest()[:12]}." in path


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("GZIP", "gzip"), ("br;q=0, gzip", "gzip"), ("", None),
     ("identity", None), ("br;q=0.0, gzip;q=0", None), ("br;q=0.5", "br"), ("brotli, x-gzip", None)],
)  # fmt: skip
async def test_front_end_file_comes_as_the_browser_takes_it(
    accepted: str, encoding: str | None, browser: Browser
) -> None:
    path = browser.application.site.assets.addresses["app.js"]
    answer = await browser.get(path, headers={"accept-encoding": accepted})
    plain = await browser.get(path)
    assert answer.headers.get("content-encoding") == encoding
    assert (len(answer.body) < len(plain.body)) is (encoding is not None)


async def test_front_end_file_without_packed_forms_comes_plain(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"app.js": "app-1.js"}')
    (tmp_path / "app-1.js").write_text("1")
    request = Request({"type": "http", "path_params": {"file": "app-1.js"}, "headers": [(b"accept-encoding", b"br")]})
    answer = Assets(tmp_path).answer(request)
    assert (answer.body, answer.headers.get("content-encoding")) == (b"1", None)


async def test_front_end_files_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"app.js": "app-1.js"}')
    file = tmp_path / "app-1.js"
    file.write_text("1")
    request = Request({"type": "http", "path_params": {"file": "app-1.js"}, "headers": []})
    assets = Assets(tmp_path)
    file.write_text("2")
    assert (assets.answer(request).body, assets.text("app.js")) == (b"2", "2")
    file.unlink()
    assert assets.answer(request).status_code == 404


async def test_front_end_files_that_were_not_built_stop_the_start_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissingError, match="make assets"):
        Assets(tmp_path)


async def test_page_comes_packed_where_the_browser_takes_it(browser: Browser) -> None:
    packed = await browser.get("/hello", headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert b"<h1>Hello</h1>" in gzip.decompress(packed.body)
    assert packed.headers["vary"] == "accept-encoding, hx-request"
    plain = await browser.get("/hello", headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    "name",
    ["", "manifest.json", "built-from", "app.js", "../guard.py", "%2e%2e/guard.py", "..%2fguard.py", "..%5cguard.py",
     "{}.br", "{}.gz", "{}/", "{}%00", "{}%0a", "%2f{}", "./{}"],
)  # fmt: skip
async def test_no_other_file_can_be_had(name: str, browser: Browser) -> None:
    file = browser.application.site.assets.addresses["app.js"].removeprefix("/-/static/")
    answer = await browser.get(f"/-/static/{name.format(file)}")
    assert answer.status == 404
    assert len(answer.body) < 10_000


# Files to keep


@pytest.mark.parametrize(
    "key",
    ['a"b; filename=x.html', "a'b\\", "ключ 🙂", "a/b/c", "e\u0301", "x" * 120, "%0d%0aX-Evil: 1", ";=,", "-rf", "CON"],
)
async def test_export_is_a_download_whose_name_adds_no_header(key: str, browser: Browser) -> None:
    run, _ = await browser.start("hello", key)
    answer = await browser.get(f"/-/runs/{run}/export")
    kept = answer.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename=\"[A-Za-z0-9._-]+\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", kept)
    assert len(answer.every_header) == len({header for header, _ in answer.every_header})
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body.startswith(b"PK")


async def test_answers_of_a_foreign_host_carry_nothing_of_ours(browser: Browser) -> None:
    answer = await browser.get("/", headers={"host": f"evil.test/{HOST}"})
    assert answer.text == "This address is not one this server answers to.\n"
    assert "set-cookie" not in answer.headers
