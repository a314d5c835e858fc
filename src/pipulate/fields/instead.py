"""What to use instead of a type that cannot be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import timedelta
from pathlib import PurePath
from typing import Any, get_origin

_INSTEAD: tuple[tuple[Any, str], ...] = (
    (Mapping, 'a pydantic model, or Annotated[str, CodeEditor("json")]'),
    (dict, 'a pydantic model, or Annotated[str, CodeEditor("json")]'),
    (set | frozenset, "a list"),
    (tuple, "a list, a pydantic model, or DateRange for two dates"),
    (bytes | bytearray, "File"),
    (PurePath, "Path or File"),
    (complex, "two numbers"),
    (timedelta, "a number, with its unit in the label"),
)
_KNOWN = (
    "str, int, float, Decimal, bool, date, time, datetime, Literal, an Enum, EmailStr, HttpUrl, SecretStr, File, Path,"
    " DateRange, a pydantic model, a list of such values, or one of these or None"
)


def instead_of(bare: Any) -> str:
    """Return why a type cannot be a field, and what can."""
    plain = get_origin(bare) or bare
    words = _KNOWN
    if isinstance(plain, type):
        words = next((words for kind, words in _INSTEAD if issubclass(plain, kind)), _KNOWN)
        words = "a pydantic model with the same fields" if is_dataclass(plain) else words
    return f"{getattr(bare, '__name__', bare)} cannot be asked for in a form; use {words}"
