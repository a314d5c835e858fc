"""What stands around class-style apps: what a run may keep, what is done with it as a whole, what its page lets run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.web.libraries import OLD_NAMES, OLD_PATHS
from tests.support.explicit import BENCH, Desk, explicit
from tests.support.site import HOST, Answer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with explicit(tmp_path_factory.mktemp("pages"), work=BENCH) as made:
        yield made


@pytest.fixture
async def desk(application: Application) -> AsyncIterator[Desk]:
    made = Desk(application)
    yield made
    assert await made.problems() == []


_numbers = iter(range(1, 10_000))


@pytest.fixture
def key() -> str:
    """A key that no other test has."""
    return f"page {next(_numbers)}"


def setting(step: str, value: Any) -> Any:
    """Return a job that gives a step of the current run its value."""

    async def job(plugin: Any, _: Any) -> Any:
        return await plugin.pip.set_step_data(plugin.db["pipeline_id"], step, value, plugin.steps)

    return job


async def went_back(plugin: Any, _: Any) -> Any:
    """Clear what comes after the first step, as a plugin does when somebody goes back to it."""
    return await plugin.pip.clear_steps_from(plugin.db["pipeline_id"], "first", plugin.steps)


async def all_three(desk: Desk, key: str) -> None:
    await desk.begin(key)
    for step in ("first", "second", "third"):
        await desk.returned(setting(step, f"{step} value"), key)


async def shown(desk: Desk, key: str, *, htmx: bool = False) -> Answer:
    """Open the page of a run, or ask for its cells."""
    headers = {"hx-target": "bench-container"} if htmx else {}
    return await desk.browser.send("GET", f"/work/{key}", htmx=htmx, headers=headers)


async def kept(desk: Desk, key: str, step: str) -> Answer:
    row = await desk.row(key)
    return await desk.browser.post(f"/-/runs/{row.id}/steps/{step}/keep", {"_seen": str(row.version)})


async def test_later_value_is_offered_and_kept_whole_where_all_before_it_is_as_it_was(desk: Desk, key: str) -> None:
    await all_three(desk, key)
    assert "Keep it" not in (await shown(desk, key)).text
    await desk.returned(went_back, key)
    answer = await desk.do(setting("first", "first value"), key)
    for text in (answer.answer.text, (await shown(desk, key)).text):
        assert re.search(r"<strong>Third piece</strong> was <strong[^>]*>third value</strong> before", text), text
    assert (await kept(desk, key, "third")).status == 303
    assert (await desk.state(key))["third"] == {"glue": "third value"}
    assert "Keep it" not in (await shown(desk, key)).text


async def test_later_value_is_neither_offered_nor_kept_where_something_before_it_changed(desk: Desk, key: str) -> None:
    await all_three(desk, key)
    await desk.returned(went_back, key)
    await desk.returned(setting("first", "another value"), key)
    assert "Keep it" not in (await shown(desk, key)).text
    assert (await kept(desk, key, "third")).status == 409
    assert "third" not in await desk.state(key)


async def test_value_of_a_step_that_nobody_knows_is_not_kept(desk: Desk, key: str) -> None:
    await all_three(desk, key)
    assert (await kept(desk, key, "tenth")).status == 404


async def test_cells_are_sent_alone_with_the_head_to_who_shows_the_run(desk: Desk, key: str) -> None:
    await all_three(desk, key)
    answer = await shown(desk, key, htmx=True)
    assert answer.text.startswith('<div id="bench-container"')
    assert 'id="explicit-head" hx-swap-oob="true"' in answer.text
    assert "<html" not in answer.text
    row = await desk.row(key)
    assert answer.headers["x-pipulate-version"] == str(row.version)
    assert answer.headers["hx-replace-url"] == f"/work/{key}".replace(" ", "%20")
    assert "<html" in (await desk.browser.send("GET", f"/work/{key}", htmx=True)).text


async def test_refusal_brings_the_head_of_the_run_as_it_is_now(desk: Desk, key: str) -> None:
    await all_three(desk, key)
    row = await desk.row(key)
    await desk.browser.post(f"/-/runs/{row.id}/lock", {"_seen": str(row.version)})
    done = await desk.do(setting("first", "late"), key, seen=row.version)
    assert done.answer.status == 409
    assert "Locked by you" in done.answer.text


async def test_form_in_place_of_the_cells_is_answered_with_all_cells(desk: Desk, key: str) -> None:
    await all_three(desk, key)
    anew: dict[str, str | None] = {"x-pipulate-anew": "1", "hx-target": "bench-container"}
    stored = await desk.do(setting("first", "mine"), key, headers=anew)
    assert stored.answer.text.startswith('<div id="bench-container"')
    assert "A cell" in stored.answer.text

    async def refuses(_: Any, __: Any) -> Any:
        return "<b>no</b>"

    said = await desk.do(refuses, key, headers=anew)
    assert said.answer.text == '<div id="bench-container">done</div>'


async def test_deleted_run_can_be_taken_back_from_the_page_of_its_app(desk: Desk, key: str) -> None:
    await desk.begin(key)
    row = await desk.row(key)
    gone = await desk.browser.post(f"/-/runs/{row.id}/delete", {"_seen": str(row.version)})
    page = await desk.browser.get(gone.headers["location"])
    assert f"Deleted {key}." in page.text
    assert f'action="/-/runs/{row.id}/undelete"' in page.text
    await desk.browser.post(f"/-/runs/{row.id}/undelete")
    assert "Undo" not in (await desk.browser.get(gone.headers["location"])).text


async def test_earlier_version_names_the_app_and_its_steps_as_people_do(desk: Desk, key: str) -> None:
    await all_three(desk, key)
    page = (await desk.browser.get(f"/work/{key}?version=2")).text
    assert ">Work Bench</a>" in page
    assert '<span class="label">First piece</span>' in page
    assert 'href="/work/' in page
    assert 'hx-select="#run"' not in page  # The page of the run has no such element.


@pytest.mark.parametrize("path", OLD_PATHS)
async def test_library_is_found_where_the_old_host_had_it(desk: Desk, path: str) -> None:
    answer = await desk.browser.get(path)
    assert answer.status == 302
    file = OLD_NAMES[path.rpartition("/")[2]]
    assert answer.headers["location"] == desk.application.site.assets.addresses[file]


async def test_page_lets_scripts_run_by_nonce_and_our_libraries_by_name(desk: Desk) -> None:
    answer = await desk.browser.get("/work")
    nonce, *files = re.search(r"script-src ([^;]*);", answer.headers["content-security-policy"])[1].split()  # type: ignore[index]
    assert re.fullmatch(r"'nonce-[\w-]{16,}'", nonce)
    assert set(files) == {HOST + path for path in OLD_PATHS if path.endswith(".js")}


async def test_frame_for_typed_code_may_show_pictures_it_made_and_nothing_leaves_it(desk: Desk) -> None:
    answer = await desk.browser.get("/-/sandbox")
    rules = dict(rule.strip().partition(" ")[::2] for rule in answer.headers["content-security-policy"].split(";"))
    assert re.fullmatch(r"'nonce-[\w-]{16,}' 'unsafe-eval'", rules.pop("script-src"))
    assert rules == {
        "sandbox": "allow-scripts",
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
    }
