"""Files in the fields of records, on every store: who holds them, when they go, and that they are in backups."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from pipulate.crud import exporting, fitting
from pipulate.crud.bulk import Bulk, do_all
from pipulate.crud.cells import can_be_brought
from pipulate.crud.change import Change
from pipulate.crud.chosen import Chosen
from pipulate.crud.engine import Records
from pipulate.crud.many import change_all
from pipulate.crud.resource import Resource
from pipulate.crud.tables import Tables
from pipulate.crud.uploads import RecordUploads
from pipulate.crud.waiting import guessed
from pipulate.errors import FileGoneError, FitRefusedError, InvalidAnswersError, UploadTooLargeError
from pipulate.events import Bus
from pipulate.fields import Accept
from pipulate.fields.files import KEPT, File
from pipulate.forms.sending import Sent
from pipulate.security.who import Who
from pipulate.storage.archive import Archive, backup
from pipulate.storage.database import Transaction
from pipulate.storage.folder import Layout
from pipulate.storage.janitor import Janitor
from pipulate.storage.postgres import PostgresDatabase
from pipulate.storage.records import operations, rows
from pipulate.storage.records.files import folder_of
from pipulate.storage.records.queries import Condition, Query
from pipulate.storage.records.rows import Record
from pipulate.storage.records.uploads import Place
from pipulate.storage.restore import restore_postgres, restore_sqlite
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.storage.uploads import Limits
from tests.support.store import Postgres, Store, rows_of

pytestmark = pytest.mark.anyio

ANN = Who("ann")
HOME = "default"
FOLDER = folder_of("papers")
FIRST, SECOND = b"the first scan", b"another one"


class Where(BaseModel):
    """A group with a file in it."""

    shelf: str
    photo: File | None = None


class Paper(BaseModel):
    """A paper with files."""

    title: str
    scan: Annotated[File | None, Accept(".txt", max_mb=1)] = None
    more: Annotated[list[File], Accept(max_files=2)] = Field(default_factory=list)
    where: Where | None = None


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def named(content: bytes, name: str = "a.txt", kind: str = "text/plain") -> dict[str, Any]:
    return {"sha256": sha(content), "bytes": len(content), "name": name, "type": kind}


class World:
    """A store with papers in it."""

    def __init__(self, store: Store, model: type[BaseModel] = Paper, limits: Limits | None = None) -> None:
        async def apart(call: Callable[[], Any]) -> Any:
            return await asyncio.to_thread(call)

        self.store = store
        self.papers: Resource[Any] = Resource("papers", model)
        assert self.papers.prepare() == []
        self.records = Records(store.db, Bus(), store.clock, apart, store.files)
        self.records.resources = {"papers": self.papers}
        self.uploads = RecordUploads(store.db, store.files, store.clock, limits or Limits(*([1_000] * 4)))

    async def send(
        self, content: bytes = FIRST, name: str = "a.txt", *, record: Record | None = None, field: str = "scan"
    ) -> str:
        """Send a file for a field; return what a form sends for it."""
        await self.records.ready(self.papers)

        async def blocks() -> AsyncIterator[bytes]:
            yield content

        known = {each.name: each for each in [*self.papers.fields, *self.papers.fields[-1].parts]}
        sent = Sent(name, "text/plain", blocks())
        return (await self.uploads.receive(self.place(record), known[field], sent)).id

    def place(self, record: Record | None = None, *, profile: str = HOME, owner: str = "ann") -> Place:
        return Place("papers", record.id if record else 0, profile, owner)

    async def offers(self, record: Record | None = None, **texts: list[str]) -> Any:
        return await self.uploads.named(self.papers, self.place(record), record, self.papers.fields, texts)

    async def add(self, title: str = "One", content: bytes | None = FIRST, **answers: Any) -> Record:
        """Add a record with a file, as a form does."""
        if content is not None:
            answers["scan"] = await self.send(content)
        files = await self.offers()
        outcome = await self.records.create(self.papers, {"title": title, **answers}, HOME, ANN, files=files)
        return outcome.records[0]

    async def replace(self, record: Record, content: bytes = SECOND, name: str = "b.txt") -> str:
        """Give a record another file; return the operation."""
        text = await self.send(content, name, record=record)
        now = await self.now(record)
        outcome = await self.records.change(
            self.papers, record.id, {"scan": text}, ANN, seen=now.version, files=await self.offers(now)
        )
        return outcome.operation

    async def now(self, record: Record, *, deleted: bool = False) -> Record:
        return await self.records.find(self.papers, record.id, deleted=deleted)

    def on_disk(self) -> set[str]:
        return {entry.name for entry in self.store.files.entries(FOLDER)}

    def janitor(self) -> Janitor:
        return Janitor(self.store.db, self.store.files, self.store.clock, began_ns=0)

    def cleared(self) -> set[str]:
        """What is left when the janitor came twice, a day and a bit apart."""
        janitor = self.janitor()
        janitor.clear()
        self.store.clock.move(hours=25)
        janitor.clear()
        return self.on_disk()


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


# Kept


async def test_record_has_the_file_that_was_sent_for_it_as_a_step_has(world: World) -> None:
    record = await world.add()
    assert record.values["scan"] == named(FIRST)
    typed = world.papers.typed(record.values)
    assert (typed.scan.name, typed.scan.read_bytes(), typed.more) == ("a.txt", FIRST, [])
    assert (world.on_disk(), world.store.count("record_files")) == ({sha(FIRST)}, 1)


async def test_list_and_group_hold_files_too(world: World) -> None:
    more = [await world.send(content, field="more") for content in (FIRST, SECOND)]
    photo = await world.send(b"photo", field="where.photo")
    record = await world.add(content=None, more=more, where={"shelf": "A", "photo": photo})
    assert [each["sha256"] for each in record.values["more"]] == [sha(FIRST), sha(SECOND)]
    assert record.values["where"] == {"shelf": "A", "photo": named(b"photo")}
    assert world.cleared() == {sha(FIRST), sha(SECOND), sha(b"photo")}


@pytest.mark.parametrize("text", ["f" * 32, KEPT + sha(FIRST), "", "../a"])
async def test_file_that_was_not_sent_for_this_form_is_refused(world: World, text: str) -> None:
    await world.add()
    with pytest.raises(InvalidAnswersError) as refused:
        await world.records.create(
            world.papers, {"title": "Two", "scan": text or "x"}, HOME, ANN, files=await world.offers()
        )
    assert refused.value.problems == {"scan": "This file is not there any more. Choose it again."}


async def test_upload_is_offered_to_its_person_profile_record_and_field_alone(world: World) -> None:
    record = await world.add(content=None)
    text = await world.send()
    mine = await world.uploads.offered(world.papers, world.place(), None)
    assert set(mine) == {text}
    for place in (world.place(record), world.place(profile="other"), world.place(owner="ben")):
        assert await world.uploads.offered(world.papers, place, None) == {}
    with pytest.raises(InvalidAnswersError) as refused:
        await world.offers(more=[text])
    assert refused.value.problems == {"more": "This file was sent for another field. Choose it again."}


async def test_file_that_went_while_its_record_was_checked_is_refused_and_nothing_is_stored(world: World) -> None:
    text = await world.send()
    files = await world.offers()
    waits = asyncio.Event()

    @world.papers.before_create
    async def slow(_change: Change[Any]) -> None:
        world.store.files.remove(FOLDER, sha(FIRST))
        waits.set()

    with pytest.raises(FileGoneError):
        await world.records.create(world.papers, {"title": "One", "scan": text}, HOME, ANN, files=files)
    assert waits.is_set()
    assert (await world.records.page(world.papers, Query(), limit=9)).total == 0
    assert world.store.count("record_files") == 0


async def test_limits_of_form_and_person_count_what_records_hold(store: Store) -> None:
    world = World(store, limits=Limits(20, 30, 1_000, 45))
    await world.send(b"x" * 20)
    with pytest.raises(UploadTooLargeError, match="All files of one record together"):
        await world.send(b"y" * 11)
    record = await world.add(content=None, scan=await world.send(b"z" * 10))
    with pytest.raises(UploadTooLargeError, match="All your files together can have up to"):
        await world.send(b"z" * 16, record=record)
    assert world.on_disk() == {sha(b"x" * 20), sha(b"z" * 10)}


# Replaced, taken back, deleted, erased


async def test_file_that_was_replaced_stays_with_the_history_and_comes_back(world: World) -> None:
    record = await world.add()
    operation = await world.replace(record)
    assert (await world.now(record)).values["scan"] == named(SECOND, "b.txt")
    assert world.cleared() == {sha(FIRST), sha(SECOND)}
    undone = await world.records.undo(world.papers, operation, ANN)
    assert (await world.now(record)).values["scan"] == named(FIRST)
    await world.records.undo(world.papers, undone.operation, ANN)
    assert (await world.now(record)).values["scan"] == named(SECOND, "b.txt")
    await world.records.go_back(world.papers, record.id, 1, ANN)
    assert (await world.now(record)).values["scan"] == named(FIRST)


async def test_form_that_is_sent_again_keeps_its_file_and_an_empty_one_takes_it_away(world: World) -> None:
    record = await world.add()
    files = await world.offers(record)
    kept = {"title": "Other", "scan": KEPT + sha(FIRST)}
    changed = await world.records.change(world.papers, record.id, kept, ANN, seen=1, files=files)
    assert changed.records[0].values["scan"] == named(FIRST)
    await world.records.change(world.papers, record.id, {"scan": None}, ANN, seen=2, files=files)
    assert (await world.now(record)).values["scan"] is None
    assert world.cleared() == {sha(FIRST)}


async def test_file_in_the_bin_stays_and_goes_with_the_record_that_is_erased(world: World) -> None:
    record = await world.add()
    await world.replace(record)
    await world.records.delete(world.papers, [record.id], ANN)
    assert world.cleared() == {sha(FIRST), sha(SECOND)}
    await world.records.erase(world.papers, [record.id], ANN)
    assert (world.on_disk(), world.store.count("record_files")) == (set(), 0)


async def test_files_go_with_very_many_records_that_are_erased(world: World) -> None:
    made = [await world.add(), await world.add("Two")]
    await world.replace(made[0])
    await world.records.delete(world.papers, [each.id for each in made], ANN)
    chosen = Chosen(world.store.db, world.store.clock)
    choice = await chosen.keep([each.id for each in made])
    erasing = Bulk(world.papers, "erase", choice, ANN, world.records.operation(ANN), {})
    report = await do_all(world.records, chosen, erasing, lambda _: None)
    assert (report.changed, world.on_disk(), world.store.count("record_files")) == (2, set(), 0)


async def test_file_that_another_record_names_too_stays_when_one_is_erased(world: World) -> None:
    one, two = await world.add(), await world.add("Two")
    await world.records.delete(world.papers, [one.id], ANN)
    await world.records.erase(world.papers, [one.id], ANN)
    assert world.cleared() == {sha(FIRST)}
    assert world.papers.typed((await world.now(two)).values).scan.read_bytes() == FIRST


async def test_file_left_by_a_program_that_ended_while_it_erased_goes_with_the_next_start(world: World) -> None:
    record = await world.add()
    await world.records.delete(world.papers, [record.id], ANN)
    await world.store.db.write(lambda tx: rows.erase(tx, world.papers.shape, [record.id]))
    assert world.on_disk() == {sha(FIRST)}
    assert Janitor(world.store.db, world.store.files, world.store.clock).clear() == 0
    assert Janitor(world.store.db, world.store.files, world.store.clock, began_ns=2**62).clear() == 1
    assert world.on_disk() == set()


async def test_upload_that_nobody_takes_goes_after_a_day_and_one_that_was_taken_never(world: World) -> None:
    await world.add()
    await world.send(SECOND)
    Janitor(world.store.db, world.store.files, world.store.clock, began_ns=2**62).clear()  # The next start.
    assert world.on_disk() == {sha(FIRST), sha(SECOND)}
    assert world.cleared() == {sha(FIRST)}
    assert world.store.count("record_uploads") == 0


async def test_clearing_waits_for_who_names_a_file_and_then_leaves_it_alone(world: World) -> None:
    text = await world.send()
    values: dict[str, Any] = {"title": "One", "scan": named(FIRST), "more": [], "where": None}
    world.store.clock.move(hours=25)
    clearing = threading.Thread(target=world.janitor().clear)

    def naming(tx: Transaction) -> None:
        rows.claim(tx, world.papers.shape)
        if not clearing.ident:
            clearing.start()
            clearing.join(1)  # It cannot end before this does; if it could, the file would be gone by now.
        operation = world.records.operation(ANN)
        operations.begin(tx, world.papers.shape, operation, "create", {})
        rows.add(tx, world.papers.shape, operation, values, "", profile=HOME, place="8")

    await world.store.db.write(naming)
    await asyncio.to_thread(clearing.join)
    assert (world.on_disk(), text in await world.uploads.offered(world.papers, world.place(), None)) == (
        {sha(FIRST)}, False,
    )  # fmt: skip


async def test_upload_is_removed_by_its_person_before_it_is_taken(world: World) -> None:
    text = await world.send()
    await world.uploads.remove(world.place(owner="ben"), text)
    assert world.on_disk() == {sha(FIRST)}
    await world.uploads.remove(world.place(), text)
    assert world.on_disk() == set()


# Found, read, made by authors


async def test_records_are_found_by_having_a_file_and_by_its_name_alone(world: World) -> None:
    await world.add("With")
    await world.add("Without", None)
    for query, wanted in (
        (Query(conditions=(Condition("scan", "filled"),)), ["With"]),
        (Query(conditions=(Condition("scan", "empty"),)), ["Without"]),
        (Query(words="a.txt"), ["With"]), (Query(words=sha(FIRST)[:12]), []), (Query(words="text/plain"), []),
    ):  # fmt: skip
        found = await world.records.page(world.papers, query, limit=9)
        assert [each.values["title"] for each in found.records] == wanted


async def test_code_of_authors_reads_files_and_finds_records_by_them(world: World) -> None:
    await world.add("With")
    await world.add("Without", None)
    table = Tables(world.store.db, lambda: world.records.resources, HOME)["papers"]
    with_, without = await asyncio.to_thread(list, table)
    assert (with_["scan"].read_text(), with_["scan"].name, without["scan"]) == (FIRST.decode(), "a.txt", None)
    for wanted, title in ((None, "Without"), (with_["scan"], "With")):
        assert [row["title"] for row in await asyncio.to_thread(list, table.where(scan=wanted))] == [title]


async def test_hook_keeps_a_file_it_made_with_the_record(world: World) -> None:
    @world.papers.before_create
    def note(change: Change[Paper]) -> Paper:
        assert change.after is not None
        return change.after.model_copy(update={"scan": change.files.save("note.txt", "made")})

    record = await world.add(content=None)
    assert record.values["scan"] == named(b"made", "note.txt")
    assert world.cleared() == {sha(b"made")}


async def test_bulk_change_and_tables_that_are_brought_leave_files_alone(world: World) -> None:
    record = await world.add()
    report = await change_all(world.records, world.papers, [record.id], {"title": "All"}, ANN)
    assert (report.changed, (await world.now(record)).values["scan"]) == (1, named(FIRST))
    assert [each.name for each in world.papers.fields if can_be_brought(each)] == ["title"]
    assert guessed(world.papers, ["Title", "Scan", "More"]) == ("title", "", "")


async def test_export_has_the_names_of_files(world: World) -> None:
    more = [await world.send(content, f"{n}.txt", field="more") for n, content in enumerate((FIRST, SECOND))]
    record = await world.add(more=more, where={"shelf": "A", "photo": await world.send(field="where.photo")})
    text = '{"shelf": "A", "photo": "a.txt"}'
    assert exporting.texts(world.papers, [record], {}) == [["One", "a.txt", "0.txt; 1.txt", text]]
    assert exporting.values(world.papers, [record], {}) == [["One", "a.txt", "0.txt; 1.txt", text]]
    assert exporting.objects(world.papers, [record]) == [
        {"id": 1, "title": "One", "scan": "a.txt", "more": ["0.txt", "1.txt"],
         "where": {"shelf": "A", "photo": "a.txt"}}
    ]  # fmt: skip


# Other fields, backups, checks


class Plain(BaseModel):
    """A paper without files."""

    title: str


class Renamed(BaseModel):
    """The scan under another name."""

    title: str
    copy_of_it: File | None = None


class Worded(BaseModel):
    """The scan as words."""

    title: str
    scan: str = ""


async def fit(world: World, model: type[BaseModel], *given: Any) -> World:
    other = World(world.store, model)
    await world.store.db.write(fitting.fit, other.papers, *given)
    return other


async def test_file_field_can_come_go_and_be_renamed_and_its_files_stay_with_the_history(store: Store) -> None:
    plain = World(store, Plain)
    record = (await plain.records.create(plain.papers, {"title": "One"}, HOME, ANN)).records[0]
    world = await fit(plain, Paper, {}, [])
    await world.replace(record, FIRST, "a.txt")
    renamed = await fit(world, Renamed, {"scan": "copy_of_it"}, ["more", "where"])
    assert (await renamed.now(record)).values == {"title": "One", "copy_of_it": named(FIRST)}
    gone = await fit(renamed, Plain, {}, ["copy_of_it"])
    assert gone.cleared() == {sha(FIRST)}


async def test_file_field_becomes_nothing_else(world: World) -> None:
    await world.add()
    with pytest.raises(FitRefusedError) as refused:
        await fit(world, Worded, {}, ["more", "where"])
    assert "'scan' was file and is text now" in " ".join(refused.value.reasons)


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
async def test_backup_has_the_files_of_records_their_history_and_the_bin(
    world: World, target: str, tmp_path: Path, postgres_url: str
) -> None:
    one, _two = await world.add(), await world.add("Two")
    await world.replace(one)
    binned = await world.add("Binned", b"in the bin")
    await world.records.delete(world.papers, [binned.id], ANN)
    await world.send(b"waits")
    store, path = world.store, tmp_path / "backup.zip"
    with store.source() as source:
        summary = backup(source, store.files, path, store.clock)
        before = rows_of(source)
    assert summary.files == 3
    store.db.close()
    layout, archive = Layout(tmp_path / "copy"), Archive(path)
    if target == "sqlite":
        restore_sqlite(layout, archive, store.clock)
        copy = Store(SqliteDatabase(layout.database), layout)
    else:
        Postgres(postgres_url).empty()
        restore_postgres(postgres_url, layout, archive, store.clock)
        copy = Store(PostgresDatabase(postgres_url), layout, postgres_url)
    archive.close()
    try:
        with copy.source() as source:
            assert rows_of(source) == before
        assert copy.problems() == []
        restored = World(copy)
        await restored.records.go_back(restored.papers, one.id, 1, ANN)
        assert restored.papers.typed((await restored.now(one)).values).scan.read_bytes() == FIRST
        assert restored.cleared() == {sha(FIRST), sha(SECOND), sha(b"in the bin")}
    finally:
        copy.db.close()
        store.is_damaged = True  # It is closed, and may have been replaced.


async def test_check_finds_a_file_that_is_gone_and_one_that_is_not_listed(world: World) -> None:
    record = await world.add()
    world.store.is_damaged = True
    await world.store.db.write(lambda tx: tx.run("DELETE FROM record_files"))
    assert world.store.problems() == [
        f"record papers/{record.id}: a file that it names is not listed ({sha(FIRST)[:12]})"
    ]
    other = await world.add("Two")
    world.store.files.remove(FOLDER, sha(FIRST))
    assert f"record papers/{other.id}: A file of this run is missing" in " ".join(world.store.problems())
