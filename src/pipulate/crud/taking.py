"""Taking in a table that somebody brings: its rows become records, part by part, and undone in one go.

How far it came is noted in the transaction of each part, so that an import which was cut short goes on behind the last
row that counts, and takes no row twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Literal, Protocol

from pipulate.crud.cells import answers_of
from pipulate.crud.engine import Records
from pipulate.crud.many import Problem, Report, Row, parts, write
from pipulate.crud.resource import Resource
from pipulate.errors import InvalidAnswersError, RecordError, RecordRefusedError, RecordTakenError
from pipulate.security.who import Who
from pipulate.storage.records.queries import Condition, Query
from pipulate.storage.records.rows import Operation, Record, Values

IMPORT: Final = "import"

Choice = Literal["skip", "update"]
"""What becomes of a row whose key a record has already."""

Key = tuple[Any, ...]

_NAMED_MAX: Final = 20_000
"""Most records that are looked through for those with the labels of one part."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table that somebody brings.

    Attributes:
        number: Its number in the file.
        cells: Field -> what stands in its cell.
        problem: Why it could not be read, or "".
    """

    number: int
    cells: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Taking:
    """What is taken in, and how.

    Attributes:
        resource: The resource.
        profile: The profile that is chosen.
        who: Who does it.
        choice: What becomes of rows that are there already.
        is_trial: Only find out what would become of them.
        operation: What it is noted under; one that was begun before goes on where it ended.
    """

    resource: Resource[Any]
    profile: str | None
    who: Who
    choice: Choice
    is_trial: bool = False
    operation: Operation | None = None

    @property
    def owner(self) -> str | None:
        """The profile new records belong to, or None."""
        return self.profile if self.resource.per_profile else None


@dataclass(slots=True)
class _State:
    """How far it came: the last row that is done, the report, the keys of the rows so far, the rows that are wrong."""

    upto: int = 0
    report: Report = field(default_factory=Report)
    seen: set[Key] = field(default_factory=set)
    wrong: set[int] = field(default_factory=set)


class Noting(Protocol):
    """Where all that is wrong is noted; it waits for the disk.

    Attributes:
        name: Its name in a report.
    """

    name: str

    def note(self, upto: int, problems: Sequence[Problem]) -> int:
        """Note problems behind the first so many bytes, in the place of what is there; return how many are there then.

        They come by their rows.
        """
        ...

    def read(self, upto: int) -> Iterable[Problem]:
        """Yield those that are noted in the first so many bytes."""
        ...


async def take_in(
    records: Records,
    taking: Taking,
    table: Iterable[Line],
    progress: Callable[[int, Report], None] | None = None,
    noting: Noting | None = None,
) -> Report:
    """Make records of the rows of a table.

    A row whose key a record has already is left out, or changes that record. A row that breaks a rule is told and left
    out; the others are taken. A link is the label of the record it leads to, or its number.

    Args:
        records: What records are changed through.
        taking: What is to become of them.
        table: The rows, by their numbers.
        progress: Told how many rows are done and what became of them; it may raise to stop in between.
        noting: Where all that is wrong is noted; the report tells only the first.
    """
    await records.ready(taking.resource)
    operation = taking.operation or records.operation(taking.who)
    state = await _begun(records, taking, operation, noting)
    done = 0
    for part in parts(table):
        left = [line for line in part if line.number > state.upto]
        state.seen |= _keys(taking.resource, (line for line in part if line.number <= state.upto), state.wrong)
        done += len(part)
        if left:
            state.report = await _take_part(records, taking, left, state, operation, noting)
        if progress is not None:
            progress(done, state.report)
    return state.report


async def _take_part(
    records: Records,
    taking: Taking,
    left: Sequence[Line],
    state: _State,
    operation: Operation,
    noting: Noting | None,
) -> Report:
    """Take in some rows, or find out what would become of them; return the report with them."""
    report = state.report

    def noted(told: Report) -> Mapping[str, Any]:
        """Note what is wrong before the part counts: what is noted of one that does not is written over."""
        if noting is not None and told.fresh:
            told.file, told.noted = noting.name, noting.note(told.noted, sorted(told.fresh, key=attrgetter("row")))
            told.fresh = []
        return {"upto": left[-1].number, "report": told.as_json()}

    checked = _chosen(await _sound(records, taking, left, state), taking.choice, report)
    if checked and not taking.is_trial:
        return await write(
            records, taking.resource, operation, IMPORT, checked, taking.owner, report, taking.who, facts=noted
        )
    report.created += sum(row.before is None for row in checked)
    report.changed += sum(row.before is not None for row in checked)
    await records.apart(lambda: noted(report))
    return report


async def _begun(records: Records, taking: Taking, operation: Operation, noting: Noting | None) -> _State:
    """Return how far an import came that was cut short; the beginning for one that was not begun."""
    found = await records.operation_of(taking.resource, operation.id) if taking.operation is not None else None
    if found is None:
        state = _State()
    elif found.undone is not None:
        raise RecordRefusedError("This import was taken back before it was done.")
    else:
        state = _State(found.facts["upto"], Report.from_json(found.facts["report"]))
    if noting is None or (state.report.wrong and not state.report.file):  # It was begun where nothing was noted.
        state.wrong = {each.row for each in state.report.problems}
        return state
    state.report.fresh = []
    state.wrong = await records.apart(lambda: {each.row for each in noting.read(state.report.noted)})
    return state


def _keys(resource: Resource[Any], lines: Iterable[Line], wrong: Collection[int]) -> set[Key]:
    """Return the keys of rows that are done, but for those that were not taken."""
    if not resource.key:
        return set()
    found = [_key(resource, answers_of(resource.fields, line.cells)) for line in lines if line.number not in wrong]
    return {key for key in found if key is not None}


async def _sound(records: Records, taking: Taking, lines: Sequence[Line], state: _State) -> list[Row]:
    """Return the rows that break no rule; the others are told."""
    linked = await _linked(records, taking, lines)
    for line in lines:
        if line.problem:
            state.report.refuse(line.number, RecordRefusedError(line.problem))
    asked = await records.apart(lambda: [_asked(taking.resource, line, linked) for line in lines if not line.problem])
    there = await _there(records, taking, [answers for _, answers, _ in asked])
    keys = [_key(taking.resource, answers) for _, answers, _ in asked]
    befores = [there.get(key) if key is not None else None for key in keys]
    given = [(before, answers) for before, (_, answers, _) in zip(befores, asked, strict=True)]
    checked = await records.all_checked(taking.resource, given, taking.owner, taking.who)
    found = []
    for (line, _, problems), key, before, values in zip(asked, keys, befores, checked, strict=True):
        error = _refusal(taking.resource, values, problems, key, state.seen)
        if error is not None:
            state.report.refuse(line.number, error)
        elif not isinstance(values, Exception):
            found.append(Row(line.number, values, before))
    return found


def _asked(resource: Resource[Any], line: Line, linked: Linked) -> tuple[Line, Mapping[str, Any], Mapping[str, str]]:
    """Return a row as answers, and what is wrong with its links."""
    cells, problems = _with_links(line.cells, linked)
    return line, answers_of(resource.fields, cells), problems


def _refusal(
    resource: Resource[Any],
    values: Values | InvalidAnswersError | RecordError,
    problems: Mapping[str, str],
    key: Key | None,
    seen: set[Key],
) -> Exception | None:
    """Return why a row cannot be taken, or None; the key of one that can be is taken down."""
    if problems:
        others = values.problems if isinstance(values, InvalidAnswersError) else {}
        return InvalidAnswersError({**others, **problems})
    if isinstance(values, InvalidAnswersError | RecordError):
        return values
    if key is not None and key in seen:
        return RecordTakenError(resource.key)
    if key is not None:
        seen.add(key)
    return None


def _chosen(rows_: list[Row], choice: Choice, report: Report) -> list[Row]:
    there = [row for row in rows_ if row.before is not None]
    if choice == "skip":
        report.skipped += len(there)
        return [row for row in rows_ if row.before is None]
    same = {row.number for row in there if row.before is not None and row.before.values == row.values}
    report.same += len(same)
    return [row for row in rows_ if row.number not in same]


# Keys


async def _there(records: Records, taking: Taking, given: Sequence[Mapping[str, Any]]) -> Mapping[Key, Record]:
    """Return the records that have the keys of some rows."""
    names = taking.resource.key
    wanted = {key for answers in given if (key := _key(taking.resource, answers)) is not None}
    if not wanted:
        return {}
    conditions = tuple(
        Condition(name, "any", sorted({key[place] for key in wanted})) for place, name in enumerate(names)
    )
    found = await records.some(taking.resource, Query(taking.owner, conditions=conditions), limit=2**31 - 1)
    return {tuple(each.values[name] for name in names): each for each in found}


def _key(resource: Resource[Any], answers: Mapping[str, Any]) -> Key | None:
    """Return what finds the record with the key of these answers; None where they have none."""
    if not resource.key or any(answers.get(name) in (None, "") for name in resource.key):
        return None
    typed = tuple(_as_stored(resource, name, answers[name]) for name in resource.key)
    return None if None in typed else typed  # What is no number is the number of no record; the check says so.


def _as_stored(resource: Resource[Any], name: str, value: Any) -> Any:
    kind = resource.shape.by_name[name].kind
    if kind not in ("integer", "link", "real") or not isinstance(value, str):
        return value if isinstance(value, int | float) else str(value)
    try:
        return float(value) if kind == "real" else int(value)
    except ValueError:
        return None


# Links


Linked = Mapping[str, Mapping[str, int | str]]
"""Field -> what stands in a cell -> the number of the record it means, or a sentence why it means none."""


async def _linked(records: Records, taking: Taking, lines: Sequence[Line]) -> Linked:
    found: dict[str, Mapping[str, int | str]] = {}
    for name, link in taking.resource.links.items():
        texts = {text for line in lines if (text := line.cells.get(name, "").strip())}
        if texts:
            found[name] = await _meant(records, records.resources.get(link.to), taking.profile, texts)
    return found


async def _meant(
    records: Records, to: Resource[Any] | None, profile: str | None, texts: set[str]
) -> Mapping[str, int | str]:
    """Return the record that each text means: the one that is called so, or has that number."""
    if to is None:
        return dict.fromkeys(texts, "The app with the records this leads to is not there.")
    numbers = {text: int(text.removeprefix("#")) for text in texts if _is_number(text)}
    owner = profile if to.per_profile else None
    there = {each.id for each in await records.find_all(to, [*numbers.values()], profile=owner)}
    called = await _called(records, to, owner, texts)
    meant: dict[str, int | str] = {}
    for text in texts:
        named = called.get(text, [])
        if len(named) == 1:
            meant[text] = named[0]
        elif len(named) > 1:
            meant[text] = f"{len(named):,} records in {to.title} are called {text!r}. Give the number of the one meant."
        elif numbers.get(text) in there:
            meant[text] = numbers[text]
        else:
            meant[text] = f"There is no {text!r} in {to.title}."
    return meant


async def _called(
    records: Records, to: Resource[Any], owner: str | None, texts: set[str]
) -> Mapping[str, Sequence[int]]:
    found: dict[str, list[int]] = {}
    if to.shape.by_name[to.label].kind == "text":
        query = Query(owner, conditions=(Condition(to.label, "any", sorted(texts)),))
        for each in await records.some(to, query, limit=_NAMED_MAX):
            found.setdefault(to.label_of(each.values), []).append(each.id)
    return found


def _is_number(text: str) -> bool:
    plain = text.removeprefix("#")
    return plain.isascii() and plain.isdigit() and len(plain) < 19


def _with_links(cells: Mapping[str, str], linked: Linked) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return cells with the numbers of the records they lead to, and what is wrong with those that lead to none."""
    changed, problems = dict(cells), dict[str, str]()
    for name, meant in linked.items():
        found = meant.get(cells.get(name, "").strip())
        if isinstance(found, int):
            changed[name] = str(found)
        elif found is not None:
            changed[name] = ""
            problems[name] = found
    return changed, problems
