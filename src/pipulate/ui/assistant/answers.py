"""What a language model wrote: while it grows, and as it stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pipulate.storage.messages import DONE, FAILED, OPEN, STOPPED, Message
from pipulate.ui.assistant.prose import kept_prose
from pipulate.ui.html import EMPTY, Html, button, code, details, div, form, input_, join, li, p, span, summary
from pipulate.ui.words import moment


@dataclass(frozen=True, slots=True)
class SoFar:
    """How far an answer that is being written has come.

    Attributes:
        seq: Number of its message.
        blocks: What is whole of it, drawn.
        tail: The rest as text.
        thinking: What the model says to itself.
        chunks, thoughts: How many pieces of both that is.
    """

    seq: int
    blocks: Html = EMPTY
    tail: str = ""
    thinking: str = ""
    chunks: int = 0
    thoughts: int = 0


def answer(
    message: Message, conversation: str, now: datetime, so_far: SoFar | None = None, *, has_calls: bool = False
) -> Html:
    """Return an answer; one that is being written as far as it has come. `has_calls` where it asks for actions."""
    if message.state == OPEN:
        return _growing(message, so_far if so_far is not None and so_far.seq == message.seq else SoFar(message.seq))
    thinking = str(message.data.get("thinking") or "")
    return li(
        _shortened(message),
        _without(message),
        _thinking(thinking) if thinking else None,
        div(kept_prose(message.text), class_="prose", dir="auto"),
        _how_it_ended(message, has_calls=has_calls),
        div(
            span(_about(message), moment(message.at, now), class_="when"),
            button("Copy", type="button", class_="quiet", data_copies=_text_of(conversation, message.seq))
            if message.text
            else None,
            _retry(conversation, message.seq),
            class_="answer-foot",
        ),
        class_="answer",
        data_seq=message.seq,
        data_state=message.state,
    )


def _growing(message: Message, so_far: SoFar) -> Html:
    is_code = so_far.tail.lstrip().startswith(("```", "~~~"))
    return li(
        _shortened(message),
        _thinking(so_far.thinking, is_shown=bool(so_far.thinking)),
        div(so_far.blocks, class_="prose", dir="auto"),
        div(so_far.tail, class_="text tail fence" if is_code else "text tail", dir="auto"),
        p("Writing", class_="help writing", role="status", aria_label="The model is writing"),
        class_="answer",
        aria_busy="true",
        data_seq=message.seq,
        data_state=OPEN,
        data_open=True,
        data_grown=f"{so_far.chunks}.{so_far.thoughts}",
    )


def _thinking(text: str, *, is_shown: bool = True) -> Html:
    return details(
        summary("What it thought first"),
        div(text, class_="text", dir="auto"),
        class_="thinking",
        hidden=not is_shown,
    )


def _shortened(message: Message) -> Html | None:
    is_so = message.data.get("shortened") or _usage(message).get("shortened")
    return p("Older messages were left out: there was no room for them.", class_="help left-out") if is_so else None


def _without(message: Message) -> Html | None:
    """Return what says that the model could not be told of everything it can do here."""
    if not _usage(message).get("without"):
        return None
    words = "There was no room to tell the model of all it can do here. One that takes more at once, or a higher"
    return p(words, " ", code("PIPULATE_MODEL_CONTEXT"), ", helps.", class_="help left-out")


def _how_it_ended(message: Message, *, has_calls: bool) -> Html | None:
    if message.state == STOPPED:
        return p("Stopped.", class_="help ended")
    if message.state == FAILED:
        error = message.data.get("error")
        words = error.get("words") if isinstance(error, Mapping) else None
        return p(str(words or "The answer broke off."), class_="problem ended")
    if message.state == DONE and not message.text and not has_calls:
        return p("The model said nothing.", class_="help ended")
    return None


def _about(message: Message) -> Html:
    """Return which model wrote it and how many tokens that took, where this is known."""
    model = str(message.data.get("model") or "")
    return join(span(model, class_="model-name", dir="auto") if model else None, tokens(_usage(message)), " ")


def tokens(usage: Mapping[str, Any]) -> Html | None:
    """Return how much of what fits was used."""
    total = usage.get("total")
    used = usage.get("used") or sum(int(usage.get(each) or 0) for each in ("prompt", "answer"))
    if not used:
        return None
    words = f" {used:,} of {total:,} tokens" if total else f" {used:,} tokens"
    return span(words, class_="tokens", title="What the model read and wrote, of what it can take at once")


def _usage(message: Message) -> Mapping[str, Any]:
    usage = message.data.get("usage")
    return usage if isinstance(usage, Mapping) else {}


def _text_of(conversation: str, seq: int) -> str:
    return f"/-/assistant/text?{urlencode({'conversation': conversation, 'seq': seq})}"


def _retry(conversation: str, seq: int) -> Html:
    return form(
        input_(type="hidden", name="_conversation", value=conversation),
        input_(type="hidden", name="answer", value=seq),
        button("Retry", class_="quiet", title="Let the model answer once more"),
        method="post",
        action="/-/assistant/retry",
        class_="retry",
        data_asks=True,
    )
