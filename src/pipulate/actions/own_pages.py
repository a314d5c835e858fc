"""What the pages of class-style apps ask for, read off the pages, and what is sent from them in their stead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pipulate.actions.answers import Texts, differing, refusal, texts_from
from pipulate.actions.told import cut, field_told, shown_fields, texts_told
from pipulate.errors import CallError, InvalidAnswersError, RunLockedError, StepNotOpenError
from pipulate.fields import FormField
from pipulate.tools.action import Difference, Doing
from pipulate.workflows.work import RunView

SAID_MAX: Final = 600
"""Most characters of what a page said to what it was sent."""


@dataclass(frozen=True, slots=True)
class OwnForm:
    """A form as it stands in a page.

    Attributes:
        post: Address it is sent to, with its query; "" where it is sent nowhere.
        fields: Its fields, hidden ones included.
        texts: Name -> what it sends as it stands; of a tick `on`, whatever it really sends.
        ticks: Name of a tick -> what it sends where it is set.
    """

    post: str
    fields: Sequence[FormField]
    texts: Mapping[str, Sequence[str]]
    ticks: Mapping[str, str]

    def sent(self, texts: Mapping[str, Sequence[str]]) -> Texts:
        """Return what a browser would send for some texts."""
        return {name: [self.ticks.get(name, text) for text in each] for name, each in texts.items() if each}


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was asked for; `is_new` tells whether it was not there before."""

    run: str
    is_new: bool


class OwnPages(Protocol):
    """The pages of class-style apps, used for a person."""

    def open_step(self, view: RunView) -> str | None:
        """Return the step that a run asks for now, or None where all are done."""
        ...

    async def form(self, view: RunView, step: str, doing: Doing) -> OwnForm | None:
        """Return the form that a step asks with now, or None where there is none in its page."""
        ...

    async def send(self, view: RunView, post: str, texts: Texts, seen: int, doing: Doing) -> str:
        """Send something to the app of a run, as its page would; return what the page says to it.

        Args:
            view: The run.
            post: The address, with its query.
            texts: Name -> what is sent.
            seen: Version of the run that was read.
            doing: In whose name.

        Raises:
            RunConflictError, RunLockedError: If the run was changed since, or is locked.
            CallError: If the app has no such address.
        """
        ...

    async def start(self, app: str, name: str, doing: Doing) -> Started:
        """Begin a run of an app, or find it again by its name.

        Raises:
            CallError: If its page begins none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """The form of a class-style step with what a model filled in."""

    title: str
    form: OwnForm
    after: Texts

    @property
    def differences(self) -> Sequence[Difference]:
        """What a card shows: all that is sent, and what the page had in it."""
        return differing(self.form.fields, self.form.texts, self.after, {}) or [
            Difference(self.title, None, "as it is")
        ]


async def opened(pages: OwnPages, view: RunView, step: str, title: str, doing: Doing) -> OwnForm:
    """Return the form of the step that is open, of the run a conversation is about.

    Another run's pages are not looked at: what they do when they are opened has not been done for the person yet.

    Raises:
        RunLockedError: If the run is locked.
        StepNotOpenError: If it is another step's turn.
        CallError: If it is another run, or the page has no form.
    """
    if view.row.id != doing.run:
        raise CallError("Only the run this conversation is about can be filled in. Ask the person to open that run.")
    if view.state.lock is not None:
        raise RunLockedError(view.state.lock.by, view.state.lock.at)
    now = pages.open_step(view)
    if step != now:
        raise StepNotOpenError(step, now)
    form = await pages.form(view, step, doing)
    if form is None:
        raise CallError(
            f"The page of “{title}” has no form that can be filled in here. Tell the person what to do there."
        )
    return form


async def filled(
    pages: OwnPages, view: RunView, step: str, title: str, values: Mapping[str, Any], doing: Doing
) -> Filled:
    """Return the form of a step with values in it, checked as a browser checks it; errors as in `opened`.

    Raises:
        CallError: If it cannot be filled in like that.
    """
    form = await opened(pages, view, step, title, doing)
    try:
        after = {name: list(each) for name, each in form.texts.items()} | texts_from(form.fields, values, {})
        _check(form, after)
    except InvalidAnswersError as error:
        raise refusal(f"“{title}”", form.fields, error) from None
    return Filled(title, form, after)


def form_told(form: OwnForm) -> list[dict[str, Any]]:
    """Return the fields of a form for a model."""
    told = []
    for each in shown_fields(form.fields):
        now = texts_told(each, form.texts.get(each.name, ()))
        told.append(field_told(each) | ({"in the form now": cut(now)} if now not in ("", "No") else {}))
    return told


def _check(form: OwnForm, texts: Mapping[str, Sequence[str]]) -> None:
    """Refuse what a browser would not send; the rules of the app itself are for the app to say.

    Raises:
        InvalidAnswersError: With a sentence for each field.
    """
    problems = {}
    for each in form.fields:
        words = _wrong(each, [text for text in texts.get(each.name, ()) if text])
        if words:
            problems[each.name] = words
    if problems:
        raise InvalidAnswersError(problems)


def _wrong(field: FormField, given: Sequence[str]) -> str:
    if not given:
        if field.required and field.kind in ("secret", "file"):
            return "Only the person can fill this in. Ask them to do so on the page."
        return "This has to be filled in." if field.required else ""
    if field.options and any(text not in [option.text for option in field.options] for text in given):
        return f"Choose one of: {', '.join(option.text for option in field.options)}."
    limits = dict(field.limits)
    if field.kind == "number":
        return _wrong_number(given[0], limits)
    most = limits.get("maxlength", "")
    too_long = most.isdecimal() and any(len(text) > int(most) for text in given)
    return f"At most {most} characters." if too_long else ""


def _wrong_number(text: str, limits: Mapping[str, str]) -> str:
    try:
        number = float(text) if math.isfinite(float(text)) else math.nan
        least, most = float(limits.get("min", "-inf")), float(limits.get("max", "inf"))
    except ValueError:
        return "Give a number."
    if least <= number <= most:
        return ""
    return f"It has to be between {limits.get('min', 'anything')} and {limits.get('max', 'anything')}."
