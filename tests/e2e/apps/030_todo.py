"""A table to work in, and one that it leads to."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel

from pipulate import FieldError, Link, Range, Resource, TextArea


class Todo(BaseModel):
    """Something to do."""

    title: str
    done: bool = False
    priority: Annotated[int, Range(1, 5)] = 3
    due: date | None = None
    size: Literal["small", "medium", "large"] = "small"
    room: Annotated[int | None, Link("rooms")] = None
    notes: Annotated[str, TextArea()] = ""


todo = Resource("todo", Todo, title="Things to do", toggle="done")


@todo.column("urgent", "Urgent")
def urgent(item: Todo) -> str:
    return "now" if item.priority >= 4 and not item.done else ""


@todo.validate
def no_large_ones(size: str, priority: int) -> None:
    if size == "large" and priority == 5:
        raise FieldError("size", "What is large cannot be that urgent.")
