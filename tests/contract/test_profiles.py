"""Profiles: one from the start, names unique whatever their case."""

from __future__ import annotations

import pytest

from pipulate.errors import BadNameError
from pipulate.storage import profiles
from pipulate.storage.profiles import Profile
from tests.support.store import Store


def names(store: Store) -> list[str]:
    """Return the names of all profiles, as listed."""
    return [each.name for each in store.db.read_now(profiles.listed)]


def add(store: Store, profile: str, name: str) -> Profile:
    """Add a profile."""
    return store.db.write_now(profiles.add, profile, name, store.author().at)


def test_there_is_a_default_profile_from_the_start(store: Store) -> None:
    assert store.db.read_now(profiles.listed) == [Profile("default", "Default Profile")]


def test_profiles_are_listed_in_the_order_of_their_making(store: Store) -> None:
    add(store, "z", "Zebra")
    add(store, "a", "Ant")
    assert names(store) == ["Default Profile", "Zebra", "Ant"]
    assert store.db.read_now(profiles.find, "a") == Profile("a", "Ant")
    assert store.db.read_now(profiles.find, "nobody") is None


@pytest.mark.parametrize("name", ["Größe", "GRÖSSE", " größe ", "Gro\u0308ße"])
def test_a_name_in_use_is_refused_whatever_its_case_and_spelling(store: Store, name: str) -> None:
    add(store, "1", "Größe")
    with pytest.raises(BadNameError, match="already"):
        add(store, "2", name)
    assert names(store) == ["Default Profile", "Größe"]


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\0b", "a\nb", "\u202eevil", "\ud800"])
def test_a_name_that_cannot_be_seen_is_refused(store: Store, name: str) -> None:
    with pytest.raises(BadNameError):
        add(store, "1", name)
    with pytest.raises(BadNameError):
        store.db.write_now(profiles.rename, "default", name)
    assert names(store) == ["Default Profile"]


def test_a_profile_is_renamed(store: Store) -> None:
    store.db.write_now(profiles.rename, "default", "Home")
    store.db.write_now(profiles.rename, "default", "HOME")
    assert names(store) == ["HOME"]


def test_renaming_refuses_a_name_in_use_and_a_profile_that_is_gone(store: Store) -> None:
    add(store, "1", "Acme")
    with pytest.raises(BadNameError, match="already"):
        store.db.write_now(profiles.rename, "1", "default profile")
    with pytest.raises(BadNameError, match="not exist"):
        store.db.write_now(profiles.rename, "2", "New")
    assert names(store) == ["Default Profile", "Acme"]
