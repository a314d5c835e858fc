"""Errors of records and reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipulate.errors.root import PipulateError


class RecordError(PipulateError):
    """Something asked of records could not be done; they are as they were."""

    code = "record.failed"


class RecordNotFoundError(RecordError):
    """A resource has no record of this number, or it is in the bin, or the person may not see it."""

    code = "record.not_found"

    def __init__(self, resource: str, record: int) -> None:
        self.resource, self.record = resource, record
        super().__init__(f"There is no record {record} in {resource!r} any more.")


class RecordConflictError(RecordError):
    """A record was changed by somebody else after the version a change is based on.

    Attributes:
        theirs, mine: Field -> what it is now, what it was to become; of the fields that both changed.
    """

    code = "record.conflict"

    def __init__(self, *, resource: str, record: int, seen: int, version: int, theirs: Any, mine: Any) -> None:
        self.resource, self.record, self.seen, self.version = resource, record, seen, version
        self.theirs, self.mine = theirs, mine
        super().__init__("Somebody else has changed this record meanwhile. Nothing was overwritten.")


class RecordTakenError(RecordError):
    """Another record has the value that no two may share."""

    code = "record.taken"

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__("There is a record with this " + " and ".join(fields) + " already.")


class RecordLinkedError(RecordError):
    """A record cannot be deleted, because others lead to it."""

    code = "record.linked"

    def __init__(self, title: str, records: int) -> None:
        self.title, self.records = title, records
        one = f"A record in {title} belongs to it" if records == 1 else f"{records:,} records in {title} belong to it"
        super().__init__(f"This cannot be deleted: {one}.")


class RecordRefusedError(RecordError):
    """The app does not allow this change; the message is its own."""

    code = "record.refused"


class TableDiffersError(RecordError):
    """A resource declares other fields than its table has, so its app waits until somebody decides."""

    code = "record.table_differs"

    def __init__(self, resource: str, differences: Sequence[str], command: str = "") -> None:
        self.resource, self.differences, self.command = resource, tuple(differences), command
        todo = f" To bring the table to them, after a backup, run: {command}" if command else ""
        super().__init__(
            f"The fields of {resource!r} are not those of its table: {'; '.join(differences)}. Nothing was changed."
            + todo
        )


class FitRefusedError(RecordError):
    """A table cannot be brought to the fields its resource declares now; it is as it was.

    Attributes:
        reasons: What stands in the way, and what to do about it, one sentence each.
    """

    code = "record.not_fitted"

    def __init__(self, resource: str, reasons: Sequence[str]) -> None:
        self.resource, self.reasons = resource, tuple(reasons)
        super().__init__("\n".join((f"The table of {resource!r} stays as it is.", *reasons)))


class UnknownTableError(RecordError):
    """The code of an app asked for a table of records that no app declares."""

    code = "record.unknown_table"


class ReportError(PipulateError):
    """Something asked of a report could not be done."""

    code = "report.failed"


class NotInReportError(ReportError):
    """A report does not know, or does not know any more, for whom it is to make something, or which file is meant."""

    code = "report.not_found"
