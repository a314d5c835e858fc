"""What authors draw themselves in place of what we would draw: forms, results, live parts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipulate.ui.html import Html, div, join, p


class FormParts(Mapping[str, Html]):
    """The fields of a form, drawn, for an author who arranges them: `parts["url"]`, or `parts.rest()` for the others.

    A field the author leaves out stands below the rest, so none can be forgotten.
    """

    def __init__(self, drawn: Mapping[str, Html]) -> None:
        self._drawn = dict(drawn)
        self._left = dict(drawn)

    def __getitem__(self, name: str) -> Html:
        self._left.pop(name, None)
        return self._drawn[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._drawn)

    def __len__(self) -> int:
        return len(self._drawn)

    def rest(self) -> Html:
        """Return the fields that were not taken yet, in their order."""
        left, self._left = self._left, {}
        return join(*left.values())


def arranged(view: Callable[..., Any], parts: Mapping[str, Html], run: Any) -> Html:
    """Return the fields as the author arranges them, or, where that fails, as we do."""
    given = FormParts(parts)
    try:
        made = join(called(view, given, run))
    except Exception as error:  # noqa: BLE001 - plugin border: a form that fails shows so and can be filled in
        return join(failure("The app's own form", error), *parts.values())
    return join(made, given.rest())


def shown(view: Callable[..., Any], load: Callable[[], Any], run: Any) -> Html:
    """Return a result as the author draws it; where that fails, a line that says so."""
    try:
        return div(called(view, load(), run), class_="result")
    except Exception as error:  # noqa: BLE001 - plugin border: a view that fails shows so in its place
        return failure("This result", error)


def called(view: Callable[..., Any], value: Any, run: Any) -> Any:
    """Call a view with what it draws, and with the run where it takes that too."""
    return view(value, run) if _takes_two(view) else view(value)


def failure(what: str, error: Exception) -> Html:
    """Return the line that stands where something of the author's failed."""
    return p(f"{what} cannot be shown ({type(error).__name__}).", class_="problem")


def live(topic: str, *content: Any, step: str | None = None, shows_time: bool = False) -> Html:
    """Return a place that shows what the app's live view of this name draws, and `content` until it does.

    Args:
        topic: Name of the live view.
        *content: What stands there until something was drawn.
        step: Name of the step it is drawn for; the view gets it in a parameter `step`.
        shows_time: Whether the moment of the last change stands below it.
    """
    name = f"{topic}@{step}" if step is not None else topic
    place = div(*content, data_live=name, class_="live")
    return join(place, p(data_live_at=name, class_="help live-at")) if shows_time else place


def _takes_two(view: Callable[..., Any]) -> bool:
    try:
        inspect.signature(view).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # Something built in that does not say.
        return False
    return True
