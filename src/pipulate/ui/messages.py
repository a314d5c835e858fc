"""What was written in a conversation, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipulate.storage.messages import RECORD, Message
from pipulate.ui.done import Tables, told_with_link
from pipulate.ui.done import told as done_words
from pipulate.ui.html import Html, details, div, join, li, ol, span, summary
from pipulate.ui.story import Titles, told, told_by
from pipulate.ui.words import count, doer, moment, person


@dataclass(frozen=True, slots=True)
class Names:
    """What people call things that messages tell of.

    Attributes:
        workflow: The app of the run, for the titles of its steps, or None.
        tables: The tables of records.
    """

    workflow: Titles | None = None
    tables: Tables = field(default_factory=dict)


def grouped(
    messages: Sequence[Message], names: Names, viewer: str, now: datetime, draw: Callable[[Message], Html] | None = None
) -> Html:
    """Return messages as list items; events in a row become one folded line.

    Args:
        messages: The messages, oldest first.
        names: What people call things.
        viewer: Who looks.
        now: The moment.
        draw: Draws what is no event; as a note where it is None.
    """
    items, events = [], list[Message]()
    for message in messages:
        if is_event(message):
            events.append(message)
            continue
        if events:
            items.append(_happened(events, names, viewer, now))
            events = []
        items.append(draw(message) if draw is not None else note(message, viewer, now))
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
        data_state=message.state,
    )


def is_event(message: Message) -> bool:
    """Tell whether a message is about something that happened, and nobody wrote it."""
    return message.event is not None or message.role == RECORD


def event_line(message: Message, names: Names, viewer: str) -> Html:
    """Return one event, for the inside of a folded line."""
    facts = message.event.data if message.event is not None else message.done.facts if message.done is not None else {}
    who = doer(message.actor, viewer, facts.get("via"))
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
