"""What the store knows of who sends a request to a class-style app, and of the run it is about."""

from __future__ import annotations

from dataclasses import dataclass

from pipulate.errors import RunNotFoundError
from pipulate.explicit import profiles as numbers
from pipulate.storage import keyvalue, lookups, messages, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.ledger import RunRow
from pipulate.storage.profiles import Profile


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand when a request begins.

    Attributes:
        profile: The profile that is worked in.
        number: What plugins know it by.
        is_told: Whether the person wants messages of what they do to rows.
        row: The run, or None where it is none of theirs, or of another app.
        was_taken: Whether the same form was taken before.
    """

    profile: Profile
    number: int
    is_told: bool
    row: RunRow | None
    was_taken: bool


def standing(
    tx: Transaction,
    actor: str,
    app: str,
    *,
    run: str | None = None,
    key: str | None = None,
    form: str | None = None,
    profile: str | None = None,
) -> Standing:
    """Return how things stand for a person and an app.

    Args:
        tx: The transaction.
        actor: Id of the person.
        app: Stored name of the app.
        run: Id of the run, if that is known.
        key: Its key, where only that is.
        form: Id of the form that is sent, if one is.
        profile: Id of the profile, where another may be chosen by now.
    """
    known = profiles.find(tx, profile or profiles.chosen(tx, actor))
    chosen = known or Profile(profiles.DEFAULT_ID, profiles.DEFAULT_NAME)
    number = numbers.number(tx, chosen.id)
    row = None
    try:
        if run is not None:
            row = lookups.by_id(tx, run, actor)
        elif key is not None:
            row = lookups.by_key(tx, app, key, actor)
    except RunNotFoundError:
        row = None
    if row is not None and row.app != app:
        row = None
    was_taken = row is not None and form is not None and lookups.by_submit(tx, row.id, form) is not None
    return Standing(chosen, number, _is_told(tx, actor), row, was_taken)


def _is_told(tx: Transaction, actor: str) -> bool:
    try:
        return bool(keyvalue.get(tx, "user", actor, messages.WANTED) != messages.HIDDEN)
    except KeyError:
        return True
