"""What a cell can be: text, a number, a date; and how it is written once it is clean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time

KINDS = {
    "text": "text",
    "point": "number, 1,234.5",
    "comma": "number, 1.234,5",
    "ymd": "date, year first",
    "dmy": "date, day first",
    "mdy": "date, month first",
}
NUMBERS = ("point", "comma")
DATES = ("ymd", "dmy", "mdy")
SHARE = 0.8
"""A column has a kind where at least this share of its values is of it."""

_SPACE = "[ '\u2019\u00a0\u202f]"
_NUMBER = {
    "point": re.compile(rf"([+-]?)(\d+|\d{{1,3}}(?:,\d{{3}})+|\d{{1,3}}(?:{_SPACE}\d{{3}})+|(?=\.\d))(?:\.(\d+))?"),
    "comma": re.compile(rf"([+-]?)(\d+|\d{{1,3}}(?:\.\d{{3}})+|\d{{1,3}}(?:{_SPACE}\d{{3}})+|(?=,\d))(?:,(\d+))?"),
}
_TIME = r"(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?"
_ISO = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_ENDING_IN_YEAR = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_TIME}", re.ASCII)
_DIGITS_MAX = 15
"""Longer numbers are names of things (cards, accounts), and spreadsheets round them."""


def fits(kind: str, cell: str) -> bool:
    """Tell whether a cell is of a kind."""
    return normal(kind, cell) is not None


def normal(kind: str, cell: str) -> str | None:
    """Return a cell as it is written once it is clean, or None where it is not of its kind.

    Numbers become `-1234.5` and keep every digit; dates become `2026-02-28`, with `12:30:00` behind where there is a
    time.
    """
    if kind in NUMBERS:
        return _number(kind, cell.strip())
    if kind in DATES:
        return _date(kind, cell.strip())
    return cell


def _number(kind: str, cell: str) -> str | None:
    match = _NUMBER[kind].fullmatch(cell)
    if match is None or (not cell.isascii() and not _plain_digits(cell)):
        return None
    sign, whole, part = match.groups()
    digits = "".join(each for each in whole if each.isdigit())
    return f"{sign.replace('+', '')}{digits or '0'}{f'.{part}' if part else ''}"


def _plain_digits(cell: str) -> bool:
    return all(each.isascii() for each in cell if each.isdigit())


def _date(kind: str, cell: str) -> str | None:
    if match := _ISO.fullmatch(cell):
        year, _, month, day, *clock = match.groups()
    elif kind != "ymd" and (match := _ENDING_IN_YEAR.fullmatch(cell)):
        first, _, second, year, *clock = match.groups()
        day, month = (first, second) if kind == "dmy" else (second, first)
    else:
        return None
    try:
        made = date(int(year), int(month), int(day)).isoformat()
        return made if clock[0] is None else f"{made} {time(int(clock[0]), int(clock[1]), int(clock[2] or 0))}"
    except ValueError:
        return None


def kind_of(cells: Iterable[str]) -> str:
    """Return the kind of a column by some of its values.

    Numbers with a leading zero and very long ones are text, for they are names of things. Where values fit a point and
    a comma, or day and month, equally well, the point and the day come first.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or any(re.match(r"0\d", cell) and cell.isdigit() for cell in filled):
        return "text"
    if sum(cell.isdigit() and len(cell) > _DIGITS_MAX for cell in filled) * 2 > len(filled):
        return "text"
    shares = {kind: sum(fits(kind, cell) for cell in filled) / len(filled) for kind in (*NUMBERS, *DATES)}
    best = max(shares, key=lambda kind: shares[kind])
    return best if shares[best] >= SHARE else "text"
