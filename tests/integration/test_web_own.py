"""What apps draw and answer themselves: forms, results, addresses, scripts, live parts, and their place in the menu."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipulate._clock import to_text
from pipulate.ui import live
from tests.support.raw import Tab
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

PLUGIN = """
from pipulate import File, Files, Run, User, Workflow
from pipulate.ui import FormParts, Html, b, div, live, p

app = Workflow("own", title="Own", icon="◆", order=-1, assets=["own.js", "own.css"])
TICKS = []


@app.step("one")
def one(first: str, second: str = "b", third: str = "c") -> str:
    return first


@one.form
def one_form(fields: FormParts, run: Run) -> Html:
    if run.key == "fails":
        raise RuntimeError("<b>no</b>")
    return div(p("Run ", run.key), fields["second"], class_="arranged")


@one.done
def one_done(result: str, run: Run) -> Html:
    if result == "fails":
        raise RuntimeError("<b>no</b>")
    return p("Done: ", result, " ", run.key, class_="drawn")


@one.locked
def one_locked(result: str) -> str:
    return "<i>locked</i> " + result


@app.step("two", optional=True)
def two(x: int) -> int:
    return x


@two.check
def two_check(run: Run) -> str | None:
    return "Not <3>." if run.get("two") == 3 else None


@app.step("shown")
def shown(run: Run) -> str:
    return "shown"


@shown.done
def shown_done(result: str) -> Html:
    return live("ticks", "Waiting")


@app.live("ticks", every=0.1)
def ticks(run: Run) -> Html:
    TICKS.append(run.key)
    if len(TICKS) == 2:
        raise RuntimeError("<b>no</b>")
    return b(f"<{run.key}>", len(TICKS))


@app.live("still", every=0.1)
def still(run: Run) -> str:
    return "<still>"


@app.live("each", every=0.1)
async def each(run: Run, step: str | None) -> Html:
    return b(run.key, " in ", step)


@app.get("parts/{name}")
def part(run: Run, name: str, times: int = 1) -> Html:
    return p(f"<{name}> {run['one']} " * times)


@app.get("user")
async def user(user: User) -> dict[str, str]:
    return {"id": user.id}


@app.get("text")
def text() -> str:
    return "<b>text</b>"


@app.get("download")
def download(files: Files) -> File:
    return files.save("../x.html", "<b>file</b>")


@app.post("nothing")
def nothing(word: str) -> None:
    assert word == "yes"
"""


SLOW = """
import time
from pathlib import Path

from pipulate import Progress, Workflow

app = Workflow("slow", order=-2)


@app.step("one")
def one(x: int, progress: Progress) -> int:
    progress.total(4)
    progress.advance(text="<Reading>")
    end = time.monotonic() + 20
    while not Path({go!r}).exists() and time.monotonic() < end:
        time.sleep(0.01)
    return x
