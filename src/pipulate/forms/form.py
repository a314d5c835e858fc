"""What can be asked of a person, whatever it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pydantic import BaseModel

from pipulate.fields.model import FormField


class Form(Protocol):
    """Fields and the rules their answers are checked with: a step of a workflow, a record of a table."""

    @property
    def fields(self) -> tuple[FormField, ...]:
        """The fields, in the order they are shown."""
        ...

    @property
    def model(self) -> type[BaseModel]:
        """The pydantic model the answers are checked with."""
        ...

    @property
    def rules(self) -> Mapping[Callable[..., None], tuple[str, ...]]:
        """Functions that check several fields together -> the names of these fields."""
        ...
