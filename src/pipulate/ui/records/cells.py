"""Values of records as people read them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipulate._clock import from_text
from pipulate.crud.links import Labels
from pipulate.crud.resource import Resource
from pipulate.fields import FormField
from pipulate.storage.records.files import is_named
from pipulate.storage.records.rows import Record
from pipulate.ui.html import EMPTY, Html, a, join, span, time
from pipulate.ui.records.files import file_links, names_files

SHORT: Final = 160
"""Characters of a text that stand in a list."""


def words(field: FormField, value: Any, labels: Labels) -> str:
    """Return a value as plain words; "" where there is none."""
    if value is None:
        return ""
    if field.to:
        return labels.get(field.to, {}).get(value, f"#{value}")
    if field.kind == "bool":
        return "Yes" if value else "No"
    if field.kind == "secret":
        return "Kept"
    if isinstance(value, list):
        return ", ".join(_label(field, each) for each in value)
    if isinstance(value, Mapping) and not is_named(value):
        parts = {part.key: part for part in field.parts}
        return ", ".join(words(parts[name], each, labels) for name, each in value.items() if name in parts)
    if field.kind == "datetime":
        return str(value).replace("T", " ")
    return _label(field, value)


def _label(field: FormField, value: Any) -> str:
    if is_named(value):
        return str(value["name"])
    return next((option.label for option in field.options if option.value == value), str(value))


def shown(field: FormField, value: Any, labels: Labels) -> Html:
    """Return a value as it stands in a list: in short, on one line."""
    text = words(field, value, labels)
    if not text:
        return EMPTY
    if field.to and value in labels.get(field.to, {}):
        return a(text, href=f"/-/records/{field.to}/{value}", dir="auto", class_="leads")
    if field.kind == "moment":
        local = from_text(text).astimezone() if text.endswith("Z") else None
        return time(f"{local:%Y-%m-%d %H:%M}" if local else text, datetime=text)
    line = " ".join(text[: SHORT * 2].split())
    return join(line if len(line) <= SHORT else f"{line[:SHORT].rstrip()} …")


def drawn(resource: Resource[Any], record: Record, name: str, labels: Labels) -> Html:
    """Return what stands in a column of a list; what the author's own functions fail at says so in its place.

    Args:
        resource: The resource.
        record: One of its records.
        name: A field, or a computed column.
        labels: What people call the records that links lead to.
    """
    field = next((each for each in resource.fields if each.name == name), None)
    own, computed = resource.cells.get(name), resource.computed.get(name)
    try:
        if own is None and computed is None and field is not None:
            if names_files(record.values[name]):
                return file_links(resource.name, record.id, record.values[name])
            return shown(field, record.values[name], labels)
        typed = resource.typed(record.values)
        value = computed.function(typed) if computed is not None else getattr(typed, name)
        return _of_author(_with(own, value, typed) if own is not None else value)
    except Exception as error:  # noqa: BLE001 - plugin border: one cell that fails leaves the others as they are
        reason = f"{type(error).__name__}: {error}"
        return span("failed", title=f"This could not be worked out: {reason}", class_="cell-problem")


def _with(own: Callable[..., Any], value: Any, typed: Any) -> Any:
    takes_record = len(inspect.signature(own).parameters) > 1
    return own(value, typed) if takes_record else own(value)


def _of_author(made: Any) -> Html:
    if isinstance(made, bool):
        return join("Yes" if made else "")
    return join(made)
