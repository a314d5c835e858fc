"""What results are made of besides the page: pages of tables, downloads, pictures, drawings, frames.

An address names run, step, version and part, so what it answers with never changes.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse

from pipulate.storage.ledger import RunRow
from pipulate.ui.html import a, body, div, h2, head, html, join, meta, p, raw, script, title
from pipulate.ui.place import Place
from pipulate.ui.tables import TableView, count_line, data_table, table_page
from pipulate.web.assets import takes
from pipulate.web.downloads import HARMLESS, spreadsheet
from pipulate.web.site import Visit, part
from pipulate.workflows.views import exports
from pipulate.workflows.views.kinds import PICTURES
from pipulate.workflows.views.parts import parts_of
from pipulate.workflows.views.preview import COLUMNS_MAX
from pipulate.workflows.views.tables import Query, Table

_FIND_MAX = 200
_KEPT = "private, max-age=3600"  # The address has the version in it, so it always means the same.
_PICTURE = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src data: blob:; font-src data:; media-src data: blob:; frame-ancestors 'self'"
)
_LIBRARY = re.compile(r"bokeh(-widgets|-tables|-gl|-mathjax)?\.min\.js")


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of a result.

    Attributes:
        row: The run.
        place: The step and version.
        number: Number of the part in the result.
        view: Its kind.
        output: What is stored of it.
    """

    row: RunRow
    place: Place
    number: int
    view: str
    output: Any


async def _shown(visit: Visit, *views: str) -> Shown:
    """Return the part that an address names.

    Raises:
        HTTPException: 404 if there is none, or none of these kinds.
    """
    engine, names = visit.site.engine, visit.request.path_params
    version, number = visit.query_number("version"), visit.query_number("part") or 0
    view = await engine.view(names["run"], visit.who)
    value = view.state.steps.get(names["step"])
    if version is not None and (value is None or value.version != version):
        value = (await engine.view_at(names["run"], visit.who, version)).state.steps.get(names["step"])
    if value is None:
        raise HTTPException(404)
    found = parts_of(str(value.data.get("view", "tree")), value.data.get("output"))
    if number >= len(found) or (views and found[number][0] not in views):
        raise HTTPException(404)
    place = Place(view.row.id, names["step"], value.version)
    return Shown(view.row, place, number, *found[number])


async def _content(visit: Visit, shown: Shown) -> bytes:
    sha256 = str(shown.output["file"]["sha256"])
    return await asyncio.to_thread(visit.site.engine.files.read, shown.row.id, sha256)


# Tables


async def table(visit: Visit) -> Response:
    """Return a page of a table: what was searched for, sorted."""
    shown = await _shown(visit, "table")
    query = _query(visit)
    found = await _read(visit, shown)
    page = await asyncio.to_thread(found.page, query)
    columns = [(each.name, each.kind) for each in found.columns]
    seen = TableView(columns[:COLUMNS_MAX], len(columns), page, query, shown.place, shown.number)
    if visit.is_htmx:
        return part(join(table_page(seen), count_line(seen, oob=True)), headers={"vary": "hx-request"})
    back = a("Back to the run", href=visit.site.address_of(shown.row))
    content = div(h2(shown.row.key), p(back), data_table(seen), class_="result")
    return await visit.page(f"Table of {shown.row.key}", content, conversation=shown.row.id)


async def table_csv(visit: Visit) -> Response:
    """Return what was searched for in a table as CSV, sorted, with all pages."""
    shown = await _shown(visit, "table")
    found = await _read(visit, shown)
    pieces = exports.csv_pieces(found, _query(visit), has_bom=visit.request.query_params.get("bom") == "1")
    headers = _attachment(shown, "csv")
    return StreamingResponse(_on_threads(pieces), headers=headers, media_type="text/csv; charset=utf-8")


async def table_xlsx(visit: Visit) -> Response:
    """Return what was searched for in a table as XLSX, sorted, with all pages."""
    shown = await _shown(visit, "table")
    found = await _read(visit, shown)

    async def write(path: Path) -> None:
        await asyncio.to_thread(exports.write_xlsx, found, _query(visit), path)

    return await spreadsheet(write, _attachment(shown, "xlsx")["content-disposition"])


def _query(visit: Visit) -> Query:
    asked = visit.request.query_params
    sort = re.fullmatch(r"(-?)([0-9]{1,5})", asked.get("sort", ""))
    page = asked.get("page", "")
    return Query(
        asked.get("find", "")[:_FIND_MAX],
        int(sort[2]) if sort else None,
        sort is not None and sort[1] == "-",
        int(page) if re.fullmatch(r"[0-9]{1,9}", page) else 1,
    )


