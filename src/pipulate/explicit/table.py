"""A table of a plugin's own: MiniDataAPI, as its calls are known, over records of our store.

Each call is one operation of the records: with a history, taken back as others are, in backups, told to open pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from fastcore.xtras import UNSET

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.crud import engine, writing
from pipulate.crud.writing import Done
from pipulate.events import RecordsChanged
from pipulate.explicit import rows as rows_of
from pipulate.explicit.book import author_of
from pipulate.explicit.context import current
from pipulate.explicit.elements import NotFoundError
from pipulate.explicit.keeping import HOST, Given, NoTableError, Store, make, stored_name
from pipulate.storage.database import Transaction
from pipulate.storage.records import catalog, operations, plain, rows
from pipulate.storage.records.conditions import Compiled, ConditionError, Term, compiled, equal, fitting
from pipulate.storage.records.plain import Wanted
from pipulate.storage.records.rows import Operation, Record
from pipulate.storage.records.shape import NAME, Column, Shape

_ALLOWED: Final = frozenset({"if_not_exists", "ignore", "transform", "column_order"})
_REFUSED: Final = frozenset(
    {"replace", "not_null", "defaults", "foreign_keys", "hash_id", "hash_id_columns", "extracts", "strict"}
)

T = TypeVar("T")


class Work(NamedTuple):
    """What a unit that writes works with: its transaction, the table, what it is noted under, what it did."""

    tx: Transaction
    shape: Shape
    operation: Operation
    done: Done


Unit = Callable[[Work], Any]


def _profile() -> int:
    """Return the number of the profile that was chosen."""
    now = current()
    return now.number if now is not None else 1


def _label(values: Mapping[str, Any]) -> str:
    """Return what a row is called in the history: by a usual name of a column, else by its first text."""
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return next((texts[name] for name in ("name", "title", "text") if name in texts), next(iter(texts.values()), ""))


def _here(unit: Callable[..., T]) -> Callable[..., T]:
    """Return a unit that sees the request it was asked in, on whatever thread the store runs it."""
    return partial(copy_context().run, unit)


class Table:
    """One table.

    Attributes:
        name: Its name.
        cls: The class of its rows, once there is one.
    """

    def __init__(self, store: Store, name: str) -> None:
        """Wire it up; the table need not be there yet."""
        if not NAME.fullmatch(name):
            message = "A table has lower-case letters, digits and underscores, begins with a letter, at most 50 signs"
            raise ConditionError(f"{message}: {name!r} has not.")
        self.name = name
        self.cls: type | None = None
        self._store, self._given = store, HOST.get(name, Given())
        self._always: dict[str, Any] = {}
        self._made: tuple[Shape, type] | None = None

    def __repr__(self) -> str:
        return f"<Table {self.name!r}>"

    # What it is

    def create(self, cls: type | None = None, /, *, pk: str | Sequence[str] = "id", **columns: Any) -> Table:
        """Make the table where it is not there yet; columns that it lacks are added, none is ever taken away.

        Args:
            cls: A class whose annotations are the columns; or give each as name=type.
            pk: What names a row: `id`, a number the store gives; or one or more of its columns.
            columns: Name -> type. The options `if_not_exists`, `ignore`, `transform` and `column_order` change nothing.

        Raises:
            NotImplementedError: If another option is given.
            ConditionError, TableDiffersError, RecordRefusedError: As `keeping.make`.
        """
        declared = rows_of.annotated(cls) if cls is not None else {}
        declared |= {name: kind for name, kind in columns.items() if name not in _ALLOWED}
        if refused := [name for name in declared if name in _REFUSED]:
            raise NotImplementedError(f"create({refused[0]}=...) is not served; give columns, their types and pk.")
        named = tuple([pk] if isinstance(pk, str) else pk or ("id",))
        key = () if named in (("id",), ("rowid",)) else named
        if cls is not None:
            self.cls = rows_of.remembering(cls)
        own = [each for each in rows_of.columns_of(declared) if each.name not in self._given.names]
        make(self._store, self.name, own, key)
        if self.name not in HOST:
            self._store.keys[self.name] = key
        return self

    def dataclass(self) -> type:
        """Return the class of its rows."""
        self.cls = self._class(self._read(self._shape))
        return self.cls

    def exists(self) -> bool:
        """Tell whether it was made."""
        return self._store.db.read_now(catalog.stored, stored_name(self.name)) is not None

    def xtra(self, **filter_: Any) -> None:
        """Show only rows with these values from now on, in this request; nothing shows all.

        Outside a request, as in a constructor, it counts for every request.
        """
        now = current()
        if now is not None:
            now.filters[self.name] = dict(filter_)
        else:
            self._always = dict(filter_)

    # Reading

    def __call__(
        self,
        where: str | None = None,
        where_args: Sequence[Any] | Mapping[str, Any] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        *,
        as_cls: bool = True,
    ) -> list[Any]:
        """Return rows, in the order they were made unless another is given.

        Raises:
            ConditionError: If a condition or an order is not understood; says what is.
            NoTableError: If there is no such table.
        """
        return self._read(self._select, where, where_args, order_by, limit, offset, as_cls=as_cls)

    def _select(
        self,
        tx: Transaction,
        where: str | None,
        args: Any,
        order: str | None,
        limit: int | None,
        offset: int | None,
        *,
        as_cls: bool,
    ) -> list[Any]:
        shape = self._shape(tx)
        wanted = Wanted(
            self._conditions(shape, where, args), order or self._order, limit, offset or 0,
            positions=bool(self._given.position),
        )  # fmt: skip
        found = plain.select(tx, shape, self._terms(shape), wanted, is_postgres=self._store.is_postgres)
        shown = [self._shown(shape, record, position) for record, position in found]
        if not as_cls:
            return shown
        kind = self._class(shape)
        return [rows_of.made(kind, each) for each in shown]

    def get(self, pk_values: Any, default: Any = UNSET) -> Any:
        """Return the row of a key, else the default.

        Raises:
            NotFoundError: If there is none and no default is given, or the filter does not show it.
        """
        found = self._read(self._find, pk_values)
        if found is not None:
            return found
        if default is UNSET:
            raise NotFoundError(f"There is no row {pk_values!r} in {self.name!r}.")
        return default

    def __getitem__(self, pk_values: Any) -> Any:
        return self.get(pk_values)

    def __contains__(self, pk_values: Any) -> bool:
        return self._read(self._find, pk_values) is not None

    @property
    def count(self) -> int:
        """How many rows it shows."""
        return self._read(self._count)

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """Its rows as dictionaries."""
        return iter(self(as_cls=False))

    @property
    def pks(self) -> list[str]:
        """The names of what a row is found by."""
        return self._read(lambda tx: list(self._key(self._shape(tx)) or ("id",)))

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return self._read(lambda tx: list(self._terms(self._shape(tx))))

    # Writing

    def insert(self, record: Any = None, **values: Any) -> Any:
        """Add a row and return it as it is stored.

        Raises:
            ConditionError: If there is no such column, or it cannot hold the value.
            RecordTakenError: If another row has the key.
            RecordRefusedError: If a table of the host does not allow it.
        """
        new = rows_of.given(record, values)

        def unit(work: Work) -> Any:
            return self._insert(work, {**new, **self._filter})

        return self._do(engine.CREATE, unit)

    def update(self, record: Any = None, pk_values: Any = UNSET, **values: Any) -> Any:
        """Give a row other values and return it; of a row that was read, only what is different by now is stored.

        Raises:
            NotFoundError: If there is no such row, or the filter does not show it.
            ConditionError, RecordTakenError, RecordRefusedError: As `insert`.
        """
        new = rows_of.given(record, values)

        def unit(work: Work) -> Any:
            return self._again(work, self._update(work, record, new, pk_values))

        return self._do(engine.CHANGE, unit)

    def update_all(self, records: Sequence[Mapping[str, Any]]) -> None:
        """As `update` for several rows, all or none; it is undone as one."""

        def unit(work: Work) -> None:
            for each in records:
                self._update(work, each, dict(each))

        self._do(engine.CHANGE, unit)

    def upsert(self, record: Any = None, **values: Any) -> Any:
        """Update the row of that key, or add one where there is none."""
        new = rows_of.given(record, values)

        def unit(work: Work) -> Any:
            keys = self._key(work.shape) or ("id",)
            wanted = tuple(new.get(name) for name in keys)
            if None not in wanted and self._selected(work.tx, work.shape, wanted) is not None:
                return self._again(work, self._update(work, record, new))
            return self._insert(work, {**new, **self._filter})

        return self._do(engine.CHANGE, unit)

    def delete(self, pk_values: Any) -> Table:
        """Put a row into the bin; return the table.

        Raises:
            NotFoundError: If there is no such row, or the filter does not show it.
            RecordLinkedError: If a record that leads to it protects it.
        """

        def unit(work: Work) -> None:
            record = self._needed(work, pk_values)
            writing.put_into_bin(work.tx, work.shape, work.operation, [record], {}, work.done)

        self._do(engine.DELETE, unit)
        return self

    # Inside

    @property
    def _order(self) -> str:
        return "" if self._given.position else "id"

    @property
    def _filter(self) -> dict[str, Any]:
        now = current()
        return now.filters.get(self.name, self._always) if now is not None else self._always

    def _read(self, unit: Callable[..., T], *args: Any, **more: Any) -> T:
        return self._store.db.read_now(_here(unit), *args, **more)

    def _shape(self, tx: Transaction) -> Shape:
        shape = catalog.stored(tx, stored_name(self.name))
        if shape is None:
            raise NoTableError(self.name)
        return shape

    def _key(self, shape: Shape) -> tuple[str, ...]:
        """Return the columns that name a row; none where that is its number."""
        return () if self.name in HOST else self._store.keys.get(self.name, shape.key)

    def _class(self, shape: Shape) -> type:
        """Return the class of rows: the author's, else one made of the columns, the same until those change."""
        if self.cls is not None:
            return self.cls
        if self._made is None or self._made[0] != shape:
            columns = [each for each in shape.columns if each.name not in self._given.filled]
            columns += [Column(name, "integer") for name in sorted(self._given.names)]
            self._made = shape, rows_of.class_of(self.name, columns, has_id=not self._key(shape))
        return self._made[1]

    def _terms(self, shape: Shape) -> dict[str, Any]:
        found = dict(plain.terms(shape, position=self._given.position, hidden=tuple(self._given.filled)))
        if self._given.chosen:
            found[self._given.chosen] = Term(str(_profile()), "integer")
        return found

    def _conditions(self, shape: Shape, where: str | None, args: Any) -> list[Compiled]:
        terms, is_postgres = self._terms(shape), self._store.is_postgres
        conditions = [equal(self._filter, terms, is_postgres=is_postgres, prefix="x")] if self._filter else []
        if where:
            values = args if isinstance(args, Mapping) else tuple(args or ())
            conditions.append(compiled(where, values, terms, is_postgres=is_postgres))
        return conditions

    def _count(self, tx: Transaction) -> int:
        shape = self._shape(tx)
        return plain.count(tx, shape, self._conditions(shape, None, None))

    def _find(self, tx: Transaction, pk_values: Any) -> Any:
        shape = self._shape(tx)
        found = self._selected(tx, shape, pk_values)
        if found is None:
            return None
        return rows_of.made(self._class(shape), self._shown(shape, *found))

    def _selected(self, tx: Transaction, shape: Shape, pk_values: Any) -> tuple[Record, int] | None:
        names = self._key(shape) or ("id",)
        given = tuple(pk_values) if isinstance(pk_values, list | tuple) else (pk_values,)
        if len(given) != len(names) or None in given:
            return None
        terms = self._terms(shape)
        try:
            key = equal(dict(zip(names, given, strict=True)), terms, is_postgres=self._store.is_postgres, prefix="k")
        except ConditionError:  # A text that is no number names no row.
            return None
        wanted = Wanted([*self._conditions(shape, None, None), key], limit=1, positions=bool(self._given.position))
        found = plain.select(tx, shape, terms, wanted, is_postgres=self._store.is_postgres)
        return found[0] if found else None

    def _needed(self, work: Work, pk_values: Any) -> Record:
        found = self._selected(work.tx, work.shape, pk_values)
        if found is None:
            raise NotFoundError(f"There is no row {pk_values!r} in {self.name!r}.")
        return found[0]

    def _shown(self, shape: Shape, record: Record, position: int) -> dict[str, Any]:
        """Return a record as plugins see it."""
        shown: dict[str, Any] = {} if self._key(shape) else {"id": record.id}
        shown |= {name: value for name, value in record.values.items() if name not in self._given.filled}
        if self._given.position:
            shown[self._given.position] = position
        if self._given.chosen:
            shown[self._given.chosen] = _profile()
        return shown

    def _fitted(self, shape: Shape, new: Mapping[str, Any]) -> dict[str, Any]:
        """Return values as the columns hold them.

        Raises:
            ConditionError: If there is no such column, or it cannot hold the value.
        """
        hidden, own = set(self._given.filled), {"id", *self._given.names}
        unknown = [name for name in new if name not in own and (name not in shape.by_name or name in hidden)]
        if unknown:
            names = ", ".join(name for name in self._terms(shape))
            raise ConditionError(f"{self.name!r} has no column {unknown[0]!r}; there are {names}.")
        fitted = {n: fitting(n, shape.by_name[n].kind, value) for n, value in new.items() if n not in own}
        return {n: self._given.instead.get(n) if value is None else value for n, value in fitted.items()}

    def _searched(self, shape: Shape) -> list[str]:
        return [name for name in shape.by_name if name not in self._given.filled]

    def _insert(self, work: Work, new: Mapping[str, Any]) -> Any:
        tx, shape, operation, done = work
        if new.get("id") is not None and "id" not in shape.by_name:
            raise ConditionError(f"The store gives the number of a new row in {self.name!r}; leave id out.")
        values = {name: self._given.instead.get(name) for name in shape.by_name} | self._fitted(shape, new)
        values |= {name: make() for name, make in self._given.filled.items()}
        writing.refuse_taken(tx, shape, values, None)
        place = rows.last_place(tx, shape, None)
        found = writing.found_by(shape, self._searched(shape), values)
        number = rows.add(tx, shape, operation, values, found, profile=None, place=place)
        done.records.append(rows.find(tx, shape, number))
        return self._again(work, number)

    def _update(self, work: Work, record: Any, new: dict[str, Any], pk_values: Any = UNSET) -> int:
        """Change a row; return its number."""
        tx, shape, operation, done = work
        names = self._key(shape) or ("id",)
        wanted = tuple(new.get(name) for name in names) if pk_values is UNSET else pk_values
        before = self._needed(work, wanted)
        values = self._fitted(shape, {**rows_of.changed(record, new), **self._filter})
        if any(before.values[name] != value for name, value in values.items()):
            whole = {**before.values, **values}
            writing.refuse_taken(tx, shape, whole, None, before.id)
            found = writing.found_by(shape, self._searched(shape), whole)
            changed = rows.change(tx, shape, operation, before, values, found)
            done.records += [changed] if changed is not None else []
        if self._given.position and new.get(self._given.position) is not None:
            self._move(work, before, new[self._given.position])
        return before.id

    def _move(self, work: Work, moved: Record, position: Any) -> None:
        """Let a row stand where so many others stand before it."""
        tx, shape, operation, done = work
        wanted = fitting(self._given.position, "integer", position) or 0
        everybody = plain.select(tx, shape, self._terms(shape), Wanted(), is_postgres=self._store.is_postgres)
        others = [each for each, _ in everybody if each.id != moved.id]
        if not others or [each.id for each, _ in everybody].index(moved.id) == min(max(wanted, 0), len(others)):
            return
        after = wanted >= len(others)
        beside = others[-1] if after else others[max(wanted, 0)]
        place = rows.place_beside(tx, shape, beside, after=after)
        rows.move(tx, shape, moved.id, place)
        facts = {"record": moved.id, "from": moved.place, "to": place}
        operations.describe(tx, operation, {} if done.records else facts)  # Taken back is one move, or none.
        done.records.append(moved._replace(place=place))

    def _again(self, work: Work, number: int) -> Any:
        """Return a row as it is now, whatever the filter shows."""
        key = equal({"id": number}, {"id": Term("_id", "integer")}, is_postgres=False, prefix="k")
        wanted = Wanted([key], positions=bool(self._given.position))
        ((record, position),) = plain.select(work.tx, work.shape, {}, wanted, is_postgres=self._store.is_postgres)
        return rows_of.made(self._class(work.shape), self._shown(work.shape, record, position))

    def _do(self, kind: str, unit: Unit) -> Any:
        """Do something in one transaction and tell whoever listens; it is noted where it changed something."""
        now = current()
        at = to_text(self._store.clock.now())
        operation = Operation(new_id(), author_of(now, at))

        def noted(tx: Transaction) -> tuple[Done, Any]:
            shape, done = self._shape(tx), Done()
            writing.claimed(tx, shape, done)
            operations.begin(tx, shape, operation, kind, {})
            result = unit(Work(tx, shape, operation, done))
            if done.records:
                operations.count(tx, operation, len(done.records))
                one = done.records[0] if len(done.records) == 1 else None
                operations.sum_up(tx, operation, one.id if one else None, _label(one.values) if one else "", None)
            else:
                operations.forget(tx, operation)
            return done, result

        done, result = self._store.db.write_now(_here(noted))
        if done.records:
            for name, version in done.versions.items():
                self._store.told(RecordsChanged(name, version, operation.author.tab))
        return result
