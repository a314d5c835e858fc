"""The code of a step beside what it is the code of."""

from __future__ import annotations

from typing import Any

from pipulate.ui.html import Html, details, div, join, span, summary
from pipulate.ui.results import drawn


def with_code(content: Any, code: str, title: str) -> Html:
    """Return content with the code of a step beside it where there is room, and below it where there is none.

    Args:
        content: What the step shows; None where that is nothing, and then the code is folded.
        code: The code, or "" where people are not to read it.
        title: Title of the step.
    """
    if not code:
        return join(content)
    shown = details(
        summary("Code", span(f" of {title}", class_="visually-hidden")),
        drawn("code", {"text": code, "language": "python"}, None, 0),
        class_="code-of-step",
        open=content is not None,
    )
    return div(div(content, class_="of-step"), shown, class_="beside") if content is not None else shown
