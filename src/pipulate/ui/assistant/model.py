"""The line that says which language model answers, or how to get one."""

from __future__ import annotations

from hashlib import sha256

from pipulate.llm.port import Known, Status
from pipulate.ui.html import Html, button, code, details, div, form, join, li, ol, p, small, span, strong, summary, ul
from pipulate.ui.words import size_in_words

IS_ASKED = ("up", "loading", "looking")
"""Conditions in which what is written goes to the model."""


def model_line(status: Status | None) -> tuple[Html, str]:
    """Return the line, which takes the place of the one before, and what is the same for equal ones."""
    content = _content(status)
    digest = sha256(content.encode("utf-8", "replace")).hexdigest()[:12]
    asks = status is not None and status.condition in IS_ASKED
    return div(content, id="assistant-model", class_="model", data_asks=asks, data_digest=digest), digest


def _content(status: Status | None) -> Html:
    if status is None or status.condition in ("off", "no_model", "down"):
        return _without(status)
    if status.condition != "up":  # What is written meanwhile goes there too.
        return join(p(status.words, class_="help"), _leaves(status) if status.leaves else None)
    return join(
        div(_menu(status), class_="model-now"),
        p(status.words, class_="help") if status.lost else None,
        _leaves(status) if status.leaves else None,
        None if status.has_tools else p("It can answer, but not look anything up or do anything here.", class_="help"),
    )


def _without(status: Status | None) -> Html:
    """Return what to do where nothing answers; what is written is kept meanwhile."""
    said = status.words if status is not None else "No language model is connected. Everything else works."
    choices = [each for each in status.known if each.can_chat] if status is not None else []
    return join(
        p(said, " What you write here is kept as a note.", class_="help"),
        _first_steps() if _wants_ollama(status) else None,
        _menu(status) if status is not None and choices else None,
        _look() if status is not None and status.condition != "off" else None,
    )


def _wants_ollama(status: Status | None) -> bool:
    """Tell whether there is nothing yet of what most people will use: Ollama on this machine."""
    return status is not None and status.condition == "down" and not status.leaves and status.is_ollama


def _first_steps() -> Html:
    """Return how one gets a model who has none and has heard of none."""
    return details(
        summary("How to get one"),
        ol(
            li("Install Ollama, a program that runs language models on this machine: ", code("https://ollama.com")),
            li("In a terminal, get a model, once: ", code("ollama pull qwen3:4b"), " (2.5 GB)"),
            li("It is found by itself within half a minute, or with ", strong("Look again"), "."),
        ),
        class_="first-steps",
    )


def _look() -> Html:
    return form(
        button("Look again", class_="quiet"), method="post", action="/-/assistant/look", class_="look", data_asks=True
    )


def _leaves(status: Status) -> Html:
    is_passed_on = any(each.is_remote for each in status.known if each.name == status.model)
    goes_to = "the servers of Ollama" if is_passed_on else status.server or "another machine"
    return p(
        strong("Answers leave this machine."), " What you write and what the assistant sees goes to ",
        span(goes_to, dir="auto"), ".", class_="notice leaves",
    )  # fmt: skip


def _menu(status: Status) -> Html:
    choices = [each for each in status.known if each.can_chat]
    if len(choices) < 2 and status.model:
        return span(status.model, class_="model-name", dir="auto")
    return details(
        summary(span(status.model or "Choose a model", dir="auto"), class_="button quiet", title=status.words),
        form(
            ul(li(_choice(each, is_chosen=each.name == status.model)) for each in choices),
            method="post",
            action="/-/assistant/model",
            class_="menu-body",
            data_asks=True,
        ),
        class_="menu up",
        data_menu=True,
    )


def _choice(known: Known, *, is_chosen: bool) -> Html:
    about = [size_in_words(known.size_bytes)] if known.size_bytes else []
    about += ["cannot do anything here"] if known.has_tools is False else []
    about += ["leaves this machine"] if known.is_remote else []
    return button(
        span(known.name, dir="auto"),
        small(" ", ", ".join(about), class_="help") if about else None,
        name="model",
        value=known.name,
        class_="quiet",
        aria_pressed=str(is_chosen).lower(),
    )
