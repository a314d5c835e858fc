"""Fields that an app lists when a run comes to them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.site import Browser, running
from tests.support.uploads import uploaded

pytestmark = pytest.mark.anyio

PLUGIN = """
from typing import Annotated, Any

from pipulate import FieldsOf, Run, Workflow

app = Workflow("listed")


@app.step("spec")
def spec(names: str, broken: bool = False) -> list[str]:
    return ["nonsense"] if broken else names.split()


def questions(run: Run) -> list[dict[str, Any]]:
    if run["spec"] == ["nonsense"]:
        return [{"name": "a", "type": "nonsense"}]
    return [
        {"name": name, "type": "text", "label": f"<{name}>", "help": "Help & more", "default": "d", "max_length": 5}
        for name in run["spec"]
    ] + [
        {"name": "size", "type": "select", "options": [{"value": 1, "label": "Small"}, (2, "Large")]},
        {"name": "many", "type": "checkboxes", "options": ["x", "y"], "required": False},
        {"name": "day", "type": "date", "required": False},
        {"name": "count", "type": "integer", "min": 1, "max": 9, "default": 3},
        {"name": "story", "type": "textarea", "rows": 4, "required": False},
        {"name": "sure", "type": "checkbox"},
    ] + ([{"name": "broad", "type": "slider", "min": 0, "max": 9, "required": False}] if "wide" in run["spec"] else []
    ) + ([{"name": "data", "type": "file", "accept": ".csv"}] if "file" in run["spec"] else [])


@app.step("asked")
def asked(answers: Annotated[dict[str, Any], FieldsOf(questions)], plain: int = 1) -> dict[str, Any]:
    return {"types": {name: type(value).__name__ for name, value in answers.items()}, **answers}


@app.step("after")
def after(run: Run) -> str:
    return str(run.answers("asked").answers["count"])
