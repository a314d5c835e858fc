"""Batches: what stays of a file, wherever batches end and whenever the process dies."""

from __future__ import annotations

import csv
import io
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipulate.builtin.lines import plan as plans
from pipulate.builtin.lines import reading, working
from pipulate.builtin.lines.placing import GoneError
from pipulate.builtin.lines.plan import Plan
from pipulate.builtin.lines.trying import HopelessError, beginning, tried
from pipulate.builtin.lines.working import ChangedError, TooSlowError
from tests.unit.builtin.lines.files import Desk

TABLE = b'name,city,age\r\nAda,"Paris, north",36\r\n"Bob\nB.",Rome,7\r\nEve,Paris,x\r\nZoe,Oslo,40'
KEEP: dict[str, Any] = {"task": "keep", "patterns": ("a",)}

PLANS: list[dict[str, Any]] = [
    KEEP,
    {"task": "keep", "patterns": ("A",), "has_case": True, "is_inverse": True},
    {"task": "keep", "patterns": ("^.?b",), "is_regex": True},
    {"task": "duplicates"},
    {"task": "duplicates", "only_neighbours": True},
    {"task": "replace", "patterns": ("a",), "replacement": "bcd"},
    {"task": "replace", "patterns": ("(a+)",), "is_regex": True, "replacement": r"<\1>"},
    {"task": "count", "patterns": ("a", "b")},
    {"task": "rows", "columns": (1, 0)},
    {"task": "rows", "column": 0, "relation": "contains", "value": "a"},
]
LINE = st.one_of(
    st.sampled_from([b"a", b"A", b"b", b"a,b", b'"a,\n', b'b"', b'"', b"", b"\xff", "ä".encode(), b"a" * 15, b"\r"]),
    st.binary(max_size=12),
)
CONTENT = st.builds(
    lambda lines, last: b"".join(line + ending for line, ending in lines) + last,
    st.lists(st.tuples(LINE, st.sampled_from([b"\n", b"\r\n"])), max_size=14),
    LINE,
)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.parametrize(
    ("plan", "result"),
    [
        (KEEP, b"Ada\r\na\nAda\r\nlast a"),
        (KEEP | {"has_case": True, "patterns": ("A",)}, b"Ada\r\nAda\r\n"),
        (KEEP | {"is_inverse": True}, b"b\n\n"),
        (KEEP | {"is_regex": True, "patterns": ("^a$",)}, b"a\n"),
        ({"task": "duplicates"}, b"Ada\r\na\nb\n\nlast a"),
        ({"task": "duplicates", "only_neighbours": True}, b"Ada\r\na\nb\n\nAda\r\nlast a"),
        ({"task": "replace", "patterns": ("A",), "replacement": ".", "has_case": True}, None),
        ({"task": "count", "patterns": ("a", "d")}, b""),
    ],
)
def test_what_stays_is_what_was_wanted(tmp_path: Path, plan: dict[str, Any], result: bytes | None) -> None:
    content = b"Ada\r\na\nb\n\nAda\r\nlast a"
    desk = Desk(tmp_path, content, **plan)
    assert desk.all() == (content.replace(b"A", b".") if result is None else result)
    assert desk.state["lines"] == 6


