"""Project plans: what stands in them, and that no text of people is ever read as markup."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import pytest

from pipulate.builtin.customer_tasks import joined, shortened
from pipulate.builtin.planning.plan import CHARTED, NOTES_MAX, TEMPLATE, Plan, set_pages, set_pictures

TODAY = date(2026, 11, 21)
ACME = {"name": "Acme", "real_name": "Ann Acme", "address": "1 High Street\nTown", "code": "A-1"}
NASTY = (
    '#eval("1")', '#read("/etc/passwd")', "*bold*", "_thin_", "$x$", "@ref <label>", "// no", "= Heading", "\\ \\u{41}",
    "#{", "]]", '"', "`raw`", "#panic()", "https://example.org",
)  # fmt: skip


def task(title: str = "Call", **fields: Any) -> dict[str, Any]:
    return {"title": title, "priority": 3, "due": None, "done": False, "notes": ""} | fields


def plan(*tasks: dict[str, Any], **customer: Any) -> Plan:
    return Plan.of({**ACME, **customer}, tasks, TODAY)


def test_open_tasks_come_first_then_the_priority_then_what_is_due() -> None:
    found = plan(
        task("done", done=True, priority=1),
        task("late", due=date(2026, 12, 1)),
        task("soon", due=date(2026, 11, 25)),
        task("some day"),
        task("first", priority=1),
    )
    assert [each.title for each in found.tasks] == ["first", "soon", "late", "some day", "done"]
    assert [each.title for each in found.charted] == ["soon", "late"]
    assert found.by_priority == [(1, 1, 1), (3, 3, 0)]


def test_what_is_not_known_of_a_customer_is_left_out() -> None:
    found = Plan.of({"name": "Acme", "real_name": None}, [], TODAY)
    assert (found.customer, found.real_name, found.address, found.code) == ("Acme", "", "", "")


def test_long_notes_and_long_timelines_are_cut() -> None:
    many = [task(f"t{n}", due=TODAY + timedelta(days=n), notes="x" * 1_000) for n in range(CHARTED + 5)]
    found = plan(*many)
    assert len(found.charted) == CHARTED
    assert found.charted[-1].title == f"t{CHARTED - 1}"
    assert len(found.tasks[0].notes) == NOTES_MAX


def test_texts_of_people_are_text_whatever_they_look_like() -> None:
    tasks = [task(text, notes=text, due=TODAY) for text in NASTY]
    made = set_pages(plan(*tasks, name=" ".join(NASTY), address="#panic()", code='"'))
    assert made.pdf.startswith(b"%PDF-")
    assert made.remarks == ()


def test_texts_reach_the_page_as_they_are() -> None:
    import typst

    found = plan(*(task(text) for text in NASTY))
    source = TEMPLATE.read_bytes() + b"\n#metadata(tasks.map(task => task.title)) <titles>\n"
    told = typst.query(
        source, "<titles>", field="value", one=True,
        sys_inputs={"plan": json.dumps(asdict(found))},
    )  # fmt: skip
    assert sorted(json.loads(told)) == sorted(NASTY)


def test_plan_is_tagged_has_an_outline_a_language_and_a_title() -> None:
    made = set_pages(plan(task(due=TODAY)))
    for mark in (b"/StructTreeRoot", b"/Outlines", b"/Lang", b"pdfuaid"):
        assert mark in made.pdf


def test_signs_no_font_has_are_remarked_and_fail_nothing() -> None:
    made = set_pages(plan(task("party \U0001f389\U0010fffd")))
    assert made.pdf.startswith(b"%PDF-")
    assert "no font here has" in made.remarks[0]


def test_words_of_a_thousand_signs_and_other_scripts_are_set() -> None:
    made = set_pages(plan(task("x" * 1_000), task("\u05e9\u05dc\u05d5\u05dd"), task("w\u00f6rter"), name="N" * 500))
    assert made.pdf.startswith(b"%PDF-")


@pytest.mark.parametrize("count", [0, 1, 300])
def test_plans_of_any_length_are_set(count: int) -> None:
    tasks = [task(f"Task {n}", due=TODAY + timedelta(days=n % 60), done=n % 3 == 0) for n in range(count)]
    pictures = set_pictures(plan(*tasks), ppi=20)
    assert len(pictures) >= (6 if count == 300 else 1)
    assert all(each.startswith(b"\x89PNG") for each in pictures)


def test_long_word_stays_on_the_page() -> None:
    from PIL import Image

    def inked_to_the_right(title: str) -> bool:
        (page,) = set_pictures(plan(task(title)), ppi=40)
        with Image.open(io.BytesIO(page)) as image:
            grey = image.convert("L")
            margin = grey.crop((int(grey.width * 0.92), 0, grey.width, grey.height))
            return min(margin.tobytes()) < 200

    assert not inked_to_the_right("x" * 300)


def test_joined_by_python_alone_has_a_row_for_each_task_and_each_customer_without_one() -> None:
    customers = [{"ident": "a", "name": "Acme"}, {"ident": "n", "name": "New"}]
    tasks = [task("two", profile="a", priority=2), task("one", profile="a", priority=1, done=True)]
    assert [(row["customer"], row["task"], row["state"]) for row in joined(customers, tasks)] == [
        ("Acme", "one", "done"), ("Acme", "two", "open"), ("New", None, "no tasks"),
    ]  # fmt: skip


def test_long_names_leave_room_for_the_figure() -> None:
    assert shortened("short") == "short"
    assert shortened("n" * 50) == "n" * 29 + "…"
