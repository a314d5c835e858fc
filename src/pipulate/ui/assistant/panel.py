"""The panel: one conversation, the line about the model, and the field to write in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import urlencode

from pipulate.llm.port import Status
from pipulate.storage.messages import ANSWER, CALL, Message, is_outside
from pipulate.ui.assistant.answers import SoFar, answer
from pipulate.ui.assistant.cards import Card, call
from pipulate.ui.assistant.model import IS_ASKED, model_line
from pipulate.ui.html import (
    Html,
    a,
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
    mark,
    ol,
    p,
    span,
    summary,
    textarea,
    ul,
)
from pipulate.ui.messages import Names, grouped, note
from pipulate.ui.words import moment, person


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as the panel shows it.

    Attributes:
        id: Id of the conversation.
        messages: Its newest messages, oldest first.
        names: What people call things that messages tell of.
        changes: Number of the newest change of a message.
        cleared: Number of the last message that was cleared away, 0 for none.
        before_clear: The same as it was before it was cleared last; what came after that, *Undo* brings back.
        has_older: Whether there are messages before those.
        cards: Id of a call -> what is needed to draw it; also of calls that an answer without words asked for.
        so_far: How far the answer that is being written has come, or None.
        status: How it stands with the language model, or None where there is none.
        view: What the page shows besides: `resource/number` of a record, or "".
    """

    id: str
    messages: Sequence[Message] = ()
    names: Names = field(default_factory=Names)
    changes: int = 0
    cleared: int = 0
    before_clear: int = 0
    has_older: bool = False
    cards: Mapping[str, Card] = field(default_factory=dict)
    so_far: SoFar | None = None
    status: Status | None = None
    view: str = ""


def assistant(talk: Talk, viewer: str, now: datetime) -> Html:
    """Return the panel."""
    return aside(
        header(
            h2("Assistant", id="assistant-title"),
            div(
                _more(talk),
                button("Hide", type="button", class_="quiet", data_toggles="assistant", title="Hide or show (Ctrl J)"),
                class_="panel-tools",
            ),
            class_="panel-head",
        ),
        thread(talk, viewer, now),
        model_line(talk.status)[0],
        writing(talk),
        id="assistant",
        aria_labelledby="assistant-title",
    )


def thread(talk: Talk, viewer: str, now: datetime) -> Html:
    """Return the messages in the box that scrolls. htmx keeps out of it: what is in there, others wrote."""
    last = talk.messages[-1].seq if talk.messages else talk.cleared
    return div(
        _older(talk),
        ol(
            items(talk, viewer, now),
            id="messages",
            data_run=None if is_outside(talk.id, viewer) else talk.id,
            data_conversation=talk.id,
            data_last=last,
            data_changes=talk.changes,
            data_cleared=talk.cleared,
        ),
        _cleared(talk) if talk.cleared > talk.before_clear and not talk.messages else None,
        class_="messages",
        role="log",
        aria_label="Messages",
        tabindex="0",
        hx_disable=True,
    )


def items(talk: Talk, viewer: str, now: datetime) -> Html:
    """Return the messages as items of a list."""
    return grouped(talk.messages, talk.names, viewer, now, partial(item, talk, viewer, now))


def item(talk: Talk, viewer: str, now: datetime, message: Message) -> Html:
    """Return one message that is no event."""
    if message.role == ANSWER:
        has_calls = any(card.row.answer == message.seq for card in talk.cards.values())
        return answer(message, talk.id, now, talk.so_far, has_calls=has_calls)
    if message.role == CALL:
        card = talk.cards.get(message.text)
        return call(card, viewer, now) if card is not None else _lost(message)
    return note(message, viewer, now)


def _lost(message: Message) -> Html:
    return li("Something was asked for that is not known any more.", class_="call help", data_seq=message.seq)


def _older(talk: Talk) -> Html | None:
    if not talk.has_older or not talk.messages:
        return None
    return p(a("Older messages", href=older_address(talk.id, talk.messages[0].seq), class_="older"), class_="help")


def older_address(conversation: str, before: int) -> str:
    """Return the address of the messages before a number."""
    return f"/-/assistant/older?{urlencode({'conversation': conversation, 'before': before})}"


def _cleared(talk: Talk) -> Html:
    return form(
        _hidden(talk),
        input_(type="hidden", name="upto", value=talk.before_clear),
        span("Cleared. ", role="status"),
        button("Undo", class_="secondary"),
        method="post",
        action="/-/assistant/unclear",
        class_="cleared",
        data_asks=True,
    )


