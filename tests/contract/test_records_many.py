"""Many records at once: changed, taken in from a table, and taken back in one go, on every store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pipulate.crud import many
from pipulate.crud.change import Change
from pipulate.crud.many import AT_ONCE, Problem, Report, change_all
from pipulate.crud.resource import Resource
from pipulate.crud.taking import Line, Taking, take_in
from pipulate.crud.waiting import Noted
from pipulate.errors import RecordRefusedError
from pipulate.storage.records.queries import Query
from pipulate.storage.records.rows import Operation
from tests.contract.test_records import ANN, BEN, HOME, World, prepared
from tests.support.store import Store

pytestmark = pytest.mark.anyio


class Product(BaseModel):
    """Something with a key."""

    sku: str
    name: str = Field(min_length=2)
    price: float = 0.0
    on_sale: bool = False


class Shop(World):
    """A store with products."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.products = prepared(Resource("products", Product, key="sku", label="name"))
        self.records = self.another(self.tasks, self.customers, self.products)

    async def taken(self, *table: dict[str, str], choice: Any = "update", **more: Any) -> Report:
        progress, noting = more.pop("progress", None), more.pop("noting", None)
        lines = [Line(number, cells) for number, cells in enumerate(table, 1)]
        return await take_in(self.records, Taking(self.products, HOME, ANN, choice, **more), lines, progress, noting)

    async def all(self) -> dict[str, dict[str, Any]]:
        listing = await self.records.page(self.products, Query(), limit=5_000)
        return {each.values["sku"]: dict(each.values) for each in listing.records}


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store)


def row(sku: str, name: str = "Thing", **more: str) -> dict[str, str]:
    return {"sku": sku, "name": name, **more}


async def test_rows_become_records_and_those_that_break_a_rule_are_told(shop: Shop) -> None:
    report = await shop.taken(
        row("a", price="1,234.50", on_sale="Yes"), row("b", "x"), row("c", price="much"), row("d", on_sale="perhaps"),
        row("a", "Again"), row("e", price="9,5"),
    )  # fmt: skip
    assert (report.created, report.changed, report.wrong) == (2, 0, 4)
    assert [(each.row, each.field) for each in report.problems] == [
        (2, "name"), (3, "price"), (4, "on_sale"), (5, ""),
    ]  # fmt: skip
    assert await shop.all() == {
        "a": {"sku": "a", "name": "Thing", "price": 1234.5, "on_sale": True},
        "e": {"sku": "e", "name": "Thing", "price": 9.5, "on_sale": False},
    }


async def test_row_that_is_there_changes_it_or_is_left_out(shop: Shop) -> None:
    await shop.taken(row("a", price="1"), row("b", price="2"))
    report = await shop.taken({"sku": "a", "price": "5"}, row("b", price="2"), row("c"))
    assert (report.created, report.changed, report.same) == (1, 1, 1)
    assert (await shop.all())["a"] == {"sku": "a", "name": "Thing", "price": 5.0, "on_sale": False}
    report = await shop.taken(row("a", price="9"), row("d"), choice="skip")
    assert (report.created, report.skipped) == (1, 1)
    assert (await shop.all())["a"]["price"] == 5.0


async def test_trial_says_what_would_become_of_it_and_stores_nothing(shop: Shop) -> None:
    await shop.taken(row("a"))
    report = await shop.taken(row("a", "Other"), row("b"), row("c", "x"), is_trial=True)
    assert (report.operation, report.created, report.changed, report.wrong) == ("", 1, 1, 1)
    assert list(await shop.all()) == ["a"]
    assert len(await shop.records.done_lately(shop.products)) == 1


async def test_import_of_many_parts_is_one_operation_and_is_taken_back_at_once(shop: Shop) -> None:
    await shop.taken(row("0", "Before"), row("1", "Before"))
    progress: list[int] = []
    table = [row(str(number), f"Thing {number}") for number in range(2 * AT_ONCE + 10)]
    report = await shop.taken(*table, progress=lambda rows, _: progress.append(rows))
    assert (report.created, report.changed, progress) == (2 * AT_ONCE + 8, 2, [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 10])
    latest = (await shop.records.done_lately(shop.products))[0]
    assert (latest.id, latest.kind, latest.records) == (report.operation, "import", 2 * AT_ONCE + 10)
    first = next(iter((await shop.records.page(shop.products, Query(words="Thing 7"), limit=1)).records))
    await shop.records.change(shop.products, first.id, {"name": "Mine"}, BEN, seen=first.version)
    outcome = await shop.records.undo(shop.products, report.operation, ANN)
    assert outcome.kept == 1
    assert {sku: each["name"] for sku, each in (await shop.all()).items()} == {
        "0": "Before", "1": "Before", first.values["sku"]: "Mine",
    }  # fmt: skip


async def test_imported_records_stand_in_the_order_of_their_rows(shop: Shop) -> None:
    await shop.taken(*(row(sku) for sku in "dacb"))
    assert list(await shop.all()) == list("dacb")


