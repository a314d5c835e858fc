"""What stands in a project plan, and setting its pages with Typst.

The texts of people go to the pages as JSON, beside the source and never in it: whatever they look like, they are text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

TEMPLATE = Path(__file__).with_name("plan.typ")
NOTES_MAX = 400
"""Characters of the notes below a task; what is longer is cut."""

CHARTED = 40
"""Most tasks in the timeline; the first to be due."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as a plan shows it; `due` as 2026-11-20, or "" where it has no date."""

    title: str
    priority: int
    due: str
    done: bool
    notes: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What stands in a plan.

    Attributes:
        customer, real_name, address, code: Of the customer; "" where it is not known.
        day: The day it is of, as 2026-11-20.
        tasks: Open ones before done ones, then by priority, then by due date.
        charted: The same that have a due date, the first to be due first, at most `CHARTED`.
        by_priority: For each priority there is: the priority, how many are open, how many are done.
    """

    customer: str
    real_name: str
    address: str
    code: str
    day: str
    tasks: Sequence[Task]
    charted: Sequence[Task]
    by_priority: Sequence[tuple[int, int, int]]

    @classmethod
    def of(cls, customer: Mapping[str, Any], tasks: Iterable[Mapping[str, Any]], today: date) -> Plan:
        """Return the plan of a customer.

        Args:
            customer: A record of `profiles`.
            tasks: Records of `tasks`.
            today: The day the plan is of.
        """
        every = [_task(each) for each in tasks]
        every.sort(key=lambda each: (each.done, each.priority, each.due or "9", each.title))
        dated = sorted((each for each in every if each.due), key=lambda each: (each.done, each.due))[:CHARTED]
        counted = Counter((each.priority, each.done) for each in every)
        priorities = sorted({priority for priority, _ in counted})
        about = {name: str(customer.get(name) or "") for name in ("real_name", "address", "code")}
        return cls(
            customer=str(customer["name"]), **about, day=today.isoformat(), tasks=every,
            charted=sorted(dated, key=lambda each: each.due),
            by_priority=[(each, counted[each, False], counted[each, True]) for each in priorities],
        )  # fmt: skip


def _task(record: Mapping[str, Any]) -> Task:
    notes = str(record.get("notes") or "").strip()
    due = record.get("due")
    return Task(
        str(record["title"]), int(record.get("priority") or 0), due.isoformat()[:10] if due else "",
        bool(record.get("done")), notes if len(notes) <= NOTES_MAX else notes[: NOTES_MAX - 1] + "…",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pages:
    """A plan that was set.

    Attributes:
        pdf: The file.
        remarks: What whoever wants it should know, in sentences: signs that no font here has, for one.
    """

    pdf: bytes
    remarks: tuple[str, ...]


def set_pages(plan: Plan) -> Pages:
    """Return a plan as PDF: tagged, with an outline, in English; as PDF/UA-1 wherever every sign can be shown.

    Raises:
        ImportError: If Typst is not installed.
    """
    import typst  # noqa: PLC0415 - an extra

    try:
        return Pages(_set(plan, "pdf", pdf_standards="ua-1"), ())
    except (
        typst.TypstError
    ) as error:  # The standard refuses signs without a shape; people want their plan all the same.
        why = f"The plan is no PDF/UA-1 ({error.message}). Signs that no font here has are shown as boxes."
        return Pages(_set(plan, "pdf"), (why,))


def set_pictures(plan: Plan, *, ppi: float = 96) -> list[bytes]:
    """Return the pages of a plan as pictures (PNG)."""
    made = _set(plan, "png", ppi=ppi)
    return made if isinstance(made, list) else [made]


def _set(plan: Plan, kind: Literal["pdf", "png"], **how: Any) -> Any:
    import typst  # noqa: PLC0415 - an extra

    return typst.compile(TEMPLATE.read_bytes(), format=kind, sys_inputs={"plan": json.dumps(asdict(plan))}, **how)
