"""What a list is narrowed by: the form, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipulate.crud.asked import Filter, default_sort, name_of, sort_text, tests_of
from pipulate.fields import FormField, Option
from pipulate.storage.records.queries import Test
from pipulate.ui.html import (
    Html,
    a,
    button,
    details,
    div,
    fieldset,
    input_,
    join,
    label,
    legend,
    option,
    select,
    span,
    summary,
)
from pipulate.ui.records.cells import words
from pipulate.ui.records.view import ListView

_TYPES: Final = {"integer": "number", "number": "number", "date": "date", "time": "time", "datetime": "datetime-local"}


def filter_form(view: ListView) -> Html:
    """Return the fields of the filters, folded; they are part of the form of the search."""
    fields = [each for each in view.resource.fields if tests_of(each) and each.widget != "hidden"]
    return details(
        summary("Filter", class_="button secondary", role="button"),
        div(
            div([_asked(view, each) for each in fields], class_="filters"),
            div(button("Show", class_="secondary"), class_="actions"),
            class_="popover",
        ),
        class_="filter-box",
        id="records-filter",
    )


def _asked(view: ListView, field: FormField) -> Html:
    parts = [_control(view, field, test) for test in tests_of(field)]
    return fieldset(legend(field.label), *parts, class_="filter")


def _control(view: ListView, field: FormField, test: Test) -> Html:
    name = name_of(field, test)
    held = view.asked.held(name)
    text = held[-1] if held else ""
    if test == "empty":
        return _list(
            name,
            f"{field.label}: filled in or not",
            [("", "Filled in or not"), ("0", "Filled in"), ("1", "Empty")],
            text,
        )
    if test == "is":
        return _list(name, field.label, [("", "Either"), ("on", "Yes"), ("off", "No")], text)
    if test == "lists":
        return _list(name, field.label, [("", "Any"), *((each.text, each.label) for each in field.options)], text)
    if test == "any" and field.to:
        offered: Sequence[Option] = view.options.get(field.name, ())
        return _list(
            name, field.label, [("", "Any"), *((each.text, each.label) for each in offered)], text,
            id=f"filter-{field.name}", data_needs="fields", data_widget="search",
            data_source=f"/-/records/{field.to}/options",
        )  # fmt: skip
    if test == "any":
        boxes = (
            label(input_(type="checkbox", name=name, value=each.text, checked=each.text in held), " ", each.label)
            for each in field.options
        )
        return div(boxes, class_="options")
    said = {"min": "From", "max": "To", "has": "Has"}[test]
    kind = _TYPES.get(field.kind, "search")
    step = "any" if field.kind == "number" else None
    return label(
        span(said),
        input_(type=kind, name=name, value=text, step=step, autocomplete="off", aria_label=f"{field.label}: {said}"),
        class_="bound",
    )  # fmt: skip


def _list(name: str, said: str, options: Sequence[tuple[str, str]], chosen: str, **more: Any) -> Html:
    return select(
        [option(words_, value=value, selected=value == chosen) for value, words_ in options],
        name=name, aria_label=said, **more,
    )  # fmt: skip


def narrowed_by(view: ListView) -> Html | None:
    """Return what the list is narrowed by, in words, each with what takes it away; None where nothing does."""
    if not view.asked.is_narrowed:
        return None
    chips = [
        _chip(view, _told(view, each), view.asked.without(each), problem=each.problem) for each in view.asked.filters
    ]
    if view.asked.words:
        chips.insert(0, _chip(view, f"with “{view.asked.words}”", view.asked.text(words="")))
    clear = a("Show all", href=view.address + _all(view), data_list=True, class_="button quiet")
    return div(chips, clear if len(chips) > 1 else None, class_="chips")


def _all(view: ListView) -> str:
    return view.asked.text(words="", filters=()) or "?"


def _chip(view: ListView, said: str, address: str, problem: str = "") -> Html:
    return span(
        span(problem or said, dir="auto"),
        a("✕", href=view.address + (address or "?"), data_list=True, aria_label=f"Take away: {said}"),
        class_="chip wrong" if problem else "chip",
    )


def _told(view: ListView, given: Filter) -> str:
    field, test = given.field, given.test
    match test:
        case "empty":
            return f"{field.label} {'empty' if given.value else 'filled in'}"
        case "is":
            return f"{field.label}: {'yes' if given.value else 'no'}"
        case "min":
            return f"{field.label} from {given.texts[-1]}"
        case "max":
            return f"{field.label} to {given.texts[-1]}"
        case "any" if isinstance(given.value, list):
            return f"{field.label}: {' or '.join(words(field, each, view.labels) for each in given.value)}"
        case "lists":
            return f"{field.label}: {words(field, [given.value], view.labels)}"
        case _:
            return f"{field.label} has “{given.texts[-1]}”"


def hidden_order(view: ListView) -> Html:
    """Return the order of the list as the form of the search sends it along."""
    asked = view.asked
    return join(
        input_(type="hidden", name="sort", value=sort_text(asked.sort))
        if asked.sort != default_sort(asked.resource)
        else None,
        input_(type="hidden", name="bin", value="1") if asked.deleted else None,
    )