async def test_text_that_was_kept_from_being_a_formula_comes_back_as_it_was(shop: Shop) -> None:
    await shop.taken(row("a", "'=1+1"), row("b", "'quoted'"))
    assert {sku: each["name"] for sku, each in (await shop.all()).items()} == {"a": "=1+1", "b": "'quoted'"}


async def test_hooks_look_at_every_row(shop: Shop) -> None:
    @shop.products.before_create
    def no_free_things(change: Change[Product]) -> None:
        if change.after is not None and change.after.price == 0:
            raise ValueError("Nothing is free.")

    report = await shop.taken(row("a"), row("b", price="1"))
    assert (report.created, report.problems) == (1, [Problem(1, "", "Nothing is free.")])


async def test_many_are_changed_at_once_and_those_that_cannot_be_stay(shop: Shop) -> None:
    await shop.taken(row("a"), row("b"), row("c"))
    listing = await shop.records.page(shop.products, Query(), limit=10)
    numbers = [each.id for each in listing.records]
    report = await change_all(shop.records, shop.products, [*numbers, 999], {"price": "3"}, ANN)
    assert (report.changed, report.wrong) == (3, 0)
    await shop.records.undo(shop.products, report.operation, ANN)
    assert {each["price"] for each in (await shop.all()).values()} == {0.0}
    report = await change_all(shop.records, shop.products, numbers, {"sku": "same"}, ANN)
    assert (report.changed, report.wrong) == (1, 2)
    report = await change_all(shop.records, shop.products, numbers, {"name": "x"}, ANN)
    assert (report.operation, report.changed, report.wrong) == ("", 0, 3)


class CutShortError(Exception):
    """Somebody pulls the plug."""


def after(rows: int) -> Any:
    """Return what ends an import once so many rows are done."""

    def told(done: int, *_: Any) -> None:
        if done >= rows:
            raise CutShortError

    return told


async def cut_short(shop: Shop, *table: dict[str, str], **more: Any) -> Operation:
    """Take a table in until the first part is done; return what it is noted under."""
    operation = shop.records.operation(ANN)
    with pytest.raises(CutShortError):
        await shop.taken(*table, operation=operation, progress=after(AT_ONCE), **more)
    return operation


async def test_import_that_was_cut_short_goes_on_and_takes_no_row_twice(shop: Shop) -> None:
    table = [row(str(number)) for number in range(AT_ONCE + 5)]
    table[3] = row("3", "x")
    operation = await cut_short(shop, *table)
    assert len(await shop.all()) == AT_ONCE - 1
    report = await shop.taken(*table, operation=operation)
    assert (report.created, report.changed, report.same, report.wrong) == (AT_ONCE + 4, 0, 0, 1)
    assert [each.row for each in report.problems] == [4]
    await shop.records.undo(shop.products, operation.id, ANN)
    assert await shop.all() == {}


async def test_import_without_a_key_takes_no_row_twice_when_it_goes_on(shop: Shop) -> None:
    table = [{"text": f"Task {number}"} for number in range(AT_ONCE + 5)]
    lines = [Line(number, cells) for number, cells in enumerate(table, 1)]
    taking = Taking(shop.tasks, HOME, ANN, "skip", operation=shop.records.operation(ANN))
    with pytest.raises(CutShortError):
        await take_in(shop.records, taking, lines, after(AT_ONCE))
    await take_in(shop.records, taking, lines)
    assert (await shop.records.page(shop.tasks, Query(), limit=1)).total == AT_ONCE + 5


async def test_key_of_a_row_before_the_cut_is_still_taken_behind_it(shop: Shop) -> None:
    table = [row(str(number)) for number in range(AT_ONCE)]
    operation = await cut_short(shop, *table, row("0", "Again"))
    report = await shop.taken(*table, row("0", "Again"), operation=operation)
    assert (report.changed, report.wrong) == (0, 1)
    assert (await shop.all())["0"]["name"] == "Thing"


async def test_import_that_was_taken_back_does_not_go_on(shop: Shop) -> None:
    table = [row(str(number)) for number in range(AT_ONCE + 5)]
    operation = await cut_short(shop, *table)
    await shop.records.undo(shop.products, operation.id, ANN)
    with pytest.raises(RecordRefusedError, match="taken back"):
        await shop.taken(*table, operation=operation)
    assert await shop.all() == {}


async def test_undoing_that_was_cut_short_goes_on_to_the_end(shop: Shop) -> None:
    table = [row(str(number)) for number in range(1_205)]
    report = await shop.taken(*table)
    changed = (await shop.records.page(shop.products, Query(), limit=1)).records[0]
    await shop.records.change(shop.products, changed.id, {"name": "Mine"}, BEN, seen=1)
    made = shop.records.operation(ANN)
    with pytest.raises(CutShortError):
        await shop.records.undo(shop.products, report.operation, ANN, made=made, progress=after(1))
    assert len(await shop.all()) == 206
    outcome = await shop.records.undo(shop.products, report.operation, ANN, made=made)
    assert outcome.kept == 1
    assert [each["name"] for each in (await shop.all()).values()] == ["Mine"]


