"""What a report shows, drawn by Bokeh: the figure and the table in one document, over the same source.

Sorting, choosing rows and the link between both happen in the browser, without code of ours: rows that are chosen in
the one are chosen in the other because both are drawn from one ColumnDataSource.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipulate.reports.report import Report
from pipulate.reports.showing import Shown, missing
from pipulate.workflows.views.cells import Column
from pipulate.workflows.views.figures import bokeh_text
from pipulate.workflows.views.tables import Table

OURS: Final = "report-rows"
"""The name by which the browser knows the table of a report from those that a figure may have."""

_ROW_PX: Final = 28
_HIGHEST_PX: Final = 460
_SIGN_PX: Final = 7
_SIGNS_MAX: Final = 40
_LOOKED_AT: Final = 200  # rows
_NARROWEST_PX: Final = 600


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a browser draws.

    Attributes:
        text: Bokeh's own JSON.
        version: Of Bokeh.
        libraries: Names of its scripts that are needed.
    """

    text: str
    version: str
    libraries: tuple[str, ...]


def drawn(report: Report, shown: Shown) -> Drawing:
    """Return the figure of a report and its table as a document of Bokeh.

    Raises:
        ReportError: If Bokeh is not installed, or something else the figure needs.
    """
    try:
        from bokeh.layouts import column  # noqa: PLC0415 - an extra
        from bokeh.models import ColumnDataSource  # noqa: PLC0415

        source = ColumnDataSource(_columns_of(shown.rows))
        above = [report.drawn({"rows": shown.rows, "source": source})] if report.has_figure else []
        grid = _grid(shown, source)
        # Where a window is narrower than that, the frame is moved sideways, and no cell is cut off.
        whole = column(*above, grid, sizing_mode="stretch_width", spacing=12, min_width=_least_px(grid))
    except ImportError as error:
        raise missing(error) from error
    text, about = bokeh_text(whole)
    return Drawing(text, str(about["version"]), tuple(about["libraries"]))


def _columns_of(rows: Any) -> Any:
    """Return rows as a source takes them, by column."""
    if hasattr(rows, "columns"):
        return {str(name): _values(rows[name]) for name in rows.columns}
    return {str(name): [row.get(name) for row in rows] for name in dict.fromkeys(key for row in rows for key in row)}


def _values(column: Any) -> Any:
    """Return a column of a DataFrame as an array; whole numbers of which some are missing as floats and NaN."""
    if hasattr(column.dtype, "numpy_dtype") and column.isna().any():
        return column.to_numpy(dtype="float64", na_value=float("nan"))
    return column.to_numpy()


def _grid(shown: Shown, source: Any) -> Any:
    from bokeh.models.widgets import DataTable  # noqa: PLC0415 - an extra

    height = min(_HIGHEST_PX, (shown.table.total + 1) * _ROW_PX + 24)
    return DataTable(
        name=OURS, source=source, columns=list(_columns(shown)), sortable=True, selectable=True, index_position=None,
        reorderable=False, height=height, row_height=_ROW_PX, sizing_mode="stretch_width", autosize_mode="force_fit",
    )  # fmt: skip


def _least_px(grid: Any) -> int:
    return min(_NARROWEST_PX, sum(int(each.width) for each in grid.columns))


def _columns(shown: Shown) -> Iterator[Any]:
    from bokeh.models.widgets import (  # noqa: PLC0415 - an extra
        BooleanFormatter,
        DateFormatter,
        NumberFormatter,
        StringFormatter,
        TableColumn,
    )

    heads = shown.table.columns[-len(shown.columns) :]
    for name, head in zip(shown.columns, heads, strict=True):
        formatter: Any
        if head.kind == "number":
            formatter = NumberFormatter(format="0,0.[000000]", text_align="right", nan_format="", null_format="")
        elif head.kind == "date":
            formatter = DateFormatter(format="%Y-%m-%d" if _are_days(shown.table, head.name) else "%Y-%m-%d %H:%M",
                                      nan_format="", null_format="")  # fmt: skip
        elif head.kind == "bool":
            formatter = BooleanFormatter(icon="check")
        else:
            formatter = StringFormatter(nan_format="", null_format="")
        yield TableColumn(field=name, title=head.name, formatter=formatter, width=_width_px(head))


def _width_px(head: Column) -> int:
    """Return how wide a column wants to be; they share the room in these parts.

    Bokeh's own fitting (`fit_columns`) fails with some tables ("row is not defined" in 3.9).
    """
    texts = [head.text(value) for value in head.values[:_LOOKED_AT] if value is not None and value == value]  # noqa: PLR0124 - NaN
    longest = max(map(len, [head.name, *texts]))
    return 24 + _SIGN_PX * min(longest, _SIGNS_MAX)


def _are_days(table: Table, name: str) -> bool:
    column = next(each for each in table.columns if each.name == name)
    first = next((value for value in column.values if value is not None), None)
    return first is not None and len(column.text(first)) == 10
