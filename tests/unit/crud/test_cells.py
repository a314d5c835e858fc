"""Cells of a table that somebody brings, as people and spreadsheets write them."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel

from pipulate import forms
from pipulate.crud.cells import answers_of
from pipulate.crud.resource import Resource
from pipulate.errors import InvalidAnswersError
from pipulate.fields.hints import Link


class Size(Enum):
    """A choice whose labels are not what is stored."""

    EXTRA_LARGE = "xl"
    SMALL = "s"


class Everything(BaseModel):
    """A field of each kind that a cell can be for."""

    text: str = ""
    count: int = 0
    ratio: float | None = None
    done: bool = False
    due: date | None = None
    size: Size = Size.SMALL
    mood: Literal["good", "very bad"] = "good"
    tags: list[str] = []
    colours: list[Literal["red", "blue"]] = []
    of: Annotated[int | None, Link("others")] = None


EVERYTHING = Resource("everything", Everything)
assert EVERYTHING.prepare() == []


def taken(**cells: str) -> dict[str, Any]:
    checked = forms.validate(EVERYTHING, answers_of(EVERYTHING.fields, cells))
    return {name: forms.stored(EVERYTHING, checked)[name] for name in cells}


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [("text", "  a b ", "a b"), ("text", "'=SUM(A1)", "=SUM(A1)"), ("text", "'tis", "'tis"), ("text", "", ""),
     ("count", "1 234", 1234), ("count", "1,234", 1234), ("count", "1\u00a0234", 1234), ("count", "-7", -7),
     ("ratio", "1.234,5", 1234.5), ("ratio", "1,234.5", 1234.5), ("ratio", "0,5", 0.5), ("ratio", "", None),
     ("ratio", "1e3", 1000.0),
     ("done", "YES", True), ("done", "x", True), ("done", "nein", False), ("done", "", False), ("done", "1", True),
     ("due", "2026-11-30", "2026-11-30"), ("due", "", None),
     ("size", "Extra large", "xl"), ("size", "XL", "xl"), ("mood", "VERY BAD", "very bad"),
     ("tags", "a; b ;;c", ["a", "b", "c"]), ("tags", "a\nb", ["a", "b"]), ("tags", "", []),
     ("colours", "Blue; red", ["blue", "red"]), ("of", "12", 12), ("of", "", None)],
)  # fmt: skip
def test_cell_is_taken_as_it_was_meant(name: str, cell: str, value: Any) -> None:
    assert taken(**{name: cell}) == {name: value}


@pytest.mark.parametrize(
    ("name", "cell"),
    [("count", "1.5"), ("count", "many"), ("count", "1,23"), ("ratio", "1,2,3"), ("done", "perhaps"), ("due", "soon"),
     ("size", "medium"), ("colours", "red; green"), ("of", "Acme")],
)  # fmt: skip
def test_cell_that_could_be_anything_is_refused_at_its_field(name: str, cell: str) -> None:
    with pytest.raises(InvalidAnswersError) as refused:
        taken(**{name: cell})
    assert list(refused.value.problems) == [name]


def test_field_without_a_column_is_left_out() -> None:
    assert answers_of(EVERYTHING.fields, {"text": "a"}) == {"text": "a"}
