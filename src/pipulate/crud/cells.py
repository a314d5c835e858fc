"""From the cells of a table that somebody brings to the answers of a form, as people and spreadsheets write them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipulate import forms
from pipulate.fields import FormField, leaves
from pipulate.sheets.kinds import normal
from pipulate.sheets.writing import as_written
from pipulate.storage.records.files import is_named

YES: Final = "true"
NO: Final = "false"

_YES: Final = frozenset({"1", YES, "yes", "y", "x", "on", "ja", "oui", "si", "sí", "✓", "✔"})
_NO: Final = frozenset({"", "0", NO, "no", "n", "off", "nein", "non", "-"})
_SEPARATORS: Final = re.compile(r"[;\n]")
_BETWEEN: Final = "; "


def can_be_brought(field: FormField) -> bool:
    """Tell whether a table can have a field in a column of its own: files come with a form alone."""
    return all(each.kind != "file" for each in leaves([field]))


def by_name(value: Any) -> Any:
    """Return a stored value with each file in it by its name alone."""
    if is_named(value):
        return value["name"]
    if isinstance(value, Mapping):
        return {name: by_name(each) for name, each in value.items()}
    return [by_name(each) for each in value] if isinstance(value, list) else value


def answers_of(fields: Sequence[FormField], cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells of a row as `forms.decode` returns what a form sends.

    Args:
        fields: The fields of a record.
        cells: Field -> what stands in its cell; fields without a column are left out.
    """
    given = {each.name: as_written(cells[each.name].strip()) for each in fields if each.name in cells}
    chosen = [each for each in fields if each.name in given and not each.parts]
    answers = forms.decode(chosen, {each.name: _texts(each, given[each.name]) for each in chosen}, {})
    # A form cannot send anything but yes or no; a cell that says neither is for the check to refuse.
    unclear = [each.name for each in chosen if each.kind == "bool" and given[each.name].casefold() not in _YES | _NO]
    answers |= {name: given[name] for name in unclear}
    return answers | {each.name: _whole(given[each.name]) for each in fields if each.parts and each.name in given}


def cell_of(field: FormField, value: Any) -> str:
    """Return the text of a cell that `answers_of` makes the same of again; "" where there is nothing.

    Of files it is the name, which says nothing to `answers_of`.

    Args:
        field: A field that leads to no other records.
        value: What is stored.
    """
    if value is None or field.kind == "secret":  # What is kept secret goes into no file.
        return ""
    if isinstance(value, bool) and field.kind == "bool":
        return YES if value else NO
    value = by_name(value)
    if field.parts or isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        texts = [_called(field, each) for each in value]
        plain = _BETWEEN.join(texts)
        is_plain = [each.strip() for each in _SEPARATORS.split(plain)] == texts and not plain.startswith("[")
        return plain if is_plain or not texts else json.dumps(texts, ensure_ascii=False)
    return _called(field, value)


def _called(field: FormField, value: Any) -> str:
    """Return a choice by what people read, where nothing else is called that too."""
    option = next((each for each in field.options if each.value == value), None)
    if option is None:
        return str(value)
    label = option.label.strip()
    return label if _option(field, label) == option.text else option.text


def _whole(text: str) -> Any:
    """Return what stands in a cell as JSON; text that is none is for the check to refuse."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


def _texts(field: FormField, text: str) -> list[str]:
    """Return a cell as the texts that a form would send for it."""
    if field.widget in ("checkbox", "switch"):
        return ["on"] if text.casefold() in _YES else []
    if field.widget == "checkboxes":
        return [_option(field, each) for each in _listed(text)]
    if field.widget == "lines":
        return ["\n".join(_listed(text))]
    if field.options:
        return [_option(field, text)]
    if field.kind in ("integer", "number"):
        return [_number(text)]
    return [_date(text) if field.kind in ("date", "datetime") else text]


def _listed(text: str) -> list[str]:
    """Return the entries of a list: one JSON list, or what stands between semicolons and line breaks."""
    if text.startswith("["):
        found = _whole(text)
        if isinstance(found, list):
            return [str(each) for each in found]
    return [each.strip() for each in _SEPARATORS.split(text) if each.strip()]


def _option(field: FormField, text: str) -> str:
    """Return the choice that a cell means, by what is stored or by what people read, whatever its case."""
    if any(text == option.text for option in field.options):
        return text
    wanted = text.casefold()
    for option in field.options:
        if wanted in (option.text.casefold(), option.label.casefold()):
            return option.text
    return text


def _number(text: str) -> str:
    """Return a number without what parts its thousands; a comma is a point where it can be nothing else."""
    return normal("point", text) or normal("comma", text) or text


def _date(text: str) -> str:
    """Return a date as the check takes it, where it can be read in one way only: 28.02.2026 is, 02/03/2026 is not."""
    clear = normal("ymd", text) or ("." in text and normal("dmy", text))
    if clear:
        return clear
    both = {normal("dmy", text), normal("mdy", text)} - {None}
    return str(both.pop()) if len(both) == 1 else text
