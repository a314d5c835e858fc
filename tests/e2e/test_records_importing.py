"""An import with bad rows, as a person does it: pasted and as a file, mapped, checked, taken, undone."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Person

PASTED = "sku\twhat it is\tprice\na\tApple\t1,50\nb\tB\t2\nc\tCherry\tmuch\n"


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return not wide


def test_import_with_bad_rows_is_mapped_checked_taken_and_undone(ann: Person, tmp_path: Path) -> None:
    page = ann.page
    page.goto(f"{ann.server.address}/products")
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("Or paste a table").fill(PASTED)
    page.get_by_role("button", name="Next").click()
    column = page.get_by_role("combobox", name="what it is")
    expect(column).to_have_value("")
    expect(page.get_by_role("combobox", name="price")).to_have_value("price")
    column.select_option(label="Name")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("1 added; 2 not taken")).to_be_visible()
    expect(page.get_by_role("region", name="What is wrong").get_by_role("row")).to_have_count(3)
    with page.expect_download() as caught:
        page.get_by_role("link", name="Download these rows").click()
    rows = list(csv.reader(Path(caught.value.path()).read_text().splitlines()))
    assert [row[0] for row in rows] == ["sku", "b", "c"]
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="Taken in")).to_be_visible()
    page.get_by_role("link", name="Back to Products").click()
    expect(page.get_by_text("Apple")).to_be_visible()

    mended = tmp_path / "mended.csv"
    mended.write_text("sku;name;price\na;Apricot;3\nb;Berry;2\nc;Cherry;1,25\n")
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("File").set_input_files(mended)
    page.get_by_role("button", name="Next").click()
    page.get_by_label("change that record").check()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("2 added; 1 changed.")).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("2 added; 1 changed.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    page.goto(f"{ann.server.address}/products")
    expect(page.get_by_text("Apple")).to_be_visible()
    expect(page.get_by_text("Berry")).to_have_count(0)


def test_large_import_shows_how_far_it_is_and_comes_to_its_end_by_itself(ann: Person, tmp_path: Path) -> None:
    page = ann.page
    many = tmp_path / "many.csv"
    many.write_text("sku,name\n" + "".join(f"m{number},Thing {number}\n" for number in range(6_000)))
    page.goto(f"{ann.server.address}/-/records/products/import")
    page.get_by_label("File").set_input_files(many)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("heading", name="It is being tried")).to_be_visible()
    expect(page.get_by_text("6,000 added.")).to_be_visible(timeout=90_000)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="It is being taken in")).to_be_visible()
    expect(page.get_by_role("heading", name="Taken in")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("6,000 added.")).to_be_visible()
