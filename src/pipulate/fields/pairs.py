"""Two numbers of which the second is not below the first: `Annotated[tuple[int, int], Range(1, 5), Slider()]`."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args, get_origin

import annotated_types
from pydantic import AfterValidator

from pipulate.fields.limits import one_by_one

_NUMBERS: Final = (int, float)


def pair_of(bare: Any) -> tuple[type, list[Any]] | None:
    """Return the type of both numbers and the limits of each, or None where a type is no such pair."""
    parts = get_args(bare)
    if get_origin(bare) is not tuple or len(parts) != 2 or parts[0] != parts[1]:
        return None
    number, *limits = get_args(parts[0]) if get_origin(parts[0]) is Annotated else parts[:1]
    return (number, limits) if number in _NUMBERS else None


def in_pairs(annotation: Any) -> Any:
    """Return an annotation of two numbers so that its limits hold for each of them, and their order for both.

    Other annotations come back as they are.
    """
    bare, hints = annotation, []
    if get_origin(annotation) is Annotated:
        bare, *more = get_args(annotation)
        hints = list(one_by_one(more))
    pair = pair_of(bare)
    if pair is None:
        return annotation
    limits = [*pair[1], *(hint for hint in hints if isinstance(hint, annotated_types.BaseMetadata))]
    others = [hint for hint in hints if not isinstance(hint, annotated_types.BaseMetadata)]
    each = Annotated[(pair[0], *limits)] if limits else pair[0]
    return Annotated[(tuple[each, each], AfterValidator(_in_order), *others)]  # type: ignore[valid-type]


def _in_order(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[1] < pair[0]:
        raise ValueError("The second number is below the first.")
    return pair
