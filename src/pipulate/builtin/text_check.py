"""Paste a text; see how long it is, how hard it is to read, which words it repeats, and what your last edit changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Annotated

from pydantic import BaseModel

from pipulate import Choices, Range, Run, TextArea, Workflow
from pipulate.ui import (
    Html,
    b,
    dd,
    div,
    dl,
    dt,
    h3,
    join,
    mark,
    p,
    progress,
    span,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
)

text_check = Workflow(
    "text_check",
    title="Text check",
    description="How long a text is, how hard to read, what it repeats, and what changed since an earlier version.",
)

WORDS_PER_MINUTE = 230  # Adults reading silently, non-fiction: M. Brysbaert, Journal of Memory and Language 109, 2019.
LONG_WORD = 7  # Letters; a long word has at least this many, by the definition of LIX.
SHOWN = 12
_SENTENCES_SHOWN = 30
_LABELS = {
    "words": "Words",
    "different_words": "Different words",
    "characters": "Characters",
    "sentences": "Sentences",
    "paragraphs": "Paragraphs",
    "reading_time_s": "Reading time",
    "lix": "Level",
}

_SIGN = r"\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # Written without spaces between words.
_LETTER = rf"[^\W\d_{_SIGN}]"
_WORD = re.compile(rf"{_LETTER}+(?:['’\-]{_LETTER}+)*|\d+(?:[.,]\d+)*|[{_SIGN}]")
# A stop ends a sentence before a space only, so that 3.50 and example.com stay whole; it is looked for where a row of
# stops begins, so that a long row is gone through once.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'»”)\]]*+(?=\s|$)|[。！？]+|\n")
_TOKEN = re.compile(r"\s+|\S+")
_CHUNK = re.compile(r"[^.!?。！？\n]*(?:[.!?。！？\n]+\s*|$)")
_TOKENS_MAX = 2_000  # of both texts; what is compared word by word costs the square of their number
_CHUNKS_MAX = 40_000
_COMMON_WORDS = """
a about after all also am an and any are as at be because been but by can could did do does for from had has have he
her him his how i if in into is it its just like me more most my no not now of on one only or other our out over she
so some such than that the their them then there these they this those to too up us very was we were what when where
which who will with would you your
aber als am an auch auf aus bei bin bis das dass dem den der des die doch du durch ein eine einem einen einer es für
hat ich ihr im in ist ja kann man mehr mit nach nicht noch nur oder sein sich sie sind so über um und uns von vor
war was wenn wer wie wir wird zu zum zur
au aux avec ce ces dans de des du elle en est et il je la le les leur mais ne nous ou par pas pour qu que qui sa se
ses son sur un une vous
como con de del el en es esta ha la las lo los más no o para pero por que se si sin su sus un una y
"""  # of English, German, French and Spanish
_COMMON = frozenset(_COMMON_WORDS.split())
_LEVELS = ((25, "very easy"), (35, "easy"), (45, "medium"), (55, "hard"))


class Counts(BaseModel):
    """How much there is of what; reading time in seconds; LIX as a whole number, 0 for a text without words."""

    words: int
    different_words: int
    characters: int
    sentences: int
    paragraphs: int
    reading_time_s: int
    lix: int


class Report(BaseModel):
    """What a check found: counts, the most used words and phrases with how often, the long sentences."""

    counts: Counts
    words: list[tuple[str, int]]
    phrases: list[tuple[str, int]]
    long_sentences: list[str]


class Comparison(BaseModel):
    """Two versions of the text: their counts, and the newer text in pieces with what happened to each."""

    before: Counts
    after: Counts
    pieces: list[tuple[str, str]]


@text_check.step("text", title="Text")
def text(text: Annotated[str, TextArea(rows=14)], long_from: Annotated[int, Range(5, 200)] = 25) -> None:
    """Paste or type the text to check.

    Args:
        text: Anything from a sentence to a book.
        long_from: Sentences with at least this many words are marked as long.
    """


@text_check.step("report", title="Report")
def report(run: Run) -> Report:
    """Count, measure and collect."""
    draft = run.answers(text)
    spoken = words_of(draft.text)
    return Report(
        counts=count(draft.text),
        words=[(word, times) for word, times in telling(spoken).most_common(SHOWN) if times > 1],
        phrases=[(phrase, times) for phrase, times in phrases_of(spoken) if times > 1][:SHOWN],
        long_sentences=[each for each in sentences_of(draft.text) if len(words_of(each)) >= draft.long_from],
    )


def earlier_versions(run: Run) -> list[tuple[int, str]]:
    """Return the earlier texts of this run, newest first, by the version that brought them."""
    return [
        (each.version, f"{each.at.astimezone():%d %b %Y, %H:%M}, {count(each.value.text).words:,} words")
        for each in run.earlier(text)
    ]


@text_check.step(
    "compare",
    title="What changed",
    when=lambda run: bool(run.earlier(text)),
    suggest=lambda run: run.earlier(text)[0].version,
)
def compare(run: Run, version: Annotated[int, Choices(earlier_versions)]) -> Comparison:
    """Compare the text with an earlier one of this run.

    Args:
        run: What came before.
        version: The text as it was after this change.
    """
    before = next(each.value.text for each in run.earlier(text) if each.version == version)
    after: str = run.answers(text).text
    return Comparison(before=count(before), after=count(after), pieces=list(pieces(before, after)))


# Measuring


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; a Chinese or Japanese character counts as one."""
    return [match.lower() for match in _WORD.findall(text)]


