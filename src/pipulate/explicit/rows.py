"""Rows of a plugin's tables: objects with an attribute for each column, that remember what was read."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from fastcore.xtras import UNSET, asdict, flexiclass

from pipulate.storage.records.conditions import ConditionError
from pipulate.storage.records.shape import NAME, Column, Kind

_KINDS: Final[Mapping[Any, Kind]] = {
    str: "text", int: "integer", float: "real", bool: "flag", dict: "json", list: "json", date: "text",
    datetime: "text", time: "text", Decimal: "text",
}  # fmt: skip
_TYPES: Final[Mapping[Kind, type]] = {
    "text": str, "integer": int, "real": float, "flag": bool, "json": dict, "decimal": str, "link": int,
}  # fmt: skip


class Row:
    """A row that was read; `_was` is what it held then, out of sight of `vars` and `asdict`."""

    __slots__ = ("_was",)


def columns_of(declared: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return the columns of a declaration such as `{"text": str, "done": bool}`; `id` is every table's own.

    Raises:
        ConditionError: If a name or a type cannot be one of a column.
    """
    return tuple(_column(name, kind) for name, kind in declared.items() if name != "id")


def _column(name: str, declared: Any) -> Column:
    if not NAME.fullmatch(name):
        message = "A column has lower-case letters, digits and underscores, begins with a letter, at most 50 signs"
        raise ConditionError(f"{message}: {name!r} has not.")
    bare = declared
    if get_origin(declared) in (Union, types.UnionType):
        (bare, *_) = [each for each in get_args(declared) if each is not type(None)]
    bare = get_origin(bare) or bare
    if isinstance(bare, type) and issubclass(bare, Enum):
        bare = str
    if bare not in _KINDS:
        raise ConditionError(
            f"The column {name!r} is {declared!r}; there are str, int, float, bool, dict, list, date, datetime, time"
            " and Decimal."
        )
    return Column(name, _KINDS[bare])


def annotated(declared: type) -> dict[str, Any]:
    """Return the columns that a class declares."""
    return {name: hint for name, hint in get_type_hints(declared).items() if not name.startswith("_")}


def class_of(table: str, columns: Iterable[Column], *, has_id: bool) -> type:
    """Return a class for the rows of a table; what is not given when one is made stays as it is when it is stored."""
    fields = [*([("id", int | None)] if has_id else []), *((each.name, _TYPES[each.kind] | None) for each in columns)]
    name = "".join(part.capitalize() for part in table.split("_"))
    return dataclasses.make_dataclass(
        name, [(field, kind, dataclasses.field(default=UNSET)) for field, kind in fields], bases=(Row,)
    )


def remembering(declared: type) -> type:
    """Return a class of an author's own, as one whose instances remember what was read."""
    flexible = flexiclass(declared)
    return type(flexible.__name__, (Row, flexible), {"__doc__": flexible.__doc__})


def made(kind: type, values: Mapping[str, Any]) -> Any:
    """Return a row of a class; columns that the class does not name become attributes as well."""
    known = _fields(kind)
    row = kind(**{name: value for name, value in values.items() if name in known})
    for name in values.keys() - known:
        setattr(row, name, values[name])
    # A list in a row can be changed in place; what was read must not change with it.
    was = {name: deepcopy(value) if isinstance(value, dict | list) else value for name, value in values.items()}
    row._was = was  # noqa: SLF001 - ours
    return row


@lru_cache(maxsize=256)
def _fields(kind: type) -> frozenset[str]:
    return frozenset(each.name for each in dataclasses.fields(kind) if each.init)


def given(record: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be stored, from a dictionary or an object and from names; what was left open is left out."""
    if record is None or record is UNSET:
        return dict(values)
    if isinstance(record, type):
        raise ConditionError(f"{record!r} is a class; hand in a row of it, or a dictionary.")
    plain = dict(record) if isinstance(record, Mapping) else _of_object(record)
    return {**plain, **{name: value for name, value in values.items() if value is not UNSET}}


def _of_object(record: Any) -> dict[str, Any]:
    try:
        found = {**asdict(record), **{n: v for n, v in getattr(record, "__dict__", {}).items() if n[:1] != "_"}}
    except (TypeError, ValueError) as error:
        raise ConditionError(f"{record!r} is neither a dictionary nor an object with attributes.") from error
    return {name: value for name, value in found.items() if value is not UNSET}


def changed(record: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return what differs from what a row was read with; all of it where it was not read.

    What others have changed since then, and this row has not, is so left as it is.
    """
    was = getattr(record, "_was", None)
    if was is None:
        return values
    return {name: value for name, value in values.items() if name not in was or was[name] != value or name == "id"}
