"""Events in words."""

from __future__ import annotations

from typing import Any

import pytest

from pipulate import Workflow
from pipulate.storage.journal import KINDS, Event
from pipulate.ui.story import title_of, told, told_by
from tests.unit.ui.test_html import EVIL, Parsed

FLOW = Workflow("flow")
FLOW.step("site", title="Which site?")(lambda: None)
FLOW.prepare()


def event(kind: str, step: str | None = None, **data: Any) -> Event:
    return Event(5, "2026-11-20T12:00:00Z", "ann", None, kind, step, data)


def words(kind: str, step: str | None = None, earlier: dict[str, str] | None = None, **data: Any) -> str:
    return Parsed(told(event(kind, step, **data), FLOW, earlier)).text


@pytest.mark.parametrize(
    ("kind", "step", "data", "sentence"),
    [
        ("started", None, {"key": "01"}, "started the run"),
        ("submitted", "site", {"short": "a.com"}, "set Which site? to a.com"),
        ("submitted", "site", {"short": ""}, "set Which site? to (nothing)"),
        ("computed", "site", {"short": "a.com"}, "Which site? was worked out: a.com"),
        ("kept", "site", {}, "kept Which site? as it was"),
        ("reverted", "site", {}, "reopened Which site?"),
        ("edit_cancelled", "site", {}, "left Which site? as it was"),
        ("went_back", None, {"to": 3}, "went back to version 3"),
        ("finalized", None, {}, "locked the run"),
        ("unfinalized", None, {}, "unlocked the run"),
        ("renamed", None, {"from": "a", "to": "b"}, "renamed the run from a to b"),
        ("deleted", None, {}, "put the run into the bin"),
        ("undeleted", None, {"key": "a"}, "took the run out of the bin"),
        ("forked", None, {"run": "r", "key": "a", "version": 4}, "copied it from a, version 4"),
        ("imported", None, {}, "imported it from a file"),
        ("uploaded", None, {"name": "<a>.csv"}, "uploaded <a>.csv"),
    ],
)
def test_event_is_a_sentence(kind: str, step: str | None, data: dict[str, Any], sentence: str) -> None:
    assert words(kind, step, **data) == sentence


def test_every_kind_of_event_has_its_sentence() -> None:
    assert all(words(kind, "site") != kind for kind in KINDS)


def test_changed_answer_tells_what_it_was_before() -> None:
    assert words("submitted", "site", {"site": "a.com"}, short="b.com") == "changed Which site? from a.com to b.com"
    assert words("submitted", "site", {"other": "a.com"}, short="b.com") == "set Which site? to b.com"


def test_sentence_says_who_unless_nobody_did_it() -> None:
    assert Parsed(told_by(event("finalized"), "Ann", FLOW)).text == "Ann locked the run"
    assert Parsed(told_by(event("computed", "site", short="1"), "Ann", FLOW)).text == "Which site? was worked out: 1"


def test_step_is_told_by_its_stored_name_where_the_app_no_longer_has_it() -> None:
    assert words("kept", "gone") == "kept gone as it was"
    assert (title_of(None, "site"), title_of(FLOW, None), title_of(FLOW, "site")) == ("site", "", "Which site?")


def test_kind_of_a_newer_program_is_told_by_its_name() -> None:
    assert words("merged", "site") == "merged"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_event_never_becomes_markup(kind: str) -> None:
    data = dict.fromkeys(("short", "from", "to", "key", "version"), EVIL)
    made = told_by(event(kind, EVIL, **data), EVIL, FLOW, {EVIL: EVIL})
    assert set(Parsed(made).tags) <= {"strong", "span"}
