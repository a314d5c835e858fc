"""A run as a file: it comes back whole, and whatever was tampered with is refused."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipulate._ids import new_id
from pipulate.errors import BadKeyError, ImportRefusedError, KeyTakenError, RunNotFoundError, StoreDamagedError
from pipulate.storage import calls, journal, lifecycle, lookups, messages, profiles, transfer
from pipulate.storage.database import Transaction
from pipulate.storage.keys import Key, check_key
from tests.support.called import asked
from tests.support.store import LARGE, Sqlite, Store
from tests.support.store_archives import Entries, deep, edited, entries_of, link, packed


def exported(store: Store, run: str) -> bytes:
    """Return the file of a run."""
    out = io.BytesIO()
    store.db.read_now(transfer.export, store.files, run, "ada").write(store.files, out)
    return out.getvalue()


def take_in(store: Store, content: bytes, *, key: Key | None = None, by: str = "ada") -> str:
    """Take a run in from its file; return its id."""
    path = store.layout.root / "run.zip"
    path.write_bytes(content)
    incoming, run = transfer.Incoming(path, limit_bytes=10_000_000), new_id()
    try:
        incoming.put_files(store.files, run)
        return store.db.write_now(transfer.take_in, run, incoming, store.author(by), key)[0].id
    finally:
        incoming.close()


def sample(store: Store) -> str:
    """Make a run that has had everything happen to it."""
    run = store.filled("sample")
    store.submit(run, "b", LARGE, submit_id="form-1", seen=5)
    store.revert(run, "a")
    store.cancel_edit(run)
    store.submit(run, "c", "c")
    store.keep(run, "d")
    store.go_back(run, 5)
    store.db.write_now(messages.add, run, store.author().at, "ada", "user", "a note\0\ud800 🎉")
    store.revert(run, "c")
    return run


# There and back


def test_a_run_comes_back_whole(store: Store) -> None:
    run = sample(store)
    content = exported(store, run)
    copy = take_in(store, content, key=check_key("copy"))
    first, second = store.state(run), store.state(copy)
    assert (second.steps, second.offers, second.editing) == (first.steps, first.offers, "c")
    assert store.events(copy)[:-1] == store.events(run)
    assert (store.kinds(copy)[-1], store.events(copy)[-1].data) == ("imported", {"key": "sample"})
    assert store.outputs(copy) == store.outputs(run)
    assert store.row(copy).created_at == store.row(run).created_at


def test_its_conversation_comes_back_in_order(store: Store) -> None:
    run = sample(store)
    copy = take_in(store, exported(store, run), key=check_key("copy"))
    first, second = (store.db.read_now(messages.after, each, 0) for each in (run, copy))
    assert second[:-1] == first
    assert second[-1].event == store.events(copy)[-1]


def test_of_what_a_model_did_the_words_go_along_and_what_it_asked_for_does_not(store: Store) -> None:
    run, at = store.start(), store.author().at
    store.db.write_now(messages.add, run, at, "ada", "user", "Fill it in?", state="done", data={"asked": True})
    for text, state in (("Shall I?", "done"), ("", "failed"), ("x" * 100_001, "stopped")):
        store.db.write_now(messages.add, run, at, "ada", "answer", text, state=state, data={"question": 2})
    store.db.write_now(calls.add, asked(run))
    copy = take_in(store, exported(store, run), key=check_key("copy"))
    said = [(each.role, each.text, each.state) for each in store.db.read_now(messages.after, copy, 0) if not each.event]
    assert said == [("user", "Fill it in?", None), ("assistant", "Shall I?", None), ("assistant", "x" * 100_000, None)]
    assert store.db.read_now(calls.of_turn, copy, 1) == []


def test_a_conversation_of_any_length_comes_back(store: Store) -> None:
    run, author = store.start(), store.author()

    def talk(tx: Transaction) -> None:
        for number in range(2 * messages.PAGE):
            messages.add(tx, run, author.at, author.actor, "user", str(number))

    store.db.write_now(talk)
    copy = take_in(store, exported(store, run), key=check_key("copy"))
    last = store.db.read_now(messages.before, copy, None, 2)
    assert [(each.seq, each.text) for each in last] == [(401, "399"), (402, "")]
    assert store.count("messages") == 401 + 402


def test_an_edit_that_was_under_way_can_be_cancelled(store: Store) -> None:
    run = sample(store)
    copy = take_in(store, exported(store, run), key=check_key("copy"))
    for each in (run, copy):
        store.cancel_edit(each)
    assert store.outputs(copy) == store.outputs(run)


def test_a_locked_run_stays_locked(store: Store) -> None:
    run = store.filled()
    store.do(lifecycle.finalize, run)
    copy = take_in(store, exported(store, run), key=check_key("copy"))
    assert store.state(copy).lock == store.state(run).lock
    assert store.row(copy).locked_at is not None


def test_it_belongs_to_whoever_takes_it_in(store: Store) -> None:
    copy = take_in(store, exported(store, store.filled()), by="bob")
    assert store.row(copy).owner == "bob"
    with pytest.raises(RunNotFoundError):
        store.db.read_now(lookups.by_id, copy, "ada")


def test_it_goes_to_the_profile_of_the_same_name_or_the_default_one(store: Store) -> None:
    store.db.write_now(profiles.add, "acme", "Acme", store.author().at)
    content = exported(store, store.start("x", profile="acme"))
    other = edited(content, "run.json", lambda document: document["run"].update(profile="Nobody"))
    copies = [take_in(store, each, key=check_key(key)) for each, key in ((content, "a"), (other, "b"))]
    assert [store.row(copy).profile for copy in copies] == ["acme", "default"]


def test_a_key_in_use_is_refused_and_nothing_is_added(store: Store) -> None:
    run = store.filled()
    with pytest.raises(KeyTakenError):
        take_in(store, exported(store, run))
    assert store.count("runs") == 1


def test_only_ones_own_runs_can_be_exported(store: Store) -> None:
    run = store.filled()
    with pytest.raises(RunNotFoundError):
        store.db.read_now(transfer.export, store.files, run, "bob")


def test_a_run_with_a_damaged_file_is_not_exported(store: Store) -> None:
    run = store.start()
    written = store.submit(run, "a", LARGE)
    assert written.event is not None
    store.files.path(run, written.event.data["value"]["$file"]["sha256"]).write_bytes(b"damaged")
    store.is_damaged = True
    with pytest.raises(StoreDamagedError):
        exported(store, run)


# Tampered with


def document(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    """Return what changes the document."""
    return lambda content: edited(content, "run.json", change)


def event(number: int, **fields: Any) -> Callable[[bytes], bytes]:
    """Return what sets fields of an event."""
    return document(lambda run: run["events"][number].update(fields))


def data(number: int, **fields: Any) -> Callable[[bytes], bytes]:
    """Return what sets fields of the data of an event."""
    return document(lambda run: run["events"][number]["data"].update(fields))


def entries(change: Callable[[Entries], Any]) -> Callable[[bytes], bytes]:
    """Return what changes the entries of the archive."""

    def apply(content: bytes) -> bytes:
        found = entries_of(content)
        change(found)
        return packed(found)

    return apply


def large(found: Entries) -> str:
    """Return the name of the large value."""
    return next(name for name in found if name.startswith("files/"))


def adding(*more: Any) -> Callable[[bytes], bytes]:
    """Return what adds entries, even one that is there already."""
    return lambda content: packed([*entries_of(content).items(), *more])


def large_value(raw: bytes) -> Callable[[bytes], bytes]:
    """Return what replaces the large value, and everything that vouches for it."""

    def apply(content: bytes) -> bytes:
        sha256 = hashlib.sha256(raw).hexdigest()
        named = {"$file": {"sha256": sha256, "bytes": len(raw)}}
        return adding((f"files/{sha256}", raw))(data(5, value=named, digest=journal.digest_of(raw))(content))

    return apply


# What is at which place: 0 started, 1-4 submitted, 5 submitted (large), 6 reverted, 7 cancelled, 8 submitted, 9 kept,
# 10 went back, 11 reverted.
TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "not a zip": lambda _: b"no archive at all",
    "empty": lambda _: b"",
    "cut off": lambda content: content[:-30],
    "cut in the middle": lambda content: content[: len(content) // 2],
    "no document": entries(lambda found: found.pop("run.json")),
    "document is no JSON": entries(lambda found: found.update({"run.json": b"{"})),
    "document is no UTF-8": entries(lambda found: found.update({"run.json": b'"\xff"'})),
    "document is deep": entries(lambda found: found.update({"run.json": deep()})),
    "document is a list": document(lambda _: []),
    "other format": document(lambda run: run.update(format="pipulate-backup")),
    "newer format": document(lambda run: run.update(format_version=2)),
    "unknown field": document(lambda run: run.update(extra=1)),
    "unknown field of an event": event(1, extra=1),
    "no events": document(lambda run: run.update(events=[])),
    "gap": document(lambda run: run["events"].pop(3)),
    "gap at the beginning": document(lambda run: (run["events"].pop(0), run["messages"].clear(), run)[2]),
    "swapped": document(lambda run: run["events"].reverse()),
    "version is true": event(0, version=True),
    "version is text": event(0, version="1"),
    "unknown kind": event(3, kind="hacked"),
    "value changed": data(1, value={"output": "other"}),
    "digest changed": data(1, digest="0" * 16),
    "no digest": document(lambda run: run["events"][1]["data"].pop("digest")),
    "no value": document(lambda run: run["events"][1]["data"].pop("value")),
    "value is text": data(1, value="x"),
    "value names a file outside": data(5, value={"$file": {"sha256": "../../../etc/passwd", "bytes": 1}}),
    "value names no file": data(5, value={"$file": 1}),
    "value names a file of no size": data(5, value={"$file": {"sha256": "0" * 64, "bytes": "x"}}),
    "value names a file of another size": document(
        lambda run: run["events"][5]["data"]["value"]["$file"].update(bytes=1)
    ),
    "value names a file of a size no store takes": document(
        lambda run: run["events"][5]["data"]["value"]["$file"].update(bytes=10**30)
    ),
    "file changed": entries(lambda found: found.update({large(found): b"{}"})),
    "file missing": entries(lambda found: found.pop(large(found))),
    "step missing": event(1, step=None),
    "step with NUL": event(1, step="a\0"),
    "step with half a surrogate": event(1, step="\ud800"),
    "actor with NUL": event(1, actor="a\0"),
    "tab with half a surrogate": event(1, tab="\udfff"),
    "form with NUL": event(1, submit="a\0"),
    "the same form twice": event(1, submit="form-1"),
    "moment is none": event(1, at="yesterday"),
    "moment with a line after it": event(1, at="2026-11-20T12:00:00.000000Z\n"),
    "summary is a number": data(1, short=5),
    "summary with NUL": data(1, short="a\0"),
    "summary is long": data(1, short="x" * 10_000),
    "reads are a number": data(2, reads=5),
    "reads are a list": data(2, reads=["a"]),
    "reads have numbers": data(2, reads={"a": 5}),
    "cleared is text": data(5, cleared="cd"),
    "cleared has numbers": data(5, cleared=[1]),
    "touched is a number": data(7, touched=3),
    "steps are a list": data(10, steps=["a"]),
    "steps name a version that has no value": data(10, steps={"a": 1}),
    "steps name a version that is not there": data(10, steps={"a": 99}),
    "no steps": document(lambda run: run["events"][10]["data"].pop("steps")),
    "editing is a number": data(10, editing=5),
    "editing version is text": data(10, editing_version="x"),
    "kept value is not there": data(9, value=99),
    "kept value is a list": data(9, value=[1]),
    "message is long": document(lambda run: run["messages"][0].update(text="x" * 200_000)),
    "message of a role that is none": document(lambda run: run["messages"][0].update(role="robot")),
    "message of an event no journal has": document(lambda run: run["messages"][0].update(event=10**30)),
    "message of an event that is not there": document(lambda run: run["messages"][0].update(event=99)),
    "message of the event that taking it in becomes": document(
        lambda run: run["messages"][0].update(event=len(run["events"]) + 1)
    ),
    "message by nobody": document(lambda run: run["messages"][0].update(actor="\0")),
    "app with markup": document(lambda run: run["run"].update(app="<script>")),
    "app with a line after it": document(lambda run: run["run"].update(app="demo\n")),
    "entry outside": adding(("../evil.py", b"x")),
    "entry at the root": adding(("/etc/evil", b"x")),
    "entry with a drive": adding(("C:\\evil", b"x")),
    "entry of another kind of path": adding(("files/..\\evil", b"x")),
    "entry with a line break": adding(("files/a\nb", b"x")),
    "entry is a link": adding(link("files/" + "0" * 64, "/etc/passwd")),
    "entry twice": adding(("run.json", b"{}")),
    "large value that is deep": large_value(deep()),
    "large value that is no object": large_value(b'["x"]'),
    "large value with a number JSON has not": large_value(b'{"output": NaN}'),
    "data with a number JSON has not": data(0, more=float("nan")),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of the sample."""
    folder = tmp_path_factory.mktemp("sample")
    with Sqlite().opened(folder / "data") as store:
        return exported(store, sample(store))


