"""The button that has the assistant suggest what a form is filled in with, and what it says meanwhile.

It stands in one element, which our script renews from its address when something happens in the conversation.
"""

from __future__ import annotations

from typing import Literal

from pipulate.ui.html import EMPTY, Html, a, button, form, join, p

Suggesting = Literal["none", "away", "offered", "working", "suggested"]
"""Whether a language model fills in a form: never, not now because there is none, if it is asked to, is at it, or has
suggested something that waits in the panel."""

_WORDS = {
    "away": ("", ""),
    "working": ("The assistant is at it.", "Follow it in the panel"),
    "suggested": ("The assistant suggests values.", "Look at them in the panel"),
}


def with_model(state: Suggesting, address: str) -> Html | None:
    """Return the button, or how far it is; `address` takes what the button sends."""
    if state == "none":
        return None
    if state != "offered":
        words, way = _WORDS[state]
        link = a(way, href="#assistant", data_shows="assistant") if way else EMPTY
        return _line(join(words, " ", link) if way else words, state, address, class_="suggests help")
    return form(
        button("Suggest with the assistant", class_="quiet"),
        method="post",
        action=address,
        class_="suggests",
        data_suggests=told_at(address),
        data_state=state,
        hx_post=address,
        hx_swap="outerHTML",
        hx_sync="this:drop",
    )


def not_asked(words: str, address: str) -> Html:
    """Return what stands in the place of the button where the model could not be asked."""
    return _line(words, "problem", address, class_="suggests problem")


def told_at(address: str) -> str:
    """Return the address that tells how far it is; `address` takes what the button sends."""
    return f"{address}ing"


def _line(words: str | Html, state: str, address: str, class_: str) -> Html:
    return p(words, class_=class_, role="status", hidden=not words, data_suggests=told_at(address), data_state=state)
