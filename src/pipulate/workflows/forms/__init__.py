"""From what a browser sends to values a step can use, and the words for what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipulate.storage.journal import State
from pipulate.workflows.fields.model import Option
from pipulate.workflows.forms.checking import refuse_unoffered, typed, validate
from pipulate.workflows.forms.decoding import Typed, decode
from pipulate.workflows.forms.secrets import is_kept, stored, with_kept
from pipulate.workflows.forms.texts import KEPT, texts_of
from pipulate.workflows.forms.words import in_words

if TYPE_CHECKING:
    from pipulate.workflows.definition import Step

__all__ = [
    "KEPT",
    "Typed",
    "decode",
    "in_words",
    "is_kept",
    "refuse_unoffered",
    "stored",
    "taken",
    "texts_of",
    "typed",
    "validate",
    "with_kept",
]


def taken(step: Step[..., Any], sent: Typed, options: Mapping[str, tuple[Option, ...]], state: State) -> dict[str, Any]:
    """Return what a form sent as values for `validate`, with the secrets that stay as they are."""
    return with_kept(step, decode(step.fields, sent, options), state)
