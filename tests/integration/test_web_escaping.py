"""Markup in every text that anybody can set, and every page that shows it: text stays text."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from pipulate.security.who import Who
from pipulate.storage import jobs
from pipulate.web.routes import ADDRESSES
from tests.support.jobs import AT, put_one
from tests.support.raw import Tab
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

PAYLOADS = (
    '"><xss-a xss-b=1><img src=x onerror=window.__x=1>',
    "'><xss-a onclick=1 xss-b>",
    "</script><xss-a><script>window.__x=1</script>",
    "</textarea></title></style></select></option><xss-a>",
    "<!--<xss-a>--><![CDATA[<xss-a>]]><?xss-a?>",
    "<xss-a/xss-b>&lt;xss-a&gt;&#60;xss-a&#62;",
    "javascript:window.__x=1//<xss-a>",
    '" hx-get="/xss-b" hx-trigger="load" xss-b="',
    "{{xss}} ${xss} <xss-a hx-on::load=1>",
)
PLUGIN = r"""
from typing import Annotated, Any, Literal
from enum import Enum

from pydantic import Field

from pipulate import Choices, Markdown, Run, TextArea, Workflow

P = {payload!r}
MORE = "\n\n<img src='x' onerror='xss'><iframe src='/'></iframe><style>a</style><b style='x' onclick='xss'>c</b>"
app = Workflow("odd", title=P, description=P)


@app.step("fields", title=P)
def fields(
    short: Annotated[str, Field(title=P, description=P)],
    long: Annotated[str, TextArea()],
    one: Annotated[str, Choices(lambda run: [(P, P), ("b", "b")])],
    two: Literal[{payload!r}, "b"] = P,
    three: str = P,
) -> Any:
    return {{P: P, "rows": [{{P: P, "b": 1}}, {{P: P, "b": 2}}], "list": [P, None, True, [P]], "text": short + long}}


fields.help = P


@app.step("text")
def text(run: Run) -> str:
    return P


@app.step("marked")
def marked(run: Run) -> Markdown:
    return Markdown(P + "\n\n[a](javascript:xss) <a href='javascript:xss' onclick=xss>b</a>\n\n" + P + MORE)


@app.step("shown")
def shown(run: Run) -> str:
    return P


@shown.done
def view(result: str) -> Any:
    return [result, P]


@app.step("again", suggest=lambda run: P)
def again(more: str) -> str:
    return more


@app.step("fails")
def fails(more: str) -> str:
    raise RuntimeError(P)
