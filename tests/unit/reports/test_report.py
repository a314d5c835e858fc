"""What an author declares: filters, what is handed in, and all that is wrong with them at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas
import pytest
from pydantic import BaseModel, SecretStr

from pipulate import forms
from pipulate._program import installing
from pipulate.crud.tables import Tables
from pipulate.errors import InvalidAnswersError, ReportError
from pipulate.fields.files import Files
from pipulate.fields.hints import Choices, Range, Slider
from pipulate.jobs.doing import Job
from pipulate.reports.report import Report
from pipulate.reports.showing import Shown, asked, shown
from pipulate.workflows.definition import Workflow
from pipulate.workflows.handed import Profile
from pipulate.workflows.views.exports import csv_pieces
from pipulate.workflows.views.tables import Query

NOBODY = Profile("default", "Default")


def tables() -> Tables:
    return Tables(None, dict, None)  # type: ignore[arg-type] # nothing is read


def some(
    handed: Tables,
    priority: Annotated[tuple[int, int], Range(1, 5), Slider()] = (1, 5),
    state: Literal["all", "open"] = "all",
    done: bool = True,
) -> list[dict[str, Any]]:
    rows = [{"name": "a", "priority": 1}, {"name": "=b", "priority": 3}, {"name": "c", "priority": 5}]
    return [row for row in rows if priority[0] <= int(str(row["priority"])) <= priority[1]]


def nothing() -> list[dict[str, Any]]:
    return []


def first(rows: Any, source: Any) -> Any:
    return rows, source


def second(table: Any) -> Any:
    return table


def one_of(run: Any) -> list[int]:
    return [run]


def made(function: Any = some, **how: Any) -> Report:
    report = Report("report", **how)
    report.table(function)
    return report


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.prepare()]


def prepared(function: Any = some, **how: Any) -> Report:
    report = made(function, **how)
    assert report.prepare() == []
    return report


def showing(report: Report, **typed: list[str]) -> Shown:
    return shown(report, asked(report, typed), tables(), NOBODY)


def csv_of(found: Shown) -> str:
    return b"".join(csv_pieces(found.table, Query(), has_bom=False)).decode()


def test_filters_are_what_is_not_handed_in() -> None:
    report = prepared()
    assert [each.name for each in report.fields] == ["priority", "state", "done"]
    assert report.handed_in == {"handed": Tables}
    assert [each.widget for each in report.fields] == ["range-slider", "radios", "checkbox"]


def test_two_numbers_are_one_filter_with_their_limits() -> None:
    field = prepared().fields[0]
    assert dict(field.limits) == {"step": "1", "min": "1", "max": "5"}
    assert forms.texts_of([field], {"priority": [2, 4]}) == {"priority": ["2", "4"]}
    assert forms.decode([field], {"priority": ["2", "4"]}, {}) == {"priority": ["2", "4"]}
    assert forms.decode([field], {"priority": ["", "4"]}, {}) == {"priority": ["1", "4"]}
    assert forms.decode([field], {"priority": ["3"]}, {}) == {"priority": ["3", "3"]}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["4", "2"], "The second number is below the first."),
        (["0", "2"], "Must be 1 or more."),
        (["1", "6"], "Must be 5 or less."),
        (["x", "2"], "Enter a whole number."),
    ],
)
def test_two_numbers_that_break_a_rule_are_refused_in_words(texts: list[str], words: str) -> None:
    with pytest.raises(InvalidAnswersError) as refused:
        asked(prepared(), {"priority": texts})
    assert refused.value.problems == {"priority": words}


def test_two_numbers_can_be_asked_for_by_a_step_too() -> None:
    workflow = Workflow("flow")

    @workflow.step("ask")
    def ask(span: Annotated[tuple[float, float], Range(0, 1)] = (0, 1)) -> float:
        return span[1] - span[0]

    assert workflow.prepare() == []
    step = workflow["ask"]
    assert forms.validate(step, {"span": ["0.2", "0.9"]}).span == (0.2, 0.9)  # type: ignore[attr-defined]
    with pytest.raises(InvalidAnswersError):
        forms.validate(step, {"span": ["0.2", "1.9"]})


def test_what_an_address_leaves_out_is_as_it_begins() -> None:
    assert asked(prepared(), {}) == {"priority": (1, 5), "state": "all", "done": True}
    assert asked(prepared(), {"other": ["x"]})["done"] is True


def test_a_box_that_is_not_ticked_says_so_once_the_form_was_sent() -> None:
    assert asked(prepared(), {"priority": ["1", "5"]})["done"] is False


def test_rows_are_those_the_filters_find_and_so_is_the_csv() -> None:
    found = showing(prepared(), priority=["2", "5"])
    assert found.table.total == 2
    assert csv_of(found) == "Name,Priority\r\n'=b,3\r\nc,5\r\n"


def test_columns_are_those_that_are_named_under_their_headings() -> None:
    found = showing(prepared(columns={"priority": "P"}))
    assert csv_of(found).splitlines() == ["P", "1", "3", "5"]
    assert found.columns == ("priority",)


def test_no_rows_are_a_table_of_none() -> None:
    found = showing(prepared(nothing))
    assert (found.table.total, csv_of(found)) == (0, "\r\n")


def test_a_frame_of_pandas_is_shown_as_it_is() -> None:
    frame = pandas.DataFrame({"day": pandas.to_datetime(["2026-11-20", None]), "n": [1, 2]})
    assert csv_of(showing(prepared(lambda: frame))) == "Day,N\r\n2026-11-20,1\r\n,2\r\n"


def test_a_frame_without_rows_is_shown_with_its_columns() -> None:
    frame = pandas.DataFrame({"n": []})
    found = showing(prepared(lambda: frame, columns={"n": "Number"}))
    assert (found.table.total, csv_of(found)) == (0, "Number\r\n")


@pytest.mark.parametrize("wrong", ["text", [1, 2], None, {"a": 1}])
def test_what_is_no_table_is_refused(wrong: Any) -> None:
    with pytest.raises(ReportError, match="a DataFrame or a list of dicts"):
        showing(prepared(lambda: wrong))


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ReportError, match=r"'price'.*name, priority"):
        showing(prepared(columns={"price": "Price"}))


def test_a_package_that_is_missing_is_named_with_what_installs_it() -> None:
    def needs_more() -> list[dict[str, Any]]:
        raise ModuleNotFoundError("No module named 'bokeh.models'", name="bokeh.models")

    with pytest.raises(ReportError, match=re.escape(installing("bokeh"))):
        showing(prepared(needs_more))


# What is wrong


def test_a_name_is_made_of_small_letters() -> None:
    report = Report("Big Name")
    report.table(some)
    assert codes(report) == ["T001"]


def test_a_report_needs_a_table() -> None:
    assert codes(Report("report")) == ["T002"]


class Model(BaseModel):
    a: int


def no_default(name: str) -> Any: ...
def no_type(name="x") -> Any: ...  # type: ignore[no-untyped-def] # noqa: ANN001
def a_secret(name: SecretStr | None = None) -> Any: ...
def a_file(name: Path | None = None) -> Any: ...
def a_group(name: Model = Model(a=1)) -> Any: ...  # noqa: B008
def chosen(name: Annotated[int, Choices(one_of)] = 1) -> Any: ...
def many(*names: str) -> Any: ...
def taken(plain: str = "") -> Any: ...
def unknown(name: "Nowhere" = 1) -> Any: ...  # type: ignore[name-defined] # noqa: F821, UP037
def a_pair_or_none(name: tuple[int, int] | None = None) -> Any: ...


@pytest.mark.parametrize(
    "function", [no_default, no_type, a_secret, a_file, a_group, chosen, many, taken, unknown, a_pair_or_none]
)
def test_what_cannot_be_a_filter_is_found(function: Any) -> None:
    assert codes(made(function)) == ["T003"]


def test_a_figure_is_given_rows_and_source_only() -> None:
    report = made()
    report.figure(first)
    assert codes(report) == []
    report.figure(second)
    assert codes(report) == ["T004"]


def customers(tables: Tables) -> list[tuple[int, str]]:
    return [(1, "Acme")]


def test_a_maker_gets_for_whom_and_what_is_handed_in() -> None:
    report = made()

    @report.make("plan", for_each=customers)
    def plan(customer: int, job: Job, files: Files, tables: Tables) -> Any: ...

    assert codes(report) == []
    assert (report.makers["plan"].subject, set(report.makers["plan"].handed_in)) == (
        "customer", {"job", "files", "tables"},
    )  # fmt: skip


def test_makers_that_cannot_be_called_are_found() -> None:
    def for_nobody(customer: int) -> Any: ...
    def for_two(customer: int, other: int) -> Any: ...
    def for_whom() -> Any: ...
    def wants_more(tables: Tables, priority: int) -> Any: ...

    for function, for_each in (
        (for_nobody, None), (for_two, customers), (for_whom, customers), (for_nobody, wants_more),
    ):  # fmt: skip
        report = made()
        report.make("plan", for_each=for_each)(function)
        assert codes(report) == ["T005"]
    report = made()
    report.make("Plan A")(lambda: None)
    assert codes(report) == ["T005"]


def test_what_a_function_returns_may_be_known_to_type_checkers_only() -> None:
    def rows() -> pd.DataFrame:  # type: ignore[name-defined] # noqa: F821
        return None

    assert codes(made(rows)) == []
