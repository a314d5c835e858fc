"""What people call the records that links lead to, and those they can lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pipulate.crud.engine import Records
from pipulate.crud.resource import Resource
from pipulate.errors import TableDiffersError
from pipulate.fields import FormField, Option
from pipulate.storage.records.queries import Query, Sort
from pipulate.storage.records.rows import Record

Labels = Mapping[str, Mapping[int, str]]
"""Name of a resource -> number of a record -> what people call it."""

OFFERED: Final = 50
"""Records offered at one time; more are found by typing."""


async def labels(records: Records, resource: Resource[Any], shown: Iterable[Mapping[str, Any]]) -> Labels:
    """Return what people call the records that some records lead to; those in the bin too.

    Args:
        records: What records are read through.
        resource: The resource of the records.
        shown: The values of the records.
    """
    wanted: dict[str, set[int]] = {}
    shown = list(shown)
    for field in linking(resource.fields):
        wanted.setdefault(field.to, set()).update(each[field.name] for each in shown if each[field.name] is not None)
    return {to: await _called(records, to, sorted(numbers)) for to, numbers in wanted.items()}


async def offered(
    records: Records, to: str, words: str, profile: str, chosen: Sequence[int] = ()
) -> tuple[Option, ...]:
    """Return records that a link may lead to: those a search finds, by their labels, and those that are chosen.

    Args:
        records: What records are read through.
        to: Name of the resource.
        words: What is searched for; "" for the first ones.
        profile: The profile that is chosen.
        chosen: Numbers of records that are offered whatever is searched for.
    """
    resource = records.resources.get(to)
    if resource is None:
        return ()
    query = Query(profile if resource.per_profile else None, words, sort=(Sort(resource.label),))
    try:
        found = list((await records.page(resource, query, limit=OFFERED)).records)
        there = {each.id for each in found}
        found += await records.find_all(resource, [each for each in chosen if each not in there], deleted=True)
    except TableDiffersError:
        return ()
    return tuple(Option(each.id, str(each.id), called(resource, each)) for each in found)


async def options_for(
    records: Records, fields: Iterable[FormField], profile: str, values: Mapping[str, Any]
) -> dict[str, tuple[Option, ...]]:
    """Return what the links among some fields offer, with what they hold now; as in `offered`."""
    return {
        each.name: await offered(records, each.to, "", profile, [values[each.name]] if values.get(each.name) else [])
        for each in linking(fields)
    }


def linking(fields: Iterable[FormField]) -> Iterable[FormField]:
    """Yield the fields that lead to other records."""
    return (each for each in fields if each.to)


def called(resource: Resource[Any], record: Record) -> str:
    """Return what people call a record; its number where it has no words for itself."""
    name = resource.label_of(record.values) or f"#{record.id}"
    return f"{name} (deleted)" if record.deleted_at is not None else name


async def _called(records: Records, to: str, numbers: Sequence[int]) -> Mapping[int, str]:
    resource = records.resources.get(to)
    if resource is None or not numbers:
        return {}
    try:
        return {each.id: called(resource, each) for each in await records.find_all(resource, numbers, deleted=True)}
    except TableDiffersError:
        return {}
