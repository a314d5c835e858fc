"""What an address asks of a list, and the address of a list again."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from pipulate.crud.asked import Asked, asked
from pipulate.crud.resource import Resource
from pipulate.fields.hints import Link
from pipulate.storage.records.queries import Condition, Query, Sort


class Thing(BaseModel):
    """A field of each kind that can be asked for."""

    title: str
    done: bool = False
    priority: int = 1
    price: float | None = None
    due: date | None = None
    size: Literal["s", "m", "l"] = "s"
    tags: list[Literal["red", "blue"]] = []
    room: Annotated[int | None, Link("rooms")] = None
    key: SecretStr | None = None


THINGS = Resource("things", Thing, sort="-priority")
assert THINGS.prepare() == []


def of(query: str, profile: str = "default") -> Asked:
    return asked(THINGS, parse_qsl(query, keep_blank_values=True), profile)


@pytest.mark.parametrize(
    ("query", "condition"),
    [("f.title.has=a%25", Condition("title", "has", "a%")), ("f.done.is=off", Condition("done", "is", value=False)),
     ("f.priority.min=2", Condition("priority", "min", 2)), ("f.price.max=1,5", Condition("price", "max", 1.5)),
     ("f.price.empty=0", Condition("price", "filled")), ("f.due.min=2026-11-30", Condition("due", "min", "2026-11-30")),
     ("f.size.any=m&f.size.any=l", Condition("size", "any", ["m", "l"])),
     ("f.tags.lists=red", Condition("tags", "lists", "red")), ("f.room.any=7", Condition("room", "any", [7])),
     ("f.room.empty=1", Condition("room", "empty", value=True))],
)  # fmt: skip
def test_filter_of_an_address_is_a_condition(query: str, condition: Condition) -> None:
    assert of(query).query.conditions == (condition,)


@pytest.mark.parametrize(
    "query",
    ["f.priority.min=many", "f.priority.max=1e99", "f.price.min=nan", "f.price.max=inf", "f.due.min=30.11.2026",
     "f.size.any=xl", "f.done.is=perhaps", "f.room.any=99999999999999999999", "f.room.empty=2"],
)  # fmt: skip
def test_filter_that_cannot_be_read_is_said_and_left_out(query: str) -> None:
    found = of(query)
    assert found.query.conditions == ()
    assert found.filters[0].problem
    assert found.is_narrowed


@pytest.mark.parametrize(
    "query",
    ["f.nothing.is=1", "f.title.min=1", "f.key.has=a", "f.title.has=", 'f.title"--.has=1', "f..has=1", "f.title=1",
     "title=1"],
)  # fmt: skip
def test_what_is_no_filter_is_left_out(query: str) -> None:
    assert of(query).filters == ()


def test_order_of_an_address_counts_and_that_of_the_resource_where_it_has_none() -> None:
    assert of("").sort == (Sort("priority", descending=True),)
    assert of("sort=title,-due").sort == (Sort("title"), Sort("due", descending=True))
    assert of("sort=").sort == ()
    assert of("sort=key,tags,nothing,title;drop").sort == ()
    assert of("").text() == ""
    assert of("sort=").text() == "?sort="


def test_records_of_the_profile_that_is_chosen_are_asked_for_and_of_no_other() -> None:
    assert of("profile=other&f.profile.is=other", "mine").query == Query("mine", sort=of("").sort)


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "99999999999", "1.5"])
def test_page_that_is_none_is_the_first(page: str) -> None:
    assert of(f"page={page}").page == 1


def test_another_page_keeps_what_is_asked_and_another_search_begins_at_the_first() -> None:
    found = of("find=milk&f.size.any=m&sort=title&page=3&bin=1")
    assert found.text(page=4) == "?find=milk&f.size.any=m&sort=title&page=4&bin=1"
    assert found.text(words="bread") == "?find=bread&f.size.any=m&sort=title&bin=1"
    assert found.without(found.filters[0]) == "?find=milk&sort=title&bin=1"


TEXT = st.text(max_size=20)


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from(["find", "sort", "page", "bin", "f.title.has", "f.priority.min", "f.size.any"]), TEXT
            ),
            TEXT,
        ),
        max_size=8,
    )
)
def test_any_address_is_taken_and_asks_the_same_when_it_is_made_again(pairs: list[tuple[str, str]]) -> None:
    first = asked(THINGS, pairs, "default")
    again: Any = asked(
        THINGS, parse_qsl(first.text(page=first.page).removeprefix("?"), keep_blank_values=True), "default"
    )
    assert (again.query, again.page) == (first.query, first.page)
    assert "\0" not in repr(first.query)