def test_the_sample_is_good_as_long_as_nobody_tampers_with_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    for same in (content, packed(entries_of(content)), document(lambda _: None)(content)):
        path.write_bytes(same)
        transfer.Incoming(path).close()


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_file_that_was_tampered_with_is_refused(content: bytes, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run.zip"
    path.write_bytes(TAMPERED[kind](content))
    with pytest.raises(ImportRefusedError):
        transfer.Incoming(path)


@pytest.mark.parametrize("key", ["a//b", "a\0", "\ud800", "k" * 121])
def test_a_key_that_breaks_the_rule_is_refused_unless_another_is_given(store: Store, key: str) -> None:
    changed = document(lambda run: run["run"].update(key=key))(exported(store, store.filled("x")))
    with pytest.raises((BadKeyError, ImportRefusedError)):
        take_in(store, changed)
    assert store.count("runs") == 1


def test_a_file_that_gets_too_large_when_it_is_unpacked_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(packed({"run.json": b" " * 5_000_000 + b"{}"}))
    assert path.stat().st_size < 10_000
    with pytest.raises(ImportRefusedError, match="larger than it may be"):
        transfer.Incoming(path, limit_bytes=1_000_000)


def test_a_value_counts_once_however_often_it_is_used(store: Store, tmp_path: Path) -> None:
    run, path = store.start(), tmp_path / "run.zip"
    for number in range(20):
        store.submit(run, "ab"[number % 2], LARGE)
    path.write_bytes(exported(store, run))
    incoming = transfer.Incoming(path, limit_bytes=2 * len(LARGE))
    incoming.put_files(store.files, new_id())
    incoming.close()


def test_a_file_with_too_many_entries_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    path.write_bytes(packed({f"files/{number}": b"" for number in range(100_001)}))
    with pytest.raises(ImportRefusedError, match="too many entries"):
        transfer.Incoming(path)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.zip", tmp_path):
        with pytest.raises(ImportRefusedError):
            transfer.Incoming(path)


def test_a_file_with_any_byte_changed_is_refused_or_says_the_same(content: bytes, tmp_path: Path) -> None:
    whole = json.loads(entries_of(content)["run.json"])
    path = tmp_path / "run.zip"
    for position in range(0, len(content), 5):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            incoming = transfer.Incoming(path)
        except ImportRefusedError:
            continue
        assert incoming.document.model_dump() == whole, position
        incoming.close()
