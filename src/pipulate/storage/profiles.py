"""Profiles: the customers or projects that runs and records belong to. They are records themselves.

Whatever refers to a profile does so by its `ident`, which never changes; its number is that of its record.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipulate._ids import new_id
from pipulate.errors import BadNameError, InvalidAnswersError, ProfileLockedError, RecordRefusedError, RecordTakenError
from pipulate.storage import keyvalue
from pipulate.storage.author import Author
from pipulate.storage.database import Transaction
from pipulate.storage.journal import storable
from pipulate.storage.keys import check_name
from pipulate.storage.records import catalog, operations, rows
from pipulate.storage.records.queries import folded
from pipulate.storage.records.rows import Operation, Record, Values
from pipulate.storage.records.shape import Shape

NAME: Final = "profiles"
"""Stored name of their resource."""

DEFAULT_ID: Final = "default"
DEFAULT_NAME: Final = "Default Profile"
MOST: Final = 500
"""Most profiles listed in a menu."""

SYSTEM: Final = "system"
"""Who did what nobody asked for."""

_CHOSEN, _LOCKED = "profile", "profile_locked"


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: its id, and the name people see."""

    id: str
    name: str


def listed(tx: Transaction) -> list[Profile]:
    """Return the profiles in use in the order people put them in, at most `MOST`; inactive ones are not in use."""
    return [
        Profile(*row)
        for row in tx.all(
            "SELECT ident, name FROM rec_profiles WHERE _deleted_at IS NULL AND active = 1"  # noqa: S608 - a constant
            f" ORDER BY _place, _id LIMIT {MOST}"
        )
    ]


def names(tx: Transaction) -> dict[str, str]:
    """Return the names of all profiles by their ids, those out of use and those in the bin too."""
    return {ident: name for ident, name in tx.all("SELECT ident, name FROM rec_profiles")}  # noqa: C416 - as in `check`


def find(tx: Transaction, profile: str) -> Profile | None:
    """Return a profile by its id, or None; runs may belong to one that is out of use, or in the bin."""
    row = tx.one("SELECT ident, name FROM rec_profiles WHERE ident = :ident", ident=storable(profile))
    return Profile(*row) if row else None


def find_named(tx: Transaction, name: str) -> Profile | None:
    """Return the profile of this name that is in use, or None."""
    row = tx.one(
        "SELECT ident, name FROM rec_profiles WHERE name = :name AND _deleted_at IS NULL AND active = 1",
        name=storable(name),
    )
    return Profile(*row) if row else None


def add(tx: Transaction, profile: str, name: str, at: str, actor: str = SYSTEM) -> Profile:
    """Add a profile at the end.

    Raises:
        BadNameError: If the name breaks the rule for names or another profile has it.
    """
    name, shape = check_name(name), _claimed(tx)
    values: dict[str, Any] = dict.fromkeys(shape.by_name) | {
        "name": name, "real_name": "", "address": "", "code": "", "active": True, "ident": profile,
    }  # fmt: skip
    _refuse_twin(tx, name)
    operation = _operation(tx, shape, "create", at, actor)
    place = rows.last_place(tx, shape, None)
    rows.add(tx, shape, operation, values, folded(name), profile=None, place=place)
    return Profile(profile, name)


def rename(tx: Transaction, profile: str, name: str, at: str, actor: str = SYSTEM) -> Profile:
    """Give a profile another name.

    Raises:
        BadNameError: As in `add`, or if there is no such profile.
    """
    name, shape = check_name(name), _claimed(tx)
    row = tx.one("SELECT _id FROM rec_profiles WHERE ident = :ident AND _deleted_at IS NULL", ident=storable(profile))
    if row is None:
        raise BadNameError("This profile does not exist any more.")
    before = rows.find(tx, shape, row[0])
    _refuse_twin(tx, name, before.id)
    if before.values["name"] != name:
        told = [before.values.get(each) or "" for each in ("real_name", "address", "code")]
        rows.change(tx, shape, _operation(tx, shape, "change", at, actor), before, {"name": name}, folded(name, *told))
    return Profile(profile, name)


def _claimed(tx: Transaction) -> Shape:
    shape = catalog.stored(tx, NAME)
    assert shape is not None  # noqa: S101 - a migration made it
    rows.claim(tx, shape)
    return shape


def _operation(tx: Transaction, shape: Shape, kind: str, at: str, actor: str) -> Operation:
    operation = Operation(new_id(), Author(actor, at, None))
    operations.begin(tx, shape, operation, kind, {})
    operations.count(tx, operation, 1)
    return operation


def _refuse_twin(tx: Transaction, name: str, but: int = 0) -> None:
    if _has_twin(tx, name, but):
        raise BadNameError(f"There is a profile {name!r} already.")


