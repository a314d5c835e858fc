"""The example workflow with typed fields, a table and a file runs as it is written, step by step."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Literal

import pandas as pd
import pytest
from pydantic import BaseModel, HttpUrl

from pipulate import Progress, Range, Run, Workflow
from pipulate.testing import Play, play


class Site(BaseModel):
    """A site, and how many of its pages are looked at."""

    url: HttpUrl
    pages: int


audit = Workflow("audit", title="Site audit")


@audit.step("site", title="Which site?")
def site(url: HttpUrl, pages: Annotated[int, Range(1, 500)] = 50) -> Site:
    return Site(url=url, pages=pages)


@audit.step("crawl")
async def crawl(run: Run, progress: Progress) -> pd.DataFrame:
    found = run[site]
    progress.total(found.pages)
    rows: list[str] = (
        [] if found.url.host == "empty.example" else [f"{found.url}{number}" for number in range(found.pages)]
    )
    progress.advance(found.pages, "Done")
    return pd.DataFrame({"page": rows, "status": 200}, index=range(len(rows)))


@audit.step("report", when=lambda run: len(run["crawl"]) > 0)
def report(run: Run, audience: Literal["client", "team"]) -> Path:
    path = Path(mkdtemp()) / f"{audience}.csv"
    run["crawl"].to_csv(path, index=False)
    return path


@pytest.fixture
def run() -> Play:
    return play(audit)


def test_address_and_number_are_fields_with_their_limits(run: Play) -> None:
    run.fill(url="example.com", pages=501, expect_problems=["url", "pages"])
    run.fill(url="https://example.com/", pages=500)
    assert run["site"] == Site(url=HttpUrl("https://example.com/"), pages=500)


def test_table_runs_by_itself_and_keeps_its_types(run: Play) -> None:
    run.fill(url="https://example.com/")
    assert list(run["crawl"].columns) == ["page", "status"]
    assert len(run["crawl"]) == 50
    assert run.open_step == "report"


def test_report_is_not_asked_for_without_pages(run: Play) -> None:
    run.fill(url="https://empty.example/")
    assert run.phases == {"site": "done", "crawl": "done", "report": "skipped"}
    assert run.is_finished


@pytest.mark.parametrize("audience", ["client", "team"])
def test_path_that_is_returned_becomes_a_file_of_the_run(run: Play, audience: str) -> None:
    run.fill(url="https://example.com/", pages=2).fill(audience=audience)
    assert run.files[-1].name == f"{audience}.csv"
    assert run["report"].read_text().startswith("page,status\nhttps://example.com/0,200\n")
