"""What an author declares: fields, table and names, and all that is wrong with them at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr

from pipulate.crud.resource import Resource
from pipulate.fields.files import File
from pipulate.fields.hints import Accept, Choices, Link


class Task(BaseModel):
    """A record."""

    text: str
    done: bool = False
    customer: Annotated[int | None, Link("customers", on_delete="cascade")] = None
    key: SecretStr | None = None


def codes(resource: Resource[Any]) -> list[str]:
    return [finding.code for finding in resource.prepare()]


def test_resource_knows_its_fields_its_table_and_what_names_a_record() -> None:
    tasks = Resource("tasks", Task)
    assert codes(tasks) == []
    assert [each.name for each in tasks.fields] == ["text", "done", "customer", "key"]
    assert [(each.kind, each.to, each.on_delete) for each in tasks.shape.columns] == [
        ("text", "", ""), ("flag", "", ""), ("link", "customers", "cascade"), ("json", "", ""),
    ]  # fmt: skip
    assert (tasks.title, tasks.label, tasks.search) == ("Tasks", "text", ("text",))
    assert tasks.label_of({"text": " A "}) == "A"


def test_shape_is_read_back_as_it_was_noted() -> None:
    tasks = Resource("tasks", Task, key=("text", "customer"))
    assert codes(tasks) == []
    assert type(tasks.shape).from_json("tasks", tasks.shape.as_json()) == tasks.shape


@pytest.mark.parametrize("name", ["", "Tasks", "1a", "a b", "a" * 51, 'a"; DROP TABLE x', "tasks-1", "ä"])
def test_name_that_cannot_be_one_is_found(name: str) -> None:
    assert "R001" in codes(Resource(name, Task))


@pytest.mark.parametrize("model", [int, dict, "Task", object, type("Empty", (BaseModel,), {})])
def test_model_that_is_none_is_found(model: Any) -> None:
    assert codes(Resource("tasks", model)) == ["R002"]


class Emptied(BaseModel):
    """Is to be emptied, and cannot be."""

    customer: Annotated[int, Link("customers", on_delete="clear")]


class Misspelt(BaseModel):
    """Says nothing that is known."""

    customer: Annotated[int | None, Link("customers", on_delete="Clear")] = None


@pytest.mark.parametrize(
    ("model", "words"),
    [(Emptied, "on_delete='clear' needs a field that may be empty"), (Misspelt, "on_delete='Clear' is none of")],
)
def test_link_that_could_not_do_what_it_says_is_found(model: type[BaseModel], words: str) -> None:
    (finding,) = Resource("tasks", model).prepare()
    assert finding.code == "R003"
    assert words in finding.message


class OfARun(BaseModel):
    """Depends on a run."""

    choice: Annotated[str, Choices(lambda _run: ["a"])]


class InGroup(BaseModel):
    """A path among other things."""

    paths: list[Path]


class OfPaths(BaseModel):
    """Says where files are, which is so while a step runs only."""

    path: Path
    several: list[Path]
    group: InGroup | None = None


class OfFiles(BaseModel):
    """Has files as a step asks for them."""

    one: File
    none: Annotated[File | None, Accept(".csv", max_mb=1)] = None
    several: Annotated[list[File], Accept(max_files=2)]


class Named(BaseModel):
    """Says what every record has."""

    id: int
    Upper: str
    odd: object


@pytest.mark.parametrize(("model", "count"), [(OfARun, 1), (OfPaths, 3), (Named, 3)])
def test_field_that_cannot_be_kept_is_found(model: type[BaseModel], count: int) -> None:
    assert codes(Resource("tasks", model)) == ["R003"] * count


def test_record_is_called_by_its_file_where_it_has_nothing_else() -> None:
    papers = Resource("papers", OfFiles)
    assert papers.prepare() == []
    file = {"sha256": "a" * 64, "bytes": 1, "name": "a.pdf", "type": "application/pdf"}
    assert (papers.label_of({"one": file}), papers.label_of({"one": None})) == ("a.pdf", "")


def test_fields_for_files_are_those_of_steps_and_have_a_column_of_their_own() -> None:
    papers = Resource("papers", OfFiles)
    assert papers.prepare() == []
    assert [each.kind for each in papers.shape.columns] == ["file"] * 3
    asked = [(each.widget, each.required, each.accept, each.max_bytes, each.max_files) for each in papers.fields]
    assert asked == [
        ("upload", True, (), None, None),
        ("upload", False, (".csv",), 1_000_000, None),
        ("upload", True, (), None, 2),
    ]


@pytest.mark.parametrize(
    "given",
    [{"toggle": "nope"}, {"toggle": "text"}, {"key": "nope"}, {"label": "nope"}, {"columns": ["nope"]},
     {"search": ["nope"]}, {"sort": "-nope"}],
    ids=str,
)  # fmt: skip
def test_field_that_is_none_is_found(given: dict[str, Any]) -> None:
    assert codes(Resource("tasks", Task, **given)) == ["R004"]


def test_rule_and_cell_of_no_field_are_found() -> None:
    tasks = Resource("tasks", Task)

    @tasks.validate
    def rule(nope: str) -> None:
        """Name what is no field."""

    @tasks.cell("nope")
    def cell(value: str) -> str:
        return value

    assert codes(tasks) == ["R004", "R004"]


def test_computed_column_is_one_of_the_list() -> None:
    tasks = Resource("tasks", Task, columns=["text", "long"])

    @tasks.column("long", "Long?")
    def is_long(task: Task) -> bool:
        return len(task.text) > 9

    assert codes(tasks) == []
    assert tasks.computed["long"].title == "Long?"
    assert tasks.computed["long"].function(tasks.typed({"text": "0123456789"})) is True


def test_dataclass_keeps_its_defaults() -> None:
    @dataclass
    class Note:
        title: str
        size: int = 3

    notes = Resource("notes", Note)
    assert codes(notes) == []
    assert notes.typed({"title": "A"}) == Note("A", 3)
    assert [each.default for each in notes.fields] == [None, 3]
