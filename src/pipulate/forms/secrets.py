"""Secrets that people type: sealed when they are stored, kept when a form comes back without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from pipulate.fields.model import FormField, leaves
from pipulate.forms.form import Form
from pipulate.security.sealing import seal, unseal
from pipulate.storage.sealed import MARK, is_sealed


def stored(asked: Form, checked: BaseModel) -> dict[str, Any]:
    """Return checked answers as they are stored: JSON, with every secret sealed."""
    dumped = checked.model_dump(mode="json")
    if any(each.kind == "secret" for each in leaves(asked.fields)):
        _seal(asked.fields, checked, dumped)
    return dumped


def _seal(fields: Sequence[FormField], values: Any, dumped: dict[str, Any]) -> None:
    for each in fields:
        value = getattr(values, each.key)
        if each.parts and value is not None:
            _seal(each.parts, value, dumped[each.key])
        elif each.kind == "secret" and value is not None:
            dumped[each.key] = {MARK: seal(value.get_secret_value())}


def opened(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return answers with every secret as it was typed; one that was left out of an export is None."""
    return {name: _opened(value) for name, value in answers.items()}


def _opened(value: Any) -> Any:
    if is_sealed(value):
        return None if value[MARK] is None else unseal(value[MARK])
    return opened(value) if isinstance(value, Mapping) else value


def with_kept(fields: Sequence[FormField], answers: dict[str, Any], old: Any) -> dict[str, Any]:
    """Return answers with the secrets of those that were stored before, where none was typed anew."""
    if not isinstance(old, Mapping):
        return answers
    kept = dict(answers)
    for each in fields:
        before = old.get(each.key)
        if each.parts and isinstance(kept.get(each.key), dict):
            kept[each.key] = with_kept(each.parts, kept[each.key], before)
        elif each.kind == "secret" and each.key not in kept and is_kept(before):
            kept[each.key] = before
    return kept


def is_kept(value: Any) -> bool:
    """Tell whether a stored value is a secret that is there."""
    return is_sealed(value) and value[MARK] is not None
