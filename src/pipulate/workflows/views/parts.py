"""From what a step returned to JSON and files of the run, and back; never by pickle.

A result that JSON has no form for is kept as a *part*: its view and what is stored of it. Where parts stand inside
lists, dicts or models, each is `{"$view": ..., "output": ...}` in its place, and the view of the whole is `parts`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import to_jsonable_python

from pipulate.fields.files import File, FilePath, Files
from pipulate.workflows.markup import Html, Markdown
from pipulate.workflows.views import elements, figures, of_pandas, of_polars, stored
from pipulate.workflows.views.kinds import Code, Mermaid, Picture, SandboxedHtml, picture_type
from pipulate.workflows.views.preview import preview

MARK = "$view"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of result that is kept as a part.

    Attributes:
        view: How it is shown.
        pack: (value, files) -> what is stored of it.
        unpack: (what is stored, files) -> the value.
        needs_files: Whether it is kept in a file of the run.
    """

    view: str
    pack: Callable[[Any, Any], Any]
    unpack: Callable[[Any, Any], Any]
    needs_files: bool = False


def _pack_table(module: Any) -> Callable[[Any, Files], dict[str, Any]]:
    def pack(value: Any, files: Files) -> dict[str, Any]:
        content = module.content_of(value)
        file = files.save("table.json.gz", stored.packed(content), stored.TYPE)
        return {"file": file.named(), **preview(content)}

    return pack


def _unpack_table(output: Mapping[str, Any], files: Files) -> Any:
    content = stored.unpacked(files.file(output["file"]).read_bytes())
    return (of_pandas if content["made_by"].startswith("pandas.") else of_polars).value_of(content)


def _pack_path(value: Path, files: Files) -> dict[str, Any]:
    return files.of_path(value).named()


_PICTURE = Kind("picture", figures.pack_picture, figures.unpack_picture, needs_files=True)
_BYTES = Kind("picture", figures.pack_bytes, figures.unpack_picture, needs_files=True)
_PIL = Kind("picture", figures.pack_pil, figures.unpack_picture, needs_files=True)
_MATPLOTLIB = Kind("picture", figures.pack_matplotlib, figures.unpack_picture, needs_files=True)
_BOKEH = Kind("bokeh", figures.pack_bokeh, figures.unpack_bokeh, needs_files=True)
_PANDAS = Kind("table", _pack_table(of_pandas), _unpack_table, needs_files=True)
_POLARS = Kind("table", _pack_table(of_polars), _unpack_table, needs_files=True)
_ELEMENT = Kind("html", lambda value, _: str(elements.markup_of(value)), lambda output, _: Html(output))
_FILE = Kind("file", lambda value, _: value.named(), lambda output, files: files.file(output), needs_files=True)
_PATH = Kind("path", _pack_path, lambda output, files: FilePath.of(files.file(output)), needs_files=True)

EXACT: dict[type, Kind] = {
    Markdown: Kind("markdown", lambda value, _: str(value), lambda output, _: Markdown(output)),
    Html: Kind("html", lambda value, _: str(value), lambda output, _: Html(output)),
    Code: Kind(
        "code", lambda value, _: {"text": value.text, "language": value.language}, lambda output, _: Code(**output)
    ),
    Mermaid: Kind("mermaid", lambda value, _: value.text, lambda output, _: Mermaid(output)),
    SandboxedHtml: Kind(
        "sandbox", lambda value, _: {"html": value.html, "height": value.height},
        lambda output, _: SandboxedHtml(**output),
    ),
    Picture: _PICTURE,
    File: _FILE,
    Decimal: Kind("decimal", lambda value, _: str(value), lambda output, _: Decimal(output)),
    datetime: Kind("datetime", lambda value, _: value.isoformat(), lambda output, _: datetime.fromisoformat(output)),
    date: Kind("date", lambda value, _: value.isoformat(), lambda output, _: date.fromisoformat(output)),
    time: Kind("time", lambda value, _: value.isoformat(), lambda output, _: time.fromisoformat(output)),
    float: Kind("float", lambda value, _: str(value), lambda output, _: float(output)),
}  # fmt: skip
_ONLY_ALONE = frozenset({Decimal, datetime, date, time})  # JSON inside a list or a dict, as their types there say.
LIBRARIES: dict[tuple[str, str], Kind] = {
    ("pandas", "DataFrame"): _PANDAS,
    ("pandas", "Series"): _PANDAS,
    ("polars", "DataFrame"): _POLARS,
    ("polars", "Series"): _POLARS,
    ("matplotlib", "Figure"): _MATPLOTLIB,
    ("matplotlib", "Axes"): _MATPLOTLIB,
    ("bokeh", "LayoutDOM"): _BOKEH,
    ("PIL", "Image"): _PIL,
    ("fastcore", "FT"): _ELEMENT,
}
_UNPACK: dict[str, Callable[[Any, Any], Any]] = {
    each.view: each.unpack for each in (*EXACT.values(), *LIBRARIES.values(), _PATH)
}


def kind_of(value: Any) -> Kind | None:
    """Return the kind of a result that is kept as a part, or None where JSON has a form for it. Imports nothing."""
    kind = type(value)
    if kind is float:
        return None if math.isfinite(value) else EXACT[float]
    if kind in EXACT:
        return EXACT[kind]
    if kind is bytes:
        return _BYTES if picture_type(value) else None
    if isinstance(value, Path):
        return _PATH
    return _kind_of_class(kind)


