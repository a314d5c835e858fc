"""Telling who did something to records what it was: one line beside the resource for each operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipulate.crud.resource import Resource
from pipulate.storage import keyvalue, messages
from pipulate.storage.database import Transaction
from pipulate.storage.records import operations
from pipulate.storage.records.rows import Operation, Record


def tell(
    tx: Transaction, resource: Resource[Any], operation: Operation, records: Sequence[Record], profile: str | None
) -> tuple[str, int] | None:
    """Note what an operation is about, and tell it to who does it; once for each operation.

    Args:
        tx: The transaction.
        resource: Whose records they are.
        operation: What was done.
        records: The records as they are now; of many, none need to be given.
        profile: The profile they belong to, or None.

    Returns:
        Conversation and number of the message, or None where the person wants none.
    """
    one = records[0] if len(records) == 1 else None
    label = resource.label_of(one.values) if one is not None else ""
    operations.sum_up(tx, operation, one.id if one is not None else None, label, profile)
    author = operation.author
    try:
        is_wanted = keyvalue.get(tx, "user", author.actor, messages.WANTED) != messages.HIDDEN
    except KeyError:
        is_wanted = True
    return messages.add_done(tx, author.at, author.actor, resource.name, operation.id) if is_wanted else None
