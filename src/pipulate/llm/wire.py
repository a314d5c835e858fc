"""HTTP to a server of language models, with bounds: what it sends is never more than can be an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, cast

import httpx2

from pipulate.errors import ModelCutError, ModelError, ModelNonsenseError, ModelUnreachableError
from pipulate.llm import words
from pipulate.llm.address import is_here

LINE_BYTES: Final = 1_000_000
"""Most that one line of an answer may have."""
ANSWER_BYTES: Final = 50_000_000
"""Most that an answer may have on its way, with all that is written around each word."""
LIST_BYTES: Final = 10_000_000
"""Most that a list of models may have."""
_AT_ONCE_BYTES: Final = 4_096  # Of an answer that are read before everything else has its turn.
_ERROR_BYTES: Final = 10_000  # Of an error that are read.
_CONNECT_S: Final = 5.0
_KEPT: Final = 2  # Connections that are kept for the next request.
_SENT: Final = {"host", "accept", "connection", "content-type", "content-length"}
_JSON: Final = {"content-type": "application/json"}


class Bounded(httpx2.AsyncClient):
    """A client that reads no more than can be meant: of a line, of a whole, and nothing that was packed."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(
            base_url=url.rstrip("/") + "/",
            timeout=httpx2.Timeout(None, connect=_CONNECT_S),  # How long a model may take is counted where it is asked.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT),
            follow_redirects=False,  # The key is for this server alone, and so is what is said.
            verify=not (is_here(url) and url.startswith("http:")),  # Reading certificates takes longer than a look.
            trust_env=not is_here(url),  # A proxy of this environment knows nothing of this machine's own servers.
        )
        self._key = key

    async def send(self, request: httpx2.Request, *, stream: bool = False, **more: Any) -> httpx2.Response:
        """Send a request; what comes raises `ModelNonsenseError` where it is too much."""
        # Libraries add what they find in the environment, and about this machine.
        for name in set(request.headers) - _SENT:
            del request.headers[name]
        request.headers.update({"accept-encoding": "identity", "user-agent": "pipulate"})
        if self._key:
            request.headers["authorization"] = f"Bearer {self._key}"
        response = await self._sent(request, **more)
        line, whole = (LINE_BYTES, ANSWER_BYTES) if request.method == "POST" else (LIST_BYTES, LIST_BYTES)
        is_packed = response.headers.get("content-encoding", "identity") != "identity"
        if is_packed:  # Asked for as it is. A small answer may still become a huge one.
            line = whole = 0
        response.stream = _Counted(cast("httpx2.AsyncByteStream", response.stream), line, whole)
        if not stream:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response

    async def _sent(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        """Send a request; again where a connection of earlier ended before the server said anything.

        A server may close one that waits at any moment (RFC 9112, 9.3.1); it has not dealt with the request then.
        """
        made: list[str] = []

        async def note(name: str, _: Mapping[str, Any]) -> None:
            if name.endswith(".connect_tcp.started"):  # By itself, or to a proxy.
                made.append(name)

        request.extensions = {**request.extensions, "trace": note}
        for _ in range(_KEPT):
            try:
                return await super().send(request, stream=True, **more)
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
                if made:
                    raise
        return await super().send(request, stream=True, **more)


class _Counted(httpx2.AsyncByteStream):
    """A body that ends with an error where it, or a line of it, is too long."""

    def __init__(self, body: httpx2.AsyncByteStream, line: int, whole: int) -> None:
        self._body, self._line, self._whole = body, line, whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        whole = line = read = 0
        async for chunk in self._body:
            whole += len(chunk)
            *ended, last = chunk.split(b"\n")
            longest = max([line + len(ended[0]), *map(len, ended)]) if ended else line + len(chunk)
            line = len(last) if ended else longest
            if whole > self._whole or longest > self._line:
                raise ModelNonsenseError(words.TOO_MUCH)
            for begin in range(0, len(chunk), _AT_ONCE_BYTES):
                piece = chunk[begin : begin + _AT_ONCE_BYTES]
                yield piece
                read += len(piece)
                if read >= _AT_ONCE_BYTES:  # What has come already is read without waiting for anything: pages would.
                    read = 0
                    await asyncio.sleep(0)

    async def aclose(self) -> None:
        await self._body.aclose()


class Wire:
    """A server that is asked with JSON."""

    def __init__(self, url: str, key: str = "", *, is_ollama: bool) -> None:
        self.url, self._key, self.is_ollama = url, key, is_ollama
        self.client = Bounded(url, key)

    async def json(self, path: str) -> Any:
        """Return what is at a path.

        Raises:
            ModelError: If it cannot be had.
        """
        try:
            try:
                return json.loads(await self._whole(path))
            except ModelCutError:  # It costs nothing to ask once more.
                return json.loads(await self._whole(path))
        except ModelCutError:
            raise ModelUnreachableError(words.down(self.url, is_ollama=self.is_ollama)) from None
        except (ValueError, RecursionError):
            raise ModelNonsenseError(
                f"What is at {self.url} is no server of language models that is known here."
            ) from None

    async def _whole(self, path: str) -> bytes:
        async with self._answer("GET", path, None, "") as response:
            return await response.aread()

    @asynccontextmanager
    async def lines(
        self, path: str, body: Mapping[str, Any], *, model: str
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """Send a body; give the lines that come as an answer, without those that are empty.

        Leaving closes the connection, which is how a server hears that nobody waits any more.

        Raises:
            ModelError: If there is no answer, or it breaks off.
        """
        async with self._answer("POST", path, body, model) as response:
            yield _lines(response)

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None, model: str
    ) -> AsyncIterator[httpx2.Response]:
        # As ASCII, for there are texts with half a character in them.
        sent = None if body is None else json.dumps(body).encode()
        with self.mapped():
            async with self.client.stream(method, path, content=sent, headers=_JSON) as response:
                if response.status_code != 200:
                    said = await _beginning(response)
                    raise self.refused(response.status_code, said, model)
                yield response

    def refused(self, status: int, said: bytes, model: str) -> ModelError:
        """Return what a status other than 200 is as an error."""
        if self._key:  # Some servers repeat it.
            said = said.replace(self._key.encode(), b"...")
        return words.refused(status, said, model=model, server=self.url, is_ollama=self.is_ollama)

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Raise what goes wrong on the way as a `ModelError`."""
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol):
            raise ModelUnreachableError(words.down(self.url, is_ollama=self.is_ollama)) from None
        except (httpx2.HTTPError, httpx2.StreamError):
            raise ModelCutError(words.CUT) from None

    async def close(self) -> None:
        """Let go of the connections."""
        await self.client.aclose()


async def _lines(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    begun: list[bytes] = []  # Of a line, joined once: a line may come byte by byte.
    async for chunk in response.aiter_raw():
        first, *others = chunk.split(b"\n")
        begun.append(first)
        for other in others:
            if line := b"".join(begun).strip():
                yield line
            begun = [other]
    if last := b"".join(begun).strip():
        if not last.endswith(b"}"):
            raise ModelCutError(words.CUT)
        yield last


async def _beginning(response: httpx2.Response) -> bytes:
    came = b""
    async for chunk in response.aiter_raw():
        came += chunk
        if len(came) >= _ERROR_BYTES:
            break
    return came[:_ERROR_BYTES]
