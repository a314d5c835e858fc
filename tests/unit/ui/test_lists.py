"""Lists of runs and apps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipulate import Workflow
from pipulate.storage.ledger import RunRow
from pipulate.ui.lists import AppLink, Hit, Runs, bin_page, found, home, landing, runs_part, state_words
from tests.unit.ui.test_html import EVIL, Parsed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT = "2026-11-20T11:00:00.000000Z"
FLOW = Workflow("flow", title="Flow")
FLOW.step("site", title="Which site?")(lambda: None)
FLOW.prepare()
APP = AppLink("Flow", "What it does.", "/flow")


def row(**changes: Any) -> RunRow:
    plain = RunRow("r", "flow", "01", "p", "ann", 3, None, None, None, None, None, None, None, AT, AT, "ann", None)
    return plain._replace(**changes)


def listed(*rows: RunRow, **more: Any) -> Runs:
    return Runs(rows, {each.id: f"/flow/{each.key}" for each in rows}, {"flow": FLOW}, **more)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Finished"), ({"version": 1}, "Started"), ({"open_step": "site"}, "At Which site?"),
        ({"open_step": "gone"}, "At gone"), ({"locked_at": AT, "open_step": "site"}, "Locked"),
    ],
)  # fmt: skip
def test_state_of_a_run_in_words(changes: dict[str, Any], words: str) -> None:
    assert state_words(row(**changes), FLOW) == words


def test_state_of_a_run_whose_app_is_missing_names_the_stored_step() -> None:
    assert state_words(row(open_step="site"), None) == "At site"


def test_home_shows_apps_and_recent_runs() -> None:
    text = Parsed(home([APP], listed(row(open_step="site")), "ann", NOW)).text
    for part in ("Flow", "What it does.", "01", "At Which site?", "You"):
        assert part in text


def test_home_without_apps_says_where_to_look() -> None:
    made = home([], listed(), "ann", NOW)
    assert "No app is installed." in made
    assert 'href="/-/plugins"' in made


def test_home_names_the_files_with_a_mistake_and_says_where_to_look() -> None:
    made = home([APP], listed(), "ann", NOW, broken=["010_one.py", f"{EVIL}.py"])
    assert f"There is a mistake in 010_one.py, {EVIL}.py. See what it is." in Parsed(made).text
    assert 'href="/-/plugins"' in made
    assert "mistake" not in home([APP], listed(), "ann", NOW)


def test_landing_offers_a_key_and_says_what_is_wrong_with_one() -> None:
    made = landing(APP, "02", "", None, listed(), "ann", NOW, binned=0)
    assert 'value="02"' in made
    assert "No runs yet." in made
    made = landing(APP, "02", EVIL, "Not <good>.", listed(), "ann", NOW, binned=2)
    assert "Not &lt;good&gt;." in made
    assert ("value", EVIL) in Parsed(made).attributes
    assert "(2)" in made


def test_search_without_a_hit_says_how_to_clear_it() -> None:
    assert "No key contains “xyz”. Clear the search" in runs_part(listed(words="xyz"), "ann", NOW)


def test_older_runs_have_their_way() -> None:
    assert 'href="/flow?older=x"' in runs_part(listed(row(), older="/flow?older=x"), "ann", NOW)
    assert "Older" not in runs_part(listed(row()), "ann", NOW)


def test_bin_offers_the_way_back_and_warns_before_the_way_out() -> None:
    made = bin_page(listed(row(key="a & b", deleted_at=AT)), NOW, 30)
    assert 'action="/-/runs/r/undelete"' in made
    assert 'data-confirm="Erase a &amp; b with its whole history? This cannot be undone."' in made
    assert "The bin is empty." in bin_page(listed(), NOW, 30)


def test_search_finds_apps_runs_records_and_places() -> None:
    made = found([APP], listed(row()), [Hit("Tasks", "Milk", "/tasks/1")], [AppLink("Bin", "", "/-/bin")], "x")
    addresses = [value for name, value in Parsed(made).attributes if name == "href"]
    assert addresses == ["/flow", "/flow/01", "/tasks/1", "/-/bin"]
    assert "Nothing has “x” in its name." in found([], listed(), [], [], "x")


def test_no_text_becomes_markup() -> None:
    evil = AppLink(EVIL, EVIL, EVIL)
    runs = listed(row(key=EVIL, app=EVIL, updated_by=EVIL, open_step=EVIL), words=EVIL, older=EVIL)
    for made in (
        home([evil], runs, "ann", NOW), landing(evil, EVIL, EVIL, EVIL, runs, "ann", NOW, binned=1),
        bin_page(runs, NOW, 30), found([evil], runs, [Hit(EVIL, EVIL, EVIL)], [evil], EVIL),
        found([], listed(), [], [], EVIL),
    ):  # fmt: skip
        assert "img" not in Parsed(made).tags
