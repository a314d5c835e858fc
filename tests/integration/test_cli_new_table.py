"""`pipulate new table`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Shell
from tests.support.site import Browser, running

TASKS = 'from pipulate import Resource\n\nclosing = Resource(\n    "stored", object)\n'


@pytest.mark.parametrize("name", ["a", "class", "date", "record", "records", "overdue", "x2_y", "new", "n" * 50])
def test_new_table_is_loaded_without_findings_whatever_its_name(name: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    made = shell("new", "table", name)
    assert (made.code, made.out.splitlines()[0]) == (0, f"plugins/010_{name}.py")
    lines = shell("plugins", "--check", "--json").json
    assert {"state": "loaded", "app": name, "findings": []}.items() <= lines[0].items()


@pytest.mark.anyio
async def test_new_table_takes_in_a_record_and_works_out_its_column(tmp_path: Path) -> None:
    Shell(tmp_path)("new", "table", "books")
    fields = [("_field", each) for each in ("name", "due", "notes", "done")]
    async with running(tmp_path) as application:
        browser = Browser(application)
        assert "There is nothing here yet." in (await browser.get("/books")).text
        await browser.post("/-/records/books", [*fields, ("name", "The Iliad"), ("due", "2020-01-01")])
        shown = (await browser.get("/books")).text
    assert "The Iliad" in shown
    assert ">Yes</td>" in shown  # It is overdue.


@pytest.mark.parametrize("name", ["", "Upper", "1st", "_a", "../up", "a-b", "a\n", '"a"', "xx_draft", "n" * 51])
def test_new_table_refuses_a_name_that_no_table_can_have(name: str, tmp_path: Path) -> None:
    shown = Shell(tmp_path)("new", "table", "--", name)
    assert shown.code == 2
    assert "is no name for an app" in shown.err
    assert "at most 50 characters" in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["plugin", "table"])
@pytest.mark.parametrize("name", ["tasks", "stored", "hello"])
def test_new_file_refuses_a_name_that_a_table_or_an_app_has(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "010_tasks.py").write_text(TASKS)
    shown = Shell(tmp_path)("new", kind, name)
    assert shown.code == 1
    assert "There is an app of this name already" in shown.err
    assert len(list((tmp_path / "plugins").iterdir())) == 1


def test_new_table_stands_behind_the_files_that_are_there(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("new", "plugin", "first")
    assert shell("new", "table", "second").out.startswith("plugins/020_second.py\n")
