"""Fields of every type through the pages: what is typed comes back, what is secret does not, no door goes around."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pipulate.errors import InvalidAnswersError, StepFailedError
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

APP = """
from datetime import datetime, time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from pipulate import CodeEditor, DateRange, FieldError, Hidden, MarkdownEditor, Range, Run, Search, Slider, Workflow

app = Workflow("every", title="Every")


class Address(BaseModel):
    street: str
    code: Annotated[str, Field(pattern=r"^[0-9]+$")]


@app.step("all")
def everything(
    name: str,
    price: Decimal,
    start: time,
    meeting: datetime,
    stay: DateRange,
    home: Address,
    lines: list[int],
    code: Annotated[str, CodeEditor("python")],
    body: Annotated[str, MarkdownEditor()],
    token: SecretStr,
    share: Annotated[int, Range(0, 9), Slider()] = 3,
    size: Annotated[Literal["s", "m"], Search()] = "s",
    tags: list[Literal["a", "b", "c"]] = [],
    origin: Annotated[str, Hidden()] = "here",
    work: Address | None = None,
) -> str:
    return f"{name} {len(token.get_secret_value())}"


@everything.validate
def enough(share: int, price: Decimal) -> None:
    if price > 1000:
        raise RuntimeError("a mistake of the app")
    if price > share:
        raise FieldError("price", "Must not be more than the share.")


@app.step("last")
def last(run: Run, ok: bool = False) -> str:
    answers = run.answers("all")
    return f"{answers.home.street} {answers.stay.days} {answers.token.get_secret_value()[0]}"
"""
SECRET = "hunter2-&-<b>"
GOOD: dict[str, Any] = {
    "name": "Ada", "price": "1.50", "start": "09:30", "meeting": "2026-11-20T14:30", "stay.start": "2026-01-01",
    "stay.end": "2026-01-03", "home.street": "Main <b>", "home.code": "1", "lines": "1\r\n2", "code": "\n  x = '<'\n",
    "body": "# T\n", "token": SECRET, "share": "4", "size": "m", "tags": "c", "origin": "there",
}  # fmt: skip
ME = Who(OWNER)


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    folder = tmp_path_factory.mktemp("fields")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "every.py").write_text(APP)
    async with running(folder) as application:
        yield Browser(application)


def held(answer: Answer) -> dict[str, list[str]]:
    """Return what the form of an answer holds, as a browser reads it."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input [^>]*>", answer.text):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        is_box = attributes.get("type") in ("checkbox", "radio")
        if "name" in attributes and (not is_box or re.search(r" checked\b", tag)):
            found.setdefault(attributes["name"], []).append(unescape(attributes.get("value", "")))
    for name, text in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>\n(.*?)</textarea>', answer.text, re.DOTALL):
        found[name] = [unescape(text)]
    for name, inner in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', answer.text, re.DOTALL):
        found[name] = re.findall(r'<option value="([^"]*)" selected', inner)
    return found


async def value_of(browser: Browser, run: str, step: str) -> Any:
    view = await browser.application.site.engine.view(run, ME)
    return view.state.steps[step].data


async def test_answers_of_every_type_are_stored_and_read_by_a_later_step(browser: Browser) -> None:
    run, address = await browser.start("every")
    assert (await browser.submit(run, "all", 1, **GOOD)).status == 200
    stored = (await value_of(browser, run, "all"))["input"]
    assert stored == {
        "name": "Ada", "price": "1.50", "start": "09:30:00", "meeting": "2026-11-20T14:30:00",
        "stay": {"start": "2026-01-01", "end": "2026-01-03"}, "home": {"street": "Main <b>", "code": "1"},
        "lines": [1, 2], "code": "\n  x = '<'\n", "body": "# T\n", "token": {"$sealed": f"plain:{SECRET}"}, "share": 4,
        "size": "m", "tags": ["c"], "origin": "there", "work": None,
    }  # fmt: skip
    assert (await browser.submit(run, "last", 2)).status == 200
    assert "Main &lt;b&gt; 3 h" in (await browser.get(address)).text


async def test_wrong_value_loses_nothing_that_was_typed(browser: Browser) -> None:
    run, _ = await browser.start("every")
    typed = {**GOOD, "name": " ", "home.code": "<x>", "lines": "1\n\nx", "work": "on", "work.street": "Side"}
    answer = await browser.submit(run, "all", 1, **typed)
    assert answer.status == 422
    back = held(answer)
    for name in GOOD.keys() - {"token"}:
        assert back[name] == [typed[name].replace("\r\n", "\n")] or back[name] == [typed[name]], name
    assert (back["work"], back["work.street"]) == (["on"], ["Side"])
    for field, words in {
        "name": "Please fill this in.", "home-code": "This does not have the expected form.",
        "lines": "Line 3: Enter a whole number.", "work-code": "Please fill this in.", "token": "Type this again",
    }.items():  # fmt: skip
        assert f'id="all-{field}-problem" class="problem">{words}' in answer.text
    assert re.search(r'<input [^>]*id="all-name" autofocus', answer.text)


async def test_rule_about_two_fields_speaks_at_one_of_them(browser: Browser) -> None:
    run, _ = await browser.start("every")
    answer = await browser.submit(run, "all", 1, **{**GOOD, "price": "5"})
    assert answer.status == 422
    assert 'id="all-price-problem" class="problem">Must not be more than the share.' in answer.text