"""
GOOD = {"answers.a": "one", "answers.size": "2", "answers.many": "y", "answers.day": "2026-02-03", "answers.count": "4"}


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "listed.py").write_text(PLUGIN)
    async with running(tmp_path) as application:
        yield Browser(application)


async def asking(browser: Browser, names: str = "a b", **more: str) -> tuple[str, str]:
    run, address = await browser.start("listed")
    await browser.submit(run, "spec", 1, names=names, **more)
    return run, address


async def value_of(browser: Browser, run: str, step: str) -> dict[str, object]:
    row = await browser.application.site.db.read(
        lambda tx: tx.one("SELECT data FROM run_steps WHERE run = :run AND step = :step", run=run, step=step)
    )
    assert row is not None
    data: dict[str, object] = json.loads(row[0])
    return data


async def test_listed_fields_are_asked_for_with_their_labels_limits_and_defaults(browser: Browser) -> None:
    _, address = await asking(browser)
    text = (await browser.get(address)).text
    names = [name for name in re.findall(r'name="([\w.]+)"', text) if name.startswith("answers.")]
    assert list(dict.fromkeys(names)) == [
        f"answers.{name}" for name in ("a", "b", "size", "many", "day", "count", "story", "sure")
    ]
    assert "&lt;a&gt;" in text
    assert "Help &amp; more" in text
    assert 'value="d"' in text
    assert ">Large</option>" in text


async def test_listed_fields_give_values_of_their_types(browser: Browser) -> None:
    run, address = await asking(browser)
    answer = await browser.submit(run, "asked", 2, **GOOD, **{"answers.b": "two", "answers.sure": "on"})
    assert answer.status in (200, 303), answer.text
    value = await value_of(browser, run, "asked")
    assert value["output"] == {
        "types": {"a": "str", "b": "str", "size": "int", "many": "list", "day": "date", "count": "int",
                  "story": "NoneType", "sure": "bool"},
        "a": "one", "b": "two", "size": 2, "many": ["y"], "day": "2026-02-03", "count": 4, "story": None, "sure": True,
    }  # fmt: skip
    await browser.post(f"/-/runs/{run}/steps/after/run")
    assert (await value_of(browser, run, "after"))["output"] == "4"
    assert "two" in (await browser.get(address)).text


async def test_bad_values_come_back_with_what_was_typed_and_change_nothing(browser: Browser) -> None:
    run, address = await asking(browser)
    typed = GOOD | {"answers.b": "<too long>", "answers.count": "12"}
    answer = await browser.submit(run, "asked", 2, **typed)
    assert answer.status == 422
    assert "At most 5 characters; this has 10." in answer.text
    assert "Must be 9 or less." in answer.text
    assert 'value="&lt;too long&gt;"' in answer.text
    assert await browser.version(address) == 2


async def test_fields_that_were_not_listed_are_not_taken(browser: Browser) -> None:
    run, _ = await asking(browser, "a")
    await browser.submit(run, "asked", 2, **GOOD, **{"answers.b": "two", "answers.zzz": "1"})
    output = (await value_of(browser, run, "asked"))["output"]
    assert isinstance(output, dict)
    assert not {"b", "zzz"} & output.keys()


async def test_option_that_is_not_offered_is_refused(browser: Browser) -> None:
    run, _ = await asking(browser, "a")
    assert (await browser.submit(run, "asked", 2, **(GOOD | {"answers.size": "3"}))).status == 422


async def test_form_asked_again_starts_with_the_old_answers(browser: Browser) -> None:
    run, address = await asking(browser)
    await browser.submit(run, "asked", 2, **GOOD, **{"answers.b": "two"})
    await browser.post(f"/-/runs/{run}/steps/asked/revert", {"_seen": await browser.version(address)})
    text = (await browser.get(address)).text
    assert 'value="two"' in text
    assert 'value="2026-02-03"' in text


async def test_description_that_makes_no_sense_is_said_and_changes_nothing(browser: Browser) -> None:
    run, address = await asking(browser, "x", broken="on")
    page = await browser.get(address)
    assert (page.status, "The app made an error in step" in page.text) == (200, True)
    assert "All steps are done" not in page.text
    answer = await browser.submit(run, "asked", 2, **GOOD)
    assert answer.status == 500
    assert await browser.version(address) == 2


async def test_listed_file_is_uploaded_like_any_other(browser: Browser) -> None:
    run, _ = await browser.start("listed")
    await browser.submit(run, "spec", 1, names="a file")
    sent = await uploaded(browser, run, "answers.data", step="asked", name="x.csv", content=b"a,b")
    typed = GOOD | {"answers.file": "d"}
    answer = await browser.submit(run, "asked", 2, **typed, **{"answers.data": sent})
    assert answer.status == 200, answer.text
    value = await value_of(browser, run, "asked")
    assert [(file["name"], file["bytes"]) for file in value["files"]] == [("x.csv", 3)]  # type: ignore[attr-defined]


async def test_conflict_names_the_listed_fields(browser: Browser) -> None:
    run, address = await asking(browser)
    await browser.submit(run, "asked", 2, **GOOD, **{"answers.b": "mine"})
    other = Browser(browser.application, tab="tab-2")
    answer = await other.submit(run, "asked", 2, **GOOD, **{"answers.b": "other"}, submit="another-form")
    assert answer.status == 409
    assert "&lt;b&gt;" in answer.text
    assert {"mine" in answer.text, "other" in answer.text} == {True}
    assert await browser.version(address) >= 3


async def test_description_that_makes_no_sense_is_named_in_the_answer_that_comes_to_it(browser: Browser) -> None:
    run, address = await browser.start("listed")
    answer = await browser.submit(run, "spec", 1, names="wide")
    for text in (answer.text, (await browser.get(address)).text):
        assert "field 'broad': Slider always has a value" in html.unescape(text)
        assert 'id="step-spec"' in text
    assert answer.headers["hx-retarget"] == "#run"
