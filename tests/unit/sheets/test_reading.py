"""Rows of files in every state: each is found, with the line it begins on."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.sheets.reading import LINE_MAX, QUOTE, TOO_LONG, UNCLOSED, Reader
from pipulate.sheets.sniff import Layout, sniff

SIGN = st.characters(exclude_categories=["Cs"])
CELLS = st.text(SIGN, max_size=12)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv") / "table.csv"


def rows(path: Path, content: str | bytes, layout: Layout | None = None) -> list[tuple[int, list[str], str]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [(row.line, row.cells, row.problem) for row in Reader(path, layout or Layout())]


def test_rows_know_the_line_they_begin_on_when_cells_hold_line_breaks(path: Path) -> None:
    content = 'a,b\n1,"two\nlines"\r\n2,"three\r\n\r\nlines"\r3,c'
    assert [(line, cells[0]) for line, cells, _ in rows(path, content)] == [(1, "a"), (2, "1"), (4, "2"), (7, "3")]


def test_quote_that_is_not_closed_takes_one_line_and_no_more(path: Path) -> None:
    found = rows(path, 'a,b\n1,"open\n2,x\n3,y\n')
    assert found == [(1, ["a", "b"], ""), (2, ["1", '"open'], UNCLOSED), (3, ["2", "x"], ""), (4, ["3", "y"], "")]


def test_quote_that_is_not_closed_gives_back_lines_up_to_the_next_quote(path: Path) -> None:
    found = rows(path, 'a,"open\nb,c\nd,"good"\n')
    assert [(line, problem) for line, _, problem in found] == [(1, UNCLOSED), (2, ""), (3, "")]


def test_quote_in_the_wrong_place_is_told(path: Path) -> None:
    assert rows(path, 'a,"b"c\nd,e\n') == [(1, ["a", '"b"c'], QUOTE), (2, ["d", "e"], "")]


def test_quotes_that_are_never_closed_do_not_take_for_ever(path: Path) -> None:
    found = rows(path, 'x,"y"z"\n' * 30_000)
    assert len(found) > 10_000
    assert all(problem for _, _, problem in found)


def test_long_open_quote_gives_up_after_some_lines(path: Path) -> None:
    found = rows(path, 'a,"open\n' + "b,c\n" * 5_000)
    assert [found[0][2], len(found), found[-1][0]] == [UNCLOSED, 5_001, 5_001]


def test_line_without_end_is_cut_and_told(path: Path) -> None:
    found = rows(path, "a,b\n" + "x" * (2 * LINE_MAX + 5) + "\nc,d\n")
    assert [(line, problem) for line, _, problem in found] == [(1, ""), (2, TOO_LONG), (3, "")]
    assert len(found[1][1][0]) == LINE_MAX


def test_field_beyond_the_limit_of_the_parser_is_told(path: Path) -> None:
    assert [problem for _, _, problem in rows(path, "a,b\n" + "x" * 200_000 + ",1\nc,d\n")] == ["", TOO_LONG, ""]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"])
def test_file_is_read_in_the_encoding_that_is_found(path: Path, encoding: str) -> None:
    text = "name;price\r\n" + "Zoë;1,50\r\nÄnne;2,50\r\n" * 20
    path.write_bytes(text.encode(encoding))
    layout = sniff(path)
    assert (layout.encoding, layout.delimiter, layout.has_header) == (encoding, ";", True)
    assert [row.cells for row in Reader(path, layout)][:2] == [["name", "price"], ["Zoë", "1,50"]]


def test_comma_of_decimals_is_no_delimiter_where_rows_are_bad_and_a_quote_is_never_closed(path: Path) -> None:
    path.write_text('name;price;count\nA;1,5;3\nB;2,8\nC;12,9;1;more\n;1,5;x\nD;2,8;4\nE;"0,9;1\nF;2,1;5\nG;1,9;6\n')
    assert sniff(path).delimiter == ";"


def test_title_above_the_names_does_not_decide_the_delimiter(path: Path) -> None:
    path.write_text("Prices, all towns\nname;price;count\nA;1;3\nB;2;5\n")
    assert sniff(path).delimiter == ";"


def test_zeros_in_a_file_are_no_end(path: Path) -> None:
    assert [cells for _, cells, _ in rows(path, b"a,b\n1,\x002\n3,4\n")] == [["a", "b"], ["1", "\x002"], ["3", "4"]]


def test_line_that_names_the_delimiter_is_no_row(path: Path) -> None:
    path.write_text("sep=;\nname;town\nAda;London, UK\n")
    layout = sniff(path)
    assert (layout.delimiter, layout.has_header) == (";", True)
    assert [row.cells for row in Reader(path, layout)] == [["name", "town"], ["Ada", "London, UK"]]


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\xef\xbb\xbf", b'"', b"\xff\xfe", b"\x00" * 9, b'",";\t|'])
def test_file_with_next_to_nothing_in_it_can_be_read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert len(list(Reader(path, sniff(path)))) <= 3


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=8))
def test_every_row_that_was_written_is_read(path: Path, table: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(table)
    assert [(cells, problem) for _, cells, problem in rows(path, out.getvalue(), Layout("utf-8"))] == [
        (row, "") for row in table
    ]


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_file_no_line_is_lost(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found = list(Reader(path, Layout("latin-1", ",", has_header=False)))
    lines = io.TextIOWrapper(io.BytesIO(content), "latin-1", newline="").readlines()
    starts = [row.line for row in found]
    assert starts == sorted(set(starts))
    assert not lines or starts[0] == 1 or lines[0].lower().startswith("sep=")
    assert len(found) <= len(lines)