WRONG = {number: row(str(number), "x") for number in (1, 2, 3, *range(9, 13), 13, 15)}
MIXED = [WRONG.get(number) or row(str(number)) for number in range(1, 21)]
"""Twenty rows: parts with some that are wrong, one in which all are, and one in which none is."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let four rows be a part, and a report tell two problems."""
    monkeypatch.setattr(many, "AT_ONCE", 4)
    monkeypatch.setattr(many, "PROBLEMS_MAX", 2)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("is_trial", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
async def test_all_that_is_wrong_is_noted_once_though_it_is_cut_short(
    shop: Shop, tmp_path: Path, parts: int, is_trial: bool
) -> None:
    noting = Noted(tmp_path / "a.taken")
    operation = None if is_trial else shop.records.operation(ANN)
    asked: dict[str, Any] = {"operation": operation, "noting": noting, "is_trial": is_trial}
    with pytest.raises(CutShortError):
        await shop.taken(*MIXED, progress=after(4 * parts), **asked)
    noting.note((tmp_path / "a.taken").stat().st_size, [Problem(99, "", "Of a part that did not count.")])
    report = await shop.taken(*MIXED, **asked)
    assert (report.wrong, len(report.problems)) == (len(WRONG), 2)
    assert [(each.row, each.field) for each in noting.read(report.noted)] == [(row, "name") for row in WRONG]
    assert len(await shop.all()) == (0 if is_trial else len(MIXED) - len(WRONG))


@pytest.mark.usefixtures("small")
async def test_problems_are_noted_by_their_rows_wherever_they_are_found(shop: Shop, tmp_path: Path) -> None:
    noting = Noted(tmp_path / "a.taken")
    customers = shop.customers
    table = [Line(1, {"name": "A", "code": "x"}), Line(2, {}, "Unreadable."), Line(3, {"code": "y"})]
    somebody = await shop.customer("B", None)

    @customers.before_create
    async def somebody_is_faster(_change: Change[Any]) -> None:
        if (await shop.records.find(customers, somebody.id)).version == 1:
            await shop.records.change(customers, somebody.id, {"code": "x"}, BEN, seen=1)

    report = await take_in(shop.records, Taking(customers, HOME, ANN, "skip"), table, noting=noting)
    assert [each.row for each in noting.read(report.noted)] == [1, 2, 3]
    assert (report.created, report.file) == (0, "taken")


@pytest.mark.usefixtures("small")
async def test_key_of_a_row_that_was_wrong_before_the_cut_is_free_behind_it(shop: Shop, tmp_path: Path) -> None:
    table = [row(str(number), "x" if number else "Thing") for number in range(4)]
    asked: dict[str, Any] = {"operation": shop.records.operation(ANN), "noting": Noted(tmp_path / "a.taken")}
    with pytest.raises(CutShortError):
        await shop.taken(*table, progress=after(4), **asked)
    report = await shop.taken(*table, row("3", "Right"), row("0", "Again"), **asked)
    assert (report.created, report.wrong) == (2, 4)
    assert (await shop.all())["3"]["name"] == "Right"


@pytest.mark.parametrize("texts", [("Acme", "1"), ("1", "Acme"), ("#1", "Acme")])
async def test_link_is_the_label_of_a_record_or_its_number(shop: Shop, texts: tuple[str, str]) -> None:
    first = await shop.customer("Acme", "c1")
    lines = [Line(2, {"text": "a", "customer": texts[0]}), Line(3, {"text": "b", "customer": texts[1]})]
    report = await take_in(shop.records, Taking(shop.tasks, HOME, ANN, "skip"), lines)
    assert report.problems == []
    found = await shop.records.page(shop.tasks, Query(), limit=9)
    assert [each.values["customer"] for each in found.records] == [first.id, first.id]


async def test_link_to_a_record_of_another_profile_is_told_in_a_trial_too(shop: Shop) -> None:
    await shop.records.create(shop.customers, {"name": "Acme", "code": "c1"}, "other", ANN)
    lines = [Line(2, {"text": "a", "customer": "Acme"}), Line(3, {"text": "b", "customer": "1"})]
    taking = Taking(shop.tasks, HOME, ANN, "skip", is_trial=True)
    report = await take_in(shop.records, taking, lines)
    assert [(each.row, each.field) for each in report.problems] == [(2, "customer"), (3, "customer")]


async def test_app_is_told_of_each_of_many_once_it_is_stored(shop: Shop) -> None:
    told: list[tuple[str, str | None, str | None]] = []

    def take_down(change: Change[Product], what: str) -> None:
        was, is_now = change.before, change.after
        told.append((what, was.name if was else None, is_now.name if is_now else None))

    shop.products.after_create(lambda change: take_down(change, "created"))
    shop.products.after_change(lambda change: take_down(change, "changed"))
    await shop.taken(row("a", "First"), row("b", "x"), row("c", "Third"))
    assert told == [("created", None, "First"), ("created", None, "Third")]
    await shop.taken(row("a", "Other"), row("c", "Third"))
    await change_all(shop.records, shop.products, [1, 2], {"name": "Same"}, ANN)
    assert told[2:] == [("changed", "First", "Other"), ("changed", "Other", "Same"), ("changed", "Third", "Same")]
