"""The conversation beside the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipulate.storage.messages import RECORD, Message, general
from pipulate.ui.done import Tables, told_with_link
from pipulate.ui.done import told as done_words
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


@dataclass(frozen=True, slots=True)
class Names:
    """What people call things that messages tell of.

    Attributes:
        workflow: The app of the run, for the titles of its steps, or None.
        tables: The tables of records.
    """

    workflow: Titles | None = None
    tables: Tables = field(default_factory=dict)


def assistant(messages: Sequence[Message], conversation: str, names: Names, viewer: str, now: datetime) -> Html:
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
            ol(grouped(messages, names, viewer, now), id="messages", data_run=run, data_last=last),
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


def grouped(messages: Sequence[Message], names: Names, viewer: str, now: datetime) -> Html:
    """Return messages as list items; events in a row become one folded line."""
    items, events = [], list[Message]()
    for message in messages:
        if is_event(message):
            events.append(message)
            continue
        if events:
            items.append(_happened(events, names, viewer, now))
            events = []
        items.append(note(message, viewer, now))
    if events:
        items.append(_happened(events, names, viewer, now))
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


def is_event(message: Message) -> bool:
    """Tell whether a message is about something that happened, and nobody wrote it."""
    return message.event is not None or message.role == RECORD


def event_line(message: Message, names: Names, viewer: str) -> Html:
    """Return one event, for the inside of a folded line."""
    who = person(message.actor, viewer)
    if message.event is not None:
        words = told_by(message.event, who, names.workflow)
    else:
        words = join(who, " ", told_with_link(message.done, names.tables) if message.done is not None else _GONE)
    return li(words, class_="event", data_seq=message.seq)


_GONE = "did something that is not known any more"


def event_words(message: Message, names: Names) -> Html:
    """Return the same for the folded line itself: without who did it."""
    if message.event is not None:
        return told(message.event, names.workflow)
    return done_words(message.done, names.tables) if message.done is not None else join(_GONE)


def _happened(events: Sequence[Message], names: Names, viewer: str, now: datetime) -> Html:
    last = events[-1]
    return li(
        details(
            summary(
                span(f"{count(len(events), 'thing')} happened: ", class_="count"),
                span(event_words(last, names), class_="last"),
                " ",
                moment(last.at, now),
            ),
            ol(event_line(each, names, viewer) for each in events),
        ),
        class_="events",
        data_seq=last.seq,
    )
