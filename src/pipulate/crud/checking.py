"""Whether answers make a record of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate import forms
from pipulate.crud.resource import Resource
from pipulate.errors import InvalidAnswersError, RecordError
from pipulate.storage.records.rows import Record, Values


def check(resource: Resource[Any], answers: Mapping[str, Any], before: Values | None) -> Values:
    """Return the values that answers make, checked as a whole with those that stay.

    Raises:
        InvalidAnswersError: If a field breaks a rule, or there is none of that name.
    """
    unknown = set(answers) - set(resource.shape.by_name)
    if unknown:
        raise InvalidAnswersError(dict.fromkeys(unknown, "There is no such field."))
    checked: Values = forms.stored(resource, forms.validate(resource, {**(before or {}), **answers}))
    return checked


def tried(
    resource: Resource[Any], answers: Mapping[str, Any], before: Record | None
) -> Values | InvalidAnswersError | RecordError:
    """As `check`; what is wrong is returned."""
    try:
        return check(resource, answers, before.values if before is not None else None)
    except (InvalidAnswersError, RecordError) as error:
        return error
