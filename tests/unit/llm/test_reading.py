"""Calls as servers send them: each with an id, broken ones as text, nothing that cannot be stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.llm.port import Call
from pipulate.llm.reading import Calls, clean, count


@pytest.mark.parametrize("arguments", [{"a": 1}, '{"a": 1}', ' {"a":1} '])
def test_arguments_are_read_as_an_object_and_as_its_text(arguments: Any) -> None:
    assert Calls().read("x", "look", arguments) == Call("x", "look", {"a": 1})


@pytest.mark.parametrize("arguments", [None, "", {}, "{}"])
def test_call_without_arguments_is_whole(arguments: Any) -> None:
    assert Calls().read("x", "look", arguments) == Call("x", "look")


@pytest.mark.parametrize(
    "arguments", ['{"a": ', "[1]", "null", "7", [1], 7, True, '{"a": NaN}', '{"a": 1e999}', {"a": float("inf")}]
)
def test_arguments_that_are_no_object_are_kept_as_text(arguments: Any) -> None:
    call = Calls().read("x", "look", arguments)
    assert call.arguments == {}
    assert call.broken == (arguments if isinstance(arguments, str) else repr(arguments))


@pytest.mark.parametrize("arguments", ["[" * 100_000, '{"a":' * 50_000, "9" * 10_000])
def test_arguments_that_no_reader_can_read_are_cut(arguments: str) -> None:
    assert Calls().read("x", "look", arguments).broken == arguments[:1_000]


def test_calls_without_ids_or_with_the_same_get_ids_of_their_own() -> None:
    calls = Calls()
    ids = [calls.read(given, "look", {}).id for given in ("a", None, "a", "", 7, "call_2", "x" * 200)]
    assert len(set(ids)) == calls.count == 7
    assert ids[:2] == ["a", "call_2"]
    assert all(ids)


@pytest.mark.parametrize("name", [None, 7, "", ["look"]])
def test_call_without_a_name_is_broken(name: Any) -> None:
    assert Calls().read("x", name, {"a": 1}) == Call("x", "", broken="{'a': 1}")


def test_what_no_database_can_store_is_replaced_in_arguments() -> None:
    call = Calls().read("x", "look", '{"a": "x\\u0000y\\ud800z\\ud83d\\ude00"}')
    assert call.arguments == {"a": "x\ufffdy\ufffdz\U0001f600"}


def test_backslash_before_a_word_stays_what_it_was() -> None:
    assert Calls().read("x", "look", {"a": "\\u0000"}).arguments == {"a": "\\u0000"}


@given(st.text(st.characters()))
def test_clean_text_can_be_stored_and_sent_and_is_otherwise_the_same(text: str) -> None:
    made = clean(text)
    made.encode()
    assert "\0" not in made
    if "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text):
        assert made == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    )
)
def test_any_arguments_can_be_stored(arguments: Any) -> None:
    call = Calls().read("x", "look", arguments)
    text = json.dumps(dict(call.arguments), ensure_ascii=False, allow_nan=False) + call.broken
    text.encode()
    assert "\\u0000" not in json.dumps(dict(call.arguments)).replace("\\\\", "")


@pytest.mark.parametrize(
    ("told", "read"),
    [(0, 0), (12, 12), (2**53, 2**53), (2**53 + 1, None), (10**400, None), (-1, None), (True, None), (1.5, None),
     ("7", None), (None, None)],
)  # fmt: skip
def test_number_that_no_count_can_be_is_none(told: Any, read: int | None) -> None:
    assert count(told) == read
