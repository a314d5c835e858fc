"""When two people, or two tabs, changed the same thing: both values side by side, and three ways on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher

from pipulate.ui.html import (
    Html,
    a,
    article,
    button,
    dd,
    div,
    dl,
    dt,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    mark,
    p,
    section,
    span,
)
from pipulate.ui.words import moment, person

_DIFF_MAX = 4_000  # characters; longer texts are shown without marks


@dataclass(frozen=True, slots=True)
class Conflict:
    """What the conflict page shows.

    Attributes:
        title: What people call the step.
        labels: Field -> what people read.
        mine, theirs: Field -> text; theirs is empty where the store has no value.
        reason: Why mine was not saved, one sentence.
        by, at, is_other_tab: Who changed it, when, and whether it was the same person in another tab.
        can_keep_mine: Whether mine may still be saved on top of theirs.
        address: Address of the run.
        run, step: What mine is sent to again.
        seen, version: The version mine was made from, and the newest one.
        submit_id: Id for sending mine again.
        typed: What the form sent.
    """

    title: str
    labels: Mapping[str, str]
    mine: Mapping[str, str]
    theirs: Mapping[str, str]
    reason: str
    by: str
    at: str
    is_other_tab: bool
    can_keep_mine: bool
    address: str
    run: str
    step: str
    seen: int
    version: int
    submit_id: str
    typed: Mapping[str, Sequence[str]]


def conflict_section(conflict: Conflict, viewer: str, now: datetime) -> Html:
    """Return the page; it stands where the run stood, and nothing typed is lost from it."""
    who = person(conflict.by, viewer) + (" in another tab" if conflict.is_other_tab else "")
    return article(
        header(h1("Two versions of “", conflict.title, "”"), class_="run-head"),
        p(conflict.reason, class_="lead", role="alert"),
        div(
            _column("Theirs", join(f"{who}, ", moment(conflict.at, now)), conflict, conflict.theirs, conflict.mine),
            _column("Mine", span("What you typed, not saved yet"), conflict, conflict.mine, conflict.theirs),
            class_="versus",
        ),
        div(
            _again(conflict, "Keep mine", f"/-/runs/{conflict.run}/steps/{conflict.step}", conflict.version, "primary")
            if conflict.can_keep_mine
            else None,
            a(
                "Take theirs",
                href=conflict.address,
                class_="button secondary",
                data_drops_draft=f"{conflict.run}:{conflict.step}",
            ),
            _again(
                conflict, "Continue in a copy", f"/-/runs/{conflict.run}/steps/{conflict.step}/copy", conflict.seen,
                "secondary",
            ),
            class_="actions",
        ),
        id="run",
        class_="conflict",
        data_run=conflict.run,
        data_version=conflict.version,
    )  # fmt: skip


def _column(heading: str, who: Html, conflict: Conflict, shown: Mapping[str, str], other: Mapping[str, str]) -> Html:
    if not shown:
        content = p("No value: the step was reopened or cleared.", class_="none")
    else:
        content = dl(
            (dt(conflict.labels.get(name, name)), dd(_marked(text, other.get(name)), dir="auto", class_="text"))
            for name, text in shown.items()
        )
    return section(h2(heading), p(who, class_="help"), content, class_="card")


def _marked(text: str, other: str | None) -> Html:
    """Return text with the parts that the other one does not have marked."""
    if text == "":
        return span("(empty)", class_="none")
    if other is None or other == text or len(text) + len(other) > _DIFF_MAX:
        return span(text)
    parts = SequenceMatcher(None, other, text, autojunk=False).get_opcodes()
    return join(
        text[start:end] if kind == "equal" else mark(text[start:end])
        for kind, _, _, start, end in parts
        if start != end
    )


def _again(conflict: Conflict, words: str, address: str, seen: int, kind: str) -> Html:
    return form(
        [input_(type="hidden", name=name, value=text) for name, texts in conflict.typed.items() for text in texts],
        input_(type="hidden", name="_seen", value=seen),
        input_(type="hidden", name="_submit", value=conflict.submit_id),
        button(words, class_=kind),
        method="post",
        action=address,
        hx_post=address,
        hx_target="#run",
        hx_swap="outerHTML",
        hx_sync="this:drop",
        data_draft=f"{conflict.run}:{conflict.step}",
        data_keeps_draft=True,
    )
