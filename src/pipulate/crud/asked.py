"""What an address asks of a list of records: search, filters, order, page; and the address of a list again."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from pipulate.crud.resource import Resource
from pipulate.fields import FormField
from pipulate.storage.records.queries import Condition, Query, Sort, Test, toggled

WORDS_MAX: Final = 200
"""Most characters of a search."""

_NAME: Final = re.compile(r"f\.([a-z][a-z0-9_]*)\.([a-z]+)")
_FILTERS_MAX: Final = 50
_UNSORTED: Final = frozenset({"secret", "group", "file"})


@dataclass(frozen=True, slots=True)
class Filter:
    """What a field of a record has to be.

    Attributes:
        field: The field.
        test: What is asked of it.
        texts: What was typed or chosen, as the address has it.
        value: What that means; None where it could not be read.
        problem: Why it could not, or "".
    """

    field: FormField
    test: Test
    texts: tuple[str, ...]
    value: Any = None
    problem: str = ""

    @property
    def name(self) -> str:
        """Its name in an address, and in the form people fill in."""
        return name_of(self.field, self.test)

    @property
    def condition(self) -> Condition:
        """What the store is asked."""
        if self.test == "empty" and not self.value:
            return Condition(self.field.name, "filled")
        return Condition(self.field.name, self.test, self.value)


@dataclass(frozen=True)
class Asked:
    """What is asked of a list.

    Attributes:
        resource: Whose list it is.
        profile: Profile that is chosen.
        words: What is searched for.
        filters: What fields have to be.
        sort: Fields to sort by.
        page: Number of the page, from 1.
        deleted: Whether it is the bin.
    """

    resource: Resource[Any]
    profile: str
    words: str = ""
    filters: tuple[Filter, ...] = ()
    sort: tuple[Sort, ...] = ()
    page: int = 1
    deleted: bool = False

    @cached_property
    def query(self) -> Query:
        """What the store is asked; filters that could not be read are left out."""
        return replace(
            self.everything,
            words=self.words,
            conditions=tuple(each.condition for each in self.filters if not each.problem),
            sort=self.sort,
        )

    @property
    def everything(self) -> Query:
        """The list without search and filters."""
        return Query(self.profile if self.resource.per_profile else None, deleted=self.deleted)

    @property
    def is_narrowed(self) -> bool:
        """Whether search or filters leave something out."""
        return bool(self.words or self.filters)

    @property
    def is_by_hand(self) -> bool:
        """Whether the records stand in the order that people gave them."""
        return not self.sort and not self.deleted

    def text(self, **changed: Any) -> str:
        """Return the query of an address that asks for this, with something else: `?find=milk&page=2`, or ""."""
        asked = replace(self, **{"page": 1, **changed})
        pairs: list[tuple[str, str]] = [("find", asked.words)] if asked.words else []
        pairs += [(each.name, text) for each in asked.filters for text in each.texts]
        if asked.sort != default_sort(self.resource):
            pairs.append(("sort", sort_text(asked.sort)))
        pairs += [("page", str(asked.page))] if asked.page > 1 else []
        pairs += [("bin", "1")] if asked.deleted else []
        return f"?{urlencode(pairs)}" if pairs else ""

    def sorted_by(self, field: str) -> str:
        """Return the query of an address after a click on the head of a column."""
        return self.text(sort=toggled(self.sort, field))

    def without(self, gone: Filter) -> str:
        """Return the query of an address without a filter."""
        return self.text(filters=tuple(each for each in self.filters if each is not gone))

    def held(self, name: str) -> tuple[str, ...]:
        """Return what a field of the form of filters holds."""
        return next((each.texts for each in self.filters if each.name == name), ())


def asked(resource: Resource[Any], given: Iterable[tuple[str, str]], profile: str) -> Asked:
    """Return what an address asks for. What makes no sense is left out, or has a problem that can be shown.

    Args:
        resource: Whose list it is.
        given: Names and texts of the query of the address.
        profile: The profile that is chosen.
    """
    texts: dict[str, list[str]] = {}
    for name, text in given:
        texts.setdefault(name, []).append(text.replace("\0", ""))  # No store of ours can look for one.
    last = {name: each[-1] for name, each in texts.items()}
    page = last.get("page", "")
    return Asked(
        resource,
        profile,
        words=" ".join(last.get("find", "").split())[:WORDS_MAX],
        filters=tuple(_filters(resource, texts)),
        sort=_sort(resource, last["sort"]) if "sort" in last else default_sort(resource),
        page=int(page) if re.fullmatch(r"[1-9][0-9]{0,8}", page) else 1,
        deleted=last.get("bin") == "1",
    )


def name_of(field: FormField, test: Test) -> str:
    """Return the name a filter has in an address."""
    return f"f.{field.name}.{test}"


def tests_of(field: FormField) -> tuple[Test, ...]:
    """Return what can be asked of a field."""
    own: tuple[Test, ...] = ()
    if field.kind == "bool":
        return ("is",)
    if field.widget == "checkboxes":
        own = ("lists",)
    elif field.widget == "link" or (field.kind == "choice" and field.widget != "lines"):
        own = ("any",)
    elif field.widget == "lines" or field.kind in ("text", "long", "email", "url", "colour"):
        own = ("has",)
    elif field.kind in _READ:
        own = ("min", "max")
    return (*own, "empty") if field.optional or not own else own


def can_be_sorted(field: FormField) -> bool:
    """Tell whether a list can be sorted by a field."""
    return field.kind not in _UNSORTED and field.widget not in ("lines", "checkboxes")


def default_sort(resource: Resource[Any]) -> tuple[Sort, ...]:
    """Return the order a list has at first."""
    return _sort(resource, ",".join(resource.sort))


def sort_text(sort: Sequence[Sort]) -> str:
    """Return an order as an address has it."""
    return ",".join(("-" if each.descending else "") + each.field for each in sort)


def _sort(resource: Resource[Any], text: str) -> tuple[Sort, ...]:
    known = {each.name for each in resource.fields if can_be_sorted(each)} | set(resource.computed)
    found = [Sort(each.removeprefix("-"), each.startswith("-")) for each in text.split(",")[: len(known)]]
    return tuple({each.field: each for each in found if each.field in known}.values())


def _filters(resource: Resource[Any], given: Mapping[str, Sequence[str]]) -> Iterable[Filter]:
    fields = {each.name: each for each in resource.fields}
    for name, texts in list(given.items())[:_FILTERS_MAX]:
        match = _NAME.fullmatch(name)
        field = fields.get(match[1]) if match else None
        typed = tuple(dict.fromkeys(text.strip()[:WORDS_MAX] for text in texts if text.strip()))
        test = next((each for each in tests_of(field) if each == match[2]), None) if match and field else None
        if field is None or test is None or not typed:
            continue
        try:
            yield Filter(field, test, typed, _value(field, test, typed))
        except (ValueError, OverflowError):
            yield Filter(field, test, typed, problem=f"{typed[-1]!r} is nothing that {field.label} can be.")


def _value(field: FormField, test: Test, texts: Sequence[str]) -> Any:
    """Return what the texts of a filter mean.

    Raises:
        ValueError: If they mean nothing.
    """
    text = texts[-1]
    match test:
        case "empty":
            return _one_of({"1": True, "0": False}, text)
        case "is":
            return _one_of({"on": True, "off": False}, text)
        case "any" if field.widget == "link":
            return [_whole(each) for each in texts]
        case "any":
            return [_one_of({option.text: option.value for option in field.options}, each) for each in texts]
        case "lists":
            return _one_of({option.text: option.value for option in field.options}, text)
        case "min" | "max":
            return _READ[field.kind](text)
        case _:
            return text


def _one_of(values: Mapping[str, Any], text: str) -> Any:
    if text not in values:
        raise ValueError(text)
    return values[text]


def _whole(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _number(text: str) -> float:
    number = float(text.replace(",", "."))
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "integer": _whole,
    "number": _number,
    "date": lambda text: date.fromisoformat(text).isoformat(),
    "time": lambda text: time.fromisoformat(text).isoformat(),
    "datetime": lambda text: datetime.fromisoformat(text).replace(tzinfo=None).isoformat(),
}
"""Kind of a field -> what reads something it is compared with, as the store has it."""
