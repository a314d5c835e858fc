"""Tabs of a browser on class-style apps: which run a request is about, who is in whose way, what is sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from pipulate.app import Application
from tests.support.explicit import BENCH, LATER, Desk, explicit
from tests.support.site import HOST, Browser

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with explicit(tmp_path_factory.mktemp("tabs"), work=BENCH, later=LATER) as made:
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
    return f"tab {next(_numbers)}"


async def current_key(plugin: Any, _: Any) -> Any:
    """Return the key of the run that the request works on."""
    return plugin.db.get("pipeline_id", "none")


def setting(step: str, value: Any) -> Any:
    """Return a job that gives a step of the current run its value."""

    async def job(plugin: Any, _: Any) -> Any:
        return await plugin.pip.set_step_data(plugin.db["pipeline_id"], step, value, plugin.steps)

    return job


async def test_two_tabs_on_two_runs_never_meet(desk: Desk, application: Application) -> None:
    keys = [await desk.begin(f"meeting {number}") for number in range(8)]
    met = []

    def job(key: str) -> Any:
        async def work(plugin: Any, _: Any) -> None:
            for number in range(5):
                before = plugin.db["pipeline_id"]
                await asyncio.sleep(0)
                await plugin.pip.set_step_data(before, "first", f"{key} {number}", plugin.steps)
                if {before, plugin.db["pipeline_id"]} != {key}:
                    met.append((key, before))

        return work

    async with anyio.create_task_group() as group:
        for number, key in enumerate(keys):
            group.start_soon(Desk(application, f"tab-{number}").returned, job(key), key)
    assert met == []
    assert [await desk.state(key) for key in keys] == [{"first": {"wood": f"{key} 4"}} for key in keys]


async def test_answer_names_the_run_its_version_and_its_key(desk: Desk, key: str) -> None:
    await desk.begin(f"{key} é%")
    done = await desk.do(setting("first", "oak"), f"{key} é%")
    row = await desk.row(f"{key} é%")
    headers = done.answer.headers
    assert (headers["x-pipulate-run"], headers["x-pipulate-version"]) == (row.id, str(row.version))
    assert headers["x-pipulate-key"] == quote(row.key, safe="")


async def test_run_that_a_handler_opens_is_named_and_gets_its_address(desk: Desk, key: str) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        plugin.db["pipeline_id"] = key
        plugin.pip.initialize_if_missing(key, {"app_name": "bench"})

    answer = (await desk.do(job)).answer
    assert answer.headers["x-pipulate-run"] == (await desk.row(key)).id
    assert answer.headers["hx-push-url"] == f"/work/{quote(key)}"
    again = (await desk.do(job, key)).answer
    assert "hx-push-url" not in again.headers


async def test_two_tabs_on_one_run_get_in_each_others_way_and_see_both_sides(desk: Desk, key: str) -> None:
    await desk.begin(key)
    seen = (await desk.row(key)).version
    await desk.returned(setting("first", "theirs & others"), key, seen=seen)
    job = setting("first", "mine")
    done = await desk.do(job, key, seen=seen)
    answer = done.answer
    assert answer.status == 409
    assert answer.headers["hx-retarget"] == "#bench-container"
    assert answer.headers["hx-reswap"] == "outerHTML"
    assert answer.headers["x-pipulate-swap"] == "1"
    assert 'id="bench-container"' in answer.text
    assert "theirs &amp; others" in answer.text
    assert await desk.state(key) == {"first": {"wood": "theirs & others"}}


async def test_both_values_of_a_conflict_are_shown_and_mine_can_be_sent_again(
    desk: Desk, application: Application, key: str
) -> None:
    browser = Browser(application)
    opened = await browser.post("/later/init", {"pipeline_id": key}, htmx=True)
    run = opened.headers["x-pipulate-run"]
    sent = {"x-pipulate-run": run, "x-pipulate-seen": opened.headers["x-pipulate-version"]}
    theirs = await browser.post("/later/step_word_submit", {"word": "theirs"}, htmx=True, headers=sent)
    assert theirs.status == 200
    mine = await browser.post("/later/step_word_submit", {"word": '"mine" <b>'}, htmx=True, headers=sent)
    assert mine.status == 409
    assert "theirs" in mine.text
    assert 'name="word" value="&quot;mine&quot; &lt;b&gt;"' in mine.text
    assert 'hx-post="/later/step_word_submit"' in mine.text
    version = theirs.headers["x-pipulate-version"]
    assert f'data-pip-seen="{version}"' in mine.text
    kept = await browser.post(
        "/later/step_word_submit", {"word": '"mine" <b>'}, htmx=True, headers={**sent, "x-pipulate-seen": version}
    )
    assert kept.status == 200
    assert "&quot;mine&quot; &lt;b&gt;" in kept.text


async def test_change_of_a_later_step_is_in_nobodys_way(desk: Desk, key: str) -> None:
    await desk.begin(key, first={"wood": "oak"})
    seen = (await desk.row(key)).version
    await desk.returned(setting("third", "hot"), key, seen=seen)
    assert (await desk.do(setting("second", "long"), key, seen=seen)).answer.status == 200


async def test_handler_that_swallows_a_conflict_is_not_believed(desk: Desk, key: str) -> None:
    await desk.begin(key)
    seen = (await desk.row(key)).version
    await desk.returned(setting("first", "theirs"), key, seen=seen)

    async def job(plugin: Any, request: Any) -> Any:
        try:
            await setting("first", "mine")(plugin, request)
        except Exception:  # noqa: BLE001 - as plugins do
            return "all is well"

    answer = (await desk.do(job, key, seen=seen)).answer
    assert answer.status == 409
    assert "done" not in answer.text
    assert await desk.state(key) == {"first": {"wood": "theirs"}}


async def test_handler_is_in_nobodys_way_but_its_own_writes_never_conflict(desk: Desk, key: str) -> None:
    await desk.begin(key)
    seen = (await desk.row(key)).version

    async def job(plugin: Any, request: Any) -> Any:
        for value in ("oak", "elm", "ash"):
            await setting("first", value)(plugin, request)
            await setting("third", value)(plugin, request)

    assert (await desk.do(job, key, seen=seen)).answer.status == 200


# The same form twice


async def test_form_that_comes_again_calls_nothing_and_shows_the_run(desk: Desk, key: str) -> None:
    await desk.begin(key)
    calls = []

    async def job(plugin: Any, request: Any) -> Any:
        calls.append(1)
        await setting("first", "oak")(plugin, request)
        await setting("second", "long")(plugin, request)

    seen = (await desk.row(key)).version
    first = (await desk.do(job, key, seen=seen, submit="form-0001")).answer
    told = await desk.told(key)
    again = (await desk.do(job, key, seen=seen, submit="form-0001")).answer
    assert (first.status, again.status, calls) == (200, 200, [1])
    assert 'id="bench-container"' in again.text
    assert again.headers["hx-retarget"] == "#bench-container"
    assert await desk.told(key) == told == ["submitted first", "submitted second"]
    assert (await desk.do(job, key, submit="form-0002")).answer.status == 200
    assert calls == [1, 1]


async def test_form_id_of_one_run_means_nothing_in_another(desk: Desk, key: str) -> None:
    other = await desk.begin(f"{key} other")
    await desk.begin(key)
    for each in (key, other):
        await desk.returned(setting("first", "oak"), each, submit="form-0003")
    assert await desk.state(other) == {"first": {"wood": "oak"}}


async def test_form_whose_handler_stored_nothing_can_be_sent_again(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def fails(plugin: Any, _: Any) -> Any:
        raise RuntimeError("not yet")

    assert (await desk.do(fails, key, submit="form-0004")).answer.status == 500
    assert await desk.returned(setting("first", "oak"), key, submit="form-0004") == "oak"


async def test_form_that_comes_twice_at_once_is_stored_once(desk: Desk, key: str) -> None:
    await desk.begin(key)
    await asyncio.gather(*(desk.returned(setting("first", "oak"), key, submit="form-0005") for _ in range(5)))
    assert await desk.told(key) == ["submitted first"]


async def test_only_posts_are_taken_once(desk: Desk, key: str) -> None:
    await desk.begin(key)
    calls = []

    async def job(plugin: Any, request: Any) -> Any:
        calls.append(1)

    for _ in range(2):
        await desk.returned(job, key, submit="form-0006", method="GET")
    assert calls == [1, 1]


# Where the run is named


@pytest.mark.parametrize(
    ("headers", "is_found"),
    [
        ({"hx-current-url": "http://{host}/work/{key}"}, True),
        ({"referer": "http://{host}/work/{key}"}, True),
        ({"hx-current-url": "http://{host}/work/{key}?a=b#c"}, True),
        ({"hx-current-url": "http://{host}/work", "referer": "http://{host}/work/{key}"}, True),
        ({}, False),
        ({"hx-current-url": "http://{host}/work"}, False),
        ({"hx-current-url": "http://{host}/work/"}, False),
        ({"hx-current-url": "http://{host}/w/nothing"}, False),
        ({"hx-current-url": "http://{host}/later/{key}"}, False),
        ({"hx-current-url": "http://{host}/workshop/{key}"}, False),
        ({"referer": "http://evil.test/work/{key}"}, False),
        ({"hx-current-url": "http://evil.test/work/{key}"}, False),
        ({"hx-current-url": "http://evil.test@{host}/work/{key}"}, False),
        ({"hx-current-url": "http://{host}:80/work/{key}"}, False),
        ({"hx-current-url": "http://[/work/{key}"}, False),
        ({"hx-current-url": "/work/{key}"}, False),
        ({"x-pipulate-run": "0" * 32}, False),
        ({"x-pipulate-run": "' OR 1=1"}, False),
        ({"cookie-run": "{run}"}, False),
    ],
)
async def test_run_is_the_one_in_the_address_of_our_own_page(
    desk: Desk, key: str, headers: dict[str, str], is_found: bool
) -> None:
    await desk.begin(key)
    filled = {name: text.replace("{host}", HOST).replace("{key}", quote(key)) for name, text in headers.items()}
    found = await desk.returned(current_key, headers=dict(filled))
    assert found == (key if is_found else "none")


async def test_run_of_the_tab_counts_before_the_address(desk: Desk, key: str) -> None:
    other = await desk.begin(f"{key} other")
    await desk.begin(key)
    headers: dict[str, str | None] = {"hx-current-url": f"http://{HOST}/work/{quote(other)}"}
    assert await desk.returned(current_key, key, headers=headers) == key


async def test_run_of_another_app_is_no_run_of_this_one(desk: Desk, application: Application, key: str) -> None:
    opened = await Browser(application).post("/later/init", {"pipeline_id": key}, htmx=True)
    assert await desk.returned(current_key, headers={"x-pipulate-run": opened.headers["x-pipulate-run"]}) == "none"


async def test_run_that_was_used_last_is_never_guessed(desk: Desk, key: str) -> None:
    await desk.begin(key)
    assert await desk.returned(current_key, key) == key
    assert await desk.returned(current_key) == "none"


async def test_key_in_the_page_address_is_the_run_of_the_page(desk: Desk, application: Application, key: str) -> None:
    await desk.begin(f"{key}/part é", first={"wood": "oak"})
    page = await Browser(application).get(f"/work/{quote(f'{key}/part é')}")
    row = await desk.row(f"{key}/part é")
    assert page.status == 200
    assert f'data-run="{row.id}"' in page.text
    assert "A cell" in page.text
    missing = await Browser(application).get("/w/not-there")
    assert missing.status == 404
