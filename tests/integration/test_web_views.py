"""Parts of results over HTTP: pages of tables, downloads, pictures, frames."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import AsyncIterator
from html import unescape
from importlib import import_module
from pathlib import Path

import pytest

from pipulate._program import installing
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

LIBRARIES = ("pandas", "polars", "bokeh.plotting", "bokeh.layouts", "matplotlib.figure", "PIL.Image", "fasthtml.common")
APP = Path(__file__).parents[1] / "e2e" / "data_apps" / "030_views.py"


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    for name in LIBRARIES:  # Before, so that the app loads at once.
        import_module(name)
    folder = tmp_path_factory.mktemp("views")
    (folder / "plugins").mkdir()
    (folder / "plugins" / APP.name).write_text(APP.read_text())
    async with running(folder) as application:
        yield Browser(application)


@pytest.fixture(scope="module")
async def page(browser: Browser) -> str:
    """The page of a run whose steps have all run."""
    run, address = await browser.start("views")
    while 'id="step-last" class="step open"' not in (answer := await browser.get(address)).text:
        await browser.post(f"/-/runs/{run}/steps/first/run", {"_seen": answer.headers["x-pipulate-version"]})
    return answer.text


def address(page: str, step: str, what: str) -> str:
    """Return the address of a part, as the page names it."""
    found = re.search(rf'"(/-/runs/\w+/steps/{step}/{what}\?[^"]+)"', page)
    assert found, (step, what)
    return unescape(found[1])


def cells(text: str, place: int) -> list[str]:
    """Return a column of a table as text."""
    rows = re.findall(r"<tr>(<td.*?)</tr>", text)
    return [re.sub(r"<[^>]+>", "", re.findall(r"<td.*?</td>", row)[place]) for row in rows]


async def test_page_of_a_run_has_every_view_and_no_error(page: str) -> None:
    assert "cannot be shown" not in page
    assert "100,000 rows" in page
    assert len(cells(page.partition('id="step-table"')[2].partition('id="step-polars"')[0], 0)) == 25


async def test_table_is_searched_sorted_and_paged(browser: Browser, page: str) -> None:
    table = address(page, "table", "table").partition("&sort")[0]
    found = await browser.get(f"{table}&find=page/99&sort=-0&page=2", htmx=True)
    wanted = sorted((f"/page/{each}" for each in range(100_000) if "page/99" in f"/page/{each}"), reverse=True)
    assert cells(found.text, 0) == wanted[25:50]
    assert f"{len(wanted):,} of 100,000 rows" in found.text
    assert 'aria-sort="descending"' in found.text
    assert "<html" not in found.text
    whole = await browser.get(f"{table}&find=needle")
    assert cells(whole.text, 0) == ["/page/4711"]
    assert "Back to the run" in whole.text


@pytest.mark.parametrize(
    "odd", ["sort=99999", "sort=x", "sort=--1", "page=0", "page=999999999", "page=-1", "find=" + "x" * 9_000]
)
async def test_odd_question_to_a_table_is_answered(odd: str, browser: Browser, page: str) -> None:
    table = address(page, "table", "table").partition("&sort")[0]
    assert (await browser.get(f"{table}&{odd}", htmx=True)).status == 200


async def test_csv_has_exactly_what_is_found(browser: Browser, page: str) -> None:
    table = address(page, "table", r"table\.csv").partition("&sort")[0]
    answer = await browser.get(f"{table}&find=needle&bom=1")
    assert answer.body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))
    assert rows[0][:5] == ["page", "clicks", "share", "seen", "note"]
    assert (len(rows), rows[1][0], rows[1][4]) == (2, "/page/4711", "'=needle(1)")
    assert answer.headers["content-disposition"].startswith('attachment; filename="views-')
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_xlsx_says_what_it_lacks(browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = address(page, "polars", r"table\.xlsx")
    assert (await browser.get(table)).body.startswith(b"PK")
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    answer = await browser.get(table)
    assert answer.status == 501
    assert installing("xlsxwriter") in unescape(answer.text)


@pytest.mark.parametrize(
    ("step", "what", "kind"),
    [
        ("plot", "picture", "image/svg+xml"),
        ("picture", "picture", "image/png"),
        ("bokeh", "drawing", "application/json"),
        ("diagram", "drawing", "application/json"),
        ("tree", "json", "application/json"),
    ],
)
async def test_part_runs_nothing_when_it_is_opened_alone(
    step: str, what: str, kind: str, browser: Browser, page: str
) -> None:
    answer = await browser.get(address(page, step, what))
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_frames_have_no_origin_and_no_network(browser: Browser, page: str) -> None:
    for path in (address(page, "sandbox", "html"), "/-/frame"):
        answer = await browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "allow-same-origin" not in policy
        assert "connect-src" not in policy


async def test_bokeh_is_served_from_its_package_and_nothing_else_is(browser: Browser) -> None:
    answer = await browser.get("/-/libraries/bokeh.min.js")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    packed = await browser.get("/-/libraries/bokeh.min.js", headers={"accept-encoding": "gzip"})
    assert len(packed.body) < len(answer.body) / 3
    for name in ("bokeh.js", "..%2F..%2F__init__.py", "bokeh-api.min.js", "bokeh.min.js%0a", "x.min.js"):
        assert (await browser.get(f"/-/libraries/{name}")).status == 404


async def test_part_that_is_not_there_is_not_found(browser: Browser, page: str) -> None:
    table = address(page, "table", "table").partition("?")[0]
    steps = table.removesuffix("/table/table")
    version = re.search(r"version=(\d+)", address(page, "table", "table"))
    assert version
    other = re.sub(r"/runs/\w+", f"/runs/{'0' * 32}", table)
    wrong = [f"{steps}/tree/table", f"{steps}/table/picture", f"{steps}/table/html", f"{steps}/none/table", other]
    for path in (*wrong, f"{table}?part=1", f"{table}?version=1", f"{table}?version=999"):
        assert (await browser.get(path)).status == 404, path
    assert (await browser.get(f"{table}?version=x")).status == 400
    assert (await browser.get(f"{table}?version={version[1]}")).status == 200


async def test_address_of_a_part_keeps_its_meaning_when_the_step_runs_again(browser: Browser, page: str) -> None:
    diagram = address(page, "diagram", "drawing")
    run = re.search(r"/runs/(\w+)/", diagram)
    assert run
    view = await browser.get(f"/-/runs/{run[1]}", headers={"accept": "*/*"})
    version = await browser.version(view.headers["location"])
    await browser.post(f"/-/runs/{run[1]}/steps/diagram/again", {"_seen": version})
    answer = await browser.get(diagram)
    assert "Choice" in json.loads(answer.body)