def test_patterns_are_counted_by_line_and_by_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path, b"a b aa\nb b\n\nc", task="count", patterns=("a", "b"))
    desk.all()
    assert desk.state["found"] == [[1, 3], [2, 3]]
    assert desk.state["words"] == 6


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(content=CONTENT, plan=st.sampled_from(PLANS), sizes=st.lists(st.integers(1, 40), min_size=1), data=st.data())
def test_batches_of_any_size_with_a_death_in_any_of_them_make_the_same(
    tmp_path: Path, content: bytes, plan: dict[str, Any], sizes: list[int], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "LINE_MAX", 10)
        patch.setattr(working, "LINE_MAX", 10)
        whole = Desk(tmp_path, content, **plan)
        expected = whole.all()
        parts = Desk(tmp_path, content, **plan)
        turn = 0
        while not parts.is_done:
            size = sizes[turn % len(sizes)]
            if data.draw(st.booleans()):
                parts.die(size)
            parts.step(size)
            turn += 1
        assert parts.all() == expected
        assert parts.counts() == whole.counts()


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.lists(st.text(alphabet='a",\n\r; é', max_size=5), min_size=2, max_size=4), min_size=1))
def test_rows_of_a_table_are_what_the_csv_module_reads_and_their_bytes_add_up(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    raw = text.getvalue().encode()
    found = list(reading.Rows(io.BytesIO(raw), 0, len(raw), encoding="utf-8", delimiter=","))
    assert [row.cells for row in found] == rows
    assert b"".join(row.raw for row in found) == raw
    assert sum(row.size for row in found) == len(raw)


@settings(max_examples=80, deadline=None)
@given(content=CONTENT, limit=st.integers(2, 20))
def test_pieces_add_up_to_the_file_and_rest_begins_behind_no_line_end(content: bytes, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "LINE_MAX", limit)
        found = list(reading.pieces(io.BytesIO(content), 0, len(content)))
    assert b"".join(raw for raw, _ in found) == content
    assert all(len(raw) <= limit for raw, _ in found)
    for (before, _), (_, is_rest) in pairwise(found):
        assert is_rest is not before.endswith(b"\n")


@pytest.mark.parametrize(
    ("plan", "result"),
    [
        ({"columns": (2, 0)}, b'age,name\r\n36,Ada\r\n7,"Bob\nB."\r\nx,Eve\r\n40,Zoe\n'),
        ({"column": 1, "relation": "is", "value": "paris"}, b"name,city,age\r\nEve,Paris,x\r\n"),
        ({"column": 2, "relation": "least", "value": "36"}, TABLE[:38] + b"Zoe,Oslo,40"),
        ({"column": 2, "relation": "most", "value": "7"}, b'name,city,age\r\n"Bob\nB.",Rome,7\r\n'),
        ({"column": 0, "relation": "is not", "value": "Ada", "columns": (0,)}, b'name\r\n"Bob\nB."\r\nEve\r\nZoe\n'),
        ({"column": 9, "relation": "lacks", "value": "x", "columns": (2,)}, b"age\r\n36\r\n7\r\nx\r\n40\n"),
    ],
)
def test_rows_and_columns_of_a_table_are_kept(tmp_path: Path, plan: dict[str, Any], result: bytes) -> None:
    for size in (1, 30, 1_000):
        assert Desk(tmp_path, TABLE, task="rows", **plan).all(size) == result


def test_quote_that_is_not_closed_costs_one_row(tmp_path: Path) -> None:
    for content in (b'a,b\n"open,1\nc,d\ne,f\n', b'a,b\n"open,1\n' + b"c,d\n" * 1_200):
        desk = Desk(tmp_path, content, task="rows")
        assert desk.all(7) == content.replace(b'"open,1\n', b"")
        assert desk.state["bad"] == 1
        assert desk.state["notes"] == ["Row 2 is left out: a quote is not closed."]


@pytest.mark.parametrize("task", ["keep", "duplicates", "replace", "rows"])
def test_long_line_goes_the_way_of_its_beginning_and_is_noted(
    tmp_path: Path, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LINE_MAX", 100)
    monkeypatch.setattr(working, "LINE_MAX", 100)
    long = b"a" + b"x" * 950 + b"\n"
    content = b"a,1\n" + long + b"b,2\n" + long + b"a,3\n"
    pattern = () if task in {"rows", "duplicates"} else ("a",)
    desk = Desk(tmp_path, content, task=task, patterns=pattern, replacement="o")
    result = desk.all(150)
    assert desk.state["long"] == 2
    assert len(desk.state["notes"]) == 2
    assert (
        result
        == {
            "keep": content.replace(b"b,2\n", b""),
            "duplicates": content,  # Two of them may differ where nobody looked.
            "replace": content.replace(b"a", b"o"),
            "rows": b"a,1\nb,2\na,3\n",
        }[task]
    )


def test_bytes_that_are_no_letters_are_written_as_they_were_and_noted(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfa\xff1\nb\xfe2\nc\n"
    desk = Desk(tmp_path, content, task="replace", patterns=("a",), replacement="é")
    assert desk.all() == content.replace(b"a", "é".encode())
    assert desk.state["odd"] == 2
    assert desk.state["notes"][0] == "Line 1 has bytes that are no letters in this encoding."


def test_mark_at_the_beginning_belongs_to_no_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path, b"\xef\xbb\xbfa\nb\na\n", task="duplicates")
    assert desk.all(1) == b"\xef\xbb\xbfa\nb\n"
    assert Desk(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n", task="rows", columns=(0,)).all(1) == b"\xef\xbb\xbfa\n1\n"


def test_duplicates_beyond_the_limit_are_kept_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "SEEN_MAX", 3)
    desk = Desk(tmp_path, b"1\n2\n3\n4\n4\n1\n", task="duplicates")
    desk.die(5)
    assert desk.all(5) == b"1\n2\n3\n4\n4\n"
    assert desk.state["uncompared"] == 2
    assert plans.SEEN_MAX == 2_000_000


def test_pattern_that_never_ends_is_stopped_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "LINE_SECONDS", 0.05)
    desk = Desk(tmp_path, b"fine\n" + b"a" * 40 + b"!\n", task="keep", patterns=("(a+)+$",), is_regex=True)
    began = time.monotonic()
    with pytest.raises(TooSlowError, match="Line 2 takes too long"):
        desk.all()
    assert time.monotonic() - began < 20


def test_trial_stops_a_pattern_that_never_ends(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 40 + b"!\n")
    with pytest.raises(HopelessError):
        tried(tmp_path / "a", Plan("keep", patterns=("(a+)+$",), is_regex=True), 0.6)


def test_trial_in_a_process_of_its_own_says_what_this_one_would(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Ä one\ntwo\n")
    plan = Plan("keep", patterns=("ä",))
    assert tried(tmp_path / "a", plan) == beginning(tmp_path / "a", plan)
    assert beginning(tmp_path / "a", plan).first == ["Ä one"]


def test_file_that_became_shorter_stops_the_work(tmp_path: Path) -> None:
    desk = Desk(tmp_path, b"a\n" * 10, **KEEP)
    with pytest.raises(ChangedError, match="was changed"):
        working.batch(str(desk.source), str(desk.partial), {"task": "count"}, desk.state, 1_000)


def test_what_was_added_to_a_file_since_is_left_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, b"a\n" * 10, **KEEP)
    state = working.batch(str(desk.source), "", {"task": "count"}, desk.state, 7)
    assert (state["offset"], state["lines"]) == (7, 4)


def test_result_that_was_changed_meanwhile_stops_the_work(tmp_path: Path) -> None:
    desk = Desk(tmp_path, b"a\n" * 10, **KEEP)
    desk.step(3)
    desk.partial.unlink()
    with pytest.raises(GoneError):
        desk.step(3)


def test_what_a_batch_that_was_cut_short_left_behind_goes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, b"a\n" * 10, **KEEP)
    desk.step(3)
    with desk.partial.open("ab") as partial:
        partial.write(b"garbage" * 10)
    assert desk.all() == b"a\n" * 10
