"""Reading a form with files in it as it comes: texts are bounded, files are handed on piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException

PARTS_MAX = 1_000
HEADERS_BYTES = 16_384


@dataclass
class _Part:
    """What is being read: its headers, and what came of its content."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: bytes = b""
    value: bytes = b""


@dataclass(frozen=True)
class Text:
    """A field of the form."""

    name: str
    text: str


@dataclass(frozen=True)
class FilePart:
    """A file of the form. Its content has to be read to the end before the next part can be."""

    field: str
    name: str
    media_type: str
    blocks: AsyncIterator[bytes]


class Form:
    """A form in the multipart encoding, read from a request as it comes."""

    def __init__(self, content_type: str, stream: AsyncIterator[bytes], *, text_bytes: int) -> None:
        """Begin to read.

        Args:
            content_type: The header of that name.
            stream: The body.
            text_bytes: Most bytes of all texts together.

        Raises:
            HTTPException: 400 if it is no form of this kind.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary or len(boundary) > 200:
            raise HTTPException(400, "A form was expected here.")
        self._stream, self._text_left = stream, text_bytes
        self._events: list[tuple[str, bytes]] = []
        self._parts = 0
        self._parser = MultipartParser(boundary, self._callbacks())  # type: ignore[arg-type]

    def _callbacks(self) -> dict[str, Any]:
        def noted(kind: str) -> Any:
            return lambda data, start, end: self._events.append((kind, data[start:end]))

        def happened(kind: str) -> Any:
            return lambda: self._events.append((kind, b""))

        with_data = {"on_part_data": "data", "on_header_field": "name", "on_header_value": "value"}
        without = {"on_part_begin": "begin", "on_part_end": "end", "on_header_end": "header",
                   "on_headers_finished": "headers", "on_end": "over"}  # fmt: skip
        return {name: noted(kind) for name, kind in with_data.items()} | {
            name: happened(kind) for name, kind in without.items()
        }

    async def _next(self) -> tuple[str, bytes]:
        """Return the next thing that happens in the form.

        Raises:
            HTTPException: 400 if it cannot be read, or ends too early.
        """
        while not self._events:
            try:
                block = await anext(self._stream)
            except StopAsyncIteration:
                raise HTTPException(400, "This form ended before it was complete.") from None
            try:
                self._parser.write(block)
            except FormParserError as error:
                raise HTTPException(400, "This form could not be read.") from error
            self._events.reverse()
        return self._events.pop()

    async def parts(self) -> AsyncIterator[Text | FilePart]:
        """Yield the parts of the form in order.

        Raises:
            HTTPException: 400 if it cannot be read, 413 if its texts are too long or too many.
        """
        while True:
            kind, _ = await self._next()
            if kind == "over":
                break
            if kind == "begin":
                yield await self._part()
        async for _ in self._stream:  # What stands behind the end says nothing.
            pass

    async def _part(self) -> Text | FilePart:
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise HTTPException(413, f"This form has more than {PARTS_MAX:,} parts.")
        headers = await self._headers()
        _, options = parse_options_header(headers.get(b"content-disposition", b""))
        name = _text(options.get(b"name", b""))
        if b"filename" not in options:
            return Text(name, _text(b"".join([block async for block in self._content(is_text=True)])))
        blocks = self._content(is_text=False)
        media_type = headers.get(b"content-type", b"").decode("latin-1")
        return FilePart(name, options[b"filename"].decode("utf-8", "replace"), media_type, blocks)

    async def _headers(self) -> dict[bytes, bytes]:
        part, left = _Part(), HEADERS_BYTES
        while True:
            kind, data = await self._next()
            left -= len(data)
            if left < 0:
                raise HTTPException(413, "A part of this form has too many headers.")
            if kind == "name":
                part.name += data
            elif kind == "value":
                part.value += data
            elif kind == "header":
                part.headers[part.name.lower()] = part.value
                part.name = part.value = b""
            elif kind == "headers":
                return part.headers

    async def _content(self, *, is_text: bool) -> AsyncIterator[bytes]:
        while True:
            kind, data = await self._next()
            if kind == "end":
                return
            if kind != "data":
                continue
            self._text_left -= len(data) if is_text else 0
            if self._text_left < 0:
                raise HTTPException(413, "The texts of this form are too long.")
            yield data


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise HTTPException(400, "This form could not be read.") from error
