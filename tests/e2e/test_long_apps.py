"""Countdown and Process a large file in the browser: what is shown meanwhile, and what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Person, person
from tests.support.server import Server

LOG = "".join(f"line {number} {'error' if number % 10 == 0 else 'fine'}\n" for number in range(1_000))


def test_countdown_is_the_same_after_a_reload_and_says_its_message_at_the_end(ann: Person) -> None:
    page = ann.start("countdown")
    page.get_by_label("Minutes").fill("0")
    page.get_by_label("Seconds").fill("4")
    page.get_by_role("textbox", name="Message").fill("Tea is ready")
    page.get_by_role("button", name="Continue").click()
    step = page.locator("#step-wait")
    expect(step.locator("progress")).to_be_visible()
    expect(step).to_contain_text(re.compile(r"left, until \d\d:\d\d:\d\d"))
    until = re.search(r"until (\S+)", str(step.text_content()))
    assert until is not None
    page.reload()
    expect(step).to_contain_text(f"until {until[1]}")
    expect(step).to_contain_text(f"ended at {until[1]}")
    expect(page.get_by_text("Tea is ready")).not_to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
def test_lines_of_a_file_are_kept_and_found_where_the_page_says(
    browser: Browser, server: Server, tmp_path: Path, width: int
) -> None:
    (tmp_path / "app.log").write_text(LOG)
    somebody = person(browser, server, viewport={"width": width, "height": 844})
    page = somebody.start("process_file")
    go_on = page.get_by_role("button", name="Continue")
    page.get_by_label("Path on this computer").fill(str(tmp_path / "no.log"))
    go_on.last.click()
    expect(page.get_by_text("There is no file no.log.")).to_be_visible()
    page.get_by_label("Path on this computer").fill(str(tmp_path / "app.log"))
    go_on.last.click()
    page.get_by_label("Keep or leave out lines with a pattern").check()
    go_on.last.click()
    page.get_by_label("Pattern", exact=True).fill("(x+)+$")
    page.get_by_label("Regular expression").check()
    page.get_by_label("Pattern", exact=True).fill("err.r$")
    go_on.last.click()
    expect(page.locator("#step-keep")).to_contain_text("Tried with all 1,000; 100 of them")
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
    expect(page.get_by_label("Folder")).to_have_value(str(tmp_path))
    go_on.last.click()
    done = page.locator("#step-work.done")
    expect(done).to_contain_text("Lines in the result")
    expect(done).to_contain_text(str(tmp_path / "app-kept.log"))
    with page.expect_download() as download:
        done.get_by_role("link", name="Download app-kept.log").click()
    wanted = "".join(line for line in LOG.splitlines(keepends=True) if line.endswith("error\n"))
    assert Path(download.value.path()).read_text() == (tmp_path / "app-kept.log").read_text() == wanted
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
    somebody.context.close()
    assert somebody.problems == []
