"""Whether answers make a record of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate import forms
from pipulate.crud.resource import Resource
from pipulate.errors import InvalidAnswersError, RecordError
from pipulate.fields.files import Files
from pipulate.storage.records.rows import Record, Values


def check(
    resource: Resource[Any], answers: Mapping[str, Any], before: Values | None, files: Files | None = None
) -> Values:
    """Return the values that answers make, checked as a whole with those that stay.

    Args:
        resource: The resource.
        answers: The fields, as `forms.decode` returns them.
        before: The values of the record as it is, or None.
        files: The files that answers may name; those of the table where it is None.

    Raises:
        InvalidAnswersError: If a field breaks a rule, or there is none of that name.
    """
    unknown = set(answers) - set(resource.shape.by_name)
    if unknown:
        raise InvalidAnswersError(dict.fromkeys(unknown, "There is no such field."))
    checked: Values = forms.stored(
        resource, forms.validate(resource, {**(before or {}), **answers}, files or resource.files)
    )
    return checked


def tried(
    resource: Resource[Any], answers: Mapping[str, Any], before: Record | None
) -> Values | InvalidAnswersError | RecordError:
    """As `check`; what is wrong is returned."""
    try:
        return check(resource, answers, before.values if before is not None else None)
    except (InvalidAnswersError, RecordError) as error:
        return error
