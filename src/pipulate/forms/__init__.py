"""From what a browser sends to values a step can use, and the words for what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate.fields.model import Option
from pipulate.forms.checking import refuse_unoffered, typed, validate
from pipulate.forms.decoding import Typed, decode
from pipulate.forms.form import Form
from pipulate.forms.secrets import is_kept, stored, with_kept
from pipulate.forms.texts import KEPT, texts_of
from pipulate.forms.words import in_words

__all__ = [
    "KEPT", "Form", "Typed", "decode", "in_words", "is_kept", "refuse_unoffered", "stored", "taken", "texts_of",
    "typed", "validate",
]  # fmt: skip


def taken(asked: Form, sent: Typed, options: Mapping[str, tuple[Option, ...]], before: Any) -> dict[str, Any]:
    """Return what a form sent as values for `validate`, with the secrets that stay as they are.

    Args:
        asked: What was asked.
        sent: The texts of each field.
        options: The choices of fields whose choices are not always the same.
        before: The answers that were stored before, or None.
    """
    return with_kept(asked.fields, decode(asked.fields, sent, options), before)
