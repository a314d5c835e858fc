"""What a person types into or chooses from: one element for each kind of field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipulate.fields import FormField, Option
from pipulate.ui.forms.texts import KEPT
from pipulate.ui.html import Html, input_, option, select, textarea

_INPUT_TYPES = {
    "text": "text", "integer": "number", "number": "number", "slider": "number", "date": "date", "time": "time",
    "datetime": "datetime-local", "email": "email", "url": "url", "upload": "file",
}  # fmt: skip
_NO_HISTORY = frozenset({"text", "email", "url"})

Common = dict[str, Any]
"""Attributes that every control has: name, id, what describes it, whether it is wrong, needed, focused."""


def control(field: FormField, texts: Sequence[str], options: tuple[Option, ...], common: Common) -> Html:
    """Return the control of a field that is neither a box nor a group.

    Args:
        field: The field.
        texts: What it holds.
        options: What can be chosen.
        common: Attributes of the control.
    """
    make = _CONTROLS.get(field.widget, _input)
    return make(field, texts[-1] if texts else "", options, common)


def _input(field: FormField, text: str, _options: Sequence[Option], common: Common) -> Html:
    limits = dict(field.limits)
    if field.widget in _NO_HISTORY:
        limits.setdefault("autocomplete", "off")
    kind = _INPUT_TYPES[field.widget]
    return input_(type=kind, value=text, **limits, placeholder=field.placeholder or None, **common)


def _slider(field: FormField, text: str, options: Sequence[Option], common: Common) -> Html:
    """Return the number of a slider; the script puts the slider beside it, and without one the number is enough."""
    return _input(field, text, options, {**common, "data_needs": "fields", "data_widget": "slider"})


def _long(field: FormField, text: str, _options: Sequence[Option], common: Common) -> Html:
    # A parser drops the first line break after the tag, so one is put there to be dropped.
    limits = {name: value for name, value in field.limits if name in ("minlength", "maxlength")}
    return textarea("\n", text, rows=field.rows, **limits, placeholder=field.placeholder or None, **common)


def _code(field: FormField, text: str, options: Sequence[Option], common: Common) -> Html:
    own = {"spellcheck": "false", "autocapitalize": "off", "wrap": "off", "dir": "ltr"}
    needs = {"data_needs": "code-editor", "data_language": field.language}
    return _long(field, text, options, {**common, **own, **needs})


def _markdown(field: FormField, text: str, options: Sequence[Option], common: Common) -> Html:
    return _long(field, text, options, {**common, "data_needs": "fields", "data_widget": "markdown"})


def _select(field: FormField, text: str, options: Sequence[Option], common: Common) -> Html:
    is_chosen = any(each.text == text for each in options)
    # Where the old choice is gone, nothing is chosen, rather than what happens to come first.
    blank = [] if field.required and is_chosen else [option("Choose …" if field.required else "None", value="")]
    return select(
        blank, [option(each.label, value=each.text, selected=each.text == text) for each in options], **common
    )


def _search(field: FormField, text: str, options: Sequence[Option], common: Common) -> Html:
    needs = {"data_needs": "fields", "data_widget": "search", "data_placeholder": field.placeholder or None}
    return _select(field, text, options, {**common, **needs})


def _link(field: FormField, text: str, options: Sequence[Option], common: Common) -> Html:
    """Return the choice of a record; the script asks the server for more of them as somebody types."""
    return _search(field, text, options, {**common, "data_source": f"/-/records/{quote(field.to)}/options"})


def _password(field: FormField, text: str, _options: Sequence[Option], common: Common) -> Html:
    """Return the field of a secret, which never holds it."""
    is_kept = text == KEPT
    words = "Kept; type to replace" if is_kept else field.placeholder or None
    return input_(
        type="password", autocomplete="new-password", placeholder=words, **dict(field.limits),
        **{**common, "required": common["required"] and not is_kept},
    )  # fmt: skip


def _colour(_field: FormField, text: str, _options: Sequence[Option], common: Common) -> Html:
    if text and not re.fullmatch("#[0-9A-Fa-f]{6}", text):  # Shown as it was typed: what offers colours would drop it.
        return input_(type="text", value=text, maxlength=7, autocomplete="off", **common)
    return input_(type="color", value=text or "#000000", **common)


def _upload(field: FormField, _text: str, _options: Sequence[Option], common: Common) -> Html:
    return input_(type="file", accept=",".join(field.accept) or None, multiple=field.multiple, **common)


_CONTROLS: Mapping[str, Callable[[FormField, str, tuple[Option, ...], Common], Html]] = {
    "code": _code,
    "colour": _colour,
    "lines": _long,
    "link": _link,
    "markdown": _markdown,
    "password": _password,
    "search": _search,
    "select": _select,
    "slider": _slider,
    "textarea": _long,
    "upload": _upload,
}
