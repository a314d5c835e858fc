"""What a step returned, as people see it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.ui.results import number, result, tree
from tests.unit.storage.test_journal import VALUES
from tests.unit.ui.test_html import EVIL, Parsed


@pytest.mark.parametrize(
    ("view", "output", "shown"),
    [
        ("none", None, None), ("none", 1, None), ("text", None, None), ("number", 1234567, "1,234,567"),
        ("bool", True, "Yes"), ("bool", False, "No"), ("text", "a\nb", "a\nb"), ("markdown", "**a**", "a\n"),
        ("tree", {"a": 1}, "a1"), ("unknown", "a", "a"), ("text", "", ""), ("number", 0, "0"),
    ],
)  # fmt: skip
def test_result_is_drawn_by_its_view(view: str, output: object, shown: str | None) -> None:
    made = result(view, output)
    assert (Parsed(made).text if made is not None else None) == shown


@pytest.mark.parametrize("view", ["text", "number", "bool", "markdown", "tree"])
@pytest.mark.parametrize("output", [EVIL, [EVIL], {EVIL: EVIL}, [{EVIL: EVIL}], {"a": [EVIL, {"b": EVIL}]}])
def test_result_never_becomes_markup(view: str, output: Any) -> None:
    made = result(view, output)
    assert made is not None
    assert not {"img", "script"} & set(Parsed(made).tags)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-1234, "-1,234"), (1234.5, "1,234.5"), (0.1 + 0.2, "0.3"), (100.0, "100"), (1e-9, "1e-09"),
        (10**30, f"{10**30:,}"), (1e20, "100,000,000,000,000,000,000"), ("12.50", "12.50"), (2.0000001, "2"),
    ],
)  # fmt: skip
def test_number_is_easy_to_read(value: object, text: str) -> None:
    assert number(value) == text


def test_rows_that_are_alike_become_a_table() -> None:
    made = tree([{"name": "a", "n": 1}, {"name": "b", "n": 2000}])
    assert '<th scope="col">name</th><th scope="col" class="number">n</th>' in made
    assert '<td class="number"><span class="number">2,000</span></td>' in made


@pytest.mark.parametrize(
    "rows", [[{"a": 1}, {"b": 1}], [{"a": 1}, {"a": 1, "b": 2}], [{"a": [1]}], [{"a": {}}], [{}], [1, {}]]
)
def test_rows_that_differ_do_not(rows: list[object]) -> None:
    assert "<table" not in tree(rows)


def test_long_table_says_that_there_is_more() -> None:
    made = tree([{"a": each} for each in range(501)])
    assert made.count("<tr>") == 501  # The head and the first 500.
    assert "The first 500 of 501 rows." in made


def test_long_list_says_that_there_is_more() -> None:
    made = tree(list(range(10_000)))
    assert made.count("<li>") == 500
    assert "The first 500 of 10,000." in made


@pytest.mark.parametrize(
    ("view", "short", "long"),
    [
        ("text", "a" * 1_500, "a" * 1_501),
        ("markdown", "a" * 1_500, "a" * 1_501),
        ("tree", [[]] * 24, [[]] * 25),
    ],
)
def test_only_a_long_result_is_folded(view: str, short: Any, long: Any) -> None:
    assert "Show all" not in str(result(view, short))
    assert "Show all" in str(result(view, long))


@pytest.mark.parametrize(
    ("value", "text"), [(None, "none"), (True, "yes"), (False, "no"), ({}, "(empty)"), ([], "(empty)"), ("", "")]
)
def test_leaf_of_a_tree_is_a_word(value: object, text: str) -> None:
    assert Parsed(tree(value)).text == text


def test_deep_value_ends_as_text() -> None:
    value: Any = "deep"
    for _ in range(200):
        value = {"a": value}
    assert Parsed(tree(value)).tags.count("dl") == 13


@given(VALUES)
def test_any_json_value_can_be_shown(value: object) -> None:
    assert set(Parsed(tree(value)).tags) <= {
        "span", "dl", "dt", "dd", "ul", "ol", "li", "code", "div", "table", "thead", "tbody", "tr", "th", "td", "p",
    }  # fmt: skip


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_is_shown_to_six_digits_behind_the_point(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, abs=1e-6, rel=1e-5)
