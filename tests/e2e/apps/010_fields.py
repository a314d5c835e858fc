"""One field of each kind, and results of each kind."""

from datetime import date
from enum import Enum
from typing import Annotated, Literal

from pydantic import Field

from pipulate import Markdown, Range, Run, TextArea, Workflow

fields = Workflow("fields", title="All fields", description="One of each kind.")


class Size(Enum):
    """A choice of five, so that it becomes a list."""

    SMALL = "s"
    LARGE = "l"
    EXTRA_LARGE = "xl"
    HUGE = "h"
    GIANT = "g"


@fields.step("all", title="Everything at once")
def all_(
    name: Annotated[str, Field(min_length=2, max_length=20, description="Two letters at least.")],
    text: Annotated[str, TextArea(4)],
    count: Annotated[int, Range(1, 9)] = 3,
    ratio: float = 0.5,
    when: date = date(2026, 11, 20),
    tell: bool = True,
    mood: Literal["good", "bad"] = "good",
    size: Size = Size.LARGE,
    note: str | None = None,
) -> dict[str, object]:
    """Fill in what you like."""
    rows = [{"x": index, "square": index * index} for index in range(40)]
    return {"name": name, "text": text, "note": note, "rows": rows}


@fields.step("markdown", title="As Markdown", when=lambda run: run.answers("all").tell)
def markdown(run: Run) -> Markdown:
    """Return a little of everything that Markdown has."""
    return Markdown("## Heading\n\n**Bold** and a [link](https://example.org).\n\n- one\n- two\n")


@fields.step("more", title="Anything else?")
def more(more: bool = False) -> bool:
    """One more question."""
    return more
