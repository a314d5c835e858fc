"""The button that has the assistant suggest what a form is filled in with."""

from __future__ import annotations

from typing import Literal

from pipulate.ui.html import Html, button, form, p

Suggesting = Literal["none", "offered", "suggested"]
"""Whether a language model can fill in a form, has suggested something that waits in the panel, or neither."""


def with_model(state: Suggesting, address: str) -> Html | None:
    """Return the button, or where to look for what was suggested; `address` takes what the button sends."""
    if state == "none":
        return None
    if state == "suggested":
        return line("The assistant suggests values: look at them in the panel.")
    return form(
        button("Suggest with the assistant", class_="quiet"),
        method="post",
        action=address,
        class_="suggests",
        hx_post=address,
        hx_swap="outerHTML",
        hx_sync="this:drop",
    )


def line(words: str, *, is_problem: bool = False) -> Html:
    """Return what stands in the place of that button once it was pressed."""
    return p(words, class_="suggests problem" if is_problem else "suggests help", role="status")
