"""The rule for keys and names: one spelling, nothing invisible, a sentence for what is refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipulate.errors import BadKeyError, BadNameError
from pipulate.storage.keys import BIDI, KEY_MAX, NAME_MAX, Key, check_key, check_name, next_key, unprintable


def checked(text: str) -> Key | None:
    """Return the key, or None where it is refused."""
    try:
        return check_key(text)
    except BadKeyError:
        return None


@pytest.mark.parametrize(
    "key",
    ["1", "01", "a b", "Ünï cödé", "日本語", "עברית", "👩‍👩‍👧", "a/b/c", "a:b?c#d&e=f", "<img src=x>", "'\"", "%2e%2e",
     "a\\b", "…", "..a", "a..", "-", "~", "x" * KEY_MAX],
)  # fmt: skip
def test_key_of_any_language_is_taken_as_it_is(key: str) -> None:
    assert check_key(key).text == key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Give the run a key, for example 01."),
        (" \t\n", "Give the run a key, for example 01."),
        ("x" * (KEY_MAX + 1), "A key has at most 120 characters; this one has 121."),
        ("a\nb", "A key cannot contain the invisible character U+000A."),
        ("a\x00", "U+0000"),
        ("a\x1b[0m", "U+001B"),
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\u2028b", "U+2028"),
        ("a\ud800b", "U+D800"),
        ("a\x7fb", "U+007F"),
        ("a//b", "Between the slashes"),
        ("/a", "Between the slashes"),
        ("a/", "Between the slashes"),
        (".", "Between the slashes"),
        ("..", "Between the slashes"),
        ("a/../b", "Between the slashes"),
        ("a/.", "slashes"),
    ],
)
def test_key_that_breaks_the_rule_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(BadKeyError) as caught:
        check_key(text)
    assert says in caught.value.reason
    assert caught.value.reason.endswith(".")


@pytest.mark.parametrize(("text", "key"), [("  a  ", "a"), ("e\u0301", "é"), ("\u00a0a\u2003", "a"), ("\tA ", "A")])
def test_key_has_one_spelling(text: str, key: str) -> None:
    assert check_key(text).text == key


@pytest.mark.parametrize(
    ("text", "prefix", "number"),
    [("01", "", 1), ("run-7", "run-", 7), ("a", "a", None), ("7a", "7a", None), ("a 2026-11-20", "a 2026-11-", 20),
     ("x" + "9" * 20, "x99999", 999_999_999_999_999), ("٣", "٣", None), ("a/9", "a/", 9)],
)  # fmt: skip
def test_number_at_the_end_of_a_key_is_known(text: str, prefix: str, number: int | None) -> None:
    assert check_key(text)[2:] == (prefix, number)


@given(st.text(max_size=150))
def test_checked_key_is_checked_for_good(text: str) -> None:
    key = checked(text)
    assume(key is not None)
    assert key is not None
    assert check_key(key.text) == key
    assert unicodedata.is_normalized("NFC", key.text)
    assert unprintable(key.text) is None


@given(st.text("abAB9-/ éÉß", min_size=1, max_size=20))
def test_keys_that_differ_only_in_case_are_found_together(text: str) -> None:
    keys = checked(text), checked(text.upper())
    assume(None not in keys)
    assert len({key.folded for key in keys if key}) == 1


@given(st.text("ab-", max_size=5), st.integers(0, 10**14))
def test_next_key_has_the_next_number(prefix: str, highest: int) -> None:
    assert check_key(next_key(prefix, highest))[2:] == (prefix, highest + 1)


@pytest.mark.parametrize(("highest", "key"), [(None, "01"), (0, "01"), (8, "09"), (9, "10"), (99, "100")])
def test_next_key_has_two_digits_until_a_hundred(highest: int | None, key: str) -> None:
    assert next_key("", highest) == key


@pytest.mark.parametrize("name", ["a", "Müller & Söhne", "<b>", "a/b", "..", "x" * NAME_MAX, "  a  "])
def test_name_is_taken(name: str) -> None:
    assert check_name(name) == name.strip()


@pytest.mark.parametrize(
    ("text", "says"), [("", "Give it a name."), ("  ", "Give it a name."), ("x" * 81, "has 81"), ("a\x00", "U+0000")]
)
def test_name_that_breaks_the_rule_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(BadNameError, match=says.replace("+", r"\+")):
        check_name(text)


@given(st.text())
def test_character_that_must_not_be_stored_is_found(text: str) -> None:
    bad = [each for each in text if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each in BIDI]
    assert unprintable(text) == (f"U+{ord(bad[0]):04X}" if bad else None)


def test_characters_can_be_allowed() -> None:
    assert unprintable("a\n\t", allowed="\n\t") is None
