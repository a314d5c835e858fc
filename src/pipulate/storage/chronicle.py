"""What a person did and was told, in all their runs and tables, newest first, page by page."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

from pipulate.storage import keys, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.journal import storable
from pipulate.storage.ledger import COLUMNS, RunRow
from pipulate.storage.messages import general, literal
from pipulate.storage.records.operations import COLUMNS as OPERATION_COLUMNS
from pipulate.storage.records.operations import OperationRow
from pipulate.storage.records.queries import folded

Kind = Literal["message", "records", "run"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""What there is; of the same moment, in this order."""

PAGE: Final = 50
WORDS_MAX: Final = 10
"""Words a search looks at."""


class Said(NamedTuple):
    """A message with where it was written.

    Attributes:
        at, actor, role: As in `messages.Message`.
        text: What was written.
        run: The run it was written in, or None.
        conversation, seq: Its number.
    """

    at: str
    actor: str
    role: str
    text: str
    run: RunRow | None
    conversation: str
    seq: int


class Place(NamedTuple):
    """Where a page ended: the moment, the kind and the id of its last line."""

    at: str
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened.

    Attributes:
        place: Where it stands.
        of: A run as it was changed last, a message, or something that was done to records.
    """

    place: Place
    of: RunRow | Said | OperationRow


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines.

    Attributes:
        kind: Those of one kind, or None for all.
        profile: Those of one profile, or None for all. What belongs to none is shown with each.
        words: What is searched for; every word has to be in it.
        tables: Stored names of the resources whose title has these words.
        is_apart: Whether nothing at all is shown that is not of the profile.
        before: Where the page before ended.
    """

    kind: Kind | None = None
    profile: str | None = None
    words: str = ""
    tables: Collection[str] = ()
    is_apart: bool = False
    before: Place | None = None


def listed(tx: Transaction, user: str, wanted: Wanted, limit: int = PAGE) -> tuple[list[Line], Place | None]:
    """Return a page of lines, and where it ends if there are more."""
    lines: list[Line] = []
    for kind, read in _READ.items():
        if wanted.kind in (None, kind):
            lines += read(tx, user, wanted, limit + 1)
    lines.sort(key=lambda line: line.place.id, reverse=True)
    lines.sort(key=lambda line: (line.place.at, -KINDS.index(line.place.kind)), reverse=True)
    more = len(lines) > limit
    return lines[:limit], lines[limit - 1].place if more else None


def _runs(tx: Transaction, user: str, wanted: Wanted, limit: int) -> list[Line]:
    where, values = ["owner = :user", "deleted_at IS NULL"], dict[str, Any]()
    _of_profile(where, values, wanted, "profile = :profile")
    words = keys.folded(wanted.words)
    if words is None:
        return []  # No key can have them.
    _with_words(where, values, words.split(), "key_folded")
    _before(where, values, wanted, "run", "updated_at", ("id",))
    sql = f"SELECT {COLUMNS} FROM runs WHERE {' AND '.join(where)} ORDER BY updated_at DESC, id DESC LIMIT :limit"  # noqa: S608
    rows = [RunRow(*row) for row in tx.all(sql, user=user, limit=limit, **values)]
    return [Line(Place(row.updated_at, "run", row.id), row) for row in rows]