async def test_no_door_goes_around_the_rules(browser: Browser) -> None:
    run, _ = await browser.start("every")
    engine = browser.application.site.engine
    typed = {name: [text] for name, text in GOOD.items()}
    with pytest.raises(InvalidAnswersError) as caught:
        await engine.submit(run, ME, "all", {**typed, "price": ["5"]}, seen=1, submit_id=None)
    assert caught.value.problems == {"price": "Must not be more than the share."}
    with pytest.raises(StepFailedError):  # A mistake in a rule is one of the app, as one in a step is.
        await engine.submit(run, ME, "all", {**typed, "price": ["5000"]}, seen=1, submit_id=None)
    assert (await engine.view(run, ME)).row.version == 1


async def test_going_back_shows_what_was_answered_and_keeps_the_secret(browser: Browser) -> None:
    run, address = await browser.start("every")
    await browser.submit(run, "all", 1, **GOOD)
    await browser.post(f"/-/runs/{run}/steps/all/revert", {"_seen": 2}, htmx=True)
    page = await browser.get(address)
    back = held(page)
    expected = {**GOOD, "start": "09:30:00", "meeting": "2026-11-20T14:30:00", "lines": "1\n2"}
    assert {name: back[name] for name in GOOD if name != "token"} == {
        name: [text] for name, text in expected.items() if name != "token"
    }
    assert back["token"] == [""]
    assert "Kept; type to replace" in page.text
    version = await browser.version(address)
    again = {name: texts for name, texts in back.items() if not name.startswith("_")} | {"name": ["Bob"]}
    flat = [("_seen", version), *((name, text) for name, texts in again.items() for text in texts)]
    assert (await browser.post(f"/-/runs/{run}/steps/all", flat, htmx=True)).status == 200
    stored = (await value_of(browser, run, "all"))["input"]
    assert (stored["name"], stored["token"], stored["tags"]) == ("Bob", {"$sealed": f"plain:{SECRET}"}, ["c"])


async def test_two_tabs_see_both_versions_but_no_secret(browser: Browser) -> None:
    run, _ = await browser.start("every")
    await browser.submit(run, "all", 1, **GOOD)
    other = await browser.submit(run, "all", 1, "form-of-two", **{**GOOD, "name": "Bob", "token": "other-secret"})
    assert other.status == 409
    assert "Home: Street" in other.text
    assert "Bob" in other.text
    assert SECRET not in unescape(other.text)
    assert "other-secret" not in other.text


async def test_same_form_twice_is_taken_once_although_it_has_a_secret(browser: Browser) -> None:
    run, address = await browser.start("every")
    for _ in range(2):
        assert (await browser.submit(run, "all", 1, "form-sent-twice", **GOOD)).status == 200
    assert await browser.version(address) == 2


async def test_secret_is_on_no_page_and_in_no_export(browser: Browser) -> None:
    run, address = await browser.start("every")
    pages = [await browser.submit(run, "all", 1, **{**GOOD, "name": ""})]
    pages += [await browser.submit(run, "all", 1, **{**GOOD, "price": "5000"})]  # The rule fails, and is logged.
    pages += [await browser.submit(run, "all", 1, **GOOD)]
    pages += [await browser.post(f"/-/runs/{run}/steps/all/revert", {"_seen": 2}, htmx=True)]
    pages += [await browser.get(each) for each in (address, f"{address}?version=2", f"/-/runs/{run}/history", "/every")]
    for page in pages:
        assert SECRET not in unescape(page.text)
        assert "sealed" not in page.text
    exported = await browser.get(f"/-/runs/{run}/export")
    with zipfile.ZipFile(io.BytesIO(exported.body)) as archive:
        for name in archive.namelist():
            assert SECRET not in json.dumps(json.loads(archive.read(name)))
        assert "$sealed" in archive.read("run.json").decode()


async def test_export_without_its_secret_can_be_taken_in_and_asks_for_it_again(
    browser: Browser, tmp_path: Path
) -> None:
    run, _ = await browser.start("every")
    await browser.submit(run, "all", 1, **{**GOOD, "code": "x" * 100_000})  # So large that it is kept in a file.
    await browser.submit(run, "last", 2)
    path = tmp_path / "run.zip"
    path.write_bytes((await browser.get(f"/-/runs/{run}/export")).body)
    view = await browser.application.site.engine.take_in(path, "copy-without", ME)
    stored = (await value_of(browser, view.row.id, "all"))["input"]
    assert (stored["token"], stored["name"]) == ({"$sealed": None}, "Ada")
    assert view.state.steps["last"].reads["all"] == view.state.steps["all"].digest
    await browser.post(f"/-/runs/{view.row.id}/steps/all/revert", {"_seen": view.row.version}, htmx=True)
    form = {**GOOD, "_seen": view.row.version + 1, "token": ""}
    answer = await browser.post(f"/-/runs/{view.row.id}/steps/all", form, htmx=True)
    assert answer.status == 422
    assert 'id="all-token-problem" class="problem">Please fill this in.' in answer.text


async def test_preview_shows_markdown_made_safe(browser: Browser) -> None:
    answer = await browser.post("/-/preview", {"text": "**b** <script>alert(1)</script> [x](javascript:alert(1))"})
    assert answer.status == 200
    assert "<strong>b</strong>" in answer.text
    assert "script" not in answer.text.replace("javascript", "") or "<script" not in answer.text
    assert "href" not in answer.text


async def test_page_without_such_fields_names_nothing_they_need(browser: Browser) -> None:
    _, address = await browser.start("hello")
    assert "data-needs" not in (await browser.get(address)).text
