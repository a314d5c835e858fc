"""Tokens: an estimate that is never far too low, and learns from what servers counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.llm.tokens import Tokens

TEXT = "ö" * 300  # 600 bytes.


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abc", 1), ("abcd", 2), ("öö", 2), ("\ud800", 1)])
def test_estimate_is_a_third_of_the_bytes_rounded_up(text: str, tokens: int) -> None:
    assert Tokens().estimate("m", text) == tokens


def test_estimate_follows_quickly_where_it_was_too_low_and_slowly_where_it_was_too_high() -> None:
    tokens = Tokens()
    tokens.learn("low", 100, 200)
    tokens.learn("high", 100, 50)
    assert (tokens.estimate("low", TEXT), tokens.estimate("high", TEXT)) == (300, 190)


def test_estimate_comes_to_what_a_server_counts() -> None:
    tokens = Tokens()
    for _ in range(50):
        tokens.learn("m", tokens.estimate("m", TEXT), 260)
    assert tokens.estimate("m", TEXT) in range(260, 265)


def test_models_learn_each_for_itself() -> None:
    tokens = Tokens()
    tokens.learn("a", 100, 200)
    assert tokens.estimate("b", TEXT) == 200


@pytest.mark.parametrize(("estimated", "counted"), [(0, 10), (-1, 10), (100, 0), (100, -5), (100, 25)])
def test_nonsense_and_a_prompt_that_was_read_before_teach_nothing(estimated: int, counted: int) -> None:
    tokens = Tokens()
    tokens.learn("m", estimated, counted)
    assert tokens.estimate("m", TEXT) == 200


@given(st.lists(st.tuples(st.integers(-10, 10_000), st.integers(-10, 10_000_000))))
def test_no_count_makes_an_estimate_useless(counts: list[tuple[int, int]]) -> None:
    tokens = Tokens()
    for estimated, counted in counts:
        tokens.learn("m", estimated, counted)
    assert 100 <= tokens.estimate("m", TEXT) <= 800


def test_names_of_models_do_not_fill_the_memory() -> None:
    tokens = Tokens()
    for number in range(1_000):
        tokens.learn(f"m{number}", 100, 200)
    assert len(tokens._factors) == 200
    assert tokens.estimate("m999", TEXT) == 300