async def _read(visit: Visit, shown: Shown) -> Table:
    """Return the table itself, from memory where it was used just now."""
    sha256, run = str(shown.output["file"]["sha256"]), shown.row.id
    try:
        return await asyncio.to_thread(
            visit.site.tables.get, f"{run}/{sha256}", lambda: visit.site.engine.files.read(run, sha256)
        )
    except ValueError as error:
        raise HTTPException(500, f"This table cannot be read: {error}.") from error


async def _on_threads(pieces: Iterator[bytes]) -> Any:
    """Yield pieces that take their time, and keep the loop free."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _attachment(shown: Shown, ending: str) -> dict[str, str]:
    plain, whole = exports.file_name(shown.row.app, shown.row.key, shown.place.step, ending)
    name = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(whole, safe='')}"
    return {"content-disposition": name, "content-security-policy": HARMLESS}


# Pictures, drawings, frames


async def picture(visit: Visit) -> Response:
    """Return a picture or a drawn figure."""
    shown = await _shown(visit, "picture")
    kind = str(shown.output["file"]["type"])
    if kind not in PICTURES:
        raise HTTPException(404)
    headers = {"content-security-policy": _PICTURE, "cache-control": _KEPT}
    return _packed(visit, await _content(visit, shown), kind, headers, is_text=kind == "image/svg+xml")


async def drawing(visit: Visit) -> Response:
    """Return what a figure or a diagram is drawn from."""
    shown = await _shown(visit, "bokeh", "mermaid")
    headers = {"content-security-policy": HARMLESS, "cache-control": _KEPT}
    content = json.dumps(shown.output).encode() if shown.view == "mermaid" else await _content(visit, shown)
    return _packed(visit, content, "application/json", headers, is_text=True)


async def sandboxed_html(visit: Visit) -> Response:
    """Return HTML of an app with scripts of its own: of no origin, with no network, in a frame of ours alone."""
    shown = await _shown(visit, "sandbox")
    headers = {"content-security-policy": _SANDBOX, "x-frame-options": "SAMEORIGIN"}
    return Response(str(shown.output["html"]).encode("utf-8", "replace"), 200, headers, "text/html; charset=utf-8")


async def as_json(visit: Visit) -> Response:
    """Return a result as JSON, to be copied."""
    shown = await _shown(visit)
    content = json.dumps(shown.output, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    headers = {"content-security-policy": HARMLESS, "cache-control": _KEPT}
    return _packed(visit, content, "application/json", headers, is_text=True)


async def library(visit: Visit) -> Response:
    """Return what a figure is drawn with: a script of Bokeh, of the installed package, as it made the figure."""
    name = visit.request.path_params["library"]
    if name == "mermaid.js":
        return RedirectResponse(visit.site.assets.addresses[name], 302)
    if not _LIBRARY.fullmatch(name):
        raise HTTPException(404)
    content = await asyncio.to_thread(
        _bokeh_script, name, takes(visit.request.headers.get("accept-encoding", ""), "gzip")
    )
    if content is None:
        raise HTTPException(404)
    packed, body_ = content
    headers = {"cache-control": "private, max-age=31536000, immutable", "vary": "accept-encoding"}
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(body_, 200, headers, "text/javascript; charset=utf-8")


@lru_cache(maxsize=3)
def _bokeh_script(name: str, is_packed: bool) -> tuple[bool, bytes] | None:
    found = find_spec("bokeh")
    if found is None or found.origin is None:
        return None
    with suppress(OSError):
        content = (Path(found.origin).parent / "server" / "static" / "js" / name).read_bytes()
        return is_packed, gzip.compress(content, 6, mtime=0) if is_packed else content
    return None


async def frame(visit: Visit) -> Response:
    """Return the page that figures are drawn in: of no origin, with no network, in a frame of ours alone."""
    nonce = visit.request.scope.get("nonce", "")
    code = visit.site.assets.text("frame.js").replace("</", "<\\/")
    page = html(
        head(meta(charset="utf-8"), title("Figure")), body(script(raw(code), nonce=nonce)), lang="en",
    )  # fmt: skip
    policy = (
        f"sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'nonce-{nonce}' 'unsafe-eval';"
        " style-src 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'self'"
    )
    headers = {"content-security-policy": policy, "x-frame-options": "SAMEORIGIN"}
    return Response("<!doctype html>" + page, 200, headers, "text/html; charset=utf-8")


def _packed(visit: Visit, content: bytes, kind: str, headers: dict[str, str], *, is_text: bool) -> Response:
    """Return content, packed where that pays."""
    headers = {**headers, "vary": "accept-encoding"}
    if is_text and len(content) > 2_000 and takes(visit.request.headers.get("accept-encoding", ""), "gzip"):
        content = gzip.compress(content, 4, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(content, 200, headers, kind)
