"""Records as rows of a file: what a list shows, in its order, so that an import of the same file maps by itself.

The numbers of the records are read at one moment, the records themselves part by part: what is deleted meanwhile is
left out, what is changed is as it was when its part was read, what is added is not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final

from pipulate.crud.cells import by_name, cell_of
from pipulate.crud.engine import Records
from pipulate.crud.links import Labels, labels
from pipulate.crud.resource import Resource
from pipulate.fields import FormField
from pipulate.storage.records.queries import Query
from pipulate.storage.records.rows import Record

AT_ONCE: Final = 500
"""Records that are read and written at one time."""

FAILED: Final = "#FAILED"
"""What stands in the place of a computed value that could not be worked out."""

_EXACT_DIGITS: Final = 15

Row = list[Any]


async def pages(records: Records, resource: Resource[Any], query: Query) -> AsyncIterator[tuple[list[Record], Labels]]:
    """Yield all records a query finds, in its order, some at a time, with what people call those they lead to."""
    numbers = await records.numbers(resource, query, in_order=True)
    for start in range(0, len(numbers), AT_ONCE):
        wanted = numbers[start : start + AT_ONCE]
        there = await records.find_in_order(resource, wanted, deleted=query.deleted)
        yield there, await labels(records, resource, [each.values for each in there])


def columns(resource: Resource[Any]) -> list[str]:
    """Return the fields and computed columns of a file: those of the list, then all others."""
    fields = [each.name for each in resource.fields]
    return [*resource.columns, *(name for name in fields if name not in resource.columns)]


def heads(resource: Resource[Any]) -> list[str]:
    """Return what stands above the columns: what people read, and the name where that would stand there twice."""
    fields = {each.name: each.label for each in resource.fields}
    titles = {name: fields.get(name) or resource.computed[name].title for name in columns(resource)}
    times = Counter(title.casefold() for title in titles.values())
    return [title if times[title.casefold()] == 1 else name for name, title in titles.items()]


def texts(resource: Resource[Any], found: Sequence[Record], called: Labels) -> list[Row]:
    """Return records as rows of a CSV file: numbers as they are, everything else as text."""
    return [_row(resource, each, called, _plain) for each in found]


def values(resource: Resource[Any], found: Sequence[Record], called: Labels) -> list[Row]:
    """Return records as rows of a sheet: yes and no, numbers and dates with their types."""
    return [_row(resource, each, called, _typed) for each in found]


def objects(resource: Resource[Any], found: Sequence[Record]) -> list[dict[str, Any]]:
    """Return records as JSON: number and stored values of all fields, of files their names.

    What is kept secret is left out.
    """
    names = [each.name for each in resource.fields if each.kind != "secret"]
    return [{"id": each.id, **{name: by_name(each.values[name]) for name in names}} for each in found]


def _row(
    resource: Resource[Any], record: Record, called: Labels, made: Callable[[Resource[Any], FormField, Any], Any]
) -> Row:
    fields = {each.name: each for each in resource.fields}
    typed = _of_author(lambda: resource.typed(record.values)) if resource.computed else None
    row: Row = []
    for name in columns(resource):
        field = fields.get(name)
        if field is None:
            function = resource.computed[name].function
            row.append(FAILED if typed is FAILED else _cell(_of_author(partial(function, typed))))
        elif field.to:
            row.append(_link(field, record.values[name], called))
        else:
            row.append(made(resource, field, record.values[name]))
    return row


def _of_author(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception:  # noqa: BLE001 - plugin border: one cell that fails leaves the others as they are
        return FAILED


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | date) else str(value)


def _link(field: FormField, number: int | None, called: Labels) -> str:
    """Return what people call the record a link leads to; its number where that would not find it again."""
    if number is None:
        return ""
    names: Mapping[int, str] = called.get(field.to, {})
    name = names.get(number, "").strip()
    is_deleted = name.endswith(" (deleted)")
    return str(number) if not name or is_deleted or name.startswith("#") else name


def _plain(resource: Resource[Any], field: FormField, value: Any) -> Any:
    number = _number(resource, field, value)
    return cell_of(field, value) if number is None else number


def _typed(resource: Resource[Any], field: FormField, value: Any) -> Any:
    number = _number(resource, field, value)
    if isinstance(number, Decimal):  # A sheet keeps fifteen digits; what has more is text.
        return float(number) if len(number.as_tuple().digits) <= _EXACT_DIGITS else str(value)
    if number is not None or (field.kind == "bool" and isinstance(value, bool)):
        return number if number is not None else value
    try:
        if field.kind == "date":
            return date.fromisoformat(str(value))
        if field.kind == "datetime":
            return datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        pass  # There is none, or an older version of the app took another form.
    return cell_of(field, value) or None


def _number(resource: Resource[Any], field: FormField, value: Any) -> int | float | Decimal | None:
    """Return a value that is a number, or None."""
    if field.options or field.parts or isinstance(value, bool):
        return None
    if isinstance(value, str) and resource.shape.by_name[field.name].kind == "decimal":
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return value if isinstance(value, int | float) else None
