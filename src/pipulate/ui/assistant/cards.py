"""What a language model asks to do: a card with what would change while a person is asked, a line afterwards.

A card is drawn from the arguments that are stored and will be used, never from what the model says about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipulate.storage import calls
from pipulate.storage.calls import CallRow
from pipulate.tools.action import Difference
from pipulate.ui.assistant import arguments as given
from pipulate.ui.assistant.arguments import Asked
from pipulate.ui.html import (
    Html,
    a,
    button,
    dd,
    del_,
    details,
    div,
    dl,
    dt,
    form,
    h3,
    input_,
    ins,
    join,
    li,
    p,
    span,
    summary,
)
from pipulate.ui.words import moment, person


@dataclass(frozen=True, slots=True)
class Card:
    """A call and what is needed to draw it.

    Attributes:
        row: The call as it is stored.
        title: What its action is called; its stored name where there is none any more.
        digest: Of the arguments, sent back with the decision so that it is about these and no others.
        differences: What it would change, or None where its arguments say it all.
        problem: Why that is not known, or why the last decision was not taken; "" otherwise.
        asked: The fields to change its arguments with.
        typed: What somebody typed into them, where that was refused.
        may_allow_for_run: Whether it can be allowed for the rest of the run.
    """

    row: CallRow
    title: str
    digest: str = ""
    differences: Sequence[Difference] | None = None
    problem: str = ""
    asked: Sequence[Asked] = ()
    typed: Mapping[str, str] | None = field(default=None)
    may_allow_for_run: bool = False


def call(card: Card, viewer: str, now: datetime) -> Html:
    """Return a call as an item of the conversation."""
    row = card.row
    draw = _question if row.state == calls.ASKED else _line
    return li(
        draw(card, viewer, now),
        class_="call asks" if row.state == calls.ASKED else "call",
        data_seq=row.seq,
        data_state=row.state,
        data_effect=row.effect,
    )


# While a person is asked


def _question(card: Card, _viewer: str, now: datetime) -> Html:
    row, place = card.row, f"call-{card.row.id}"
    return div(
        h3(card.title, id=f"{place}-title"),
        p("It takes something away, so it is asked every time.", class_="help") if row.effect == "destroy" else None,
        _differences(card.differences) if card.differences is not None else None,
        p(card.problem, class_="problem", role="alert") if card.problem else None,
        given.shown(row.arguments),
        form(
            _about(card),
            button("Allow", name="decision", value="allow", class_="primary"),
            button("Deny", name="decision", value="deny", class_="secondary"),
            button("Allow for this run", name="decision", value="allow_run", class_="quiet",
                   title=f"Do not ask again for “{card.title}” in this run")
            if card.may_allow_for_run else None,
            method="post",
            action=f"/-/assistant/calls/{row.id}",
            class_="actions",
            data_asks=True,
        ),
        _edit(card, place) if card.asked else None,
        p(span(row.model, dir="auto"), " asks, ", moment(row.asked_at, now), class_="when"),
        class_="proposal",
        role="article",
        aria_labelledby=f"{place}-title",
    )  # fmt: skip


def _about(card: Card) -> Html:
    return input_(type="hidden", name="shown", value=card.digest)


def _edit(card: Card, place: str) -> Html:
    texts = card.typed if card.typed is not None else given.texts(card.asked, card.row.arguments)
    return details(
        summary("Edit"),
        form(
            _about(card),
            input_(type="hidden", name="edited", value="1"),
            given.fields(card.asked, texts, place),
            div(button("Allow as edited", name="decision", value="allow", class_="primary"), class_="actions"),
            method="post",
            action=f"/-/assistant/calls/{card.row.id}",
            data_asks=True,
        ),
        class_="edit",
        open=card.typed is not None,
    )


def _differences(found: Sequence[Difference]) -> Html:
    if not found:
        return p("Nothing would be different.", class_="help")
    return dl(
        (join(dt(each.label, dir="auto"), dd(_before_and_after(each), dir="auto")) for each in found),
        class_="differences",
    )


def _before_and_after(each: Difference) -> Html:
    if each.before is not None and each.before == each.after:
        return join(_value(each.after), span(" (stays)", class_="none"))
    before = del_(span("Before: ", class_="visually-hidden"), _value(each.before)) if each.before is not None else None
    if each.after is None:
        return join(before, span(" is taken away", class_="none"))
    after = ins(span("After: ", class_="visually-hidden"), _value(each.after))
    return join(before, " → " if before is not None else None, after)


def _value(text: str | None) -> Html:
    return span(text, class_="text") if text else span("(empty)", class_="none")


# Afterwards


def _line(card: Card, viewer: str, now: datetime) -> Html:
    row = card.row
    words, link = _told(card)
    return details(
        summary(span(_what_came(card, words, viewer), class_="last"), " ", moment(_at(row), now)),
        p(card.title, class_="help") if words and row.effect != "read" else None,
        _changed(card),
        given.shown(row.arguments),
        p(a("Open", href=link)) if link else None,
    )


def _what_came(card: Card, words: str, viewer: str) -> Html:
    row, title = card.row, card.title
    who = person(row.decided_by, viewer) if row.decided_by else ""
    match row.state:
        case calls.RUNNING:
            return join("Under way: ", title)
        case calls.DENIED:
            return join(who or "Somebody", " did not allow: ", title)
        case calls.REFUSED:
            return join("Was not done: ", title, _because(card))
        case calls.GONE:
            return join("Was not decided in time, so it was not done: ", title)
        case calls.FAILED:
            return join("Did not work: ", title, _because(card))
    if row.effect == "read":
        return join(words or title)
    allowed = join(who, " allowed: ") if who else "Allowed for this run: " if row.granted_by else ""
    return join(allowed, words or title)


def _because(card: Card) -> Html | None:
    words, _ = _told(card)
    return join(". ", words) if words else None


def _changed(card: Card) -> Html | None:
    return p("The arguments were changed before it was allowed.", class_="help") if card.row.proposed else None


def _told(card: Card) -> tuple[str, str]:
    """Return the sentence about what came of a call, and the address of ours that shows it; "" where there is none."""
    result: Any = card.row.result
    if not isinstance(result, Mapping):
        return "", ""
    link = str(result.get("link") or "")
    return str(result.get("words") or ""), link if link.startswith("/") and not link.startswith(("//", "/\\")) else ""


def _at(row: CallRow) -> str:
    return row.ended_at or row.decided_at or row.asked_at
