"""Steps that read what comes later, and steps nobody reaches, are found before anybody meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipulate import Run, Workflow
from pipulate.findings import Finding

flow = Workflow("flow")


@flow.step("first")
def first(x: int) -> int:
    return x


def reads_earlier(run: Run) -> object:
    return [run["first"], run[first], run.get("first"), run.answers(first), "first" in run]


def reads_later(run: Run) -> object:
    return run["last"]


def asks_for_later(run: Run) -> object:
    return run.get("last")


def asks_whether_later(run: Run) -> object:
    return "last" in run


def reads_itself(run: Run) -> object:
    return run.answers("middle")


def reads_something_else(run: Run) -> object:
    given = {"last": 1}
    return [given["last"], run.earlier("middle"), run["no step of this"]]


def last(x: int) -> int:
    return x


def found(function: Callable[..., Any], **options: Any) -> list[Finding]:
    """Return what is found in a workflow of three steps, of which the function is the second."""
    made = Workflow("made")
    made.steps.append(first)
    made.step("middle", **options)(function)
    made.step("last")(last)
    return made.prepare()


def test_step_may_read_what_came_before_it() -> None:
    assert found(reads_earlier) == []
    assert found(reads_something_else) == []


def test_w031_names_the_line_that_reads_a_later_step() -> None:
    for function in (reads_later, asks_for_later, asks_whether_later, reads_itself):
        [finding] = found(function)
        assert (finding.code, finding.file) == ("W031", __file__)
        assert finding.line == function.__code__.co_firstlineno + 1
    assert "step 'last', which comes later" in found(reads_later)[0].message
    assert "reads itself" in found(reads_itself)[0].message


def test_name_that_two_steps_have_is_one_mistake() -> None:
    made = Workflow("made")
    made.steps.append(first)
    made.step("middle")(reads_earlier)
    made.step("first")(last)
    assert [each.code for each in made.prepare()] == ["W004"]


def test_w031_looks_into_conditions_and_suggestions() -> None:
    def asking(x: int) -> int:
        return x

    later = found(asking, when=lambda run: run["last"] > 1)
    assert [each.code for each in later] == ["W031"]
    assert [each.code for each in found(asking, suggest=asks_for_later)] == ["W031"]
    assert found(asking, when=lambda run: run["first"] > 1) == []


def test_w032_a_goto_names_a_later_step() -> None:
    def asking(x: int) -> int:
        return x

    assert found(asking, goto="last") == []
    assert [each.code for each in found(asking, goto="first")] == ["W032"]
    assert [each.code for each in found(asking, goto="middle")] == ["W032"]
    assert [each.code for each in found(asking, goto="nowhere")] == ["W032"]


def leading(**gotos: Any) -> list[str]:
    """Return what is found where the steps a to e lead to others."""
    made = Workflow("made")
    for name in "abcde":
        options = gotos.get(name, {})
        made.step(name, **(options if isinstance(options, dict) else {"goto": options}))(last)
    return [each.message.split("'")[1] for each in made.prepare() if each.code == "W032"]


def test_w032_steps_that_a_goto_always_leads_past_are_never_reached() -> None:
    assert leading(a="d") == ["b", "c"]
    assert leading(a="b", b="e") == ["c", "d"]


def test_steps_that_might_be_reached_are_not_reported() -> None:
    assert leading(a={"goto": "d", "when": bool}) == []
    assert leading(a="c", b="e") == ["b"]
    assert leading(a=lambda _: None, b="e") == []


def test_source_that_cannot_be_read_is_no_finding() -> None:
    scope: dict[str, Any] = {}
    exec("def made(run):\n    return run['last']", scope)  # noqa: S102 - a function without a file
    made = scope["made"]
    made.__annotations__ = {"run": Run}
    assert found(made) == []
