"""What a step returned, as people see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from pipulate._log import get_logger
from pipulate.ui.files import file_address, file_view
from pipulate.ui.html import (
    Element,
    Html,
    a,
    button,
    code,
    dd,
    div,
    dl,
    dt,
    img,
    join,
    li,
    p,
    pre,
    span,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
    ul,
)
from pipulate.ui.markdown import markdown
from pipulate.ui.place import Place
from pipulate.ui.sanitised import sanitised
from pipulate.ui.tables import data_table, first_page
from pipulate.ui.words import size_in_words
from pipulate.workflows.views.parts import MARK, marks

_LONG_TEXT = 1_500  # characters; longer results are folded
_LONG_TREE = 24  # lines
_DEEP = 12  # levels; deeper ones are shown as text
_ROWS = 500
_INLINE = 12  # plain values; longer lists get a line each

_iframe = Element("iframe")
_figure = Element("figure")
_time = Element("time")
_log = get_logger()

Part = Callable[[Mapping[str, Any]], Html]
"""Draws a part that stands inside a result."""


def result(view: str, output: Any, place: Place | None = None) -> Html | None:
    """Return a result drawn by its kind; None where there is nothing to show.

    Args:
        view: Its kind.
        output: What is stored of it.
        place: Where it stands; without it, what has to be fetched is only named.
    """
    if view == "none" or output is None:
        return None
    if view == "tree":
        return join(fold(tree(output), is_long=_lines(output) > _LONG_TREE), _copy(output, place))
    if view == "parts":
        return div(_Parts(output, place).whole(output), class_="result parts")
    return drawn(view, output, place, 0)


def drawn(view: str, output: Any, place: Place | None, part: int) -> Html:
    """Return one part of a result. One that cannot be drawn shows so in its place, and the page around it stands."""
    try:
        return _VIEWS.get(view, _text)(output, place, part)
    except Exception as error:  # noqa: BLE001 - border of the store: what is there may be from another time or place
        _log.warning("view.failed", view=view, reason=f"{type(error).__name__}: {error}")
        return p(f"This result cannot be shown ({type(error).__name__}).", class_="result problem")


class _Parts:
    """Draws a result with parts in it; their addresses have their numbers."""

    def __init__(self, output: Any, place: Place | None) -> None:
        self._place = place
        self._numbers = {id(each): number for number, each in enumerate(marks(output))}

    def whole(self, output: Any) -> Html:
        """Return all of it; what is a list, one below the other."""
        if isinstance(output, list):
            return join(div(tree(item, part=self._part), class_="part") for item in output)
        return tree(output, part=self._part)

    def _part(self, item: Mapping[str, Any]) -> Html:
        return drawn(str(item[MARK]), item.get("output"), self._place, self._numbers[id(item)])


def _text(output: Any, _place: Place | None, _part: int) -> Html:
    return fold(div(str(output), class_="text", dir="auto"), is_long=len(str(output)) > _LONG_TEXT)


def _number(output: Any, _place: Place | None, _part: int) -> Html:
    return p(number(output), class_="result number")


def _decimal(output: Any, _place: Place | None, _part: int) -> Html:
    return p(number(Decimal(output)), class_="result number")


def _float(output: Any, _place: Place | None, _part: int) -> Html:
    words = {"nan": "not a number", "inf": "infinite", "-inf": "minus infinite"}
    return p(words[output], class_="result number")


def _bool(output: Any, _place: Place | None, _part: int) -> Html:
    return p("Yes" if output else "No", class_="result")


def _date(output: Any, _place: Place | None, _part: int) -> Html:
    day = date.fromisoformat(output)
    return p(_time(f"{day.day} {day:%B} {day.year}", datetime=output), class_="result")


def _datetime(output: Any, _place: Place | None, _part: int) -> Html:
    moment = datetime.fromisoformat(output)
    zone = f" {moment:%Z}" if moment.tzinfo is not None else ""
    at = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return p(_time(f"{moment.day} {moment:%B} {moment.year}, {at}{zone}", datetime=output), class_="result")


def _clock(output: Any, _place: Place | None, _part: int) -> Html:
    moment = time.fromisoformat(output)
    return p(_time(f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}", datetime=output), class_="result")


def _markdown(output: Any, _place: Place | None, _part: int) -> Html:
    return fold(div(markdown(str(output)), class_="prose"), is_long=len(str(output)) > _LONG_TEXT)


def _html(output: Any, _place: Place | None, _part: int) -> Html:
    return fold(div(sanitised(str(output)), class_="prose"), is_long=len(str(output)) > _LONG_TEXT * 4)


def _code(output: Any, _place: Place | None, _part: int) -> Html:
    text, language = str(output["text"]), str(output["language"])
    plain = "".join(sign for sign in language.lower() if sign.isalnum() or sign in "-_+#")[:40]
    shown = pre(code(text, class_=f"language-{plain}"), class_="code", tabindex="0", dir="ltr", data_needs="code")
    return div(
        fold(shown, is_long=text.count("\n") > _LONG_TREE),
        button("Copy", type="button", class_="quiet copy", data_copies="text"),
        class_="copied",
    )


def _table(output: Any, place: Place | None, part: int) -> Html:
    return div(data_table(first_page(output, place, part)), class_="result")


def _picture(output: Any, place: Place | None, part: int) -> Html:
    if place is None:
        return _file(output["file"], place, part)
    words = str(output["alt"]) or "Picture"
    return _figure(img(src=place.address("picture", part), alt=words, loading="lazy"), class_="result picture")


def _bokeh(output: Any, place: Place | None, part: int) -> Html:
    version = "".join(sign for sign in str(output["version"]) if sign.isalnum() or sign in ".+-")
    libraries = " ".join(f"/-/libraries/{name}.min.js?v={version}" for name in output["libraries"])
    return _canvas("bokeh", str(output["title"]) or "Figure", place, part, libraries, None)


def _mermaid(output: Any, place: Place | None, part: int) -> Html:
    return _canvas(
        "mermaid", "Diagram", place, part, "/-/libraries/mermaid.js", pre(code(str(output)), class_="source", dir="ltr")
    )


def _canvas(kind: str, title: str, place: Place | None, part: int, libraries: str, source: Html | None) -> Html:
    """Return the place for something that a script draws, in a frame of its own, once it comes into view."""
    return _figure(
        source or p("This figure needs JavaScript.", class_="help"),
        class_="result canvas",
        data_needs="drawing",
        data_draws=kind,
        data_title=title,
        data_libraries=libraries,
        data_source=place.address("drawing", part) if place else None,
    )


def _sandbox(output: Any, place: Place | None, part: int) -> Html:
    if place is None:
        return p("HTML with scripts of its own", class_="help")
    height = max(40, min(4_000, int(output["height"])))
    return _iframe(
        src=place.address("html", part), sandbox="allow-scripts", loading="lazy", title="Result of this step",
        height=height, class_="result sandbox",
    )  # fmt: skip


def _file(output: Any, place: Place | None, _part: int) -> Html:
    if place is None:
        size = size_in_words(int(output["bytes"]))
        return p(span(str(output["name"]), dir="auto"), span(f" {size}", class_="none"), class_="result file")
    return div(file_view(output, file_address(place.run, output)), class_="result")


_VIEWS: dict[str, Callable[[Any, Place | None, int], Html]] = {
    "number": _number, "decimal": _decimal, "float": _float, "bool": _bool, "date": _date, "datetime": _datetime,
    "time": _clock, "markdown": _markdown, "html": _html, "code": _code, "table": _table, "picture": _picture,
    "bokeh": _bokeh, "mermaid": _mermaid, "sandbox": _sandbox, "file": _file, "path": _file, "text": _text,
}  # fmt: skip


def _copy(output: Any, place: Place | None) -> Html | None:
    if place is None or not isinstance(output, Mapping | list) or not output:
        return None
    return a("Copy as JSON", href=place.address("json"), class_="button quiet copy", data_copies=place.address("json"))


def fold(content: Html, *, is_long: bool) -> Html:
    """Return a result that shows its beginning and opens on request, where it is long."""
    if not is_long:
        return div(content, class_="result")
    return div(
        div(content, class_="folded"),
        button(span("Show all"), span("Show less"), type="button", class_="quiet", data_unfold=True,
               aria_expanded="false"),
        class_="result",
    )  # fmt: skip


def number(value: Any) -> str:
    """Return a number with its thousands apart, and at most six digits behind the point."""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        text = f"{value:,.6f}".rstrip("0").rstrip(".")
        return text if abs(value) >= 1e-6 or value == 0 else f"{value:g}"
    return f"{value:,}" if isinstance(value, Decimal) else str(value)


def tree(value: Any, depth: int = 0, part: Part | None = None) -> Html:
    """Return any JSON value as a readable tree; a list of alike rows becomes a table. `part` draws what is marked."""
    if part is not None and isinstance(value, Mapping) and MARK in value:
        return part(value)
    if depth > _DEEP:
        return code(str(value)[:200])
    if isinstance(value, Mapping):
        if not value:
            return span("(empty)", class_="none")
        return dl([(dt(str(name)), dd(tree(each, depth + 1, part))) for name, each in value.items()], class_="tree")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            return span("(empty)", class_="none")
        if len(value) <= _INLINE and all(not isinstance(each, Mapping | list | tuple) for each in value):
            return span(join(*(join(", " if index else "", _leaf(each)) for index, each in enumerate(value))))
        columns = [] if part is not None else _columns(value)
        return _rows(value, columns) if columns else _list(value, depth, part)
    return _leaf(value)


def _list(values: Sequence[Any], depth: int, part: Part | None) -> Html:
    more = p(f"The first {_ROWS} of {len(values):,}.", class_="none") if len(values) > _ROWS else None
    return join(ul([li(tree(each, depth + 1, part)) for each in values[:_ROWS]], class_="tree"), more)


def _leaf(value: Any) -> Html:
    if value is None:
        return span("none", class_="none")
    if isinstance(value, bool):
        return span("yes" if value else "no")
    if isinstance(value, int | float):
        return span(number(value), class_="number")
    return span(str(value), class_="text", dir="auto")


def _columns(rows: Sequence[Any]) -> list[str]:
    """Return the columns of a list of alike mappings of plain values, or nothing where it is no table."""
    if not all(isinstance(row, Mapping) and row for row in rows):
        return []
    columns = list(rows[0])
    plain = all(not isinstance(each, Mapping | list) for row in rows for each in row.values())
    return columns if plain and all(list(row) == columns for row in rows) else []


def _rows(rows: Sequence[Mapping[str, Any]], columns: list[str]) -> Html:
    shown = rows[:_ROWS]
    numeric = ["number" if all(_is_number(row[name]) for row in shown) else "" for name in columns]
    return div(
        table(
            thead(
                tr([th(name, scope="col", class_=kind or None) for name, kind in zip(columns, numeric, strict=True)])
            ),
            tbody(table_rows(([_leaf(row[name]) for name in columns] for row in shown), numeric)),
        ),
        p(f"The first {_ROWS} of {len(rows):,} rows.", class_="none") if len(rows) > _ROWS else None,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Table",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lines(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(1 + _lines(each) for each in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return sum(max(1, _lines(each)) for each in value)
    return 1
