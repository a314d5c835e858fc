"""Files on their way out: those of a run, their previews, and a run as one file."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response, StreamingResponse

from pipulate.fields.files import UNKNOWN_TYPE, guessed, plain_name
from pipulate.sheets.writing import XlsxError
from pipulate.storage import lookups, transfer
from pipulate.storage.blobs import writing
from pipulate.storage.database import Transaction
from pipulate.storage.folder import Layout
from pipulate.storage.transfer import Outgoing
from pipulate.ui.files import PREVIEW_BYTES, file_preview
from pipulate.web.site import Visit, part

SHOWN = frozenset({
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "application/pdf",
})  # fmt: skip
"""What a browser may show by itself: kinds that cannot run anything in our name."""

HARMLESS = "sandbox; default-src 'none'"
"""Policy of what is to be kept and not to be shown."""

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PDF = "default-src 'none'; frame-ancestors 'none'"  # A sandbox would keep the browser's own reader from starting.
_BLOCK = 262_144


async def file(visit: Visit) -> Response:
    """Return a file that the journal of a run names, to be kept; `?show=1` lets the browser show what it safely can."""
    run, sha256, name = await _asked(visit)
    return await sent(visit, visit.site.engine.files.path(run, sha256), sha256, name)


async def spreadsheet(write: Callable[[Path], Awaitable[None]], disposition_: str) -> Response:
    """Return a spreadsheet file that is written for this answer alone, and removed once it was sent.

    Args:
        write: Writes it to a path.
        disposition_: Says that it is to be kept, and its name.
    """
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory)
    path = Path(folder.name) / "written.xlsx"
    is_written = False
    try:
        await write(path)
        is_written = True
    except XlsxError as error:
        raise HTTPException(501, str(error)) from error
    finally:
        if not is_written:
            folder.cleanup()
    headers = {"content-disposition": disposition_, "content-security-policy": HARMLESS}
    return FileResponse(path, media_type=_XLSX, headers=headers, background=BackgroundTask(folder.cleanup))


async def sent(visit: Visit, path: Path, sha256: str, name: str) -> Response:
    """Return a file that somebody may have, under a name; shown where `?show=1` asks for it and that is safe."""
    kind = guessed(name)
    is_shown = visit.request.query_params.get("show") == "1" and kind in SHOWN
    headers = {
        "content-disposition": disposition(name, "inline" if is_shown else "attachment"),
        "content-security-policy": _PDF if is_shown and kind == "application/pdf" else HARMLESS,
        "cache-control": "private, no-cache",
        "etag": f'"{sha256}"',
    }
    if f'"{sha256}"' in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    exists = await asyncio.get_running_loop().run_in_executor(None, path.is_file)
    if not exists:
        raise HTTPException(404)
    # Whatever it is said to be, a browser that is to keep it need not know; and never shows it then.
    return FileResponse(path, headers=headers, media_type=kind if is_shown else UNKNOWN_TYPE)


async def preview(visit: Visit) -> Response:
    """Return the beginning of a file as a part of a page."""
    run, sha256, name = await _asked(visit)
    files = visit.site.engine.files

    def begin() -> bytes:
        with files.blobs.open(run, sha256) as content:
            return content.read(PREVIEW_BYTES + 1)

    try:
        content = await asyncio.get_running_loop().run_in_executor(None, begin)
    except OSError:
        raise HTTPException(404) from None
    shown = file_preview(name, content)
    return part(shown) if visit.is_htmx else await visit.page(name, shown, conversation=run)


async def export(visit: Visit) -> Response:
    """Return the file of a run, to keep or to take to another installation."""
    outgoing = await visit.site.db.read(
        transfer.export, visit.site.engine.files, visit.request.path_params["run"], visit.who.actor
    )
    packed, length = await asyncio.get_running_loop().run_in_executor(None, _packed, visit, outgoing)
    name = f"{outgoing.row.app}-{outgoing.row.key}.pipulate.zip"
    headers = {
        "content-disposition": disposition(name),
        "content-security-policy": HARMLESS,
        "content-length": str(length),
    }
    return StreamingResponse(_blocks(packed), headers=headers, media_type="application/zip")


def disposition(name: str, kind: str = "attachment") -> str:
    """Return the header that names a download, safe for any name (RFC 6266): plain letters, and the name itself."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    if len(plain) > 100:
        plain = plain[:80].rstrip("-.") + plain[-20:]
    full = quote(name.encode("utf-8", "replace"), safe="")
    return f"{kind}; filename=\"{plain or 'file'}\"; filename*=UTF-8''{full}"


async def _asked(visit: Visit) -> tuple[str, str, str]:
    """Return run, file and name that are asked for; 404 unless the journal of a run of this person names the file."""
    run, sha256 = visit.request.path_params["run"], visit.request.path_params["sha256"]
    if not await visit.site.db.read(_is_named, run, visit.who.actor, sha256):
        raise HTTPException(404)
    return run, sha256, plain_name(visit.request.path_params["name"])


def _is_named(tx: Transaction, run: str, actor: str, sha256: str) -> bool:
    row = lookups.by_id(tx, run, actor)
    return sha256 in lookups.files_of(tx, row.id)


def _packed(visit: Visit, outgoing: Outgoing) -> tuple[IO[bytes], int]:
    """Write the file of a run to where it is forgotten when it is closed."""
    folder = Layout(visit.site.settings.data.resolve()).state
    with writing(), ExitStack() as opened:
        out: Any = opened.enter_context(tempfile.TemporaryFile(dir=folder))
        outgoing.write(visit.site.engine.files, out)
        length = out.tell()
        out.seek(0)
        opened.pop_all()  # Whoever sends it closes it.
    return out, length


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK):
            yield block
