"""From the cells of a table that somebody brings to the answers of a form, as people and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipulate import forms
from pipulate.fields import FormField

_YES: Final = frozenset({"1", "true", "yes", "y", "x", "on", "ja", "oui", "si", "sí", "✓", "✔"})
_NO: Final = frozenset({"", "0", "false", "no", "n", "off", "nein", "non", "-"})
_SEPARATORS: Final = re.compile(r"[;\n]")
_SPACES: Final = re.compile(r"[\s\u00a0\u202f]")
_ESCAPED: Final = re.compile(r"'[=+\-@\t\r\n]")


def answers_of(fields: Sequence[FormField], cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells of a row as `forms.decode` returns what a form sends.

    Args:
        fields: The fields of a record.
        cells: Field -> what stands in its cell; fields without a column are left out.
    """
    chosen = [each for each in fields if each.name in cells]
    answers = forms.decode(chosen, {each.name: _texts(each, cells[each.name].strip()) for each in chosen}, {})
    # A form cannot send anything but yes or no; a cell that says neither is for the check to refuse.
    unclear = [each.name for each in chosen if each.kind == "bool" and _is_unclear(cells[each.name].strip())]
    return answers | {name: cells[name].strip() for name in unclear}


def _is_unclear(text: str) -> bool:
    return text.casefold() not in _YES | _NO


def _texts(field: FormField, text: str) -> list[str]:
    """Return a cell as the texts that a form would send for it."""
    if _ESCAPED.match(text):  # An apostrophe that keeps a spreadsheet from taking the text for a formula.
        text = text[1:]
    if field.widget in ("checkbox", "switch"):
        return ["on"] if text.casefold() in _YES else []
    if field.widget == "checkboxes":
        return [_option(field, each.strip()) for each in _SEPARATORS.split(text) if each.strip()]
    if field.widget == "lines":
        return ["\n".join(each.strip() for each in _SEPARATORS.split(text))]
    if field.options:
        return [_option(field, text)]
    return [_number(text) if field.kind in ("integer", "number") else text]


def _option(field: FormField, text: str) -> str:
    """Return the choice that a cell means, by what is stored or by what people read, whatever its case."""
    wanted = text.casefold()
    for option in field.options:
        if wanted in (option.text.casefold(), option.label.casefold()):
            return option.text
    return text


def _number(text: str) -> str:
    """Return a number without what parts its thousands; a comma is a point where it can be nothing else."""
    plain = _SPACES.sub("", text)
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        return plain.replace(",", "")
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+", plain):
        return plain.replace(".", "").replace(",", ".")
    return plain.replace(",", ".") if re.fullmatch(r"[+-]?\d+,\d+", plain) else plain
