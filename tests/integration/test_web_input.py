"""Bad input through the pages: refused with a message where it was typed, or kept as it is; never a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from time import process_time
from urllib.parse import quote
from uuid import uuid4

import pytest

from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage.keys import KEY_MAX, NAME_MAX
from tests.support.raw import stored
from tests.support.site import HOST, Answer, Browser, running

pytestmark = pytest.mark.anyio

FIELDS = """
from datetime import date
from enum import Enum
from typing import Annotated, Literal

from pipulate import Choices, Run, TextArea, Workflow

app = Workflow("fields", title="Fields")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@app.step("all")
def everything(
    short: str,
    long: Annotated[str, TextArea()],
    whole: int,
    real: float,
    day: date,
    size: Literal["s", "m"],
    colour: Colour,
    chosen: Annotated[str, Choices(lambda run: ["a", "b"])],
    tick: bool = False,
    maybe: int | None = None,
) -> str:
    return short


@app.step("last")
def last(run: Run) -> str:
    return "done"
"""
GOOD = {
    "short": "x", "long": "y", "whole": "1", "real": "1.5", "day": "2026-11-20", "size": "s", "colour": "red",
    "chosen": "a",
}  # fmt: skip

MARKUP = "<img src=x onerror=alert(1)>"
SHOWN = {  # Texts that are fine as a key, a name and a value, as they are.
    "markup": MARKUP,
    "quotes": "\"'`\\",
    "right to left": "مرحبا שלום",
    "emoji": "👩‍👩‍👧‍👦 🇩🇪",
    "entity": "&lt;b&gt;",
    "sql": "'; DROP TABLE runs; --",
    "percent": "%_%25%0d%0a",
    "template": "{{7*7}} ${x} {name}",
    "ideographs": "漢字",
    "dots": "...",
    "formula": "=1+1",
}
REFUSED = {  # Texts that are refused as a key, and why.
    "control": ("a\x07b", "U+0007"),
    "nul": ("a\x00b", "U+0000"),
    "line": ("a\nb", "U+000A"),
    "header": ("a\r\nX-Evil: 1", "U+000D"),
    "escape": ("\x1b[31mred", "U+001B"),
    "turned": ("a\u202etxt.exe", "U+202E"),
    "separator": ("a\u2028b", "U+2028"),
}
BAD_PARTS = ("..", ".", "../x", "a/../b", "a//b", "/a", "a/", "a/./b")


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    folder = tmp_path_factory.mktemp("input")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "fields.py").write_text(FIELDS)
    async with running(folder) as application:
        yield Browser(application)


class Texts(HTMLParser):
    """What a person reads on a page, and what its fields hold."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.text = ""
        self.values: list[str] = []
        self._area: list[str] | None = None
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input":
            self.values.append(found.get("value") or "")
        self._area = [] if tag == "textarea" else self._area

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            self.values.append("".join(self._area)[1:])
            self._area = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._area is not None:
            self._area.append(data)


async def unchanged(browser: Browser, sent: Answer, before: object, status: int) -> None:
    assert sent.status == status, sent.text
    assert await stored(browser.application) == before


# Forms that no page of ours sends


