"""Our own front-end files: built before, named by their content, read when they are asked for, served for good.

Browsers keep them for good, so each is read about once a browser; together they would be megabytes of memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from pipulate.errors import PipulateError
from pipulate.web.guard import STATIC

FOLDER = Path(str(resources.files("pipulate.web") / "static"))

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_REFUSED = re.compile(r"q=0(\.0*)?")


class AssetsMissingError(PipulateError):
    """The front-end files were not built."""

    code = "assets.missing"

    def __init__(self) -> None:
        super().__init__("The front-end files have not been built. In a clone of the project, run: make assets")


@dataclass(frozen=True, slots=True)
class _Asset:
    content_type: str
    encodings: Mapping[str, Path]  # by the name in Accept-Encoding; "" is the plain file


class Assets:
    """The files a build left in `web/static`.

    Attributes:
        addresses: Plain name (`app.js`) -> address with the hash of the content in it.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        """Find them.

        Raises:
            AssetsMissingError: If they are not there.
        """
        try:
            manifest: dict[str, str] = json.loads((folder / "manifest.json").read_text())
            self._files = {file: _found(folder / file) for file in manifest.values()}
        except OSError as error:
            raise AssetsMissingError from error
        self.addresses = {name: STATIC + file for name, file in manifest.items()}

    def text(self, name: str) -> str:
        """Return what is in a file, "" where it was not built."""
        file = self.addresses.get(name, "").removeprefix(STATIC)
        return self._files[file].encodings[""].read_text() if file in self._files else ""

    def answer(self, request: Request) -> Response:
        """Return a file in the best encoding the browser takes, or 404. Only names of the build exist here."""
        asset = self._files.get(request.path_params["file"])
        if asset is None:
            return _not_there()
        accepted = request.headers.get("accept-encoding", "")
        encoding = next((each for each in ("br", "gzip") if each in asset.encodings and takes(accepted, each)), "")
        headers = {"cache-control": _FOR_GOOD, "vary": "accept-encoding"}
        if encoding:
            headers["content-encoding"] = encoding
        try:
            content = asset.encodings[encoding].read_bytes()
        except OSError:  # Built anew since the start: pages that are opened from now on need another start.
            return _not_there()
        return Response(content, headers=headers, media_type=asset.content_type)


def takes(accepted: str, encoding: str) -> bool:
    """Tell whether a browser takes an encoding, by its Accept-Encoding; `br;q=0` says that it does not."""
    for each in accepted.lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() == encoding:
            return _REFUSED.fullmatch(quality.strip()) is None
    return False


def _not_there() -> Response:
    return Response("There is no such file.", 404, media_type="text/plain")


def _found(path: Path) -> _Asset:
    encodings = {"": path}
    path.stat()
    for encoding, suffix in (("br", ".br"), ("gzip", ".gz")):
        packed = path.with_name(path.name + suffix)
        if packed.exists():
            encodings[encoding] = packed
    return _Asset(_TYPES[path.suffix], encodings)
