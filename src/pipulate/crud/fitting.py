"""Bringing the table of a resource to the fields it declares now: what is different, what has to be decided, doing it.

Nothing is guessed: a field that is gone and one that is new may be the same one under another name, so a person says
so. The records are looked at before anything is changed, and all of it is one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import to_jsonable_python

from pipulate import forms
from pipulate._program import program
from pipulate.crud.resource import Resource
from pipulate.crud.writing import found_by
from pipulate.errors import FitRefusedError, InvalidAnswersError
from pipulate.storage.database import Transaction
from pipulate.storage.profiles import DEFAULT_ID, DEFAULT_NAME
from pipulate.storage.records import catalog, rows
from pipulate.storage.records import fitting as stored_fitting
from pipulate.storage.records.catalog import Difference
from pipulate.storage.records.rows import Record
from pipulate.storage.records.shape import Column, Shape

GONE: Final = " (gone)"
"""What the history puts behind the name of a field that was dropped: what stood in it stays there to be read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to a table.

    Attributes:
        stored, declared: The table as it is, and as it is to be.
        renamed: Name of a field that stays -> what it is called from now on.
        dropped: Fields that go.
        added: Fields that come.
        said: All of it in sentences.
    """

    stored: Shape
    declared: Shape
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def touched(self) -> frozenset[str]:
        """The fields that a record has to be right in afterwards."""
        changed = {now.name for _, now in catalog.difference(self.stored, self.declared).changed}
        return frozenset({*self.added, *self.renamed.values(), *changed})


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking at all records of a table found.

    Attributes:
        plan: What is to be done.
        records: How many there are, those in the bin too.
        remarks: What is not right with them but stands in nobody's way, in sentences.
    """

    plan: Plan
    records: int
    remarks: tuple[str, ...] = ()


def fit_command(name: str) -> str:
    """Return the command that brings a table to what is declared."""
    return f"{program()} records fit {name}"


def in_words(difference: Difference) -> list[str]:
    """Return what is different about a table, one sentence each."""
    said = [f"{each.name!r} is new" for each in difference.added]
    said += [f"{each.name!r} is gone" for each in difference.gone]
    for was, is_now in difference.changed:
        same = was.kind == is_now.kind
        said.append(
            f"{was.name!r} leads elsewhere" if same else f"{was.name!r} was {was.kind} and is {is_now.kind} now"
        )
    if difference.has_other_key:
        said.append("the key is another")
    if difference.has_other_owner:
        said.append("whether records belong to profiles has changed")
    return said


def planned(stored: Shape, declared: Shape, renamed: Mapping[str, str], dropped: Collection[str]) -> Plan:
    """Return what is to be done to a table.

    Args:
        stored: The table as it is.
        declared: The table as it is to be.
        renamed: What a person said: name of a field that is gone -> the one it is called now.
        dropped: Fields they said go.

    Raises:
        FitRefusedError: If something has to be decided first, or cannot be.
    """
    difference = catalog.difference(stored, declared)
    gone = {each.name: each for each in difference.gone}
    other = {was.name: (was, now) for was, now in difference.changed if was.kind != now.kind}
    added = {each.name: each for each in difference.added}
    reasons = [*_wrong_decisions(gone, added, renamed, {*dropped} - {*other})]
    left = [each for each in gone.values() if each.name not in {*renamed, *dropped}]
    free = [each for each in added.values() if each.name not in renamed.values()]
    reasons += [] if reasons else _undecided(left, free)
    reasons += [_other_kind(*pair) for name, pair in other.items() if name not in dropped]
    if reasons:
        raise FitRefusedError(declared.name, reasons)
    anew = [name for name in other if name in dropped]
    goes = (*(each.name for each in gone.values() if each.name not in renamed), *anew)
    comes = (*(each.name for each in free), *anew)
    plan = Plan(stored, declared, dict(renamed), goes, comes)
    return Plan(stored, declared, plan.renamed, goes, comes, tuple(_said(plan, difference)))


