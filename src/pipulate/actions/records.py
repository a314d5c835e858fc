"""Actions on records: find, read, add, change and delete them, with the rights and rules of their forms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipulate import forms
from pipulate.actions.answers import AFTER_MAX, refusal, texts_from
from pipulate.actions.told import (
    CHARS_MAX,
    OFFSET_MAX,
    ROWS_MAX,
    as_json,
    cut,
    field_told,
    fitted,
    shown_fields,
    value_told,
)
from pipulate.actions.world import World, acting
from pipulate.crud.asked import asked, name_of, tests_of
from pipulate.crud.checking import check
from pipulate.crud.links import Labels, called, labels
from pipulate.crud.resource import Resource
from pipulate.errors import CallError, InvalidAnswersError, RecordConflictError, RecordTakenError
from pipulate.fields import FormField
from pipulate.fields.model import labels as titles_of
from pipulate.storage.records.rows import Record
from pipulate.tools.action import Action, Difference, Doing, Result

_TABLE = "Name of the table of records; leave it out for the one this conversation is beside."
_NUMBER = "Number of the record."
_VALUES = "Field name -> value, as the table's fields say."
_LONG_MAX = 3_000


class SearchGiven(BaseModel):
    """What is looked for, in which table."""

    model_config = ConfigDict(extra="forbid")

    table: str = Field("", description=_TABLE)
    words: str = Field("", max_length=200, description="Words that have to be in the record; empty for all records.")
    where: dict[str, Any] = Field(
        default_factory=dict, description="Field name -> value it has to have; of a text, a part of it is enough."
    )
    offset: int = Field(0, ge=0, le=OFFSET_MAX, description="Records to leave out at the beginning.")
    limit: int = Field(20, ge=1, le=ROWS_MAX, description="Most records that are returned.")


class RecordGiven(BaseModel):
    """Which record."""

    model_config = ConfigDict(extra="forbid")

    record: int = Field(ge=1, description=_NUMBER)
    table: str = Field("", description=_TABLE)


class CreateGiven(BaseModel):
    """What a new record holds."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any] = Field(description=f"{_VALUES} Fields that are left out have their defaults.")
    table: str = Field("", description=_TABLE)


class UpdateGiven(BaseModel):
    """Which record, and what of it becomes something else."""

    model_config = ConfigDict(extra="forbid")

    record: int = Field(ge=1, description=_NUMBER)
    values: dict[str, Any] = Field(description=f"{_VALUES} Fields that are left out stay as they are.")
    version: int = Field(ge=1, description="Version of the record that you have read.")
    table: str = Field("", description=_TABLE)


class DeleteGiven(BaseModel):
    """Which record."""

    model_config = ConfigDict(extra="forbid")

    record: int = Field(ge=1, description=_NUMBER)
    version: int = Field(ge=1, description="Version of the record that you have read.")
    table: str = Field("", description=_TABLE)


def actions(world: World) -> list[Action]:
    """Return the actions on records."""
    records = _Records(world)

    def there(doing: Doing) -> bool:
        del doing
        return bool(world.records.resources)

    return [
        Action(
            "search_records", "Search records",
            "Find records of a table by words and by what fields have to be: number, version and fields of each, at"
            " most 50 at one time, and which fields the table has.",
            SearchGiven, "read", records.search, offered=there,
        ),
        Action(
            "read_record", "Read a record", "Read all fields of one record, with its version.", RecordGiven, "read",
            records.read, offered=there,
        ),
        Action(
            "create_record", "Add a record", "Add a record to a table.", CreateGiven, "write", records.create,
            records.would_create, there,
        ),
        Action(
            "update_record", "Change a record",
            "Give some fields of a record other values. Read it first: the version says what you know of.",
            UpdateGiven, "write", records.update, records.would_update, there,
        ),
        Action(
            "delete_record", "Delete a record", "Put a record into the bin; the person can take it out again.",
            DeleteGiven, "destroy", records.delete, records.would_delete, there,
        ),
    ]  # fmt: skip


