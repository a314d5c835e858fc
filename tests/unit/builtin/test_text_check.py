"""Text check: its measures on texts whose answers are known."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.builtin import text_check
from pipulate.builtin.text_check import (
    Comparison,
    Report,
    count,
    level,
    lix,
    phrases_of,
    pieces,
    sentences_of,
    show_comparison,
    show_report,
    telling,
    words_of,
)
from tests.unit.ui.test_html import EVIL, Parsed


def test_app_is_in_order() -> None:
    assert text_check.text_check.prepare() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []), ("  \n\t", []), ("...!?", []), ("Don't stop", ["don't", "stop"]), ("don\u2019t", ["don\u2019t"]),
        ("well-known e-mail", ["well-known", "e-mail"]), ("3.50 or 1,000", ["3.50", "or", "1,000"]),
        ("Straße ÄPFEL", ["straße", "äpfel"]), ("¿Qué? ¡Sí!", ["qué", "sí"]), ("l'été", ["l'été"]),
        ("Привет, мир", ["привет", "мир"]), ("日本語", ["日", "本", "語"]), ("カタカナ", list("カタカナ")),
        ("שלום עולם", ["שלום", "עולם"]), ("a_b", ["a", "b"]), ("👩 ok", ["ok"]), ("한국어 글", ["한국어", "글"]),
    ],
)  # fmt: skip
def test_words_of_any_language_are_found(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("One.", ["One."]),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("No end", ["No end"]),
        ("Line\nLine", ["Line", "Line"]),
        ("He said “Go.” Then left.", ["He said “Go.”", "Then left."]),
        ("It costs 3.50 euros. Fine.", ["It costs 3.50 euros.", "Fine."]),
        ("See example.com now.", ["See example.com now."]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("Well… yes.", ["Well…", "yes."]),
        ("Use e.g. this.", ["Use e.g.", "this."]),
        ("これは本です。はい\uff01", ["これは本です。", "はい\uff01"]),
        ("...", []),
        ("What?! Yes.", ["What?!", "Yes."]),
        ("(One.) Two.", ["(One.)", "Two."]),
        ("v1.2.3 is out.", ["v1.2.3 is out."]),
    ],
)
def test_sentences_are_found(text: str, sentences: list[str]) -> None:
    assert sentences_of(text) == sentences


def test_counts_of_a_known_text() -> None:
    found = count("The cat sat. The dog ran away quickly!\n\nA new paragraph begins here.\n \n")
    assert found.model_dump() == {
        "words": 13, "different_words": 12, "characters": 71, "sentences": 3, "paragraphs": 2, "reading_time_s": 3,
        "lix": 20,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", " ", "\n\n", "!?", "👩", "\x00"])
def test_text_without_words_counts_as_nothing(text: str) -> None:
    found = count(text)
    assert (found.words, found.sentences, found.reading_time_s, found.lix) == (0, 0, 0, 0)
    report = Report(counts=found, words=[], phrases=[], long_sentences=[])
    assert Parsed(show_report(report)).text == "There are no words in this text."


@pytest.mark.parametrize(
    ("words", "sentences", "value"),
    [([], 0, 0), (["a"], 1, 1), (["a"] * 10, 1, 10), (["seventy"], 1, 101), (["a"] * 9 + ["lengthy"], 1, 20),
     (["a"], 0, 1)],
)  # fmt: skip
def test_lix_is_words_per_sentence_plus_percentage_of_long_words(words: list[str], sentences: int, value: int) -> None:
    assert lix(words, sentences) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "very easy"), (24, "very easy"), (25, "easy"), (35, "medium"), (45, "hard"), (55, "very hard")],
)  # fmt: skip
def test_level_in_words(value: int, words: str) -> None:
    assert level(value) == words


def test_words_every_text_has_are_left_out() -> None:
    words = words_of("The house and the garden: und das Haus, la maison et le jardin. House!")
    assert telling(words).most_common(1) == [("house", 2)]
    assert not set(telling(words)) & {"the", "and", "und", "das", "la", "et", "le"}


def test_phrases_are_repeated_runs_that_neither_begin_nor_end_with_a_common_word() -> None:
    found = dict(phrases_of(words_of("page speed of the site. Page speed of the site.")))
    assert found["page speed"] == 2
    assert not any(phrase.split()[0] in ("of", "the") or phrase.split()[-1] in ("of", "the") for phrase in found)


# Comparing


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a b c", "a b c", [("same", "a b c")]), ("", "", []), ("", "a", [("new", "a")]), ("a", "", [("gone", "a")]),
        ("a b c", "a x c", [("same", "a "), ("gone", "b"), ("new", "x"), ("same", " c")]),
        ("a c", "a b c", [("same", "a "), ("new", "b "), ("same", "c")]),
    ],
)  # fmt: skip
def test_pieces_of_a_changed_text(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    assert list(pieces(before, after)) == expected


@given(st.text("ab .\n", max_size=60), st.text("ab .\n", max_size=60))
def test_pieces_add_up_to_both_texts(before: str, after: str) -> None:
    found = list(pieces(before, after))
    assert "".join(text for kind, text in found if kind != "gone") == after
    assert "".join(text for kind, text in found if kind != "new") == before


@cache
def long_text() -> str:
    """Return an invented text of a million characters."""
    random = Random(1)
    words = ["".join(random.choices("abcdefghijklmnop", k=random.randint(1, 10))) for _ in range(5_000)]
    spoken = iter(random.choices(words, range(5_000, 0, -1), k=200_000))
    return " ".join(" ".join(islice(spoken, 12)).capitalize() + "." for _ in range(15_000))[:1_000_000]


def edited(text: str) -> str:
    """Return a text with every hundredth word changed."""
    words = text.split(" ")
    words[::100] = ["changed"] * len(words[::100])
    return " ".join(words)


def test_pieces_of_long_texts_add_up_and_name_what_changed() -> None:
    before = long_text()[:60_000]
    found = list(pieces(before, edited(before)))
    assert "".join(text for kind, text in found if kind != "gone") == edited(before)
    assert "".join(text for kind, text in found if kind != "new") == before
    assert {text for kind, text in found if kind == "new"} == {"changed"}


@pytest.mark.parametrize("part", ["", "a", ".", " ", "\n ", "a.", '."', "a-", "漢", "1,", ".x", "。"])
def test_a_million_characters_are_measured_in_a_moment(part: str) -> None:
    text = part * (1_000_000 // len(part)) if part else long_text()
    begun = time.process_time()
    count(text)
    assert time.process_time() - begun < 5  # What grows with the square of the length takes hours.


def test_phrases_of_a_million_characters_are_found_in_a_moment() -> None:
    begun = time.process_time()
    phrases_of(words_of(long_text()))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a ", "b "),
        ("a b ", "b a "),
        ("a\n", "a\nb\n"),
        ("a. ", "a. a. b. "),
        ("x", "xy"),
        (".", ".."),
        ("", "a. "),
        ("a", ""),
    ],
)
def test_long_texts_of_few_words_are_compared_in_a_moment(before: str, after: str) -> None:
    old, new = before * 100_000, after * 100_000
    begun = time.process_time()
    found = list(pieces(old, new))
    assert time.process_time() - begun < 5
    assert "".join(text for kind, text in found if kind != "gone") == new


@pytest.mark.parametrize("change", [edited, lambda text: text + ".", lambda text: text[::-1], str.upper])
def test_long_texts_are_compared_in_a_moment(change: Callable[[str], str]) -> None:
    text = long_text()[:500_000]
    begun = time.process_time()
    found = list(pieces(text, change(text)))
    assert time.process_time() - begun < 10
    assert "".join(text for kind, text in found if kind != "gone") == change(text)


# Showing


def test_report_never_becomes_markup() -> None:
    report = Report(counts=count("word"), words=[(EVIL, 2)], phrases=[(EVIL, 2)], long_sentences=[EVIL] * 40)
    assert "img" not in Parsed(show_report(report)).tags
    assert "And 10 more." in show_report(report)
    compared = Comparison(before=count("a"), after=count("b"), pieces=[("gone", EVIL), ("new", EVIL), ("same", EVIL)])
    assert "img" not in Parsed(show_comparison(compared)).tags
