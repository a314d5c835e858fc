"""What the page of a table of records is drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from pipulate.crud.asked import Asked
from pipulate.crud.links import Labels
from pipulate.crud.resource import Resource
from pipulate.fields import FormField, Option
from pipulate.forms.sending import asks_for_files
from pipulate.storage.records.operations import OperationRow
from pipulate.storage.records.rows import Record
from pipulate.ui.uploads import UploadForm

PAGE = 50
"""Records on one page of a list."""


def base(resource: str) -> str:
    """Return what the addresses of a table of records begin with."""
    return f"/-/records/{quote(resource)}"


WITH_FILES: Final = "multipart/form-data"
"""How a browser without our script sends a form that has files in it."""


def sent_to(address: str, fields: Iterable[FormField]) -> dict[str, Any]:
    """Return where a form goes, and how: one that asks for files has an address that takes them."""
    if not asks_for_files([*fields]):
        return {"action": address}
    return {"action": f"{address}/with-files", "enctype": WITH_FILES}


@dataclass(frozen=True)
class ListView:
    """A part of a list as it is shown.

    Attributes:
        asked: What is asked of the list.
        address: The page it stands on.
        records: The records of this page.
        total: How many are found.
        everything: How many there are without search and filters.
        version: Version of the table that this is the state of.
        labels: What people call the records that links lead to.
        options: Field -> what a link offers.
        viewer: Who looks.
        now: The moment.
        done: What the person has just done, where it can be taken back.
        typed: What the row for a new record holds.
        problems: Field -> what is wrong with it there.
        uploads: What its fields for files need there, or None.
    """

    asked: Asked
    address: str
    records: Sequence[Record]
    total: int
    everything: int
    version: int
    labels: Labels
    options: Mapping[str, tuple[Option, ...]]
    viewer: str
    now: datetime
    done: OperationRow | None = None
    typed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    uploads: UploadForm | None = None

    @property
    def resource(self) -> Resource[Any]:
        """Whose list it is."""
        return self.asked.resource

    @property
    def base(self) -> str:
        """What the addresses of its actions begin with."""
        return base(self.resource.name)

    @property
    def pages(self) -> int:
        """How many pages the list has."""
        return max(1, -(-self.total // PAGE))

    @property
    def listed(self) -> list[FormField]:
        """The fields that have a column, in their order."""
        by_name = {each.name: each for each in self.resource.fields}
        return [by_name[name] for name in self.resource.columns if name in by_name]
