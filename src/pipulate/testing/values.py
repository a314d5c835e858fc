"""Values that a person might enter into a field, good and bad, made from what the page says of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time

from hypothesis import strategies as st

from pipulate.testing.forms import Field

Texts = list[str]

_MISCHIEF = (
    "", " ", "x", "<script>alert(1)</script>", "'; DROP TABLE runs; --", "../../etc/passwd", "\u202ename", "a\x00b",
    "\ud800", "NaN", "1e999", "-0", "9" * 400, "null", "日本語", "a\r\nb", "%00", "{{7*7}}",
)  # fmt: skip
_LONGEST = 10_000  # A longer limit is not gone beyond: that takes time and tells nothing new.
_LONG = 60  # Characters of a text that nobody limits; longer ones find nothing more and take time.


def entered(field: Field) -> st.SearchStrategy[Texts]:
    """Return what may be entered into a field: what it asks for, what is just beyond its limits, and mischief."""
    if field.is_many or field.kind in ("checkbox", "file"):
        return asked_for(field)
    usual, beyond = asked_for(field), [st.just([text]) for text in _beyond(field)]
    return st.one_of(usual, usual, *beyond, st.sampled_from(_MISCHIEF).map(lambda text: [text]))


def asked_for(field: Field) -> st.SearchStrategy[Texts]:
    """Return what a field asks for, as far as the page says it."""
    if field.kind == "file":
        return st.just([])
    if field.is_many:
        return st.lists(_one(field), max_size=3, unique=True)
    if field.kind == "checkbox" and not field.choices:
        return st.sampled_from([[], ["on"]])
    return _one(field).map(lambda text: [text])


def _one(field: Field) -> st.SearchStrategy[str]:
    if field.choices:
        chosen = [each.text for each in field.choices if each.text] or [""]
        return st.sampled_from(chosen if field.is_required else [*chosen, ""])
    return _KINDS.get(field.kind, _text)(field)


def _beyond(field: Field) -> list[str]:
    """Return texts just outside the limits of a field."""
    if field.kind in ("number", "range"):
        return [_written(_bound(field, "min", -1_000) - 1), _written(_bound(field, "max", 1_000) + 1)]
    if field.kind == "date":
        return ["2026-02-30", "2026-13-01", "tomorrow"]
    high = int(field.limits.get("maxlength", 0))
    return ["x" * (high + 1)] if 0 < high <= _LONGEST else []


def _text(field: Field) -> st.SearchStrategy[str]:
    if pattern := field.limits.get("pattern"):
        return st.from_regex(pattern, fullmatch=True)
    low = int(field.limits.get("minlength", 0))
    high = int(field.limits.get("maxlength", _LONG))
    plain = st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"))
    return st.text(plain, min_size=max(low, int(field.is_required)), max_size=max(low, 1, min(high, _LONG)))


def _number(field: Field) -> st.SearchStrategy[str]:
    low, high = _bound(field, "min", -1_000), _bound(field, "max", 1_000)
    if field.limits.get("step", "1") != "1":
        return st.floats(low, high).map(_written)
    return st.integers(math.ceil(low), max(math.ceil(low), math.floor(high))).map(str)


def _bound(field: Field, name: str, otherwise: float) -> float:
    try:
        return float(field.limits[name])
    except (KeyError, ValueError):
        other = field.limits.get("max" if name == "min" else "min", "0")
        return otherwise + (float(other) if _is_number(other) else 0)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _written(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)


def _day(field: Field) -> st.SearchStrategy[str]:
    low, high = (field.limits.get(name) for name in ("min", "max"))
    days = st.dates(date.fromisoformat(low) if low else date.min, date.fromisoformat(high) if high else date.max)
    return days.map(date.isoformat)


def _moment(_field: Field) -> st.SearchStrategy[str]:
    return st.datetimes().map(lambda moment: moment.replace(second=0, microsecond=0)).map(datetime.isoformat)


_KINDS: dict[str, Callable[[Field], st.SearchStrategy[str]]] = {
    "number": _number,
    "range": _number,
    "date": _day,
    "datetime-local": _moment,
    "time": lambda _: st.times().map(lambda at: at.replace(second=0, microsecond=0)).map(time.isoformat),
    "email": lambda _: st.sampled_from(["ann@example.com", "a.b+c@example.org"]),
    "url": lambda _: st.sampled_from(["https://example.com", "http://example.org/a?b=c#d"]),
    "color": lambda _: st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"),
}