class _Records:
    def __init__(self, world: World) -> None:
        self._world, self._records = world, world.records

    async def search(self, given: SearchGiven, doing: Doing) -> Result:
        resource = self._world.resource(doing, given.table)
        await self._world.owner(doing, resource)
        query = asked(
            resource, [("find", given.words), *_pairs(resource, given.where)], await self._world.chosen(doing)
        )
        if wrong := [each.problem for each in query.filters if each.problem]:
            raise CallError(" ".join(wrong))
        found = await self._records.page(resource, query.query, limit=given.limit, offset=given.offset)
        names = await labels(self._records, resource, [each.values for each in found.records])
        heads = [field_told(each) for each in shown_fields(resource.fields)]
        some = [record_told(resource, each, names) for each in found.records]
        kept = fitted(some, max(CHARS_MAX - len(as_json(heads)), CHARS_MAX // 2))
        after = given.offset + len(kept)
        data = {"table": resource.name, "fields": heads, "found": found.total, "records": kept}
        more = {"next offset": after} if after < found.total and kept else {}
        return Result(data | more, link=self._page_of(resource), untrusted=True)

    def _page_of(self, resource: Resource[Any]) -> str:
        app = self._world.app(resource.name)
        return app.address if app is not None else ""

    async def read(self, given: RecordGiven, doing: Doing) -> Result:
        resource = self._world.resource(doing, given.table)
        record = await self._world.record(doing, resource, given.record)
        return await self._told(resource, record)

    async def _told(self, resource: Resource[Any], record: Record, words: str = "") -> Result:
        names = await labels(self._records, resource, [record.values])
        data = {"table": resource.name, **record_told(resource, record, names, _LONG_MAX)}
        link = self._world.record_address(resource.name, record.id)
        return Result(data, words, link, untrusted=True)

    # Changing

    async def create(self, given: CreateGiven, doing: Doing) -> Result:
        resource = self._world.resource(doing, given.table)
        await self._world.owner(doing, resource)
        answers, profile = self._answers(resource, given.values), await self._world.chosen(doing)
        try:
            made = await self._records.create(resource, answers, profile, acting(doing), submit=doing.submit)
        except (InvalidAnswersError, RecordTakenError) as error:
            raise _refused(resource, error) from None
        record = made.records[0]
        return await self._told(resource, record, f"“{called(resource, record)}” was added to {resource.title}.")

    async def would_create(self, given: CreateGiven, doing: Doing) -> Sequence[Difference]:
        resource = self._world.resource(doing, given.table)
        await self._world.owner(doing, resource)
        values = await self._checked(resource, self._answers(resource, given.values), None)
        return await self._differing(resource, None, values)

    async def update(self, given: UpdateGiven, doing: Doing) -> Result:
        resource = self._world.resource(doing, given.table)
        record = await self._world.record(doing, resource, given.record)
        answers = self._answers(resource, given.values, record.values)
        try:
            made = await self._records.change(
                resource, record.id, answers, acting(doing), seen=given.version, submit=doing.submit
            )
        except RecordConflictError as error:
            raise _overtaken(resource, error) from error
        except (InvalidAnswersError, RecordTakenError) as error:
            raise _refused(resource, error) from None
        now = made.records[0]
        return await self._told(resource, now, f"“{called(resource, now)}” in {resource.title} was changed.")

    async def would_update(self, given: UpdateGiven, doing: Doing) -> Sequence[Difference]:
        resource = self._world.resource(doing, given.table)
        record = await self._world.record(doing, resource, given.record)
        answers = self._answers(resource, given.values, record.values)
        values = await self._checked(resource, answers, record.values)
        return await self._differing(resource, record.values, {**record.values, **_only(values, answers)})

    async def delete(self, given: DeleteGiven, doing: Doing) -> Result:
        resource = self._world.resource(doing, given.table)
        if doing.submit is None or await self._records.operation_of(resource, doing.submit) is None:
            record = await self._read_as_seen(given, doing, resource)
            await self._records.delete(resource, [record.id], acting(doing), submit=doing.submit)
        words = f"Number {given.record} of {resource.title} is in the bin."
        return Result({"deleted": given.record, "table": resource.name}, words, self._page_of(resource))

    async def would_delete(self, given: DeleteGiven, doing: Doing) -> Sequence[Difference]:
        resource = self._world.resource(doing, given.table)
        record = await self._read_as_seen(given, doing, resource)
        names = await labels(self._records, resource, [record.values])
        texts = [(each.label, value_told(each, record.values[each.name], names)) for each in resource.fields]
        return [Difference(label, cut(text, AFTER_MAX), None) for label, text in texts if text]

    async def _read_as_seen(self, given: DeleteGiven, doing: Doing, resource: Resource[Any]) -> Record:
        """Return a record that is as it was read.

        Raises:
            CallError: If it is another by now.
        """
        record = await self._world.record(doing, resource, given.record)
        if record.version != given.version:
            raise CallError(
                f"This record was changed: you read version {given.version}, it is now at {record.version}. Nothing"
                " was deleted. Read it again."
            )
        return record

    def _answers(
        self, resource: Resource[Any], values: Mapping[str, Any], before: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what is given as a form sends it; what is left out of a group stays as it is.

        Raises:
            CallError: If something of it is no field, or nothing a model may fill in.
        """
        try:
            texts = texts_from(resource.fields, values, {})
        except InvalidAnswersError as error:
            raise _refused(resource, error) from None
        tops = {name.partition(".")[0] for name in texts}
        answers = forms.decode([each for each in resource.fields if each.name in tops], texts, {})
        return _with_rest(resource.fields, answers, before or {}, texts)

    async def _checked(
        self, resource: Resource[Any], answers: Mapping[str, Any], before: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        await self._records.ready(resource)
        try:
            return await self._records.apart(partial(check, resource, answers, before))
        except InvalidAnswersError as error:
            raise _refused(resource, error) from None

    async def _differing(
        self, resource: Resource[Any], before: Mapping[str, Any] | None, after: Mapping[str, Any]
    ) -> list[Difference]:
        names = await labels(self._records, resource, [each for each in (before, after) if each is not None])
        found = []
        for each in resource.fields:
            was = value_told(each, before.get(each.name), names) if before is not None else ""
            now = value_told(each, after.get(each.name), names)
            if was != now:
                found.append(Difference(each.label, cut(was, AFTER_MAX) or None, cut(now, AFTER_MAX)))
        return found


def record_told(resource: Resource[Any], record: Record, names: Labels, most: int | None = None) -> dict[str, Any]:
    """Return a record as a model reads it, without its secrets; long texts cut, to `most` characters where given."""
    fields = [each for each in resource.fields if each.kind != "secret"]
    values = {each.name: _value(each, record.values[each.name], names, most or 300) for each in fields}
    told = {"record": record.id, "version": record.version}
    kept = {name: value for name, value in values.items() if value not in ("", None)}
    while len(as_json(kept)) > CHARS_MAX - 500:
        longest = max(kept, key=lambda name: len(as_json(kept[name])))
        kept[longest] = cut(str(kept[longest]), len(as_json(kept[longest])) // 2)
    return told | {"fields": kept}


def _value(field: FormField, value: Any, names: Labels, most: int) -> Any:
    if isinstance(value, int | float) and not field.to:
        return value
    text = value_told(field, value, names)
    return f"{text} (number {value})" if field.to and value is not None else cut(text, most)


def _pairs(resource: Resource[Any], where: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return filters as the address of a list has them.

    Raises:
        CallError: If there is no such field, or it cannot be looked for.
    """
    fields = {each.name: each for each in shown_fields(resource.fields) if each.kind != "secret"}
    found: list[tuple[str, str]] = []
    for name, value in where.items():
        field = fields.get(name)
        if field is None:
            raise CallError(f"{resource.title} has no field {name!r}. The fields are: {', '.join(fields)}.")
        test = tests_of(field)[0]
        if value is None:
            found.append((name_of(field, "empty"), "1"))
        elif test == "is":
            found.append((name_of(field, "is"), "on" if str(value).casefold() in ("true", "yes", "1") else "off"))
        elif test == "min":
            found += [(name_of(field, "min"), str(value)), (name_of(field, "max"), str(value))]
        else:
            texts = {each.label.casefold(): each.text for each in field.options}
            given = value if isinstance(value, list) else [value]
            found += [(name_of(field, test), texts.get(str(each).casefold(), str(each))) for each in given]
    return found


def _with_rest(
    fields: Sequence[FormField], answers: Mapping[str, Any], before: Mapping[str, Any], named: Collection[str]
) -> dict[str, Any]:
    """Return answers with what their groups hold besides, which was not named."""
    found = dict(answers)
    for each in fields:
        new, old = found.get(each.key), before.get(each.key)
        if each.parts and isinstance(new, Mapping) and isinstance(old, Mapping):
            rest = {part.key: old[part.key] for part in each.parts if part.key in old and not _is_named(part, named)}
            found[each.key] = _with_rest(each.parts, {**new, **rest}, old, named)
    return found


def _is_named(field: FormField, named: Collection[str]) -> bool:
    return any(name == field.name or name.startswith(f"{field.name}.") for name in named)


def _only(values: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in answers if name in values}


def _refused(resource: Resource[Any], error: InvalidAnswersError | RecordTakenError) -> CallError:
    if isinstance(error, InvalidAnswersError):
        return refusal(resource.title, resource.fields, error)
    return CallError(f"{resource.title}: nothing was saved. {error}.")


def _overtaken(resource: Resource[Any], error: RecordConflictError) -> CallError:
    called_ = titles_of(resource.fields)
    both = ", ".join(called_.get(name, name) for name in error.theirs)
    return CallError(f"{error} Changed by both: {both}. Read the record again: it is at version {error.version} now.")
