"""Finding runs, their history and their values."""

from __future__ import annotations

import pytest

from pipulate.errors import RunNotFoundError, UnknownVersionError
from pipulate.storage import lifecycle, lookups, profiles, runs
from pipulate.storage.keys import check_key
from tests.support.store import LARGE, Store


def keys(store: Store, **how: object) -> list[str]:
    """Return the keys of Ada's runs, as listed."""
    return [row.key for row in store.db.read_now(lookups.listed, "ada", **how).runs]  # type: ignore[arg-type]


def test_a_run_is_found_by_its_exact_key(store: Store) -> None:
    run = store.start("Größe/1")
    assert store.db.read_now(lookups.by_key, "demo", "Größe/1", "ada").id == run
    for app, key, owner in (("demo", "größe/1", "ada"), ("other", "Größe/1", "ada"), ("demo", "Größe/1", "bob")):
        with pytest.raises(RunNotFoundError):
            store.db.read_now(lookups.by_key, app, key, owner)


@pytest.mark.parametrize("key", ["", "no\0body", "x" * 100_000, "%", "🎉"])
def test_a_key_that_nobody_can_have_finds_nothing(store: Store, key: str) -> None:
    store.start("x")
    with pytest.raises(RunNotFoundError):
        store.db.read_now(lookups.by_key, "demo", key, "ada")
    with pytest.raises(RunNotFoundError):
        store.db.read_now(lookups.by_id, key, "ada")


def test_lists_show_the_newest_change_first(store: Store) -> None:
    first = store.start("1")
    store.start("2")
    store.submit(first, "a")
    assert keys(store) == ["1", "2"]


def test_lists_show_one_app_one_profile_one_person(store: Store) -> None:
    store.db.write_now(profiles.add, "acme", "Acme", store.author().at)
    store.start("mine")
    store.start("app", app="other")
    store.start("profile", profile="acme")
    store.start("bob", by="bob")
    assert keys(store, app="demo") == ["profile", "mine"]
    assert keys(store, profile="default") == ["app", "mine"]
    assert keys(store, app="demo", profile="acme") == ["profile"]


def test_pages_follow_each_other_without_gap_or_overlap(store: Store) -> None:
    author = store.author()  # All of the same moment, so that only the id orders them.
    for number in range(7):
        store.db.write_now(runs.start, f"{number:032x}", "demo", None, "default", author)
    pages, older = [], None
    while True:
        page = store.db.read_now(lookups.listed, "ada", limit=3, older=older)
        pages.append([row.key for row in page.runs])
        if (older := page.older) is None:
            break
    assert pages == [["07", "06", "05"], ["04", "03", "02"], ["01"]]


def test_a_page_that_ends_with_the_list_has_no_next(store: Store) -> None:
    store.start("1")
    store.start("2")
    assert store.db.read_now(lookups.listed, "ada", limit=2).older is None


@pytest.mark.parametrize("older", ["", "nonsense", "_", "2026_x_y", "\0_\0"])
def test_a_page_that_nobody_gave_out_does_no_harm(store: Store, older: str) -> None:
    store.start("1")
    assert len(store.db.read_now(lookups.listed, "ada", older=older).runs) <= 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("100%", ["100% sure"]),
        ("%", ["100% sure"]),
        ("_", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("GRÖSSE", ["Größe"]),
        ("gro\u0308ße", ["Größe"]),
        ("  sure ", ["100% sure"]),
        ("%sure", []),
        ("' OR 1=1 --", []),
        ("\0", []),
        ("x" * 100_000, []),
    ],
)
def test_search_takes_every_character_for_itself(store: Store, words: str, found: list[str]) -> None:
    for key in ("100% sure", "snake_case", "back\\slash", "Größe"):
        store.start(key)
    assert keys(store, words=words) == found


def test_the_bin_is_a_list_of_its_own(store: Store) -> None:
    store.start("alive")
    store.do(lifecycle.delete, store.start("dead"))
    assert (keys(store), keys(store, deleted=True)) == (["alive"], ["dead"])


def test_history_is_paged_newest_first(store: Store) -> None:
    run = store.filled()
    newest = store.db.read_now(lookups.history, run, limit=2)
    assert [event.version for event in newest] == [5, 4]
    assert [event.version for event in store.db.read_now(lookups.history, run, before=4, limit=9)] == [3, 2, 1]


def test_the_values_a_step_had_are_found_newest_first(store: Store) -> None:
    run = store.start()
    for output in ("one", "two", "three"):
        store.submit(run, "a", output)
    store.revert(run, "a")
    found = store.db.read_now(lookups.values_of_step, run, "a", limit=2)
    assert [event.data["value"]["output"] for event in found] == ["three", "two"]


def test_what_a_form_led_to_is_found_by_its_id(store: Store) -> None:
    run = store.start()
    store.submit(run, "a", "one", submit_id="form-1")
    event = store.db.read_now(lookups.by_submit, run, "form-1")
    assert event is not None
    assert (event.version, event.submit) == (2, "form-1")
    assert store.db.read_now(lookups.by_submit, run, "form-2") is None
    assert store.db.read_now(lookups.by_submit, store.start("other"), "form-1") is None


def test_load_reads_large_values_from_their_files(store: Store) -> None:
    run = store.start()
    store.submit(run, "a", LARGE)
    store.submit(run, "b", LARGE + "b")
    store.submit(run, "a", "small")
    row, state = store.db.read_now(lookups.load, store.files, run, "ada")
    assert (row.id, state.steps["a"].data["output"]) == (run, "small")
    assert state.offers["b"].data["output"] == LARGE + "b"


@pytest.mark.parametrize("version", [0, 3])
def test_the_journal_up_to_a_version_needs_that_version(store: Store, version: int) -> None:
    row = store.row(store.filled(steps=("a",)))
    assert len(store.db.read_now(lookups.journal_upto, row, 2)) == 2
    with pytest.raises(UnknownVersionError):
        store.db.read_now(lookups.journal_upto, row, version)


def test_renaming_is_found_by_search(store: Store) -> None:
    store.do(runs.rename, store.start("before"), check_key("After"))
    assert (keys(store, words="before"), keys(store, words="after")) == ([], ["After"])
