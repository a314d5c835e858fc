"""Files, as people send and get them: with progress, a way back, on a phone, by keyboard, and without a script."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Person, person
from tests.support.server import Server

MB = 1_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file that takes a while on a slow line; larger ones are sent where the memory is looked at."""
    path = tmp_path_factory.mktemp("files") / "large.bin"
    with path.open("wb") as out:
        for number in range(12):
            out.write(bytes([number]) * MB)
    yield path
    path.unlink()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "report.csv"
    path.write_bytes(b"page,clicks\n/a,1\n/<b>,2\n")
    return path


def field(page: Page) -> None:
    """Wait until the script has taken the field over."""
    expect(page.get_by_text("or drop a file here")).to_be_visible()


def slow(ann: Person, bytes_per_s: int) -> None:
    """Make the line slow."""
    session = ann.context.new_cdp_session(ann.page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s,
    })  # fmt: skip


def test_large_file_shows_how_far_it_is_can_be_stopped_and_is_there_after_a_reload(ann: Person, large: Path) -> None:
    page = ann.start("sends")
    field(page)
    slow(ann, MB)
    page.get_by_label("File", exact=True).set_input_files(large)
    line = page.locator(".uploads li.sending")
    expect(line).to_contain_text("of 12.0 MB")
    expect(line.get_by_role("progressbar", name="Sending large.bin")).to_have_attribute("value", re.compile("[1-9]"))
    page.get_by_role("button", name="Continue").last.click()
    expect(page.get_by_text("A file is still on its way.")).to_be_visible()
    page.get_by_role("button", name="Cancel large.bin").click()
    expect(page.locator(".uploads li")).to_have_count(0)
    slow(ann, -1)
    page.get_by_label("File", exact=True).set_input_files(large)
    held = page.locator(".uploads li.held")
    expect(held).to_contain_text("large.bin, 12.0 MB", timeout=60_000)
    page.locator("#table-note").fill("typed")
    page.reload()
    expect(held).to_contain_text("large.bin, 12.0 MB")
    expect(page.locator("#table-note")).to_have_value("typed")
    page.get_by_role("button", name="Continue").last.click()
    done = page.locator("#step-table .file-view")
    expect(done).to_contain_text("large.bin, 12.0 MB", timeout=30_000)
    with page.expect_download() as caught:
        done.get_by_role("link", name="Download large.bin").click()
    assert caught.value.suggested_filename == "large.bin"
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (large, Path(caught.value.path()))]
    assert digests[0] == digests[1]


def test_files_are_dropped_removed_and_shown_with_their_beginning(ann: Person, small: Path) -> None:
    page = ann.start("sends")
    field(page)
    files = page.evaluate_handle(
        """() => { const data = new DataTransfer();
        data.items.add(new File(["a,b\\n1,2\\n"], "dropped.csv", { type: "text/csv" })); return data; }"""
    )
    page.locator(".field.upload").dispatch_event("drop", {"dataTransfer": files})
    held = page.locator(".uploads li.held")
    expect(held).to_contain_text("dropped.csv, 8 bytes")
    held.get_by_role("button", name="Remove dropped.csv").press("Enter")
    expect(held).to_have_count(0)
    page.get_by_label("File", exact=True).set_input_files(small)
    expect(held).to_contain_text("report.csv, 24 bytes")
    page.locator("#table-note").press("Enter")  # Sends the form; it does not press the button that removes.
    expect(page.locator("#step-table .file-preview td").first).to_have_text("/a")
    expect(page.get_by_text("/<b>", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="More files")).to_be_visible()


def test_file_that_cannot_be_used_says_why_at_its_line(ann: Person, tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"MZ")
    page = ann.start("sends")
    field(page)
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "a.exe")
    expect(page.get_by_role("alert")).to_contain_text("Choose a .csv or .bin file.")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".uploads li")).to_have_count(0)


def test_several_files_on_a_phone(browser: Browser, server: Server, small: Path, tmp_path: Path) -> None:
    ben = person(browser, server, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = ben.start("sends")
    field(page)
    page.get_by_label("File", exact=True).set_input_files(small)
    expect(page.locator(".uploads li.held")).to_have_count(1)
    page.get_by_role("button", name="Continue").last.tap()
    expect(page.get_by_text("or drop files here")).to_be_visible()
    other = tmp_path / ("very-long-name-" * 12 + ".txt")
    other.write_text("x")
    page.get_by_label("Files", exact=True).set_input_files([small, other])
    expect(page.locator("#step-more li.held")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Continue").last.tap()
    expect(page.get_by_text("All steps are done.").first).to_be_visible()
    ben.context.close()
    assert ben.problems == []


def test_form_with_a_file_works_without_a_script(browser: Browser, server: Server, small: Path) -> None:
    eve = person(browser, server, java_script_enabled=False)
    page = eve.start("sends")
    page.get_by_label("File", exact=True).set_input_files(small)
    page.locator("#table-count").fill("9")
    page.get_by_role("button", name="Continue").last.click()
    expect(page.locator(".uploads li.held")).to_contain_text("report.csv, 24 bytes")
    page.locator("#table-count").fill("2")
    page.get_by_role("button", name="Continue").last.click()
    expect(page.locator("#step-table .file-view")).to_contain_text("report.csv, 24 bytes")
    eve.context.close()
    assert eve.problems == []
