"""Results of steps as a model reads them: a few rows of a table, a piece of a text, and of all else what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipulate.actions.told import (
    CHARS_MAX,
    OFFSET_MAX,
    ROWS_MAX,
    as_json,
    cut,
    fitted,
    open_values,
    without_named_secrets,
)
from pipulate.actions.world import World
from pipulate.errors import CallError
from pipulate.storage.journal import StepValue
from pipulate.tools.action import Action, Doing, Result
from pipulate.workflows.run import SKIPPED
from pipulate.workflows.views.parts import parts_of
from pipulate.workflows.views.preview import COLUMNS_MAX, text_of
from pipulate.workflows.views.tables import Query, Table
from pipulate.workflows.work import RunView

_CELL_MAX = 200
_FILES = ("file", "path", "picture", "bokeh")


class ResultGiven(BaseModel):
    """Which result, and which part of it."""

    model_config = ConfigDict(extra="forbid")

    step: str = Field(description="Stored name of the step, as the run's steps have it.")
    run: str = Field("", description="Id of the run; leave it out for the one this conversation is about.")
    part: int = Field(0, ge=0, le=999, description="Number of the part, from 0, where the result has several.")
    offset: int = Field(
        0, ge=0, le=OFFSET_MAX, description="Where to begin: at this row of a table, at this character of a text."
    )
    rows: int = Field(ROWS_MAX, ge=1, le=ROWS_MAX, description="Most rows of a table.")
    find: str = Field("", max_length=200, description="Of a table: only rows that have these words.")


def actions(world: World) -> list[Action]:
    """Return the actions on results."""

    async def read(given: ResultGiven, doing: Doing) -> Result:
        view = await world.run(doing, given.run)
        value = view.state.steps.get(given.step)
        if value is None or value.data.get("view") == SKIPPED:
            raise CallError(f"The step {given.step!r} has no result. These have one: {_there(view)}.")
        parts = parts_of(str(value.data.get("view", "tree")), value.data.get("output"))
        if given.part >= len(parts):
            raise CallError(f"This result has {len(parts)} parts, counted from 0.")
        kind, output = parts[given.part]
        told: dict[str, Any] = {"step": given.step, "kind": kind}
        if len(parts) > 1:
            told |= {"part": given.part, "parts": [each for each, _ in parts[:ROWS_MAX]]}
        if kind == "table":
            told |= await _rows(world, view.row.id, output, given)
        elif kind in _FILES:
            told |= _about_file(output)
        else:
            told |= _piece(output if view.workflow is not None else without_named_secrets(output), given.offset)
        return Result(told, link=world.address_of(view.row), untrusted=True)

    return [
        Action(
            "read_result", "Read the result of a step",
            "Read what a step of a run returned: rows of a table (at most 50 at one time, with an offset), or a piece"
            " of a text (8,000 characters). Of pictures and files it gives name and size only.",
            ResultGiven, "read", read,
        )
    ]  # fmt: skip


def kind_and_size(value: StepValue) -> str:
    """Return in a few words what a step returned, without what is in it; "" where it returned nothing."""
    view, output = str(value.data.get("view", "tree")), value.data.get("output")
    if view == SKIPPED:
        return "skipped"
    found = [_size(kind, part) for kind, part in parts_of(view, output)]
    more = len(found) - 5
    return ", ".join(each for each in found[:5] if each) + (f" and {more} more" if more > 0 else "")


def _size(kind: str, output: Any) -> str:
    if output is None:
        return ""
    if kind == "table" and isinstance(output, Mapping):
        return f"table of {int(output['rows']):,} rows and {int(output['width']):,} columns"
    if kind in _FILES:
        return "picture" if kind in ("picture", "bokeh") else "file"
    text = output if isinstance(output, str) else as_json(output)
    return f"{'JSON' if kind == 'tree' and not isinstance(output, str) else kind}, {len(text):,} characters"


async def _rows(world: World, run: str, output: Mapping[str, Any], given: ResultGiven) -> dict[str, Any]:
    sha256 = str(output["file"]["sha256"])

    def read() -> dict[str, Any]:
        try:
            table = world.tables.get(f"{run}/{sha256}", lambda: world.engine.files.read(run, sha256))
        except ValueError as error:
            raise CallError(f"This table cannot be read: {error}.") from error
        return rows_told(table, given.offset, given.rows, given.find)

    return await asyncio.to_thread(read)


def rows_told(table: Table, offset: int, rows: int, find: str = "") -> dict[str, Any]:
    """Return rows of a table as a model reads them: columns once, then a list of cells for each row."""
    numbers = table.rows(Query(find=find))
    columns = table.columns[:COLUMNS_MAX]
    some: Sequence[int] = numbers[offset : offset + rows]
    cells = [[cut(text_of(each, row) or "", _CELL_MAX) for each in columns] for row in some]
    heads = fitted([cut(each.name, _CELL_MAX) for each in columns] if len(columns) <= ROWS_MAX else [], CHARS_MAX // 2)
    if len(heads) < len(columns):  # Too wide to be read whole: as many columns as there is room for.
        heads = fitted([cut(each.name, 60) for each in columns[:ROWS_MAX]], CHARS_MAX // 2)
        cells = [row[: len(heads)] for row in cells]
    kept = fitted(cells, CHARS_MAX - len(as_json(heads)))
    if some and not kept:
        kept = [[cut(cell, 20) for cell in cells[0]]]
    after = offset + len(kept)
    told = {"columns": heads, "rows": kept, "offset": offset, "found": len(numbers), "of": table.total}
    if len(heads) < len(table.columns):
        told["columns in all"] = len(table.columns)
    return told | ({"next offset": after} if after < len(numbers) else {})


def _about_file(output: Any) -> dict[str, Any]:
    file = output.get("file", output) if isinstance(output, Mapping) else {}
    told = {"name": file.get("name"), "type": file.get("type"), "bytes": file.get("bytes")}
    note = "What is in it cannot be read here; the person can open it."
    return {name: value for name, value in told.items() if value is not None} | {"note": note}


def _piece(output: Any, offset: int) -> dict[str, Any]:
    plain = open_values(output)
    text = plain if isinstance(plain, str) else as_json(plain)
    piece = text[offset : offset + CHARS_MAX]
    after = offset + len(piece)
    return {"text": piece, "characters": len(text)} | ({"next offset": after} if after < len(text) else {})


def _there(view: RunView) -> str:
    return ", ".join(sorted(view.state.steps)) or "none"