"""
FAILING = (
    "raise RuntimeError({payload!r})",
    "from pipulate import Workflow\napp = Workflow({payload!r})\n@app.step({payload!r})\ndef one(a, *b): ...",
    "import {word}",
    "{payload}",
    "raise SystemExit({payload!r})",
)


ADDRESS_NAMES = ("href", "src", "action", "formaction", "hx-get", "hx-post")


class Document(HTMLParser):
    """Every element and attribute of a page, and all of its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.texts = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if tag in ("xss-a", "img", "iframe", "object", "embed", "base", "style") or len(names) != len(set(names)):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if not re.fullmatch(r"[a-z][a-z-]*", name) or name.startswith(("on", "hx-on", "xss", "style", "srcdoc")):
                self.found.append(f"<{tag} {name}>")
            if name in ADDRESS_NAMES and not re.match(r"(/(?!/)|#|\?|https?:|mailto:)", value or "/"):
                self.found.append(f"<{tag} {name}={value}>")
            self.texts += f" {value}"

    def handle_data(self, data: str) -> None:
        self.texts += data

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}-->")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"<![{data}")


def only_text(answer: Answer | str) -> str:
    """Fail on anything but our own markup; return what the page says."""
    document = Document(answer if isinstance(answer, str) else answer.text)
    assert document.found == []
    if not isinstance(answer, str):
        assert all("\n" not in value and "\r" not in value for _, value in answer.every_header)
    return document.texts


def key_of(payload: str) -> str:
    """Return a payload as a key can hold it: no part between slashes may be empty."""
    return payload.replace("//", "/ /").replace("</", "< /")


@pytest.fixture(params=PAYLOADS, ids=[f"payload{number}" for number in range(len(PAYLOADS))])
def payload(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def browser(payload: str, tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "odd.py").write_text(PLUGIN.format(payload=payload))
    for index, content in enumerate(FAILING):
        (folder / f"{index}_failing_{index}.py").write_text(content.format(payload=payload, word=f"x{index}"))
    (folder / f"9_{payload.replace('/', '')}.py").write_text("raise RuntimeError")
    async with running(tmp_path) as application:
        yield Browser(application)


async def test_no_text_becomes_markup_on_any_page(payload: str, browser: Browser) -> None:
    key = key_of(payload)
    run, address = await browser.start("odd", key)
    typed = {"short": payload, "long": payload, "one": payload, "two": payload, "three": payload}
    parts = [
        await browser.post("/-/records/profiles", {"_field": "name", "name": key[:80]}),
        await browser.post("/-/notes", {"text": payload}),
        await browser.post("/-/notes", {"text": payload, "_conversation": run}),
        await browser.submit(run, "fields", 1, **typed),
        await gone_on(browser, run, address),
        await browser.submit(run, "again", await browser.version(address), more=payload),
        await browser.submit(run, "fails", await browser.version(address), more=payload),
        await browser.submit(run, "fields", 1, **typed, submit="12345678"),
        await browser.post(f"/-/runs/{run}/steps/fields", {"_seen": "1", **typed, payload: payload}),
        await browser.post(f"/-/runs/{run}/steps/again/revert", {"_seen": await browser.version(address)}, htmx=True),
        await browser.post(f"/-/runs/{run}/rename", {"key": key + "/.."}, htmx=True),
        await browser.post(f"/-/runs/{run}/rename", {"key": key + "2"}, htmx=True),
        await browser.post(f"/-/runs/{run}/copy", htmx=True),
        await browser.post("/odd", {"key": payload + "/..", "offered": payload}),
        await browser.post("/-/records/profiles", {"_field": "name", "name": payload + "\x00"}),
        await browser.post("/-/profile", {"profile": payload}),
        await browser.post(f"/-/runs/{quote(payload, safe='')}/lock", htmx=True),
        await browser.get(f"/-/schedules/new?run={run}"),
        await browser.get(f"/-/schedules/when?kind=cron&cron={quote(payload)}&zone={quote(payload)}", htmx=True),
    ]
    await browser.application.site.scheduler.add(
        title=key[:80], app="odd", owner="owner", profile="default", cron="0 7 * * 1", zone="UTC", answers={}
    )
    parts += [part for path in pages(run, address) for part in await seen(browser, path)]
    for part in parts:
        only_text(part)
    assert {part.status for part in parts} >= {200, 204, 303, 404, 409, 422, 500}


async def gone_on(browser: Browser, run: str, address: str) -> Answer:
    """Return the page of the run once its steps that need nobody are done."""
    await browser.application.site.engine.advance(run, Who("owner"))
    return await browser.get(address)


def pages(run: str, address: str) -> list[str]:
    """Return every page there is, that of the run as it was and as it is."""
    filled = [each.path.replace("{run:part}", run) for each in ADDRESSES if "GET" in each.methods]
    filled = [path for path in filled if "{" not in path and not path.endswith(("/export", "/export.md"))]
    return [*filled, "/odd", "/failing_0", f"{address}2", f"{address}2?version=2", f"{address}/nothing",
            f"/-/runs/{run}/history?before=3"]  # fmt: skip


async def seen(browser: Browser, path: str) -> list[Answer]:
    return [await browser.get(path), await browser.get(path, htmx=True)]


async def test_texts_are_shown_as_they_are(payload: str, browser: Browser) -> None:
    key = key_of(payload)
    run, address = await browser.start("odd", key)
    await browser.post("/-/notes", {"text": key})
    await browser.submit(run, "fields", 1, short=key, long=key, one=payload, two=payload, three=key)
    for path in ("/", "/odd", address, f"/-/search?find={quote(key)}", f"/-/runs/{run}/history"):
        assert key in only_text(await browser.get(path)), path
    text = only_text(await browser.get(address)) + only_text(await browser.get("/-/plugins"))
    assert text.count(payload) >= 10


async def test_jobs_show_what_they_say_as_text(payload: str, browser: Browser) -> None:
    run, _ = await browser.start("odd", key_of(payload))
    told = {"title": payload, "reason": payload, "trace": payload, "app": "odd", "run": run, "profile": payload,
            "progress": json.dumps({"done": 1, "total": 3, "text": payload, "left_s": None}),
            "partial": json.dumps({"view": "text", "output": payload})}  # fmt: skip
    db = browser.application.site.db
    for status, ended in (("running", None), ("failed", AT)):
        job = await db.write(put_one, status=status, started_at=AT, ended_at=ended, **told)
        await db.write(jobs.note, job, AT, None, None, [(AT, payload)])
        for path in ("/-/jobs?profile=all", f"/-/jobs/{job}", f"/-/jobs/{job}/log"):
            for answer in await seen(browser, path):
                assert payload in only_text(answer), path


async def test_address_and_query_are_shown_as_text(payload: str, browser: Browser) -> None:
    odd = quote(payload, safe="")
    for path in (f"/{odd}", f"/hello/{odd}", f"/-/runs/{odd}", f"/-/search?find={odd}", f"/odd?find={odd}",
                 f"/odd?older={odd}", f"/-/bin?older={odd}_x", f"/-/jobs?app={odd}",
                 f"/-/jobs?before={odd}", f"/-/jobs/{odd}", f"/odd?deleted={odd}", f"/-/static/{odd}"):  # fmt: skip
        for answer in await seen(browser, path):
            only_text(answer)


async def test_socket_sends_text_as_text(payload: str, browser: Browser) -> None:
    run, _ = await browser.start("odd", key_of(payload))
    async with Tab(browser.application, f"run={run}") as tab:
        await browser.post("/-/notes", {"text": payload, "_conversation": run})
        await browser.submit(run, "fields", 1, short=payload, long=payload, one=payload, two="b", three="x")
        await browser.post(f"/-/runs/{run}/rename", {"key": key_of(payload) + "2"})
        await tab.until(lambda tab: len(tab.items) >= 5)
    for item in tab.items:
        only_text(item["html"] + item.get("summary", ""))
    assert sum(payload in only_text(item["html"]) for item in tab.items) >= 1


async def test_page_for_a_missing_app_shows_what_is_kept_as_text(payload: str, browser: Browser) -> None:
    run, _ = await browser.start("odd", key_of(payload))
    await browser.submit(run, "fields", 1, short=payload, long=payload, one=payload, two="b", three="x")
    browser.application.site.engine.catalog = {}
    for path in (f"/-/runs/{run}", f"/-/runs/{run}?version=2", f"/-/runs/{run}/history", "/"):
        assert key_of(payload) in only_text(await browser.get(path)), path
