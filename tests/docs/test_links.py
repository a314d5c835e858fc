"""Links and pictures lead somewhere, and no page names a place that only one machine has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name_of, prose

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MACHINE = re.compile(r"(?<![\w.])/(?:home|Users|root|tmp|work|opt|srv|mnt)/|[A-Z]:\\\\")


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in an address, as GitHub does it."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_links_only_to_what_exists(page: Path) -> None:
    missing = []
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or not target.is_relative_to(ROOT) or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_names_no_folder_of_one_machine(page: Path) -> None:
    assert MACHINE.findall(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_has_one_title_and_short_lines(page: Path) -> None:
    text = prose(page)
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")] == []
    assert [line for line in text.splitlines() if line.count("`") % 2] == [], "code goes over the end of a line"


def test_every_page_is_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(prose(page)) if not link.startswith("https://"))
        waiting += [(page.parent / link).resolve() for link in links if link]
    assert set(PAGES) - seen == set()


def test_every_decision_is_in_the_index_and_says_when_to_revisit_it() -> None:
    folder = ROOT / "docs" / "adr"
    decisions = sorted(folder.glob("[0-9]*.md"))
    listed = LINK.findall((folder / "index.md").read_text())
    assert [each.name for each in decisions] == listed
    for number, page in enumerate(decisions, start=1):
        parts = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        assert parts[0].startswith(f"{number}. ")
        assert parts[1:] == ["Context", "Decision", "Consequences", "Revisit when"]
        assert len(page.read_text().splitlines()) < 50, "a decision fits on a page"


def test_code_links_to_decisions_that_exist() -> None:
    named = {
        found
        for path in (ROOT / "src" / "pipulate").rglob("*.py")
        for found in re.findall(r"docs/[\w/.-]+\.md", path.read_text())
    }
    assert named
    assert [each for each in named if not (ROOT / each).is_file()] == []


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "images").iterdir()), ids=lambda path: path.name)
def test_picture_is_shown_and_small(picture: Path) -> None:
    assert picture.stat().st_size < 200_000
    assert any(picture.name in page.read_text() for page in PAGES)