def _wrong_decisions(
    gone: Mapping[str, Column], added: Mapping[str, Column], renamed: Mapping[str, str], dropped: Collection[str]
) -> Iterator[str]:
    for old, new in renamed.items():
        if old not in gone:
            yield f"--rename {old}={new}: {old!r} is no field that is gone."
        elif new not in added:
            yield f"--rename {old}={new}: {new!r} is no field that is new."
        elif gone[old].kind != added[new].kind:
            was, now = gone[old].kind, added[new].kind
            yield f"--rename {old}={new}: {old!r} holds {was} and {new!r} {now}; a field cannot become something else."
        if old in dropped:
            yield f"--drop {old}: it is renamed as well; one of the two."
    twice = [name for name, times in Counter(renamed.values()).items() if times > 1]
    yield from (f"--rename: two fields cannot both become {name!r}." for name in twice)
    yield from (f"--drop {name}: {name!r} is no field that is gone." for name in dropped if name not in gone)


def _undecided(left: Sequence[Column], free: Sequence[Column]) -> Iterator[str]:
    """Yield a sentence for each field that is gone and may be one of the new ones."""
    for each in left:
        same = [f"--rename {each.name}={new.name}" for new in free if new.kind == each.kind]
        if same:
            yield (
                f"{each.name!r} is gone: say {' or '.join(same)} where it is the same field under another name, or"
                f" --drop {each.name}."
            )


def _other_kind(was: Column, now: Column) -> str:
    return (
        f"{was.name!r} was {was.kind} and is {now.kind} now; what is in it cannot become that. Declare the new field"
        f" under another name, or begin it anew, and empty, with --drop {was.name}."
    )


def _said(plan: Plan, difference: Difference) -> Iterator[str]:
    for old, new in plan.renamed.items():
        yield f"{old!r} is called {new!r} from now on; its values stay."
    for name in plan.dropped:
        yield f"{name!r} goes, with its values; they stay in the backup and in the history."
    for name in plan.added:
        yield f"{name!r} comes."
    for was, now in difference.changed:
        if was.kind == now.kind:
            yield f"{was.name!r} leads to {now.to!r}, on_delete={now.on_delete!r}; its values stay."
    if difference.has_other_key:
        now_key = ", ".join(map(repr, plan.declared.key))
        yield f"The key is {now_key} from now on." if now_key else "There is no key any more."
    if difference.has_other_owner:
        yield (
            f"All records belong to the profile {DEFAULT_NAME!r} from now on."
            if plan.declared.per_profile
            else "Records belong to no profile any more: everybody sees all of them."
        )


def look(tx: Transaction, resource: Resource[Any], renamed: Mapping[str, str], dropped: Collection[str]) -> Looked:
    """Return what is to be done to the table of a resource, having looked at every record; nothing is changed.

    Raises:
        FitRefusedError: If something has to be decided, or records would not be what the resource declares.
    """
    stored = catalog.stored(tx, resource.name)
    if stored is None or not catalog.difference(stored, resource.shape):
        raise FitRefusedError(resource.name, ["It has no table yet." if stored is None else "It is what is declared."])
    plan = planned(stored, resource.shape, renamed, dropped)
    found = _Found(resource, plan)
    for part in stored_fitting.every(tx, stored):
        found.look_at(tx, part)
    reasons, remarks = found.told()
    if reasons:
        raise FitRefusedError(resource.name, reasons)
    return Looked(plan, found.records, tuple(remarks))


def fit(tx: Transaction, resource: Resource[Any], renamed: Mapping[str, str], dropped: Collection[str]) -> Looked:
    """Bring the table of a resource to what it declares; other tables are not touched.

    Raises:
        FitRefusedError: As in `look`.
    """
    if catalog.stored(tx, resource.name) is not None:
        rows.claim(tx, resource.shape)
    looked = look(tx, resource, renamed, dropped)
    plan = looked.plan
    catalog.fit(tx, plan.stored, plan.declared, plan.renamed, plan.dropped, profile=DEFAULT_ID)
    stored_fitting.rename_in_history(
        tx, plan.declared, {**{name: name + GONE for name in plan.dropped}, **plan.renamed}
    )
    values_of = _filled(resource, plan)
    for part in stored_fitting.every(tx, plan.declared):
        given = [(each.id, values := values_of(each), _text(resource, values)) for each in part]
        stored_fitting.fill(tx, plan.declared, plan.added, given)
    return looked