def telling(words: list[str]) -> Counter[str]:
    """Return how often each word is used, without those every text has."""
    return Counter(word for word in words if word not in _COMMON and len(word) > 2)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text; a line break ends one."""
    starts = [0, *(end.end() for end in _END.finditer(text))]
    sentences = (text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True))
    return [sentence.strip() for sentence in sentences if _WORD.search(sentence)]


def phrases_of(words: list[str]) -> list[tuple[str, int]]:
    """Return runs of two and three words that do not begin or end with a common word, the most used first."""
    found: Counter[str] = Counter()
    for length in (2, 3):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            if run[0] not in _COMMON and run[-1] not in _COMMON:
                found[" ".join(run)] += 1
    return found.most_common(SHOWN * 2)


def count(text: str) -> Counts:
    """Return the counts of a text."""
    spoken = words_of(text)
    sentences = len(sentences_of(text))
    return Counts(
        words=len(spoken),
        different_words=len(set(spoken)),
        characters=len(text),
        sentences=sentences,
        paragraphs=sum(1 for each in re.split(r"\n\s*\n", text) if each.strip()),
        reading_time_s=round(len(spoken) / WORDS_PER_MINUTE * 60),
        lix=lix(spoken, sentences),
    )


def lix(words: list[str], sentences: int) -> int:
    """Return how hard a text is to read: words per sentence plus the percentage of long words; 0 without words.

    Source: C.-H. Björnsson, Läsbarhet, 1968. It needs no list of words, so it serves any language written in letters.
    """
    if not words:
        return 0
    long_words = sum(len(word) >= LONG_WORD for word in words)
    return round(len(words) / max(1, sentences) + 100 * long_words / len(words))


def level(value: int) -> str:
    """Return a LIX in words."""
    return next((words for limit, words in _LEVELS if value < limit), "very hard")


def pieces(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield a text as pieces of what is `same`, `new` and `gone` against an earlier one, word by word.

    Long texts are compared sentence by sentence first, and word by word where sentences differ; long parts that differ
    are one piece each.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(old) + len(new) <= _TOKENS_MAX:
        yield from _differences(old, new)
        return
    old, new = _CHUNK.findall(before), _CHUNK.findall(after)
    if len(old) + len(new) > _CHUNKS_MAX:
        yield from _differences([before], [after])
        return
    waiting = {"gone": "", "new": ""}
    for kind, text in [*_differences(old, new), ("same", "")]:
        if kind != "same":
            waiting[kind] += text
            continue
        old, new = _TOKEN.findall(waiting["gone"]), _TOKEN.findall(waiting["new"])
        is_short = len(old) + len(new) <= _TOKENS_MAX
        yield from _differences(old, new) if is_short else _differences([waiting["gone"]], [waiting["new"]])
        waiting = {"gone": "", "new": ""}
        if text:
            yield "same", text


def _differences(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    is_long = len(old) + len(new) > _TOKENS_MAX
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=is_long).get_opcodes():
        if kind == "equal":
            yield "same", "".join(new[new_from:new_to])
            continue
        if gone := "".join(old[old_from:old_to]):
            yield "gone", gone
        if came := "".join(new[new_from:new_to]):
            yield "new", came


# Showing


@report.done
def show_report(found: Report) -> Html:
    """Draw the report."""
    if not found.counts.words:
        return p("There are no words in this text.")
    more = len(found.long_sentences) - _SENTENCES_SHOWN
    return join(
        _tiles(found.counts),
        div(
            _ranking("Words used more than once", found.words),
            _ranking("Repeated phrases", found.phrases),
            class_="columns",
        ),
        h3(f"Long sentences: {len(found.long_sentences)}"),
        [p(mark(sentence), dir="auto") for sentence in found.long_sentences[:_SENTENCES_SHOWN]]
        or p("None. Every sentence is shorter than the limit you set."),
        p(f"And {more} more.") if more > 0 else None,
    )


@compare.done
def show_comparison(found: Comparison) -> Html:
    """Draw the comparison."""
    before, after = found.before.model_dump(), found.after.model_dump()
    rows = [[_LABELS[name], before[name], after[name], f"{after[name] - before[name]:+,}"] for name in _LABELS]
    return join(
        div(
            table(
                thead(tr(th(name, scope="col") for name in ("", "Then", "Now", "Change"))),
                tbody(table_rows(rows, ("", "number", "number", "number"))),
            ),
            class_="scroll",
        ),
        h3("The text: new parts marked, removed parts struck out"),
        p([_piece(kind, piece) for kind, piece in found.pieces], class_="text", dir="auto"),
    )


def _piece(kind: str, piece: str) -> Html | str:
    return mark(piece) if kind == "new" else span(piece, class_="gone") if kind == "gone" else piece


def _tiles(counts: Counts) -> Html:
    minutes, seconds = divmod(counts.reading_time_s, 60)
    texts = {name: f"{getattr(counts, name):,}" for name in _LABELS} | {
        "reading_time_s": f"{minutes} min {seconds} s" if minutes else f"{seconds} s",
        "lix": f"{level(counts.lix)} (LIX {counts.lix})",
    }
    return dl((div(dt(_LABELS[name]), dd(b(value))) for name, value in texts.items()), class_="tiles")


def _ranking(title: str, ranked: list[tuple[str, int]]) -> Html:
    most = ranked[0][1] if ranked else 1
    rows = [
        [span(word, dir="auto"), progress(value=times, max=most, aria_label=f"{times} times"), times]
        for word, times in ranked
    ]
    return div(h3(title), table(tbody(table_rows(rows, ("", "bar-cell", "number")))) if ranked else p("None."))
