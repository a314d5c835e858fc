"""Two values side by side; nothing that was typed is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.ui.conflict import Conflict, _marked, conflict_section
from tests.unit.ui.test_html import EVIL, Parsed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONFLICT = Conflict(
    title="Site", labels={"url": "Address"}, mine={"url": "b.com"}, theirs={"url": "a.com"}, reason="It was changed.",
    by="ann", at="2026-11-20T11:00:00.000000Z", is_other_tab=False, can_keep_mine=True, address="/audit/01", run="r",
    step="site", seen=2, version=5, submit_id="id-2", typed={"url": ["b.com"], "tags": ["x", "y"]},
)  # fmt: skip


def shown(**changes: object) -> str:
    return conflict_section(replace(CONFLICT, **changes), "bob", NOW)  # type: ignore[arg-type] # named by the test


def test_both_values_are_shown_with_who_and_when() -> None:
    text = Parsed(shown()).text
    for part in ("Theirs", "ann, ", "Address", "a.com", "Mine", "b.com", "It was changed."):
        assert part in text


@pytest.mark.parametrize(
    ("by", "other_tab", "who"), [("bob", True, "You in another tab"), ("bob", False, "You"), ("ann", False, "ann")]
)
def test_who_did_it_is_told_from_where_the_person_looks(by: str, other_tab: bool, who: str) -> None:
    assert f">{who}, <time" in shown(by=by, is_other_tab=other_tab)


def test_everything_typed_is_sent_again_with_both_ways_on() -> None:
    fields = [value for name, value in Parsed(shown()).attributes if name == "value"]
    assert fields == ["b.com", "x", "y", "5", "id-2", "b.com", "x", "y", "2", "id-2"]


def test_keeping_mine_is_not_offered_where_it_cannot_be() -> None:
    assert "Keep mine" in shown()
    assert "Keep mine" not in shown(can_keep_mine=False)


def test_cleared_step_says_so() -> None:
    assert "No value: the step was reopened or cleared." in shown(theirs={})


@pytest.mark.parametrize("name", ["title", "reason", "by", "address", "run", "step", "submit_id"])
def test_no_text_becomes_markup(name: str) -> None:
    assert "img" not in Parsed(shown(**{name: EVIL})).tags
    assert "img" not in Parsed(shown(mine={EVIL: EVIL}, theirs={EVIL: EVIL + "x"}, typed={EVIL: [EVIL]})).tags


def test_parts_the_other_does_not_have_are_marked() -> None:
    assert _marked("one two", "one three") == "one t<mark>wo</mark>"
    assert _marked("same", "same") == "<span>same</span>"
    assert _marked("", "x") == '<span class="none">(empty)</span>'
    assert _marked("new", None) == "<span>new</span>"


@given(st.text("ab <&", min_size=1), st.text("ab <&"))
def test_marking_leaves_the_text_as_it_was(text: str, other: str) -> None:
    assert Parsed(_marked(text, other)).text == text


def test_long_texts_are_shown_without_marks() -> None:
    assert "<mark>" not in _marked("a" * 3_000, "b" * 3_000)
