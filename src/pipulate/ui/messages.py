"""The conversation beside the work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipulate.storage.messages import Message, general
from pipulate.ui.html import (
    Html,
    aside,
    button,
    details,
    div,
    form,
    h2,
    header,
    input_,
    join,
    kbd,
    li,
    ol,
    p,
    span,
    summary,
    textarea,
)
from pipulate.ui.story import Titles, told, told_by
from pipulate.ui.words import count, moment, person


def assistant(
    messages: Sequence[Message], conversation: str, workflow: Titles | None, viewer: str, now: datetime
) -> Html:
    """Return the panel with its messages, a sentence about the model, and the field for notes."""
    last = messages[-1].seq if messages else 0
    run = None if conversation == general(viewer) else conversation
    return aside(
        header(
            h2("Assistant", id="assistant-title"),
            button("Hide", type="button", class_="quiet", data_toggles="assistant", title="Hide or show (Ctrl J)"),
            class_="panel-head",
        ),
        div(
            ol(grouped(messages, workflow, viewer, now), id="messages", data_run=run, data_last=last),
            class_="messages",
            role="log",
            aria_label="Messages",
            tabindex="0",
        ),
        p(
            "No language model is connected yet. A coming version finds a local Ollama by itself, or takes the address"
            " of another model as a setting. Everything else works without one, and what you write here is kept as a"
            " note.",
            class_="help model",
        ),
        form(
            input_(type="hidden", name="_conversation", value=conversation),
            textarea(
                "\n", name="text", rows="2", aria_label="Note", placeholder="Write a note", required=True, dir="auto"
            ),
            div(button("Add note", class_="secondary"), span(kbd("Enter"), class_="help"), class_="actions"),
            method="post",
            action="/-/notes",
            hx_post="/-/notes",
            hx_swap="none",
            hx_sync="this:drop",
            data_note=True,
            data_draft=f"note:{conversation}",
        ),
        id="assistant",
        aria_labelledby="assistant-title",
    )


def grouped(messages: Sequence[Message], workflow: Titles | None, viewer: str, now: datetime) -> Html:
    """Return messages as list items; events in a row become one folded line."""
    items, events = [], list[Message]()
    for message in messages:
        if message.event is not None:
            events.append(message)
            continue
        if events:
            items.append(_happened(events, workflow, viewer, now))
            events = []
        items.append(note(message, viewer, now))
    if events:
        items.append(_happened(events, workflow, viewer, now))
    return join(items)


def note(message: Message, viewer: str, now: datetime) -> Html:
    """Return what somebody wrote, or what an app said."""
    is_written = message.role == "user"
    return li(
        div(message.text, class_="text", dir="auto"),
        span(f"{person(message.actor, viewer)}, " if is_written else None, moment(message.at, now), class_="when"),
        class_="note" if is_written else "said",
        data_seq=message.seq,
    )


def event_line(message: Message, workflow: Titles | None, viewer: str) -> Html:
    """Return one event, for the inside of a folded line."""
    assert message.event is not None  # noqa: S101 - called for events only
    return li(told_by(message.event, person(message.actor, viewer), workflow), class_="event", data_seq=message.seq)


def _happened(events: Sequence[Message], workflow: Titles | None, viewer: str, now: datetime) -> Html:
    last = events[-1]
    assert last.event is not None  # noqa: S101 - as above
    return li(
        details(
            summary(
                span(f"{count(len(events), 'thing')} happened: ", class_="count"),
                span(told(last.event, workflow), class_="last"),
                " ",
                moment(last.at, now),
            ),
            ol(event_line(each, workflow, viewer) for each in events),
        ),
        class_="events",
        data_seq=last.seq,
    )