def _text(resource: Resource[Any], values: Mapping[str, Any]) -> str:
    return found_by(resource.shape, resource.search, values)


class _Found:
    """What is not right with the records of a table as it is to be, field by field."""

    def __init__(self, resource: Resource[Any], plan: Plan) -> None:
        self._resource, self._plan = resource, plan
        self._values_of = _filled(resource, plan)
        self._problems: dict[str, tuple[str, list[int]]] = {}
        self._keys: Counter[tuple[Any, ...]] = Counter()
        self.records = 0

    def look_at(self, tx: Transaction, records: Sequence[Record]) -> None:
        """Look at some of the records, as the table has them now."""
        links = self._dangling(tx, records)
        for record in records:
            self.records += 1
            values = self._values_of(_renamed(self._plan, record))
            told = {} if self._missing() else self._wrong(values)
            for name, words in {**told, **links.get(record.id, {})}.items():
                self._problems.setdefault(name, (words, []))[1].append(record.id)
            key = tuple(values.get(name) for name in self._plan.declared.key)
            if record.deleted_at is None and key and None not in key:
                self._keys[(record.profile if self._is_owned() else None, *key)] += 1

    def told(self) -> tuple[list[str], list[str]]:
        """Return what stands in the way, and what does not, in sentences."""
        reasons = [
            f"{name!r} is new and has no default, and there are {self.records:,} records that need one. Give it a"
            " default in the file, or let it be empty."
            for name in self._missing()
            if self.records
        ]
        remarks: list[str] = []
        for name, (words, numbers) in self._problems.items():
            more = f", and {len(numbers) - 1:,} more" if len(numbers) > 1 else ""
            line = f"{name or 'together'}: {words} (record {numbers[0]}{more})"
            (reasons if name in self._plan.touched else remarks).append(line)
        twice = sum(times > 1 for times in self._keys.values())
        if twice and catalog.difference(self._plan.stored, self._plan.declared).has_other_key:
            names = ", ".join(map(repr, self._plan.declared.key))
            reasons.append(f"{names}: {twice:,} values are those of several records, so they cannot be the key.")
        return reasons, remarks

    def _is_owned(self) -> bool:
        return self._plan.stored.per_profile and self._plan.declared.per_profile

    def _missing(self) -> list[str]:
        fields = self._resource.model.model_fields
        return [name for name in self._plan.added if fields[name].is_required()]

    def _wrong(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        try:
            forms.validate(self._resource, values, self._resource.files)
        except InvalidAnswersError as error:
            return error.problems
        return {}

    def _dangling(self, tx: Transaction, records: Sequence[Record]) -> dict[int, dict[str, str]]:
        """Return the records with links that lead to nothing where they are to lead to now."""
        found: dict[int, dict[str, str]] = {}
        changed = catalog.difference(self._plan.stored, self._plan.declared).changed
        for was, now in changed:
            if was.kind == now.kind == "link" and was.to != now.to:
                wanted = {each.id: each.values[was.name] for each in records if each.values[was.name] is not None}
                other = catalog.stored(tx, now.to)
                there = {each.id for each in rows.find_all(tx, other, [*wanted.values()])} if other else set()
                for number, to in wanted.items():
                    if to not in there:
                        found.setdefault(number, {})[now.name] = f"It leads to no record of {now.to!r}."
        return found


def _renamed(plan: Plan, record: Record) -> Record:
    """Return a record of the table as it is with its fields called as they are to be, without those that go."""
    kept = {name: value for name, value in record.values.items() if name not in plan.dropped}
    return record._replace(values={plan.renamed.get(name, name): value for name, value in kept.items()})


def _filled(resource: Resource[Any], plan: Plan) -> Callable[[Record], Mapping[str, Any]]:
    """Return what gives a record's values with the defaults of new fields."""
    fields = resource.model.model_fields

    def values_of(record: Record) -> Mapping[str, Any]:
        fresh = {
            name: None
            if fields[name].is_required()
            else to_jsonable_python(fields[name].get_default(call_default_factory=True))
            for name in plan.added
        }
        return {**record.values, **fresh}

    return values_of
