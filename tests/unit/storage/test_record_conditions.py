"""Conditions that authors write as text: what is understood, what is refused, and that no text becomes a statement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.storage.records.conditions import DEEPEST, LONGEST, ConditionError, Term, compiled, fitting, ordered

TERMS = {
    "id": Term("_id", "integer"), "text": Term('"text"', "text"), "done": Term('"done"', "flag"),
    "priority": Term('"priority"', "integer"), "hours": Term('"hours"', "real"), "data": Term('"data"', "json"),
}  # fmt: skip


def read(text: str, args: Sequence[Any] | Mapping[str, Any] = ()) -> tuple[str, list[Any]]:
    """Return a condition as SQL, and its values in order."""
    found = compiled(text, args, TERMS, is_postgres=False)
    assert list(found.values) == [f"w{index}" for index in range(len(found.values))]
    return found.sql, list(found.values.values())


@pytest.mark.parametrize(
    ("text", "args", "sql", "values"),
    [
        ("priority = 3", (), '"priority" = :w0', [3]),
        ("priority=?", ["3"], '"priority" = :w0', [3]),
        ("priority = :p", {"p": 4.0}, '"priority" = :w0', [4]),
        ("[priority] == -2", (), '"priority" = :w0', [-2]),
        ('"priority" <> 2', (), '"priority" <> :w0', [2]),
        ("priority != 2", (), '"priority" <> :w0', [2]),
        ("2 <= priority", (), ':w0 <= "priority"', [2]),
        ("priority < 2.5", (), '"priority" < :w0', [2.5]),
        ("text = 'it''s' ", (), '"text" = :w0', ["it's"]),
        ("text = 5", (), '"text" = :w0', ["5"]),
        ("done = ?", [True], '"done" = :w0', [1]),
        ("done = 'false'", (), '"done" = :w0', [0]),
        ("done", (), '"done" = 1', []),
        ("not done", (), 'NOT ("done" = 1)', []),
        ("priority is null", (), '"priority" IS NULL', []),
        ("priority IS NOT NULL", (), '"priority" IS NOT NULL', []),
        ("priority is 3", (), '("priority" IS NOT NULL AND "priority" = :w0)', [3]),
        ("priority is not 3", (), '("priority" IS NULL OR NOT "priority" = :w0)', [3]),
        ("priority in (1, 2, ?)", [3], '"priority" IN (:w0, :w1, :w2)', [1, 2, 3]),
        ("priority in ?", [[1, 2]], '"priority" IN (:w0, :w1)', [1, 2]),
        ("priority in ?", [()], "1 = 0", []),
        ("priority not in (1)", (), 'NOT ("priority" IN (:w0))', [1]),
        ("priority between 1 and 3", (), '("priority" >= :w0 AND "priority" <= :w1)', [1, 3]),
        ("text like ?", ["a\\b%"], "LOWER(\"text\") LIKE LOWER(:w0) ESCAPE '\\'", ["a\\\\b%"]),
        ("text not like 'a%'", (), "NOT (LOWER(\"text\") LIKE LOWER(:w0) ESCAPE '\\')", ["a%"]),
        ("id = 1 or id = 2 and done", (), '(_id = :w0 OR (_id = :w1 AND "done" = 1))', [1, 2]),
        ("(id = 1 or id = 2) and done", (), '((_id = :w0 OR _id = :w1) AND "done" = 1)', [1, 2]),
        ("priority = hours", (), '"priority" = "hours"', []),
        ("priority = null", (), '"priority" = CAST(:w0 AS BIGINT)', [None]),
        ("1 = 1", (), "1 = 1", []),
        ("1 = 2", (), "1 = 0", []),
        ("null = null", (), "1 = 0", []),
    ],
)
def test_condition_becomes_columns_and_parameters(text: str, args: Any, sql: str, values: list[Any]) -> None:
    assert read(text, args) == (sql, values)


@pytest.mark.parametrize(
    "text",
    [
        "", "priority", "priority =", "= 3", "3", "priority = 3 4", "priority = 3;", "priority = 3 -- x",
        "priority = 3 union select 1", "priority in (select 1)", "priority = (select 1)", "exists (select 1)",
        "abs(priority) = 3", "count(*) = 1", "priority || 1 = 1", "text = 'open", 'text = "open', "priority = 1 or",
        "(priority = 1", "priority = 1)", "priority not 1", "text like priority", "priority like '1'", "in (1)",
        "priority between 1", "priority + 1 = 2", "priority = 0x10", "priority = - text", "/* */ done",
        "priority = @p", "priority = $1",
        "done collate x", "priority is priority", "text = 'a' 'b'", "x.priority = 1", "priority = 1e5",
        "case when done then 1 end = 1", "priority in ()", "text\u00a0= 'a'", "priority = 1 \x00",
    ],
)  # fmt: skip
def test_what_is_not_of_the_grammar_is_refused_and_says_what_is(text: str) -> None:
    with pytest.raises(ConditionError, match=r"not understood .*Understood are columns|no column|no value"):
        compiled(text, (), TERMS, is_postgres=False)


@pytest.mark.parametrize("text", ["_id = 1", "_deleted_at is null", "rowid = 1", "Text = 'a'", "sqlite_master = 1"])
def test_only_columns_of_the_table_have_a_name(text: str) -> None:
    with pytest.raises(ConditionError, match=r"There is no column '\w+'; there are id, text, done"):
        read(text)


@pytest.mark.parametrize(
    ("text", "args", "says"),
    [
        ("id = ?", (), "fewer values"),
        ("id = ?", (1, 2), "more values"),
        ("id = :a", {"b": 1}, "':a', which has no value"),
        ("id = :a", (1,), "':a', which has no value"),
        ("id = 'x'", (), "id holds whole numbers; 'x' is none"),
        ("id = ?", [2**63], "holds whole numbers"),
        ("done = 2", (), "done holds yes or no; '2' is none"),
        ("data = 'x'", (), "data holds JSON"),
        ("text = ?", [b"x"], "text holds text"),
        ("text = priority", (), "hold different things"),
        ("1 < 'a'", (), "cannot be compared"),
        ("(" * (DEEPEST + 1) + "done" + ")" * (DEEPEST + 1), (), f"at most {DEEPEST} brackets"),
        ("not " * 5_000_000, (), f"at most {LONGEST:,} signs"),
        ("not " * 2_000 + "done", (), f"at most {DEEPEST} brackets"),
    ],
)
def test_value_that_does_not_fit_is_refused(text: str, args: Any, says: str) -> None:
    with pytest.raises(ConditionError, match=re.escape(says)):
        read(text, args)


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_text_gets_into_the_statement(where: str, value: str) -> None:
    for text in (where, f"text = '{where}'", f"text = 'x' {where}", f"({where}) and done"):
        try:
            found = compiled(text, (value,) * text.count("?"), TERMS, is_postgres=False)
        except ConditionError:
            continue
        assert re.fullmatch(r"""(?:"\w+"|_id|:w\d+|[A-Z]+|'\\'|[ ()=<>,10])+""", found.sql), (text, found.sql)


def test_texts_are_compared_sign_by_sign_in_postgresql() -> None:
    assert compiled("text < 'b'", (), TERMS, is_postgres=True).sql == '"text" COLLATE "C" < :w0'
    assert ordered("text", TERMS, is_postgres=True) == '"text" COLLATE "C" ASC NULLS FIRST'


def test_order_is_made_of_columns_alone() -> None:
    both = '"priority" DESC NULLS LAST, _id ASC NULLS FIRST'
    assert ordered("priority DESC, [id]", TERMS, is_postgres=False) == both
    for text in ("priority; drop", "priority desc nulls last", "random()", "1", "", "priority,", "(select 1)"):
        with pytest.raises(ConditionError):
            ordered(text, TERMS, is_postgres=False)


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("integer", "12", 12), ("integer", " ", None), ("integer", True, 1), ("integer", 3.0, 3), ("real", "1.5", 1.5),
        ("flag", "on", True), ("flag", 0, False), ("flag", "", None), ("text", 5, "5"), ("text", "a\0", "a\ufffd"),
        ("text", "", ""), ("json", {"a": [1]}, {"a": [1]}), ("text", None, None),
    ],
)  # fmt: skip
def test_value_is_held_as_sqlite_would_hold_it(kind: Any, value: Any, held: Any) -> None:
    found = fitting("column", kind, value)
    assert (found, type(found)) == (held, type(held))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "1.5"), ("integer", 1.5), ("integer", float("nan")), ("integer", -(2**63) - 1), ("real", "x"),
        ("real", float("inf")), ("flag", 2), ("flag", "maybe"), ("integer", [1]), ("text", {"a": 1}),
        ("integer", "9" * 5_000),
    ],
)  # fmt: skip
def test_value_that_would_be_lost_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ConditionError, match="column holds"):
        fitting("column", kind, value)