def _hidden(talk: Talk) -> Html:
    return input_(type="hidden", name="_conversation", value=talk.id)


def writing(talk: Talk, typed: str = "") -> Html:
    """Return the field to write in, and the button that stops an answer."""
    asks = talk.status is not None and talk.status.condition in IS_ASKED
    is_busy = any(each.state == "open" for each in talk.messages)
    words, placeholder = ("Send", "Ask, or write a note") if asks else ("Add note", "Write a note")
    return div(
        form(
            _hidden(talk),
            input_(type="hidden", name="_view", value=talk.view) if talk.view else None,
            input_(type="hidden", name="_asks", value="1" if asks else ""),
            textarea(
                "\n" + typed, name="text", rows="2", aria_label="Message" if asks else "Note", placeholder=placeholder,
                required=True, dir="auto",
            ),
            div(button(words, class_="secondary send"), span(kbd("Enter"), class_="help"), class_="actions"),
            method="post",
            action="/-/notes",
            data_note=True,
            data_draft=f"note:{talk.id}",
        ),
        form(
            _hidden(talk),
            button("Stop", class_="secondary", title="Stop the answer (Esc)"),
            method="post",
            action="/-/assistant/stop",
            class_="stop",
            hidden=not is_busy,
            data_asks=True,
        ),
        class_="writing",
    )  # fmt: skip


def _more(talk: Talk) -> Html:
    """Return the menu of the conversation: search it, take it along, clear it."""
    return details(
        summary("More", class_="button quiet"),
        div(
            form(
                input_(type="hidden", name="conversation", value=talk.id),
                input_(
                    type="search", name="find", placeholder="Find in this conversation",
                    aria_label="Find in this conversation", autocomplete="off", hx_get="/-/assistant/search",
                    hx_trigger="input changed delay:150ms", hx_target="#assistant-found", hx_include="closest form",
                    hx_sync="this:replace", dir="auto",
                ),
                method="get",
                action="/-/assistant/search",
            ),
            div(id="assistant-found", aria_live="polite"),
            ul(
                li(a("Export as Markdown", href=f"/-/assistant/export.md?{urlencode({'conversation': talk.id})}",
                     download=True)),
                li(form(_hidden(talk), button("Clear this conversation", class_="quiet"), method="post",
                        action="/-/assistant/clear", data_asks=True)),
            ),
            class_="menu-body",
        ),
        class_="menu right",
        data_menu=True,
    )  # fmt: skip


# What was found, and what is older


def hits(talk: Talk, words: str, viewer: str, now: datetime) -> Html:
    """Return what a search in the conversation found; each leads to its place."""
    if not words:
        return join()
    if not talk.messages:
        return p(f"Nothing in this conversation contains “{words}”.", class_="help")
    return ul(
        (li(a(_extract(each.text, words), " ", span(_who(each, viewer), moment(each.at, now), class_="when"),
              href=around_address(talk.id, each.seq), data_goes_to=each.seq)) for each in talk.messages),
        class_="found",
    )  # fmt: skip


def around_address(conversation: str, seq: int) -> str:
    """Return the address of the messages around a number."""
    return f"/-/assistant/older?{urlencode({'conversation': conversation, 'around': seq})}"


def _who(message: Message, viewer: str) -> str:
    return "Assistant, " if message.role == ANSWER else f"{person(message.actor, viewer)}, "


def _extract(text: str, words: str) -> Html:
    """Return a piece of a text around what was searched for."""
    first = words.split(maxsplit=1)[0] if words.split() else ""
    at = text.casefold().find(first.casefold()) if first else -1
    if at < 0 or len(text.casefold()) != len(text):
        return span(text[:100], dir="auto")
    start, end = max(0, at - 40), at + len(first)
    cut = ("… " if start else "", " …" if end + 60 < len(text) else "")
    return span(cut[0], text[start:at], mark(text[at:end]), text[end : end + 60], cut[1], dir="auto")


def older_part(talk: Talk, viewer: str, now: datetime) -> Html:
    """Return older messages, with the way to those before them."""
    return join(_older(talk), ol(items(talk, viewer, now)))


def older_page(talk: Talk, back: str, viewer: str, now: datetime) -> Html:
    """Return the same as the content of a page, for browsers without our script."""
    return div(
        h2("Older messages"),
        p(a("Back", href=back)),
        _older(talk),
        ol(items(talk, viewer, now), class_="older-page"),
        class_="messages",
        hx_disable=True,
    )