"""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "own.py").write_text(PLUGIN)
    (folder / "slow.py").write_text(SLOW.format(go=str(tmp_path / "go")))
    (folder / "own.js").write_text("customElements.define('own-x', class extends HTMLElement {});")
    (folder / "own.css").write_text(".arranged { color: inherit }")
    async with running(tmp_path) as application:
        yield Browser(application)


def names_of_fields(text: str) -> list[str]:
    text = text[: text.index("</form>")]
    return [name for name in re.findall(r'<input[^>]* name="(\w+)"', text) if not name.startswith("_")]


# Forms and results


async def test_form_is_arranged_by_the_app_and_no_field_is_forgotten(browser: Browser) -> None:
    _, address = await browser.start("own", "k")
    text = (await browser.get(address)).text
    form = text[text.index('class="arranged"') :]
    assert "<p>Run k</p>" in text
    assert names_of_fields(form) == ["second", "first", "third"]


async def test_arranged_form_keeps_what_was_typed_and_shows_what_is_wrong(browser: Browser) -> None:
    run, address = await browser.start("own", "k")
    await browser.submit(run, "one", 1, first="a", second="typed")
    answer = await browser.submit(run, "two", await browser.version(address), x="many")
    assert answer.status == 422
    assert "Enter a whole number." in answer.text


async def test_form_that_fails_says_so_and_can_be_filled_in(browser: Browser) -> None:
    _, address = await browser.start("own", "fails")
    text = (await browser.get(address)).text
    assert "The app&#x27;s own form cannot be shown (RuntimeError)." in text
    assert names_of_fields(text[text.index("cannot be shown") :]) == ["first", "second", "third"]


async def test_result_is_drawn_by_the_app_and_otherwise_when_locked(browser: Browser) -> None:
    run, address = await browser.start("own", "k")
    await browser.submit(run, "one", 1, first="<a>")
    assert '<p class="drawn">Done: &lt;a&gt; k</p>' in (await browser.get(address)).text
    await browser.submit(run, "two", await browser.version(address), x="1")
    await browser.get(address)
    await browser.post(f"/-/runs/{run}/steps/shown/run")
    await browser.post(f"/-/runs/{run}/lock")
    text = (await browser.get(address)).text
    assert "&lt;i&gt;locked&lt;/i&gt; &lt;a&gt;" in text
    assert "drawn" not in text


async def test_result_that_cannot_be_drawn_says_so_in_its_place(browser: Browser) -> None:
    run, address = await browser.start("own", "k")
    await browser.submit(run, "one", 1, first="fails")
    assert "This result cannot be shown (RuntimeError)." in (await browser.get(address)).text


# Skipping and checking


async def test_optional_step_offers_to_be_skipped(browser: Browser) -> None:
    run, address = await browser.start("own", "k")
    assert "/skip" not in (await browser.get(address)).text
    await browser.submit(run, "one", 1, first="a")
    assert f"/-/runs/{run}/steps/two/skip" in (await browser.get(address)).text
    form = {"_seen": await browser.version(address), "_submit": "12345678"}
    answer = await browser.post(f"/-/runs/{run}/steps/two/skip", form, htmx=True)
    assert (answer.status, "Skipped" in answer.text) == (200, True)


async def test_finished_run_that_does_not_fit_together_says_what_is_wrong(browser: Browser) -> None:
    run, address = await browser.start("own", "k")
    await browser.submit(run, "one", 1, first="a")
    await browser.submit(run, "two", await browser.version(address), x="3")
    await browser.post(f"/-/runs/{run}/steps/shown/run")
    text = (await browser.get(address)).text
    assert "Not &lt;3&gt;." in text
    assert "Lock run" not in text
    assert re.search(r'id="run-progress"[^>]*>Not ready<', text)
    bar = text[text.index('id="run-bar"') : text.index("Not &lt;3&gt;.")]
    assert f'action="/-/runs/{run}/steps/two/revert"' in bar
    answer = await browser.post(f"/-/runs/{run}/lock", htmx=True)
    assert (answer.status, "Not &lt;3&gt;." in answer.text) == (409, True)


# Addresses


async def test_address_of_an_app_answers_with_elements_json_and_files(browser: Browser) -> None:
    run, _ = await browser.start("own", "k")
    await browser.submit(run, "one", 1, first="a")
    own = "/-/apps/own"
    part = await browser.get(f"{own}/parts/x?_run={run}&times=2")
    assert part.text == "<p>&lt;x&gt; a &lt;x&gt; a </p>"
    assert json.loads((await browser.get(f"{own}/user")).text) == {"id": "owner"}
    assert (await browser.get(f"{own}/text")).text == "&lt;b&gt;text&lt;/b&gt;"
    download = await browser.get(f"{own}/download?_run={run}")
    assert download.headers["content-disposition"] == 'attachment; filename="x.html"'
    assert (await browser.post(f"{own}/nothing", {"word": "yes"})).status == 204


async def test_address_of_an_app_refuses_what_does_not_fit(browser: Browser) -> None:
    run, _ = await browser.start("own", "k")
    other, _ = await browser.start("hello", "k")
    own = "/-/apps/own"
    statuses = {
        path: (await browser.get(own + path)).status
        for path in (
            f"/parts/x?_run={run}&times=many", "/parts/x", f"/parts/x?_run={other}", "/parts/x?_run=nothing",
            "/parts", "/parts/", "/nowhere", f"/nothing?_run={run}",
        )
    }  # fmt: skip
    assert list(statuses.values()) == [422, 400, 404, 404, 404, 404, 404, 404], statuses
    for name in ("own.py", "other.js", "..%2Fown.js", "slow.py"):
        assert (await browser.get(f"/-/app-files/own/{name}")).status == 404
    assert (await browser.post(f"{own}/parts/x", {"_run": run})).status == 404
    assert (await browser.get("/-/apps/nobody/text")).status == 404


# Scripts and style sheets


async def test_scripts_of_an_app_are_loaded_on_its_runs_only_and_kept_for_good(browser: Browser) -> None:
    _, address = await browser.start("own", "k")
    text = (await browser.get(address)).text
    [script] = re.findall(r'<script src="(/-/app-files/own/own.js\?v=\w+)" defer nonce="[^"]+">', text)
    [style] = re.findall(r'<link rel="stylesheet" href="(/-/app-files/own/own.css\?v=\w+)">', text)
    assert "immutable" in (await browser.get(script)).headers["cache-control"]
    assert (await browser.get(style)).headers["content-type"] == "text/css; charset=utf-8"
    assert (await browser.get(script.partition("?")[0])).headers["cache-control"] == "no-cache"
    assert "app-files" not in (await browser.get("/hello")).text


async def test_app_stands_where_its_order_says_with_its_sign(browser: Browser) -> None:
    text = (await browser.get("/")).text
    assert text.index("◆") < text.index('href="/own"') + 200
    assert text.index('href="/slow"') < text.index('href="/own"') < text.index('href="/hello"')


# Live parts


async def test_live_part_is_sent_to_pages_that_have_a_place_for_it(browser: Browser) -> None:
    run, _ = await browser.start("own", "k")
    async with Tab(browser.application, f"run={run}&live=ticks,nothing,still,ticks") as page:
        await page.until(lambda tab: len(tab.of("live")) == 5)
    assert [frame["html"] for frame in page.of("live") if frame["topic"] == "still"] == ["&lt;still&gt;"]
    first, failed, third, _ = (frame for frame in page.of("live") if frame["topic"] == "ticks")
    assert (first["topic"], first["html"]) == ("ticks", "<b>&lt;k&gt;1</b>")
    assert "This part cannot be shown (RuntimeError)." in failed["html"]
    assert third["html"] == "<b>&lt;k&gt;3</b>"


async def test_live_part_is_not_sent_to_other_pages_nor_other_runs(browser: Browser) -> None:
    run, _ = await browser.start("own", "k")
    other, _ = await browser.start("own", "other")
    async with (
        Tab(browser.application, f"run={run}") as idle,
        Tab(browser.application, f"run={other}&live=ticks") as there,
        Tab(browser.application, "live=ticks") as nowhere,
    ):
        await there.until(lambda tab: len(tab.of("live")) == 4)
        assert (idle.of("live"), nowhere.of("live")) == ([], [])
    assert all("other" in frame["html"] or "cannot be shown" in frame["html"] for frame in there.of("live"))


async def test_live_part_is_drawn_for_each_step_that_has_a_place_for_it(browser: Browser) -> None:
    run, _ = await browser.start("own", "k")
    topics = "each@one,each@two,each,each@nowhere,ticks@one"
    async with Tab(browser.application, f"run={run}&live={topics}") as page:
        await page.until(lambda tab: len({frame["topic"] for frame in tab.of("live")}) == 4)
    shown = {frame["topic"]: frame["html"] for frame in page.of("live") if frame["topic"].startswith("each")}
    assert shown == {"each@one": "<b>k in one</b>", "each@two": "<b>k in two</b>", "each": "<b>k in </b>"}


async def test_live_part_says_when_it_changed(browser: Browser) -> None:
    run, _ = await browser.start("own", "k")
    before = to_text(browser.application.site.clock.now())
    async with Tab(browser.application, f"run={run}&live=still") as page:
        await page.until(lambda tab: tab.of("live"))
    assert before <= page.of("live")[0]["at"] <= to_text(browser.application.site.clock.now())
    place = live("still", "Waiting", step="one", shows_time=True)
    assert (
        place
        == '<div data-live="still@one" class="live">Waiting</div><p data-live-at="still@one" class="help live-at"></p>'
    )


async def test_live_part_of_somebody_elses_run_is_not_sent(browser: Browser) -> None:
    run, _ = await browser.start("own", "k")
    site, query = browser.application.site, f"run={run}&live=still,ticks"
    async with Tab(browser.application, query) as page:
        await page.until(lambda tab: tab.of("live"))
        await site.db.write(lambda tx: tx.run("UPDATE runs SET owner = 'bob' WHERE id = :run", run=run))
        site.engine._cache.drop(run)  # As where somebody else changed it.
        await page.until(lambda tab: tab.closed)
    async with Tab(browser.application, query) as page:
        await page.until(lambda tab: tab.closed)
    assert page.frames == []


async def test_page_that_comes_back_to_a_restarted_server_is_shown_what_there_is_now(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "own.py").write_text(PLUGIN.replace('assets=["own.js", "own.css"]', ""))
    async with running(tmp_path) as application:
        run, _ = await Browser(application).start("own", "k")
        query = f"run={run}&live=still"
        async with Tab(application, query) as page:
            await page.until(lambda tab: tab.of("live"))
    async with running(tmp_path) as application, Tab(application, query) as page:
        await page.until(lambda tab: tab.of("live"))
    assert page.of("live")[0]["html"] == "&lt;still&gt;"


async def test_step_that_is_running_says_how_far_it_is(browser: Browser, tmp_path: Path) -> None:
    run, _ = await browser.start("slow", "k")
    async with Tab(browser.application, f"run={run}") as page:
        sending = asyncio.create_task(browser.submit(run, "one", 1, x="1"))
        # The step reports twice in quick succession: what came first need not be told, or may be told by itself.
        await page.until(lambda tab: any(each["text"] for each in tab.of("progress")))
        async with Tab(browser.application, f"run={run}") as late:  # Opened while it runs.
            await late.until(lambda tab: tab.of("progress"))
        (tmp_path / "go").touch()
        await sending
        await page.until(lambda tab: tab.of("progress")[-1]["ended"])
    *_, told, _ = page.of("progress")
    assert (told["step"], told["done"], told["total"], told["text"]) == ("one", 1, 4, "<Reading>")
    assert late.of("progress")[0]["text"] == "<Reading>"