def _has_twin(tx: Transaction, name: str, but: int) -> bool:
    wanted = _as_compared(name)
    others = tx.all("SELECT _id, name FROM rec_profiles WHERE _deleted_at IS NULL")
    return any(number != but and _as_compared(other) == wanted for number, other in others)


def _as_compared(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


# Rules that hold whatever door a change comes in by


def refuse_values(tx: Transaction, values: Values, record: int) -> None:
    """Refuse what a profile may not be; `record` is its number, 0 for a new one.

    Raises:
        InvalidAnswersError: If its name breaks the rule for names.
        RecordTakenError: If another profile has the name, whatever its case and spelling.
        RecordRefusedError: If its id changes or is not its own, or the default profile would be out of use.
    """
    try:
        check_name(str(values["name"]))
    except BadNameError as error:
        raise InvalidAnswersError({"name": str(error)}) from None
    if _has_twin(tx, str(values["name"]), record):
        raise RecordTakenError(("name",))
    same = tx.all("SELECT _id FROM rec_profiles WHERE ident = :ident", ident=str(values["ident"]))
    if [number for (number,) in same] != ([record] if record else []) or not values["ident"]:
        raise RecordRefusedError("What runs know a profile by cannot be changed.")
    if values["ident"] == DEFAULT_ID and not values["active"]:
        raise RecordRefusedError(f"This profile stays in use: {_FALLBACK}")


_FALLBACK = "what is started without a profile belongs to it. You can give it another name."


def refuse_removal(tx: Transaction, values: Values, titles: Mapping[str, str]) -> None:
    """Refuse to put a profile into the bin that is needed; `titles` is what people call each resource.

    Raises:
        RecordRefusedError: If it is the default one, or something belongs to it.
    """
    if values["ident"] == DEFAULT_ID:
        raise RecordRefusedError(f"This profile cannot be deleted: {_FALLBACK}")
    if has := belongings(tx, str(values["ident"]), titles):
        what = ", ".join(f"{name} {number:,}" for name, number in has.items())
        raise RecordRefusedError(
            f"{values['name']} cannot be deleted, because it has {what}. Make it inactive instead: it is in no menu"
            " then, and everything stays."
        )


def belongings(tx: Transaction, profile: str, titles: Mapping[str, str], *, with_bin: bool = False) -> dict[str, int]:
    """Return what belongs to a profile: what people call it -> how many there are."""
    alive = "" if with_bin else "AND deleted_at IS NULL"
    stays = "" if with_bin else "AND removed_at IS NULL"
    counted = {
        "runs": f"SELECT COUNT(*) FROM runs WHERE profile = :profile {alive}",  # noqa: S608 - constants
        "schedules": f"SELECT COUNT(*) FROM job_schedules WHERE profile = :profile {stays}",  # noqa: S608
    }
    for name in catalog.names(tx):
        shape = catalog.stored(tx, name)
        if shape is not None and shape.per_profile:
            there = "" if with_bin else "AND _deleted_at IS NULL"
            called = titles.get(name, name).lower()
            counted[called] = f"SELECT COUNT(*) FROM {shape.table} WHERE _profile = :profile {there}"  # noqa: S608
    found = {called: tx.one(sql, profile=profile) for called, sql in counted.items()}
    return {called: int(row[0]) for called, row in found.items() if row and row[0]}


def is_needed(tx: Transaction, record: Record) -> bool:
    """Tell whether anything belongs to a profile, be it in the bin."""
    return bool(belongings(tx, str(record.values["ident"]), {}, with_bin=True))


# Which one a person works in


def chosen(tx: Transaction, user: str) -> str:
    """Return the id of the profile a person has chosen; the default one where that is not in use any more."""
    wanted = _own(tx, user, _CHOSEN)
    row = tx.one(
        "SELECT ident FROM rec_profiles WHERE ident = :ident AND active = 1 AND _deleted_at IS NULL",
        ident=wanted if isinstance(wanted, str) else "",
    )
    return str(row[0]) if row else DEFAULT_ID


def choose(tx: Transaction, user: str, profile: str) -> None:
    """Choose the profile that a person works in from now on.

    Raises:
        ProfileLockedError: If another one is locked.
    """
    if is_locked(tx, user) and profile != chosen(tx, user):
        raise ProfileLockedError
    keyvalue.put(tx, "user", user, _CHOSEN, profile)


def is_locked(tx: Transaction, user: str) -> bool:
    """Tell whether a person sees the chosen profile alone."""
    return _own(tx, user, _LOCKED) is True


def lock(tx: Transaction, user: str, *, is_on: bool) -> None:
    """Show a person the chosen profile alone from now on, or all of them again."""
    keyvalue.put(tx, "user", user, _CHOSEN, chosen(tx, user))
    keyvalue.put(tx, "user", user, _LOCKED, is_on)


def _own(tx: Transaction, user: str, key: str) -> Any:
    try:
        return keyvalue.get(tx, "user", user, key)
    except KeyError:
        return None
