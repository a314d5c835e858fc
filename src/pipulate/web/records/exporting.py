"""What a list shows, with all its pages, as a file: CSV and JSON as they are read, XLSX once it is whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from starlette.responses import Response, StreamingResponse

from pipulate.crud import exporting
from pipulate.crud.links import Labels
from pipulate.crud.resource import Resource
from pipulate.sheets.writing import BOM, Sheet, csv_rows
from pipulate.storage import profiles
from pipulate.storage.records.queries import Query
from pipulate.storage.records.rows import Record
from pipulate.web.downloads import HARMLESS, disposition, spreadsheet
from pipulate.web.records.shared import asked_by, drawn, owner, resource_of
from pipulate.web.site import Visit


async def as_csv(visit: Visit) -> Response:
    """Return what the address asks for as CSV; with `bom=1` as Excel knows it by a double click."""
    resource, query = await _asked(visit)

    async def pieces() -> AsyncIterator[bytes]:
        yield (BOM if visit.request.query_params.get("bom") == "1" else b"") + csv_rows([exporting.heads(resource)])
        async for found, called in exporting.pages(visit.site.records, resource, query):
            yield csv_rows(await drawn(visit, resource, exporting.texts, resource, found, called))

    return await _streamed(visit, resource, pieces(), "csv", "text/csv; charset=utf-8")


async def as_json(visit: Visit) -> Response:
    """Return what the address asks for as a JSON list of objects, one a line."""
    resource, query = await _asked(visit)

    async def pieces() -> AsyncIterator[bytes]:
        before = "[\n"
        async for found, _ in exporting.pages(visit.site.records, resource, query):
            for each in exporting.objects(resource, found):
                yield (before + json.dumps(each, ensure_ascii=False)).encode("utf-8", "replace")
                before = ",\n"
        yield b"[]\n" if before == "[\n" else b"\n]\n"

    return await _streamed(visit, resource, pieces(), "json", "application/json")


async def as_xlsx(visit: Visit) -> Response:
    """Return what the address asks for as XLSX."""
    resource, query = await _asked(visit)
    name = await _name(visit, resource, "xlsx")
    return await spreadsheet(partial(_write, visit, resource, query), disposition(name))


async def _write(visit: Visit, resource: Resource[Any], query: Query, path: Path) -> None:
    sheet = await asyncio.to_thread(Sheet, path, exporting.heads(resource))
    try:
        async for found, called in exporting.pages(visit.site.records, resource, query):
            await asyncio.to_thread(_add, sheet, resource, found, called)
    finally:
        await asyncio.to_thread(sheet.close)


def _add(sheet: Sheet, resource: Resource[Any], found: list[Record], called: Labels) -> None:
    sheet.add(exporting.values(resource, found, called))


async def _asked(visit: Visit) -> tuple[Resource[Any], Query]:
    """Return whose records are asked for, and which; the table is known to fit before anything is answered."""
    resource = resource_of(visit)
    await visit.site.records.ready(resource)
    return resource, (await asked_by(visit, resource)).query


async def _streamed(
    visit: Visit, resource: Resource[Any], pieces: AsyncIterator[bytes], ending: str, media_type: str
) -> Response:
    name = await _name(visit, resource, ending)
    return StreamingResponse(pieces, headers=_headers(name), media_type=media_type)


async def _name(visit: Visit, resource: Resource[Any], ending: str) -> str:
    """Return the name of the file: what people call the records, the profile, the day."""
    profile = await owner(visit, resource)
    found = await visit.site.db.read(profiles.find, profile) if profile is not None else None
    whose = f" {found.name}" if found is not None and profile != profiles.DEFAULT_ID else ""
    return f"{resource.title}{whose} {visit.now.astimezone():%Y-%m-%d}.{ending}"


def _headers(name: str) -> dict[str, str]:
    return {"content-disposition": disposition(name), "content-security-policy": HARMLESS}
