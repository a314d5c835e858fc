"""Clean a CSV in the browser: from the file to the downloads, on a desktop and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import person, until
from tests.support.server import Server
from tests.unit.builtin.test_clean_csv import SALES


@pytest.mark.parametrize("width", [1280, 390])
def test_table_is_cleaned_by_going_on_with_what_is_offered(
    browser: Browser, server: Server, tmp_path: Path, width: int
) -> None:
    (tmp_path / "sales.csv").write_bytes(SALES.encode("cp1252"))
    somebody = person(browser, server, viewport={"width": width, "height": 844})
    page = somebody.start("clean_csv")
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "sales.csv")
    expect(page.locator(".uploads li.held")).to_be_visible()
    for title in ("How it is written", "Columns", "What to repair", "Save"):
        page.get_by_role("button", name="Continue").last.click()
        expect(page.locator(".card").get_by_role("heading", name=title, exact=True)).to_be_visible()
        until(page, "document.documentElement.scrollWidth <= window.innerWidth")
    expect(page.locator("mark").first).to_have_text("Ada")
    page.get_by_role("button", name="Continue").last.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download sales-cleaned.csv").click()
    assert Path(download.value.path()).read_text(encoding="utf-8-sig").startswith("name,amount,day\nAda,1234.50,")
    expect(page.get_by_role("link", name="Download sales-left-out.csv")).to_be_visible()
    expect(page.get_by_role("link", name="Download sales-report.md")).to_be_visible()
    somebody.context.close()
    assert somebody.problems == []
