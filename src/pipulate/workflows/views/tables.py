"""Searching, sorting and paging stored tables, quick for 100,000 rows; the last ones used stay in memory."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pipulate.workflows.views import stored
from pipulate.workflows.views.cells import Column
from pipulate.workflows.views.preview import PAGE, columns_of, text_of

CELLS_MAX = 2_000_000
"""Cells that stay in memory, over all tables: some 150 MB at most, and nothing before a table is used."""

_ORDERS = 4
_AT_ONCE = 2_000  # rows
_WORDS_MAX = 8


@dataclass(frozen=True, slots=True)
class Query:
    """What of a table is asked for.

    Attributes:
        find: Words; a row has to have all of them, in any of its cells, in any case.
        sort: Number of the column from 0 on, or None for the order of the table.
        is_down: Whether the largest come first; missing ones come last in either case.
        page: From 1 on; one behind the last means the last.
        then: Further columns, each with whether the largest come first, for rows that are the same in those before.
    """

    find: str = ""
    sort: int | None = None
    is_down: bool = False
    page: int = 1
    then: tuple[tuple[int, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what a query found.

    Attributes:
        rows: The cells of each row, as text; None for missing.
        count: Rows that were found.
        total: Rows of the table.
        page, pages: This page and how many there are; both at least 1.
    """

    rows: Sequence[Sequence[str | None]]
    count: int
    total: int
    page: int
    pages: int


class Table:
    """A table that was read."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.columns, self.leading = columns_of(content)
        self.total = int(content["rows"])
        self._texts: list[str] | None = None
        self._orders: OrderedDict[tuple[int, bool], Sequence[int]] = OrderedDict()
        self._lock = Lock()

    @property
    def cells(self) -> int:
        """How many cells it has; one at least."""
        return max(1, self.total * len(self.columns))

    def page(self, query: Query) -> Found:
        """Return a page."""
        rows = self.rows(query)
        pages = max(1, -(-len(rows) // PAGE))
        page = min(max(1, query.page), pages)
        shown = rows[(page - 1) * PAGE : page * PAGE]
        cells = [[text_of(column, row) for column in self.columns] for row in shown]
        return Found(cells, len(rows), self.total, page, pages)

    def rows(self, query: Query) -> Sequence[int]:
        """Return the numbers of the rows that a query finds, in its order."""
        order = self._in_order(query)
        words = query.find.casefold().split()[:_WORDS_MAX]
        if not words:
            return order
        texts = self._searchable()
        for word in words:
            order = [row for row in order if word in texts[row]]
        return order

    def _in_order(self, query: Query) -> Sequence[int]:
        """Return all row numbers, sorted; columns that are not there change nothing."""
        asked = [] if query.sort is None else [(query.sort, query.is_down), *query.then]
        sorts = [each for each in asked if 0 <= each[0] < len(self.columns)]
        if len(sorts) == 1:
            return self._sorted(sorts[0][0], is_down=sorts[0][1])
        order: Sequence[int] = range(self.total)
        for place, is_down in reversed(sorts):  # The last one first: what is equal stays as it is.
            order = _order(self.columns[place], order, is_down=is_down)
        return order

    def native(self, rows: Sequence[int]) -> Iterator[list[Any]]:
        """Yield rows as a spreadsheet gets them; None for missing."""
        for start in range(0, len(rows), _AT_ONCE):  # Column by column, which is quicker than cell by cell.
            some = rows[start : start + _AT_ONCE]
            columns = [_native(column, some) for column in self.columns]
            yield from map(list, zip(*columns, strict=True))

    def _searchable(self) -> list[str]:
        with self._lock:
            if self._texts is None:
                made = [_column_texts(column) for column in self.columns]
                self._texts = ["\n".join(each) for each in zip(*made, strict=True)] if made else [""] * self.total
            return self._texts

    def _sorted(self, place: int, *, is_down: bool) -> Sequence[int]:
        with self._lock:
            known = self._orders.get((place, is_down))
            if known is None:
                known = _order(self.columns[place], range(self.total), is_down=is_down)
                self._orders[place, is_down] = known
            self._orders.move_to_end((place, is_down))
            while len(self._orders) > _ORDERS:
                self._orders.popitem(last=False)
            return known


def _order(column: Column, rows: Sequence[int], *, is_down: bool) -> Sequence[int]:
    """Return row numbers in the order of a column. Equal ones keep theirs, downwards too; missing ones are last."""
    values = column.values
    if column.kind == "text":
        values = [each.casefold() if isinstance(each, str) else each for each in values]
    present = [row for row in rows if values[row] is not None and values[row] == values[row]]
    missing = [row for row in rows if values[row] is None or values[row] != values[row]]  # None or NaN
    present.sort(key=values.__getitem__, reverse=is_down)
    return array("L", present + missing)


def _column_texts(column: Column) -> list[str]:
    text = column.text
    if column.kind == "number":  # As it is shown, and without what sets the thousands apart.
        return ["" if each is None or each != each else _number_texts(text(each)) for each in column.values]  # noqa: PLR0124
    return ["" if each is None else text(each).casefold() for each in column.values]


def _number_texts(text: str) -> str:
    return f"{text}\n{text.replace(',', '')}" if "," in text else text


def _native(column: Column, rows: Sequence[int]) -> list[Any]:
    found, native = map(column.values.__getitem__, rows), column.native
    return [None if each is None or each != each else native(each) for each in found]  # noqa: PLR0124 - NaN is not itself


class TableCache:
    """The tables used last, bounded by their cells. One that is too large alone is read anew each time."""

    def __init__(self, cells_max: int = CELLS_MAX) -> None:
        self._cells_max = cells_max
        self._tables: OrderedDict[str, Table] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str, read: Callable[[], bytes]) -> Table:
        """Return the table of a file; call it on a thread, reading takes its time.

        Args:
            key: Names the content of the file, as its hash does.
            read: Returns the file.

        Raises:
            ValueError: If it is not the file of a table.
        """
        with self._lock:
            table = self._tables.get(key)
            if table is not None:
                self._tables.move_to_end(key)
                return table
        table = Table(stored.unpacked(read()))
        with self._lock:
            if table.cells <= self._cells_max:
                self._tables[key] = table
            while sum(each.cells for each in self._tables.values()) > self._cells_max:
                self._tables.popitem(last=False)
        return table
