"""What the framework hands to a step by the type of its parameter, beside the run and its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TEXT_MAX = 20_000
"""Longest message of an app, in characters; what is longer is cut."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile a run belongs to: its id, and the name people see."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """The person a step works for: the id under which the store knows them, and the name people see."""

    id: str
    name: str


class Messages:
    """The conversation beside the run: what an app says there is kept with the run and waits for nobody."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def say(self, text: str) -> None:
        """Say something. It is shown as text with Markdown, and cut at `TEXT_MAX` characters."""
        plain = str(text).strip()[:TEXT_MAX]
        if plain:
            self._say(plain)


@dataclass(frozen=True, slots=True)
class Done:
    """How far a step is.

    Attributes:
        done: How much is done.
        total: How much there is to do, or None where nobody knows.
        text: What is being done, in words.
    """

    done: float
    total: float | None
    text: str


class Progress:
    """Shows how far a step is, while it runs, on every page that shows its run.

    In a step with `background=True` it is kept with the job, with its log and what there is so far, and every call ends
    the step there where it is to stop.
    """

    def __init__(
        self,
        show: Callable[[Done], None],
        log: Callable[[str], None] | None = None,
        partial: Callable[[Any], None] | None = None,
    ) -> None:
        self._show, self._log, self._partial = show, log, partial
        self._now = Done(0, None, "")

    @property
    def now(self) -> Done:
        """How far it is."""
        return self._now

    def total(self, total: float | None) -> None:
        """Say how much there is to do, in units of your own."""
        self._set(Done(self._now.done, total, self._now.text))

    def advance(self, by: float = 1, text: str | None = None) -> None:
        """Say that more is done, and what comes now."""
        self._set(Done(self._now.done + by, self._now.total, self._now.text if text is None else str(text)))

    def message(self, text: str) -> None:
        """Say what is being done."""
        self._set(Done(self._now.done, self._now.total, str(text)))

    def log(self, line: str) -> None:
        """Add a line to the log of the job; a step that is none has no log."""
        if self._log is not None:
            self._log(str(line))

    def partial(self, value: Any) -> None:
        """Show what there is so far, in place of what was shown before: anything a step may return.

        Of tables the first 25 rows are shown, of figures nothing: they are for the end. A step that is no job shows
        nothing.
        """
        if self._partial is not None:
            self._partial(value)

    def _set(self, now: Done) -> None:
        self._now = now
        self._show(now)
