"""Tasks: what is to be done for a profile."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipulate import Radios, Resource, TextArea

TRAINING = """
Tasks of the chosen profile: a title, whether it is done, a priority from 1 (first) to 5 (can wait), the day it is due,
and notes. A click on Done switches it. Tasks are dragged into the order in which they are to be done; the list can be
searched, sorted and filtered by each of these.
"""


class Task(BaseModel):
    """Something to be done."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    done: bool = False
    priority: Annotated[Literal[1, 2, 3, 4, 5], Radios()] = 3
    due: date | None = None
    notes: Annotated[str, TextArea(rows=4)] = ""


tasks = Resource(
    "tasks",
    Task,
    title="Tasks",
    description="What is to be done, in the order you drag it into.",
    icon="✓",
    order=10,
    training=TRAINING,
    toggle="done",
    columns=("done", "title", "priority", "due", "overdue"),
)


@tasks.column("overdue", "Overdue?")
def overdue(task: Task) -> str:
    """Say so where a task should have been done by now."""
    return "overdue" if task.due is not None and not task.done and task.due < date.today() else ""  # noqa: DTZ011