def _kind_of_class(kind: type) -> Kind | None:
    for each in kind.__mro__:
        found = LIBRARIES.get((each.__module__.partition(".")[0], each.__name__))
        if found is not None:
            return found
    return None


class _Waiting(NamedTuple):
    """A part that pydantic is to ask for; it knows no form for this class."""

    value: Any
    kind: Kind


class _Part:
    __slots__ = ("waiting",)

    def __init__(self, value: Any, kind: Kind) -> None:
        self.waiting = _Waiting(value, kind)


def packed(value: Any, adapter: TypeAdapter[Any] | None, files: Files | None) -> tuple[str, Any]:
    """Return the view of a result, "" where its type says it, and its JSON.

    Args:
        value: The result, checked.
        adapter: Its declared type, or None.
        files: The files of the run; without them paths are text, and what needs a file is refused.

    Raises:
        ValueError: If it has parts that cannot be kept; says which.
    """
    kind = kind_of(value)
    if kind is not None and not (files is None and kind is _PATH):
        return kind.view, _pack(value, kind, files)
    made: list[Any] = []

    def fallback(part: Any) -> Any:
        if isinstance(part, _Part):
            inner, found = part.waiting.value, part.waiting.kind
        elif (known := _kind_of_class(type(part))) is not None:
            inner, found = part, known
        else:
            raise ValueError(f"Unable to serialize unknown type: {type(part)}")
        marked = {MARK: found.view, "output": _pack(inner, found, files)}
        made.append(marked)
        return marked

    prepared = _prepared(value, files)
    if adapter is None or prepared is not value:
        dumped = to_jsonable_python(prepared, fallback=fallback, inf_nan_mode="constants")
    else:
        dumped = adapter.dump_python(value, mode="json", fallback=fallback)
    if not made:
        return "", dumped
    if sum(1 for _ in marks(dumped)) != len(made):  # Else data from somewhere else could pose as a part.
        raise ValueError(f"a dict with the key {MARK!r} cannot be kept beside tables, figures and the like")
    return "parts", dumped


def _pack(value: Any, kind: Kind, files: Files | None) -> Any:
    if kind.needs_files and files is None:
        raise ValueError(f"a {type(value).__name__} can be kept only in a run")
    return kind.pack(value, files)


def _prepared(value: Any, files: Files | None) -> Any:
    """Return lists, tuples and dicts with their parts ready to be asked for; the same object where there are none."""
    kind = kind_of(value)
    if kind is not None:
        is_plain = type(value) in _ONLY_ALONE or (files is None and kind is _PATH)
        return value if is_plain else _Part(value, kind)
    if type(value) in (list, tuple):
        inner = [_prepared(each, files) for each in value]
        return value if all(new is old for new, old in zip(inner, value, strict=True)) else inner
    if type(value) is dict:
        changed = {name: each if isinstance(each, Path) else _prepared(each, files) for name, each in value.items()}
        return value if all(changed[name] is value[name] for name in value) else changed
    return value


def marks(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a stored result, in the order they come in."""
    if isinstance(value, Mapping):
        if MARK in value:
            yield value
        else:
            for each in value.values():
                yield from marks(each)
    elif isinstance(value, list):
        for each in value:
            yield from marks(each)


def parts_of(view: str, output: Any) -> list[tuple[str, Any]]:
    """Return the parts of a stored result with their views; a result that is one part is the only one."""
    if view == "parts":
        return [(str(each[MARK]), each.get("output")) for each in marks(output)]
    return [(view, output)]


def unpacked(view: str, output: Any, files: Files | None) -> Any:
    """Return a stored result with its parts as they were.

    Raises:
        ImportError: If the library that a part is of is not installed any more.
        ValueError: If a part cannot be read.
    """
    if view == "parts":
        return _unpacked(output, files)
    read = _UNPACK.get(view)
    return read(output, files) if read is not None and output is not None else output


def _unpacked(value: Any, files: Files | None) -> Any:
    if isinstance(value, Mapping):
        if MARK in value:
            return _UNPACK[value[MARK]](value["output"], files)
        return {name: _unpacked(each, files) for name, each in value.items()}
    return [_unpacked(each, files) for each in value] if isinstance(value, list) else value


def loaded(view: str, output: Any, adapter: TypeAdapter[Any] | None, files: Files | None) -> Any:
    """Return a stored result as its step returned it.

    Raises:
        ValueError: If it no longer fits its declared type.
        ImportError: As in `unpacked`.
    """
    value = unpacked(view, output, files)
    if adapter is None or (view in _UNPACK and view not in ("decimal", "date", "datetime", "time", "float")):
        return value
    try:
        return adapter.validate_python(value, context=files)
    except ValidationError:
        if view == "parts":  # A drawn figure comes back as a picture, which its declared type does not name.
            return value
        raise


def adapter_of(annotation: Any) -> TypeAdapter[Any]:
    """Return what checks and stores a result of a declared type.

    Raises:
        ValueError: If the type is none that can be stored.
    """
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
        for kind in _classes_in(adapter.core_schema):
            if _kind_of_class(kind) is None and not _is_known(kind):
                raise
    return adapter


def _is_known(kind: type) -> bool:
    try:
        TypeAdapter(kind)
    except PydanticSchemaGenerationError:
        return False
    return True


def _classes_in(schema: Any) -> Iterator[type]:
    """Yield the classes a schema only asks whether a value is one of."""
    if isinstance(schema, Mapping):
        if schema.get("type") == "is-instance":
            yield schema["cls"]
        for each in schema.values():
            yield from _classes_in(each)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from _classes_in(each)
