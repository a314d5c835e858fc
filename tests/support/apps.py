"""Apps that the tests of the kit play: what people write, and what they get wrong."""

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated, Literal

from pipulate import Markdown, Range, Run, TextArea, Workflow


class Colour(enum.Enum):
    """A choice with words of its own."""

    RED = "r"
    GREEN = "g"


def split() -> Workflow:
    """Return an app that asks twice and works out something; thirteen people are too many for it."""
    app = Workflow("split", title="Split the bill")

    @app.step("bill", title="The bill")
    def bill(total: float, people: Annotated[int, Range(1, 50)] = 2, tip: bool = False) -> float:
        """What is to be paid?

        Args:
            total: Without a tip.
            people: Who sits at the table.
            tip: A tenth.
        """
        if people == 13:
            raise ValueError("thirteen at a table")
        return total * (1.1 if tip else 1) / people

    @app.step("note")
    def note(text: Annotated[str, TextArea()], how: Literal["cash", "card"] = "cash") -> None: ...

    @app.step("share", title="The answer")
    def share(run: Run) -> str:
        return f"Everybody pays {run['bill']:.2f}."

    return app


def shapes() -> Workflow:
    """Return an app that asks for values of many types."""
    app = Workflow("shapes")

    @app.step("all")
    def everything(
        word: str,
        day: date,
        colour: Colour,
        size: Literal["s", "m", "l", "xl", "xxl"],
        share: float = 0.5,
        also: str | None = None,
        really: bool | None = None,
    ) -> None: ...

    return app


def fragile() -> Workflow:
    """Return an app whose second step, which runs by itself, does not get on with the word "bad"."""
    app = Workflow("fragile")

    @app.step("word")
    def word(text: str) -> str:
        return text

    @app.step("made")
    def made(run: Run) -> Markdown:
        if run["word"] == "bad":
            raise RuntimeError("cannot make anything of it")
        return Markdown(f"**{run['word']}**")

    return app
