"""Limits of an annotation, as a browser understands them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, time
from typing import Any

import annotated_types
from pydantic.fields import FieldInfo

from pipulate.fields.model import Kind


def one_by_one(hints: Iterable[Any]) -> Iterator[Any]:
    """Yield hints with those that stand for several, such as `Range` and `Field`, taken apart."""
    for hint in hints:
        if isinstance(hint, FieldInfo):
            yield from one_by_one(hint.metadata)
        elif isinstance(hint, annotated_types.GroupedMetadata):
            yield from one_by_one(hint)
        else:
            yield hint


def has_longest(hints: Iterable[Any]) -> bool:
    """Tell whether the author said how long a text may be."""
    return any(isinstance(hint, annotated_types.MaxLen) for hint in hints)


def html_limits(hints: Iterable[Any], kind: Kind) -> tuple[tuple[str, str], ...]:
    """Return HTML attributes for limits that are already taken apart; those a browser has no word for are left out."""
    if kind == "moment":  # Its limits have a zone, and what the browser compares them with has none.
        return ()
    found: dict[str, str] = {"integer": {"step": "1"}, "number": {"step": "any"}}.get(kind, {})
    for hint in hints:
        found |= _limit(hint, 1 if kind == "integer" else 0)
    places = next((each for hint in hints if (each := getattr(hint, "decimal_places", None)) is not None), None)
    if places is not None and found.get("step") == "any":
        found["step"] = f"{10**-places:.{places}f}"
    return tuple(found.items())


def _limit(hint: Any, whole: int) -> dict[str, str]:
    """Return what one hint says; `whole` is how far the next number is from one that just does not belong."""
    match hint:
        case annotated_types.Ge(ge=limit):
            return {"min": _bound(limit)}
        case annotated_types.Gt(gt=limit):
            return {"min": _bound(limit + whole if whole else limit)}  # type: ignore[operator]
        case annotated_types.Le(le=limit):
            return {"max": _bound(limit)}
        case annotated_types.Lt(lt=limit):
            return {"max": _bound(limit - whole if whole else limit)}  # type: ignore[operator]
        case annotated_types.MinLen(min_length=length):
            return {"minlength": str(length)}
        case annotated_types.MaxLen(max_length=length):
            return {"maxlength": str(length)}
        case annotated_types.MultipleOf(multiple_of=step):
            return {"step": _bound(step)}
    return {}


def _bound(limit: Any) -> str:
    if isinstance(limit, float) and limit.is_integer():
        return str(int(limit))
    return limit.isoformat() if isinstance(limit, date | time) else str(limit)
