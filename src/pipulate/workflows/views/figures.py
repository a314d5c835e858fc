"""Figures and pictures as files of the run, and back. Their libraries are imported by whoever made them, never here."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from threading import Lock
from typing import Any

from pipulate.fields.files import Files
from pipulate.workflows.views.kinds import PICTURES, Picture, picture_type

SVG_MAX_BYTES = 400_000
"""A figure whose drawing is longer than this is stored as points of colour instead."""

_DPI = 160
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "image/svg+xml": "svg"}
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_drawing = Lock()  # matplotlib is not made for two threads at once.


def keep(
    files: Files, content: bytes, media_type: str, alt: str, made_by: str, name: str = "picture"
) -> dict[str, Any]:
    """Store a picture, and return what is kept of it in the value."""
    file = files.save(f"{name}.{_ENDINGS[media_type]}", content, media_type)
    return {"file": file.named(), "alt": alt, "made_by": made_by}


def pack_picture(value: Picture, files: Files) -> dict[str, Any]:
    """Store a `Picture`.

    Raises:
        ValueError: If its kind is none that is shown.
    """
    if value.media_type not in PICTURES:
        raise ValueError(f"a Picture is PNG, JPEG, GIF, WebP or SVG, not {value.media_type!r}")
    return keep(files, value.content, value.media_type, value.alt, "picture")


def pack_bytes(value: bytes, files: Files) -> dict[str, Any]:
    """Store the bytes of a picture."""
    return keep(files, value, picture_type(value), "", "bytes")


def pack_pil(value: Any, files: Files) -> dict[str, Any]:
    """Store an image of Pillow.

    Raises:
        ValueError: If its mode is none that PNG can hold.
    """
    if value.mode not in _PNG_MODES:
        raise ValueError(f"an image of mode {value.mode!r} cannot be kept as it is; use .convert('RGB') first")
    buffer = io.BytesIO()
    value.save(buffer, "PNG")
    return keep(files, buffer.getvalue(), "image/png", "", "PIL")


def pack_matplotlib(value: Any, files: Files) -> dict[str, Any]:
    """Draw a figure, store what was drawn, and close the figure."""
    figure = value.get_figure() if not hasattr(value, "savefig") else value
    with _drawing:
        try:
            content, media_type = _drawn(figure)
            alt = _words_of(figure)
        finally:
            pyplot = sys.modules.get("matplotlib.pyplot")
            if pyplot is not None:  # It holds every figure it made until it is told.
                pyplot.close(figure)
    return keep(files, content, media_type, alt, "matplotlib", "figure")


def _drawn(figure: Any) -> tuple[bytes, str]:
    matplotlib = sys.modules["matplotlib"]
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "pipulate"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        if buffer.tell() <= SVG_MAX_BYTES:
            return buffer.getvalue(), "image/svg+xml"
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue(), "image/png"


def _words_of(figure: Any) -> str:
    """Return what a figure says about itself: its titles and the labels of its axes."""
    texts = [figure.get_suptitle()]
    for axes in figure.get_axes():
        texts += [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
    return ", ".join(dict.fromkeys(text for text in texts if text))


def unpack_picture(stored: Mapping[str, Any], files: Files) -> Any:
    """Return a picture as its step returned it; a figure of matplotlib comes back as a `Picture`."""
    file = files.file(stored["file"])
    if stored["made_by"] == "bytes":
        return file.read_bytes()
    if stored["made_by"] == "PIL":
        from PIL import Image  # noqa: PLC0415 - an extra

        with Image.open(file.path) as image:
            image.load()
            return image.copy()
    return Picture(file.read_bytes(), file.media_type, stored["alt"])


def pack_bokeh(value: Any, files: Files) -> dict[str, Any]:
    """Store a figure or layout of Bokeh as its own JSON."""
    text, about = bokeh_text(value)
    return {"file": files.save("figure.bokeh.json", text, "application/json").named(), **about}


def bokeh_text(value: Any) -> tuple[str, dict[str, Any]]:
    """Return a figure or layout of Bokeh as its own JSON, and about it: `version`, `libraries` and `title`."""
    from bokeh.embed import json_item  # noqa: PLC0415 - whoever made the figure has imported the rest of it

    item: dict[str, Any] = dict(json_item(value))
    text = json.dumps(item, separators=(",", ":"))
    return text, {"version": item["version"], "libraries": _libraries(value, text), "title": _title(value)}


def _libraries(value: Any, text: str) -> list[str]:
    """Return which scripts of Bokeh a figure needs: one with plain parts needs one of five."""
    homes = {type(each).__module__ for each in value.references()}
    found = ["bokeh"]
    if any(home.startswith("bokeh.models.widgets") for home in homes):
        found.append("bokeh-widgets")
    if "bokeh.models.widgets.tables" in homes:
        found.append("bokeh-tables")
    if '"webgl"' in text:
        found.append("bokeh-gl")
    if "$$" in text or "bokeh.models.text" in homes:
        found.append("bokeh-mathjax")
    return found


def _title(value: Any) -> str:
    title = getattr(value, "title", None)
    return title if isinstance(title, str) else str(getattr(title, "text", "") or "")


def unpack_bokeh(stored: Mapping[str, Any], files: Files) -> Any:
    """Return a figure or layout of Bokeh, with all its parts, ready to be changed or drawn again."""
    from bokeh.document import Document  # noqa: PLC0415 - an extra

    content = json.loads(files.file(stored["file"]).read_bytes())
    document = Document.from_json(content["doc"])
    root = next(each for each in document.roots if each.id == content["root_id"])
    document.remove_root(root)
    return root