def _messages(tx: Transaction, user: str, wanted: Wanted, limit: int) -> list[Line]:
    own = general(user)
    # A person's own conversations: the general one, and those beside apps, whose ids begin with its id and a slash.
    is_own = "(m.conversation = :own OR (m.conversation > :first AND m.conversation < :behind))"
    where = [
        "m.found IS NOT NULL", "m.seq > c.cleared", f"({is_own} OR (r.owner = :user AND r.deleted_at IS NULL))",
    ]  # fmt: skip
    values: dict[str, Any] = {"own": own, "first": f"{own}/", "behind": f"{own}0"}
    loose = "" if wanted.is_apart else " OR (r.id IS NULL AND m.profile IS NULL)"
    _of_profile(where, values, wanted, f"(r.profile = :profile OR (r.id IS NULL AND m.profile = :profile){loose})")
    _with_words(where, values, folded(wanted.words).split(), "m.found")
    _before(where, values, wanted, "message", "m.at", ("m.conversation", "m.seq"))
    run = ", ".join(f"r.{name.strip()}" for name in COLUMNS.split(","))
    sql = (
        f"SELECT m.at, m.actor, m.role, m.text, m.conversation, m.seq, {run} FROM messages m"  # noqa: S608
        " JOIN conversations c ON c.id = m.conversation"
        f" LEFT JOIN runs r ON r.id = m.conversation WHERE {' AND '.join(where)}"
        " ORDER BY m.at DESC, m.conversation DESC, m.seq DESC LIMIT :limit"
    )
    lines = []
    for at, actor, role, text, conversation, seq, *rest in tx.all(sql, user=user, limit=limit, **values):
        found = RunRow(*rest) if rest[0] is not None else None
        said = Said(at, actor, role, json.loads(text), found, conversation, seq)
        lines.append(Line(Place(at, "message", f"{conversation} {seq:010d}"), said))
    return lines


def _operations(tx: Transaction, user: str, wanted: Wanted, limit: int) -> list[Line]:
    where, values = ["actor = :user", "records > 0"], dict[str, Any]()
    loose = " OR profile IS NULL" if not wanted.is_apart else ""
    _of_profile(where, values, wanted, f"(profile = :profile{loose})")
    if wanted.is_apart:
        where.append("resource <> :apart")
        values["apart"] = profiles.NAME
    named = {f"t{index}": name for index, name in enumerate(wanted.tables)}
    of_tables = f"resource IN ({', '.join(f':{name}' for name in named)})" if named else ""
    _with_words(where, values, folded(wanted.words).split(), "found", of_tables)
    values |= named if wanted.words.strip() else {}
    _before(where, values, wanted, "records", "at", ("id",))
    columns = ", ".join(OPERATION_COLUMNS)
    sql = f"SELECT {columns} FROM record_operations WHERE {' AND '.join(where)} ORDER BY at DESC, id DESC LIMIT :limit"  # noqa: S608
    rows = [OperationRow(*row) for row in tx.all(sql, user=user, limit=limit, **values)]
    return [Line(Place(row.at, "records", row.id), row) for row in rows]


_READ: Final[Mapping[Kind, Any]] = {"message": _messages, "records": _operations, "run": _runs}


def _of_profile(where: list[str], values: dict[str, Any], wanted: Wanted, test: str) -> None:
    if wanted.profile is not None:
        where.append(test)
        values["profile"] = wanted.profile


def _with_words(where: list[str], values: dict[str, Any], words: Sequence[str], column: str, other: str = "") -> None:
    """Ask that every word is in a column; or for something else that will do."""
    tests = []
    for index, word in enumerate(words[:WORDS_MAX]):
        values[f"w{index}"] = f"%{literal(storable(word))}%"
        tests.append(f"{column} LIKE :w{index} ESCAPE '\\'")
    if tests:
        all_of = " AND ".join(tests)
        where.append(f"(({all_of}) OR {other})" if other else all_of)


def _before(
    where: list[str], values: dict[str, Any], wanted: Wanted, kind: Kind, at: str, parts: Sequence[str]
) -> None:
    """Ask for what comes after the page before: older, or of the same moment and behind it."""
    before = wanted.before
    if before is None:
        return
    values["at"] = before.at
    if kind != before.kind:
        where.append(f"{at} {'<=' if KINDS.index(kind) > KINDS.index(before.kind) else '<'} :at")
        return
    ids: list[Any] = [before.id]
    if len(parts) == 2:
        conversation, _, seq = before.id.rpartition(" ")
        ids = [conversation, int(seq)]
    behind = f"{parts[-1]} < :id{len(parts) - 1}"
    if len(parts) == 2:
        behind = f"({parts[0]} < :id0 OR ({parts[0]} = :id0 AND {behind}))"
    where.append(f"({at} < :at OR ({at} = :at AND {behind}))")
    values |= {f"id{index}": part for index, part in enumerate(ids)}
