"""Requests as class-style plugins get them: those of browsers, and those that are made for a person in the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.requests import Request

from pipulate.explicit import names


class PluginRequest(Request):
    """A request as a plugin gets it: its whole body, no cookies of ours, and file names that lead nowhere.

    Attributes:
        uploads: Name and content of each file of the form, once the handler has asked for the form.
    """

    uploads: Sequence[tuple[str, bytes]] = ()

    async def form(self, **options: Any) -> FormData:  # type: ignore[override]
        """Return the form; each file has a name without a folder, and no other file of the form has it."""
        form = await super().form(**options)
        if not self.uploads:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile) and value.filename]
            taken = set[str]()
            for file in files:
                file.filename = names.another(names.plain(file.filename or ""), taken)
                file.headers = Headers({"content-type": file.content_type or "application/octet-stream"})
            self.uploads = [(file.filename or "", await _content(file)) for file in files]
        return form


def plugin_request(scope: Mapping[str, Any], body: bytes) -> PluginRequest:
    """Return a request whose whole body is there already; cookies stay outside."""
    over = False

    async def receive() -> Any:
        nonlocal over
        if over:
            return {"type": "http.disconnect"}
        over = True
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    return PluginRequest({**scope, "headers": headers, "session": {}}, receive)


def as_from_page(method: str, path: str, query: str, texts: Mapping[str, Sequence[str]]) -> PluginRequest:
    """Return the request that a page would send with htmx.

    Args:
        method: `GET` or `POST`.
        path: Address within the server, without its query.
        query: What stands behind the question mark.
        texts: Name of a field -> what its form sends for it.
    """
    body = urlencode(texts, doseq=True).encode() if method == "POST" else b""
    headers = [
        (b"host", b"localhost"), (b"hx-request", b"true"), (b"content-length", str(len(body)).encode()),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]  # fmt: skip
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": quote(path).encode(), "query_string": query.encode(), "root_path": "", "headers": headers,
        "client": None, "server": ("localhost", 80),
    }  # fmt: skip
    return plugin_request(scope, body)


async def _content(file: UploadFile) -> bytes:
    content = await file.read()
    await file.seek(0)
    return content