BAD_FORMS: dict[str, tuple[bytes, str]] = {
    "json": (b'{"name": "Ada"}', "application/json"),
    "text": (b"name=Ada&_seen=1", "text/plain"),
    "parts": (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    "nothing": (b"name=Ada&_seen=1", ""),
    "not utf-8": (b"name=%ff%fe&_seen=1", "application/x-www-form-urlencoded"),
    "half a surrogate": (b"name=%ed%a0%80&_seen=1", "application/x-www-form-urlencoded"),
    "raw bytes": ("name=Adä&_seen=1".encode("latin-1"), "application/x-www-form-urlencoded"),
    "raw utf-8": ("name=Adä&_seen=1".encode(), "application/x-www-form-urlencoded"),
    "1,001 fields": (b"&".join([b"name=Ada", b"_seen=1", *[b"a=1"] * 999]), "application/x-www-form-urlencoded"),
    "no version": (b"name=Ada", "application/x-www-form-urlencoded"),
    "empty": (b"", "application/x-www-form-urlencoded"),
    **{
        f"version {seen}": (f"name=Ada&_seen={seen}".encode(), "application/x-www-form-urlencoded")
        for seen in ("", "x", "-1", "1.0", "1e3", "+1", "0x1", "%20", "9" * 10, "9" * 5_000, "%D9%A1", "1%00", "1%0a")
    },
    **{
        f"id {submit[:12]}": (f"name=Ada&_seen=1&_submit={submit}".encode(), "application/x-www-form-urlencoded")
        for submit in ("short", "a" * 65, "..%2F..%2Fetc%2Fpasswd", "%3Cimg%20src%3Dx%3E", "a%00bcdefgh", "12345678%0a")
    },
}


@pytest.mark.parametrize("name", BAD_FORMS)
async def test_malformed_form_is_refused_and_changes_nothing(name: str, browser: Browser) -> None:
    run, _ = await browser.start("hello")
    before = await stored(browser.application)
    body, kind = BAD_FORMS[name]
    answer = await browser.post(f"/-/runs/{run}/steps/name", body, headers={"content-type": kind or None})
    await unchanged(browser, answer, before, 400)


async def test_form_of_a_thousand_fields_is_taken(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    body = b"&".join([b"name=Ada", b"_seen=1", *[b"a=1"] * 998])
    assert (await browser.post(f"/-/runs/{run}/steps/name", body, htmx=True)).status == 200


@pytest.mark.parametrize(
    "action", ["steps/name/revert", "steps/name/again", "steps/name/keep", "steps/name/copy", "go-back"]
)
async def test_action_that_names_no_version_is_refused_and_changes_nothing(action: str, browser: Browser) -> None:
    run, _ = await browser.start("hello")
    await browser.submit(run, "name", 1, name="Ada")
    before = await stored(browser.application)
    for body in (b"", b"_seen=x&version=1", b"_seen=&version=", b"_seen=2&_seen=y&version=x"):
        await unchanged(browser, await browser.post(f"/-/runs/{run}/{action}", body), before, 400)


@pytest.mark.parametrize("field", ["theme", "density", "assistant", "x"])
async def test_look_takes_only_choices_there_are(field: str, browser: Browser) -> None:
    before = await stored(browser.application)
    for value in (MARKUP, "", "\x00", "dark" * 1_000):
        await unchanged(browser, await browser.post("/-/look", {field: value}), before, 400)


# What is not there


@pytest.mark.parametrize(
    "path",
    ["/nothing", f"/{MARKUP}", "/hello/nothing", f"/hello/{MARKUP}nothing", "/hello/a/b", "/-/runs/nothing",
     f"/-/runs/{MARKUP}/history", "/-/runs/nothing/export", "/-/nothing", "/a\r\nX-Evil: 1", "/\u202eexe",
     "/hello/\x00", "/a?b", "/a#b", "/100%", "/" + "a" * 3_000],
)  # fmt: skip
async def test_page_that_is_not_there_names_what_was_asked_for_and_adds_nothing(path: str, browser: Browser) -> None:
    answer = await browser.get(quote(path))
    assert answer.status == 404
    names = path.removeprefix("/hello/").removeprefix("/-/runs/").removesuffix("/history").removesuffix("/export")
    assert names.split("\r\n")[0].replace("\x00", "") in Texts(answer).text.replace("�", "").replace("\\x00", "")
    assert "<img" not in answer.text
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("version", ["0", "3", "999999999"])
async def test_version_a_run_never_had_is_not_found(version: str, browser: Browser) -> None:
    run, address = await browser.start("hello")
    await browser.submit(run, "name", 1, name="Ada")
    assert (await browser.get(f"{address}?version={version}")).status == 404
    before = await stored(browser.application)
    for action in ("go-back", "copy"):
        answer = await browser.post(f"/-/runs/{run}/{action}", {"version": version, "_seen": "2"})
        await unchanged(browser, answer, before, 404)


@pytest.mark.parametrize("version", ["x", "", "-1", "1.5", "9" * 5_000, "%D9%A1", "1%00", MARKUP])
@pytest.mark.parametrize("parameter", ["version", "before"])
async def test_odd_number_in_an_address_is_refused(parameter: str, version: str, browser: Browser) -> None:
    run, address = await browser.start("hello")
    path = address if parameter == "version" else f"/-/runs/{run}/history"
    assert (await browser.get(f"{path}?{parameter}={version}")).status == 400


@pytest.mark.parametrize("action", ["", "/run", "/revert", "/again", "/keep", "/copy"])
async def test_step_the_app_does_not_have_is_not_found(action: str, browser: Browser) -> None:
    run, _ = await browser.start("hello")
    await browser.submit(run, "name", 1, name="Ada")
    before = await stored(browser.application)
    for step in ("nothing", "name2", MARKUP.replace("/", "")):
        answer = await browser.post(f"/-/runs/{run}/steps/{quote(step)}{action}", {"_seen": "2", "name": "x"})
        await unchanged(browser, answer, before, 404)


@pytest.mark.parametrize("odd", ["%00", "%0a", "'", "%25", "..", "%ff", "%F0%9F%99%82", "a" * 5_000])
async def test_odd_query_is_answered(odd: str, browser: Browser) -> None:
    for path in (
        "/hello?find=",
        "/hello?older=",
        "/hello?older=_",
        "/hello?deleted=",
        "/-/search?find=",
        "/-/bin?older=x_",
    ):
        assert (await browser.get(path + odd)).status in (200, 400), path


# Keys


@pytest.mark.parametrize("name", SHOWN)
async def test_odd_key_is_kept_and_found_again(name: str, browser: Browser) -> None:
    key = SHOWN[name]
    _, address = await browser.start("hello", key)
    page = await browser.get(address)
    assert key in Texts(page).text
    assert MARKUP not in page.text
    assert key in Texts(await browser.get("/hello")).text
    assert key in Texts(await browser.get(f"/-/search?find={quote(key)}", htmx=True)).text


@pytest.mark.parametrize("name", REFUSED)
async def test_key_that_cannot_be_seen_is_refused_where_it_was_typed(name: str, browser: Browser) -> None:
    key, reason = REFUSED[name]
    before = await stored(browser.application)
    answer = await browser.post("/hello", {"key": key, "offered": ""})
    await unchanged(browser, answer, before, 422)
    assert reason in answer.text
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.parametrize("key", [*BAD_PARTS, "x" * (KEY_MAX + 1), "x" * 1_000_000, "🙂" * 200])
async def test_key_that_breaks_the_rule_comes_back_with_the_reason(key: str, browser: Browser) -> None:
    before = await stored(browser.application)
    answer = await browser.post("/hello", {"key": key, "offered": "01"})
    await unchanged(browser, answer, before, 422)
    assert key in Texts(answer).values
    assert 'id="key-problem"' in answer.text


@pytest.mark.parametrize("key", ["", " ", "\t \n", "\u3000"])
async def test_blank_key_takes_the_next_free_number(key: str, browser: Browser) -> None:
    _, address = await browser.start("hello", key)
    assert address.removeprefix("/hello/").isdigit()


async def test_key_has_one_spelling(browser: Browser) -> None:
    first = await browser.start("hello", "  e\u0301te ")
    second = await browser.start("hello", "\u00e9te")
    assert first == second


@pytest.mark.parametrize(("path", "name"), [("/hello", "key"), ("/-/records/profiles", "name")])
async def test_long_row_of_marks_is_refused_as_fast_as_any_long_text(path: str, name: str, browser: Browser) -> None:
    """Putting marks into their order takes the square of their number, so the length has to be looked at first."""
    took = {}
    for text in ("a" * 160_001, "a" + "\u0301\u0316" * 80_000):
        began = process_time()
        assert (await browser.post(path, {name: text, "offered": "", "_field": name})).status == 422
        took[text[1]] = process_time() - began
    assert took["\u0301"] < 500 * took["a"]  # It is 30 times the bytes; the square would be 5,000 times the work.


@pytest.mark.parametrize("key", ["..", "a\x00b", "x" * (KEY_MAX + 1), MARKUP + "/", ""])
async def test_new_key_that_breaks_the_rule_comes_back_where_it_was_typed(key: str, browser: Browser) -> None:
    run, _ = await browser.start("hello")
    before = await stored(browser.application)
    answer = await browser.post(f"/-/runs/{run}/rename", {"key": key})
    await unchanged(browser, answer, before, 422)
    assert key.replace("\x00", "�") in [value.replace("\x00", "�") for value in Texts(answer).values]


# Profiles


@pytest.mark.parametrize("name", SHOWN)
async def test_odd_profile_name_is_kept_and_shown_as_text(name: str, browser: Browser) -> None:
    answer = await browser.post("/-/records/profiles", {"_field": "name", "name": SHOWN[name]})
    assert answer.status == 303
    page = await browser.get("/")
    assert SHOWN[name] in Texts(page).text
    assert MARKUP not in page.text


@pytest.mark.parametrize(
    "name", ["", "  ", "a\x00b", "a\nb", "\u202eb", "x" * (NAME_MAX + 1), "x" * 1_000_000, "Default Profile"]
)
async def test_bad_profile_name_comes_back_with_the_reason(name: str, browser: Browser) -> None:
    before = await stored(browser.application)
    for number in ("", "/1"):
        if number and name == "Default Profile":
            continue
        form = {"_field": "name", "name": name, "_seen": "1"}
        answer = await browser.post(f"/-/records/profiles{number}", form)
        await unchanged(browser, answer, before, 422)
        assert f'value="{escape(name)}"' in answer.text


@pytest.mark.parametrize("profile", ["", "nothing", "\x00", MARKUP])
async def test_profile_there_is_not_cannot_be_chosen(profile: str, browser: Browser) -> None:
    before = await stored(browser.application)
    await unchanged(browser, await browser.post("/-/profile", {"profile": profile}), before, 404)


@pytest.mark.parametrize(
    ("came_from", "back"),
    [(f"http://{HOST}/hello?find=x", "/hello"), ("http://evil.test/hello", "/"), ("javascript:x", "/"), ("", "/"),
     (f"http://{HOST}//evil.test", "/evil.test"), (f"http://{HOST}/\\evil.test", "/evil.test"), ("http://[", "/"),
     (f"http://{HOST}/\\/evil.test", "/evil.test"), (f"http://{HOST}@evil.test/", "/")],
)  # fmt: skip
async def test_way_back_leads_to_a_page_of_ours(came_from: str, back: str, browser: Browser) -> None:
    headers = {"referer": came_from}
    plain = await browser.post("/-/profile", {"profile": "default"}, headers=headers)
    assert (plain.status, plain.headers["location"]) == (303, back)
    ours = await browser.post("/-/profile", {"profile": "default"}, headers=headers, htmx=True)
    assert (ours.status, ours.headers["hx-redirect"]) == (204, back)


# Notes


@pytest.mark.parametrize("name", SHOWN)
async def test_odd_note_is_kept_and_shown_as_text(name: str, browser: Browser) -> None:
    assert (await browser.post("/-/notes", {"text": SHOWN[name]}, htmx=True)).status == 204
    page = await browser.get("/")
    assert SHOWN[name] in Texts(page).text
    assert MARKUP not in page.text


@pytest.mark.parametrize("text", ["", " \n ", "a\x00b", "a\x1bb", "x" * 20_001])
async def test_bad_note_is_refused_with_the_reason(text: str, browser: Browser) -> None:
    before = await stored(browser.application)
    answer = await browser.post("/-/notes", {"text": text}, htmx=True)
    await unchanged(browser, answer, before, 422)
    assert "note" in answer.text or "Write something" in answer.text


@pytest.mark.parametrize("conversation", ["nothing", "user:somebody", "\x00", MARKUP, "x" * 100_000])
async def test_note_for_a_conversation_there_is_not_is_refused(conversation: str, browser: Browser) -> None:
    before = await stored(browser.application)
    answer = await browser.post("/-/notes", {"text": "a", "_conversation": conversation}, htmx=True)
    await unchanged(browser, answer, before, 404)
    assert sum(len(name) + len(value) for name, value in answer.every_header) < 8_000


# Values


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("field", ["short", "long"])
async def test_odd_value_is_kept_and_shown_as_text(name: str, field: str, browser: Browser) -> None:
    run, address = await browser.start("fields", str(uuid4()))
    assert (await browser.submit(run, "all", 1, **GOOD | {field: SHOWN[name]})).status == 200
    page = await browser.get(address)
    assert MARKUP not in page.text
    assert SHOWN[name] in Texts(page).text
    await browser.post(f"/-/runs/{run}/steps/all/revert", {"_seen": await browser.version(address)})
    assert SHOWN[name] in Texts(await browser.get(address)).values


BAD_VALUES = (
    ("short", ""), ("short", "   "), ("short", "x" * 1_001), ("short", "x" * 1_000_000), ("short", "a\x00b"),
    ("short", "a\x07b"), ("long", "a\x1bb"), ("long", " \n "), ("whole", MARKUP), ("whole", "9" * 5_000),
    ("whole", "1.5"), ("whole", ""), ("real", "nan"), ("real", "inf"), ("real", "1e999"), ("real", MARKUP),
    ("day", "2026-13-45"), ("day", MARKUP), ("day", ""), ("size", MARKUP), ("size", "xl"), ("colour", "green"),
    ("chosen", "c"), ("chosen", MARKUP), ("maybe", "x"),
)  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD_VALUES, ids=lambda each: repr(each)[:20])
async def test_bad_value_is_refused_at_its_field_and_nothing_typed_is_lost(
    field: str, value: str, browser: Browser
) -> None:
    run, _ = await browser.start("fields", str(uuid4()))
    before = await stored(browser.application)
    typed = GOOD | {"short": "typed before", "long": "also\ntyped", "whole": "42"} | {field: value}
    answer = await browser.submit(run, "all", 1, **typed)
    await unchanged(browser, answer, before, 422)
    assert f'id="all-{field}-problem"' in answer.text
    shown = Texts(answer).values
    assert {typed["short"], typed["long"], typed["whole"]} <= set(shown)
    assert MARKUP not in answer.text


async def test_number_of_any_size_is_kept_exactly(browser: Browser) -> None:
    run, address = await browser.start("fields", str(uuid4()))
    number = "9" * 400
    assert (await browser.submit(run, "all", 1, **GOOD | {"whole": number})).status in (200, 422)
    assert (await browser.get(address)).status == 200


async def test_field_the_step_does_not_have_is_not_taken(browser: Browser) -> None:
    run, _ = await browser.start("fields", str(uuid4()))
    assert (await browser.submit(run, "all", 1, **GOOD, role="admin", owner="x", actor="y")).status == 200
    view = await browser.application.site.engine.view(run, Who(OWNER))
    assert set(view.state.steps["all"].data["input"]) == {*GOOD, "tick", "maybe"}
    assert view.row.owner == view.row.updated_by == OWNER


async def test_text_of_a_megabyte_is_kept_and_comes_back_whole(browser: Browser) -> None:
    run, address = await browser.start("fields", str(uuid4()))
    text = "0123456789" * 100_000
    assert (await browser.submit(run, "all", 1, **GOOD | {"long": text})).status == 200
    await browser.post(f"/-/runs/{run}/steps/all/revert", {"_seen": await browser.version(address)})
    assert text in unescape((await browser.get(address)).text)


# On PostgreSQL, which has rules of its own for text


@pytest.mark.parametrize("odd", ["\x00", "\ufffe", "🙂\x00", "\\000"])
async def test_text_that_postgresql_cannot_hold_is_refused_as_anywhere(
    odd: str, tmp_path: Path, postgres_url: str
) -> None:
    async with running(tmp_path, database_url=postgres_url) as application:
        browser = Browser(application)
        run, _ = await browser.start("hello", str(uuid4()))
        sent = [
            await browser.get(f"/hello/{quote(odd)}"), await browser.get(f"/-/runs/{quote(odd)}"),
            await browser.get(f"/hello?find={quote(odd)}"), await browser.get(f"/hello?deleted={quote(odd)}"),
            await browser.get(f"/hello?older={quote(odd)}_x"), await browser.get(f"/-/bin?older=x_{quote(odd)}"),
            await browser.post("/hello", {"key": odd, "offered": ""}), await browser.submit(run, "name", 1, name=odd),
            await browser.post("/-/notes", {"text": odd}),
            await browser.post("/-/records/profiles", {"_field": "name", "name": odd}),
            await browser.post("/-/notes", {"text": "a", "_conversation": odd}),
            await browser.post("/-/profile", {"profile": odd}),
            await browser.post("/select_profile", {"profile_id": odd}),
            await browser.post(f"/-/runs/{run}/rename", {"key": odd}),
        ]  # fmt: skip
        assert [answer.status for answer in sent if answer.status >= 500] == []
