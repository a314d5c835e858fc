"""Declaring workflows: what an author writes becomes steps, and every mistake is found at once, with its place."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from pipulate import Choices, Markdown, Range, Run, Switch, Workflow
from pipulate.errors import UnknownStepError
from pipulate.findings import CODES, Finding
from pipulate.workflows.definition import Step
from tests.unit.workflows.steps import answered, found_in, step_of, workflow_of


class Site(BaseModel):
    url: str
    on: date


class Page(TypedDict):
    title: str


@dataclass
class Point:
    x: int


def codes(findings: list[Finding]) -> list[str]:
    return [each.code for each in findings]


# What a declaration says


def test_step_calls_its_function() -> None:
    flow = Workflow("flow")

    @flow.step("add")
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert add(2, b=3) == 5
    assert repr(add) == "<Step 'add'>"


def test_title_is_made_from_the_name_where_it_is_not_given() -> None:
    flow = Workflow("site_audit")
    flow.step("start_date")(lambda: None)
    assert (flow.title, flow.steps[0].title) == ("Site audit", "Start date")


def test_docstring_becomes_help_of_step_and_fields() -> None:
    def function(url: str, pages: int = 5, other: int = 1) -> None: ...

    function.__doc__ = """Say which site
        is meant.

        It is read only.

        Args:
            url: Where it begins,
                with the scheme: https.
            pages (int): How many.
        """
    step = step_of(function)
    assert step.help == "Say which site is meant. It is read only."
    assert [each.help for each in step.fields] == ["Where it begins, with the scheme: https.", "How many.", ""]


@pytest.mark.parametrize("section", ["Returns", "Raises", "Yields", "Note"])
def test_help_ends_where_a_section_for_programmers_begins(section: str) -> None:
    def function() -> None: ...

    function.__doc__ = f"Do it.\n\n    {section}:\n        Something else.\n    "
    assert step_of(function).help == "Do it."


def test_docstring_may_have_arguments_only_or_sections_after_them() -> None:
    def function(x: int) -> None: ...

    function.__doc__ = """Args:
            x: The number.

        Returns:
            y: Nothing.
        """
    assert step_of(function).help == ""
    assert step_of(function).fields[0].help == "The number."


def test_step_without_fields_runs_by_itself() -> None:
    def alone(run: Run) -> int:
        return 1

    def asking(run: Run, x: int) -> int:
        return x

    assert step_of(alone).is_automatic
    assert not step_of(asking).is_automatic


def test_run_is_handed_in_under_any_name_and_is_no_field() -> None:
    def function(before: Run, x: int, after: Run) -> None: ...

    step = step_of(function)
    assert step.handed_in == {"before": Run, "after": Run}
    assert [each.name for each in step.fields] == ["x"]


@pytest.mark.parametrize(
    ("returns", "given", "stored"),
    [
        (Site, Site(url="a", on=date(2026, 1, 2)), {"url": "a", "on": "2026-01-02"}),
        (Page, {"title": "a"}, {"title": "a"}),
        (list[tuple[str, int]], [("a", 1)], [["a", 1]]),
        (dict[int, date], {1: date(2026, 1, 2)}, {"1": "2026-01-02"}),
        (Point, Point(1), {"x": 1}),
        (set[int], {1}, [1]),
        (Markdown, Markdown("**a**"), "**a**"),
        (date | None, None, None),
    ],
)
def test_result_comes_back_as_the_function_returned_it(returns: Any, given: Any, stored: Any) -> None:
    def function() -> None: ...

    function.__annotations__ = {"return": returns}
    step = step_of(function)
    assert step.returns is not None
    assert step.returns.dump_python(given, mode="json") == stored
    assert step.load(stored) == given
    assert type(step.load(stored)) is type(given)


def test_result_that_no_longer_fits_is_refused() -> None:
    def function() -> Site:
        raise NotImplementedError

    with pytest.raises(ValueError, match="url"):
        step_of(function).load({"uri": "a"})


@pytest.mark.parametrize("returns", [None, type(None), Any])
def test_result_without_a_type_comes_back_as_it_was_stored(returns: Any) -> None:
    def function() -> None: ...

    function.__annotations__ = {"return": returns}
    assert step_of(function).load({"a": 1}) == {"a": 1}


def test_view_of_the_result_can_be_replaced() -> None:
    def function() -> int:
        return 1

    step = step_of(function)
    view = step.done(lambda number: f"{number}!")
    assert step.done_view is view


def test_preparing_twice_changes_nothing() -> None:
    def function(run: Run, x: int, y: Literal["a"] = "a") -> int:
        return x

    flow = workflow_of(function)
    before = (flow.order, flow.steps[0].fields, flow.steps[0].handed_in, flow.steps[0].is_automatic)
    assert flow.prepare() == []
    assert (flow.order, flow.steps[0].fields, flow.steps[0].handed_in, flow.steps[0].is_automatic) == before


def test_mended_step_is_in_order_when_it_is_prepared_again() -> None:
    def function(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the mistake

    step = Step("step", function)
    assert codes(step.prepare()) == ["W005"]
    function.__annotations__["x"] = int
    assert step.prepare() == []


@pytest.mark.parametrize(
    "name", ["copy", "json", "dict", "schema", "validate", "construct", "register", "fields", "date"]
)
def test_field_may_have_a_name_that_pydantic_uses(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def function({name}: str) -> None: ...", scope)  # noqa: S102 - a parameter named by the test
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step = step_of(scope["function"])
    assert answered(step, **{name: "x"}) == {name: "x"}


# Finding steps


def test_steps_are_found_by_name() -> None:
    def one() -> None: ...
    def two() -> None: ...

    flow = workflow_of(one, two)
    assert flow["two"] is flow.find("two") is flow.steps[1]
    assert (flow.order, flow.position) == (("one", "two"), {"one": 0, "two": 1})
    assert flow.find("three") is None
    with pytest.raises(UnknownStepError, match="it declares: 'one', 'two'"):
        flow["three"]


# Mistakes: every code, all at once, with file and line


def line_of(function: Any) -> int:
    return int(function.__code__.co_firstlineno)


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "a-b", "ä", "_a", "a" * 61, "a\n", "a/b", "../a"])
def test_w001_name_of_a_workflow(name: str) -> None:
    flow = Workflow(name)
    flow.step("one")(lambda: None)
    (finding,) = flow.prepare()
    assert (finding.code, finding.file) == ("W001", __file__)
    assert finding.line > 1


def test_w002_workflow_without_steps_names_the_line_that_made_it() -> None:
    flow = Workflow("flow")
    (finding,) = flow.prepare()
    assert (finding.code, finding.file) == ("W002", __file__)
    assert line_of(test_w002_workflow_without_steps_names_the_line_that_made_it) + 1 == finding.line


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "a b", "ä", "finalize", "init", "landing", "revert", "unfinalize", "a" * 61]
)
def test_w003_name_of_a_step(name: str) -> None:
    flow = Workflow("flow")
    flow.step(name, title="Title")(lambda: None)
    assert codes(flow.prepare()) == ["W003"]


def test_w004_two_steps_with_one_name_names_both_lines() -> None:
    flow = Workflow("flow")

    def one() -> None: ...
    def two() -> None: ...

    flow.step("same")(one)
    flow.step("same")(two)
    (finding,) = flow.prepare()
    assert (finding.code, finding.line) == ("W004", line_of(two))
    assert f"the first one is on line {line_of(one)}" in finding.message


def test_w004_works_for_what_has_no_line() -> None:
    flow = Workflow("flow")
    for _ in range(2):
        flow.step("same")(partial(print))
    assert "W004" in codes(flow.prepare())


def no_type(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - the mistake
def underscore(_x: int) -> None: ...
def wrong_hint(x: Annotated[int, Switch()]) -> None: ...


def no_field(x: dict[str, int]) -> None: ...
def two_types(x: int | str) -> None: ...
def bad_default(x: int = "three") -> None: ...  # type: ignore[assignment] # the mistake
def default_out_of_range(x: Annotated[int, Range(1, 5)] = 9) -> None: ...
def default_none(x: str = None) -> None: ...  # type: ignore[assignment] # noqa: RUF013 - the mistake
def star(*args: int) -> None: ...
def stars(**kwargs: int) -> None: ...
def positional(x: int, /) -> None: ...
def unknown_name(x: Nope) -> None: ...  # type: ignore[name-defined] # noqa: F821 - the mistake


NO_FUNCTION: Any = [1, 2]


def no_choices(x: Annotated[int, Choices(NO_FUNCTION)]) -> None: ...
def config(model_config: str) -> None: ...
def dump(model_dump: str) -> None: ...
def extra(model_extra: str) -> None: ...


class Strange:
    """A type that pydantic cannot store."""


def strange_result() -> Strange:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (no_type, "W005"), (underscore, "W006"), (no_field, "W006"), (two_types, "W006"), (bad_default, "W007"),
        (default_out_of_range, "W007"), (default_none, "W007"), (star, "W008"), (stars, "W008"), (positional, "W008"),
        (unknown_name, "W009"), (strange_result, "W010"), (no_choices, "W011"), (config, "W006"), (dump, "W006"),
        (extra, "W006"), (wrong_hint, "W020"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_mistake_of_a_step_is_found_with_its_place(function: Any, code: str) -> None:
    (finding,) = found_in(function)
    assert (finding.code, finding.file, finding.line) == (code, __file__, line_of(function))
    assert "'step'" in finding.message
    assert finding.message.endswith((".", ")."))


@pytest.mark.parametrize("name", ["when", "suggest"])
def test_w011_condition_that_cannot_be_called(name: str) -> None:
    def function(x: int) -> None: ...

    (finding,) = found_in(function, **{name: "yes"})
    assert finding.code == "W011"
    assert f"{name}= must be a function of the run" in finding.message


def test_w021_rule_about_no_field_is_found() -> None:
    def function(x: int) -> None: ...

    def rule(y: int) -> None: ...

    step = Step("step", function)
    step.validate(rule)
    assert codes(step.prepare()) == ["W021"]


def test_all_mistakes_of_a_workflow_are_found_at_once() -> None:
    flow = Workflow("Flow")
    functions: dict[str, Any] = {"A": no_type, "b": no_field, "c": star, "d": unknown_name, "e": strange_result}
    for name, function in functions.items():
        flow.step(name)(function)
    flow.step("b", when=1)(bad_default)  # type: ignore[arg-type] # the mistake
    assert codes(flow.prepare()) == ["W001", "W003", "W005", "W006", "W008", "W009", "W010", "W004", "W007", "W011"]


def test_all_mistakes_of_a_step_are_found_at_once() -> None:
    def function(a, _b: int, c: dict[str, int], *args: int) -> Strange:  # type: ignore[no-untyped-def] # noqa: ANN001
        raise NotImplementedError

    assert codes(found_in(function)) == ["W005", "W006", "W008", "W010"]


def test_w030_a_step_without_fields_cannot_be_skipped() -> None:
    flow = Workflow("flow")
    flow.step("alone", optional=True)(lambda: 1)
    assert codes(flow.prepare()) == ["W030"]


@pytest.mark.parametrize("name", ["missing.js", "../own.js", "own.py", "/own.css"])
def test_w033_assets_lie_beside_the_app(name: str) -> None:
    flow = Workflow("flow", assets=[name])
    flow.step("alone")(lambda: 1)
    [finding] = flow.prepare()
    assert (finding.code, finding.file) == ("W033", __file__)


@pytest.mark.parametrize("path", ["Capitals", "a//b", "a b", "a/{1}", "a/{B}", "..", "a?b", ""])
def test_w034_address_is_made_of_plain_parts(path: str) -> None:
    flow = Workflow("flow")
    flow.step("alone")(lambda: 1)
    flow.get(path)(lambda: "")
    assert codes(flow.prepare()) == ["W034"]


def test_w035_handler_takes_what_can_be_sent() -> None:
    flow = Workflow("flow")
    flow.step("alone")(lambda: 1)

    class Odd: ...

    def chart(what: Any) -> str:
        return ""

    chart.__annotations__["what"] = Odd
    flow.get("chart")(chart)

    assert codes(flow.prepare()) == ["W035"]


@pytest.mark.parametrize(("name", "every"), [("Clock", 1), ("a b", 1), ("clock", 0), ("clock", float("nan"))])
def test_w036_live_view_has_a_plain_name_and_a_pace(name: str, every: float) -> None:
    flow = Workflow("flow")
    flow.step("alone")(lambda: 1)
    flow.live(name, every=every)(lambda _: "")
    assert codes(flow.prepare()) == ["W036"]


def test_w037_training_text_is_there() -> None:
    flow = Workflow("flow", training=Path("nowhere.md"))
    flow.step("alone")(lambda: 1)
    assert codes(flow.prepare()) == ["W037"]
    flow.training = "What to know."
    assert flow.prepare() == []


def test_every_code_of_workflows_has_a_test() -> None:
    source = "".join(path.read_text() for path in Path(__file__).parents[2].rglob("test_*.py"))
    assert all(f'"{code}"' in source or f"test_{code.lower()}" in source for code in CODES if code.startswith("W"))


def test_finding_reads_as_an_editor_wants_it() -> None:
    assert str(Finding("W001", "No.", "/x/a.py", 7)) == "/x/a.py:7: W001 No."
    assert str(Finding("P001", "No.", "/x/a.py")) == "/x/a.py: P001 No."
    assert str(Finding("P001", "No.")) == "P001 No."
