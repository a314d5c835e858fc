"""What the hints of an annotation make of a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipulate.fields.hints import (
    LANGUAGES,
    Accept,
    CodeEditor,
    Colour,
    Hidden,
    Link,
    MarkdownEditor,
    Radios,
    Search,
    Slider,
    Switch,
    TextArea,
)
from pipulate.fields.model import FormField, Option, Widget

YES_OR_NO = (Option(value=True, text="True", label="Yes"), Option(value=False, text="False", label="No"))
"""The options of a `bool` that is chosen from a list."""

_POSITIONS = 100  # Of a slider whose author named no step.


class WrongHintError(TypeError):
    """A hint does not go with the type beside it; says with what it goes."""


def hinted(field: FormField, hints: Iterable[Any]) -> FormField:
    """Return the field as the hints of its annotation want it; the last of several counts.

    Raises:
        WrongHintError: If a hint does not go with its type.
    """
    for hint in hints:
        make = _MAKE.get(type(hint))
        if make is not None:
            field = make(field, hint)
    return field


def _needs(fits: object, words: str) -> None:
    if not fits:
        raise WrongHintError(words)


def _rows(rows: Any) -> int:
    _needs(isinstance(rows, int) and 1 <= rows <= 200, "rows must be a number from 1 to 200")
    return int(rows)


def _long(field: FormField) -> FormField:
    """Return a field for one line as one for a text of any length."""
    limits = field.limits if field.has_limit else ()
    return replace(field, kind="long", limits=limits)


def _text_area(field: FormField, hint: TextArea) -> FormField:
    if field.widget == "lines":
        return replace(field, rows=_rows(hint.rows))
    _needs(field.kind == "text" and not field.choices, "TextArea goes with str, or with a list of text or numbers")
    return replace(_long(field), widget="textarea", rows=_rows(hint.rows))


def _code(field: FormField, hint: CodeEditor) -> FormField:
    _needs(field.kind == "text" and field.widget == "text", "CodeEditor goes with str")
    _needs(hint.language in LANGUAGES, f"CodeEditor knows {', '.join(LANGUAGES)}; not {hint.language!r}")
    return replace(_long(field), widget="code", rows=_rows(hint.rows), language=hint.language)


def _markdown(field: FormField, hint: MarkdownEditor) -> FormField:
    _needs(field.kind == "text" and field.widget == "text", "MarkdownEditor goes with str")
    return replace(_long(field), widget="markdown", rows=_rows(hint.rows))


def _switch(field: FormField, _: Switch) -> FormField:
    _needs(field.kind == "bool", "Switch goes with bool")
    return replace(field, widget="switch")


def _radios(field: FormField, _: Radios) -> FormField:
    _needs(field.kind == "bool" or field.widget in ("select", "radios"), "Radios goes with one choice of several")
    if field.kind == "bool":
        return replace(field, kind="choice", widget="radios", options=YES_OR_NO)
    return replace(field, widget="radios")


def _search(field: FormField, _: Search) -> FormField:
    _needs(field.widget in ("select", "radios"), "Search goes with one choice of several: Literal, Enum or Choices")
    return replace(field, widget="search")


def _slider(field: FormField, hint: Slider) -> FormField:
    _needs(field.widget in ("integer", "number", "range"), "Slider goes with a number, or with two in a tuple")
    limits = dict(field.limits)
    _needs({"min", "max"} <= limits.keys(), "Slider needs a lowest and a highest value, such as Range(0, 100)")
    _needs(not field.optional, "Slider always has a value, so it cannot be None")
    _needs(hint.step is None or hint.step > 0, "the step of a Slider is more than 0")
    if hint.step is not None:
        limits["step"] = f"{hint.step:g}"
    elif limits["step"] == "any":
        limits["step"] = f"{(float(limits['max']) - float(limits['min'])) / _POSITIONS:g}"
    widget: Widget = "range-slider" if field.widget == "range" else "slider"
    return replace(field, widget=widget, limits=tuple(limits.items()))


def _colour(field: FormField, _: Colour) -> FormField:
    _needs(field.kind == "text" and field.widget == "text", "Colour goes with str")
    if field.optional:  # What a browser offers for colours cannot be empty.
        return replace(field, kind="colour", placeholder=field.placeholder or "#2457c5", limits=(("maxlength", "7"),))
    return replace(field, kind="colour", widget="colour", limits=(), required=True)


def _hidden(field: FormField, _: Hidden) -> FormField:
    is_one = field.kind not in ("group", "file", "secret") and field.widget not in ("checkboxes", "lines", "range")
    _needs(is_one and not field.choices, "Hidden goes with one plain value: text, a number, a date, an option")
    if field.kind == "bool":
        return replace(field, kind="choice", widget="hidden", options=YES_OR_NO)
    return replace(field, widget="hidden")


def _accept(field: FormField, hint: Accept) -> FormField:
    _needs(field.widget == "upload", "Accept goes with File, or with a list of File")
    _needs(field.multiple or hint.max_files in (None, 1), "max_files above 1 goes with list[File]")
    for each in hint.kinds:
        is_kind = (each.startswith(".") and len(each) > 1) or each.count("/") == 1
        _needs(is_kind, f"Accept takes endings such as '.csv' and kinds such as 'image/*'; not {each!r}")
    return replace(field, accept=hint.kinds, max_bytes=hint.max_bytes, max_files=hint.max_files)


def _link(field: FormField, hint: Link) -> FormField:
    _needs(field.kind == "integer", "Link goes with int, or with int | None")
    return replace(field, widget="link", to=hint.to)


_MAKE: Mapping[type, Callable[[FormField, Any], FormField]] = {
    Accept: _accept,
    CodeEditor: _code,
    Colour: _colour,
    Hidden: _hidden,
    Link: _link,
    MarkdownEditor: _markdown,
    Radios: _radios,
    Search: _search,
    Slider: _slider,
    Switch: _switch,
    TextArea: _text_area,
}
