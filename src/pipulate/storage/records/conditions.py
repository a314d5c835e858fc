"""Conditions and orders that authors write as text, read by a small grammar; no sign of them becomes part of SQL.

    condition   either ("and" | "or" | "not", with brackets in any depth to `DEEPEST`)
    test        part (= == != <> < <= > >=) part | part [not] like part | part [not] in (part, ...) | part [not] in ?
                | part [not] between part and part | part is [not] null | column
    part        column, [column], "column" | ? | :name | 'text' | 12 | 1.5 | true | false | null
    order       column [asc | desc], ...

A text is a value, a name has to be one of the table's columns, and all else is an error that says what is understood.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pipulate.storage.journal import storable
from pipulate.storage.records.shape import Kind

LONGEST: Final = 10_000
"""Signs a condition may have."""

DEEPEST: Final = 50
"""Brackets, and `not`, that may stand in one another."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+\.\d*|\.\d+|\d+)|(?P<named>:[A-Za-z_]\w*)"
    r'|(?P<quoted>\[[A-Za-z_]\w*\]|"[A-Za-z_]\w*"|`[A-Za-z_]\w*`)|(?P<word>[A-Za-z_]\w*)'
    r"|(?P<sign><=|>=|<>|!=|==|[=<>?(),-]))",
    re.ASCII,
)
_COMPARED: Final[Mapping[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "=": ("=", operator.eq), "==": ("=", operator.eq), "!=": ("<>", operator.ne), "<>": ("<>", operator.ne),
    "<": ("<", operator.lt), "<=": ("<=", operator.le), ">": (">", operator.gt), ">=": (">=", operator.ge),
}  # fmt: skip
_CONSTANTS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
_WORDS: Final = frozenset({"and", "or", "not", "in", "is", "like", "between", *_CONSTANTS})
_HELP: Final = (
    "Understood are columns, values ('text', 12, 1.5, true, false, null, ?, :name), = != < <= > >=, like, in (...),"
    " between, is null, not, and, or, and brackets."
)
_NUMBERS: Final = frozenset({"integer", "real", "flag", "link"})
_YES: Final = frozenset({"true", "on", "yes", "1"})
_NO: Final = frozenset({"false", "off", "no", "0"})
_INTEGERS: Final = range(-(2**63), 2**63)


class ConditionError(ValueError):
    """A condition, an order or a value does not fit the table; nothing was asked of the store."""


class Term(NamedTuple):
    """What a name in a condition stands for: a part of a statement, and what it holds."""

    sql: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition as part of a statement, and the values of its parameters."""

    sql: str
    values: Mapping[str, Any]


def compiled(
    text: str,
    args: Sequence[Any] | Mapping[str, Any],
    terms: Mapping[str, Term],
    *,
    is_postgres: bool,
    prefix: str = "w",
) -> Compiled:
    """Return a condition as part of a statement.

    Args:
        text: What the author wrote.
        args: Values for each `?` in order, or for each `:name`.
        terms: Name -> what it stands for.
        is_postgres: Whether the statement is for PostgreSQL; texts are compared sign by sign in both stores.
        prefix: What the names of its parameters begin with.

    Raises:
        ConditionError: If it is not of the grammar, names no column, or a value does not fit its column.
    """
    reader = _Reader(text, args, terms, prefix, is_postgres=is_postgres)
    return Compiled(reader.whole(), reader.values)


def equal(given: Mapping[str, Any], terms: Mapping[str, Term], *, is_postgres: bool, prefix: str) -> Compiled:
    """Return the condition that columns have these values, None for nothing."""
    tests = [f"[{name}] is null" if value is None else f"[{name}] = :{name}" for name, value in given.items()]
    return compiled(" and ".join(tests), given, terms, is_postgres=is_postgres, prefix=prefix)


def ordered(text: str, terms: Mapping[str, Term], *, is_postgres: bool) -> str:
    """Return an order as part of a statement; what has no value comes first, or last the other way round.

    Raises:
        ConditionError: If it names something that is no column.
    """
    parts = []
    for each in text.split(","):
        name, _, direction = each.strip().partition(" ")
        way = direction.strip().lower() or "asc"
        if way not in ("asc", "desc"):
            raise ConditionError(f"{each.strip()!r} is no order. Write a column, with asc or desc behind it.")
        term = _term(name.strip('[]"`'), terms)
        parts.append(f"{_bytewise(term, is_postgres)} {'ASC NULLS FIRST' if way == 'asc' else 'DESC NULLS LAST'}")
    return ", ".join(parts)


def fitting(name: str, kind: Kind, value: Any) -> Any:
    """Return a value as a column of a kind holds it: what SQLite makes of it, where that loses nothing.

    Raises:
        ConditionError: If the column cannot hold it.
    """
    if value is None:
        return None
    if kind in ("text", "decimal"):
        return _as_text(name, value)
    if kind == "json":
        return value
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
    found = _FITTING[kind](value)
    if found is None:
        holds = {"real": "numbers", "flag": "yes or no"}.get(kind, "whole numbers")
        raise ConditionError(f"{name} holds {holds}; {str(value)[:80]!r} is none.")
    return found


def _as_text(name: str, value: Any) -> str:
    if isinstance(value, bytes | bytearray | dict | list | tuple | set):
        raise ConditionError(f"{name} holds text, which {str(value)[:80]!r} is not.")
    return storable(value.isoformat() if hasattr(value, "isoformat") else str(value))


def _whole(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number in _INTEGERS and (isinstance(value, str) or number == value) else None


def _real(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number - number == 0 else None  # Neither infinite nor no number at all.


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return True if value.lower() in _YES else False if value.lower() in _NO else None
    return bool(value) if value in (0, 1) else None


_FITTING: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    "integer": _whole, "link": _whole, "real": _real, "flag": _flag,
}  # fmt: skip


def _term(name: str, terms: Mapping[str, Term]) -> Term:
    if name not in terms:
        raise ConditionError(f"There is no column {name!r}; there are {', '.join(terms)}.")
    return terms[name]


def _bytewise(term: Term, is_postgres: bool) -> str:
    return f'{term.sql} COLLATE "C"' if is_postgres and term.kind == "text" else term.sql


class _Part(NamedTuple):
    """A side of a test: a column, or a value."""

    term: Term | None
    name: str = ""
    value: Any = None


class _Reader:
    """Reads one condition from its beginning to its end."""

    def __init__(self, text: str, args: Any, terms: Mapping[str, Term], prefix: str, *, is_postgres: bool) -> None:
        if len(text) > LONGEST:
            raise ConditionError(f"A condition has at most {LONGEST:,} signs; values belong into parameters.")
        self.values: dict[str, Any] = {}
        self._text, self._terms, self._prefix, self._is_postgres = text, terms, prefix, is_postgres
        self._named = args if isinstance(args, Mapping) else {}
        self._args = iter(() if isinstance(args, Mapping) else args)
        self._tokens = list(_tokens(text))
        self._at = self._depth = 0

    def whole(self) -> str:
        sql = self._either()
        if self._kind != "end":
            raise self._wrong()
        if next(self._args, _NO_MORE) is not _NO_MORE:
            raise ConditionError(f"There are more values than places for them in {self._text!r}.")
        return sql

    # Tokens

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _token(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> str:
        token = self._token
        self._at += 1
        return token

    def _took(self, *wanted: str) -> bool:
        """Go on where the next tokens are these words or signs; tell whether they are."""
        ahead = self._tokens[self._at : self._at + len(wanted)]
        is_there = [token.lower() for kind, token in ahead if kind in ("word", "sign")] == list(wanted)
        self._at += len(wanted) if is_there else 0
        return is_there

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise self._wrong()

    def _wrong(self) -> ConditionError:
        at = f"at {self._token[:40]!r}" if self._kind != "end" else "at its end"
        return ConditionError(f"The condition {self._text[:200]!r} is not understood {at}. {_HELP}")

    # Conditions

    def _either(self) -> str:
        parts = [self._both()]
        while self._took("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def _both(self) -> str:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def _one(self) -> str:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ConditionError(f"A condition has at most {DEEPEST} brackets in one another.")
        if self._took("not"):
            sql = f"NOT ({self._one()})"
        elif self._took("("):
            sql = self._either()
            self._expect(")")
        else:
            sql = self._test()
        self._depth -= 1
        return sql

    def _test(self) -> str:
        left = self._part()
        if self._kind == "sign" and self._token in _COMPARED:
            return self._compare(left, self._next(), self._part())
        if self._took("is"):
            no = self._took("not")
            return self._is(left, self._part(), no=no)
        no = self._took("not")
        if self._took("in"):
            return _unless(no, self._in(left))
        if self._took("like"):
            return _unless(no, self._like(left, self._part()))
        if self._took("between"):
            low = self._compare(left, ">=", self._part())
            self._expect("and")
            return _unless(no, f"({low} AND {self._compare(left, '<=', self._part())})")
        if no or left.term is None or left.term.kind != "flag":
            raise self._wrong()
        return f"{left.term.sql} = 1"

    def _compare(self, left: _Part, sign: str, right: _Part) -> str:
        sql, compares = _COMPARED[sign]
        if left.term is None and right.term is None:
            return self._constant(left.value, compares, right.value)
        if left.term is not None and right.term is not None:
            if left.term.kind != right.term.kind and {left.term.kind, right.term.kind} - _NUMBERS:
                raise ConditionError(f"{left.name} and {right.name} hold different things and cannot be compared.")
            return f"{_bytewise(left.term, self._is_postgres)} {sql} {right.term.sql}"
        column, value = (left, right.value) if left.term is not None else (right, left.value)
        assert column.term is not None  # noqa: S101 - one of them is a column
        if column.term.kind in ("integer", "link") and isinstance(value, float):
            given = self._given(fitting(column.name, "real", value), "real")  # 3 < 3.5, though no column holds that.
        else:
            given = self._given(self._fitting(column, value), column.term.kind)
        compared = _bytewise(column.term, self._is_postgres)
        return f"{compared} {sql} {given}" if left.term is not None else f"{given} {sql} {compared}"

    def _constant(self, left: Any, compares: Callable[[Any, Any], bool], right: Any) -> str:
        try:
            return "1 = 1" if left is not None and right is not None and compares(left, right) else "1 = 0"
        except TypeError:
            raise ConditionError(f"{left!r} and {right!r} cannot be compared.") from None

    def _is(self, left: _Part, right: _Part, *, no: bool) -> str:
        if left.term is None or right.term is not None:
            raise self._wrong()
        if right.value is None:
            return f"{left.term.sql} IS {'NOT ' * no}NULL"
        equals = f"{left.term.sql} = {self._given(self._fitting(left, right.value), left.term.kind)}"
        return f"({left.term.sql} IS NULL OR NOT {equals})" if no else f"({left.term.sql} IS NOT NULL AND {equals})"

    def _in(self, left: _Part) -> str:
        if left.term is None:
            raise self._wrong()
        wanted: list[Any]
        if self._took("("):
            wanted = [self._value()]
            while self._took(","):
                wanted.append(self._value())
            self._expect(")")
        else:
            wanted = [self._value()]
        flat = [each for one in wanted for each in (one if isinstance(one, list | tuple | set | frozenset) else [one])]
        term = left.term
        places = [self._given(self._fitting(left, each), term.kind) for each in flat if each is not None]
        return f"{term.sql} IN ({', '.join(places)})" if places else "1 = 0"

    def _like(self, left: _Part, right: _Part) -> str:
        if left.term is None or right.term is not None or left.term.kind not in ("text", "decimal", "json"):
            raise self._wrong()
        if right.value is None:
            return "1 = 0"
        pattern = self._given(storable(str(right.value)).replace("\\", "\\\\"), "text")
        return f"LOWER({left.term.sql}) LIKE LOWER({pattern}) ESCAPE '\\'"

    # Parts

    def _value(self) -> Any:
        part = self._part()
        if part.term is not None:
            raise self._wrong()
        return part.value

    def _part(self) -> _Part:
        kind, written = self._kind, self._token
        if self._took("-"):
            if self._kind != "number":
                raise self._wrong()
            return _Part(None, value=-_number(self._next()))
        if self._took("?"):
            value = next(self._args, _NO_MORE)
            if value is _NO_MORE:
                raise ConditionError(f"There are fewer values than places for them in {self._text[:200]!r}.")
            return _Part(None, value=value)
        if kind in ("text", "number", "named", "quoted", "word"):
            self._at += 1
            return self._named_or_constant(kind, written)
        raise self._wrong()

    def _named_or_constant(self, kind: str, written: str) -> _Part:
        if kind == "text":
            return _Part(None, value=written[1:-1].replace("''", "'"))
        if kind == "number":
            return _Part(None, value=_number(written))
        if kind == "named":
            if written[1:] not in self._named:
                raise ConditionError(f"The condition {self._text[:200]!r} names {written!r}, which has no value.")
            return _Part(None, value=self._named[written[1:]])
        if kind == "quoted":
            return _Part(_term(written[1:-1], self._terms), written[1:-1])
        if written.lower() in _CONSTANTS:
            return _Part(None, value=_CONSTANTS[written.lower()])
        if written.lower() in _WORDS or self._took("("):
            self._at -= 1
            raise self._wrong()
        return _Part(_term(written, self._terms), written)

    def _fitting(self, column: _Part, value: Any) -> Any:
        assert column.term is not None  # noqa: S101 - the caller has looked
        found = fitting(column.name, column.term.kind, value)
        if column.term.kind == "json":
            raise ConditionError(f"{column.name} holds JSON, which can be tested for null only.")
        return int(found) if isinstance(found, bool) else found

    def _given(self, value: Any, kind: Kind) -> str:
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        # PostgreSQL does not know the type of a parameter that is NULL.
        types = {"real": "DOUBLE PRECISION", "text": "TEXT", "decimal": "TEXT", "json": "TEXT"}
        return f":{name}" if value is not None else f"CAST(:{name} AS {types.get(kind, 'BIGINT')})"


_NO_MORE: Final = object()


def _unless(no: bool, sql: str) -> str:
    return f"NOT ({sql})" if no else sql


def _number(token: str) -> int | float:
    return float(token) if "." in token else int(token)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionError(
                f"The condition {text[:200]!r} is not understood at {text[at:].strip()[:40]!r}. {_HELP}"
            )
        yield str(match.lastgroup), match[match.lastgroup or 0]
        at = match.end()
    yield "end", ""
