"""The key-value store is a dict that is stored."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pipulate.storage.keyvalue import KEY_LIMIT, KeyValues
from tests.support.store import Store


def test_what_is_set_is_there(store: Store) -> None:
    values = KeyValues(store.db)
    values["theme"] = "dark"
    values["theme"] = "light"
    assert values["theme"] == "light"
    assert values.set("density", 3) == 3
    assert KeyValues(store.db)["density"] == 3


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "a\0b", "\ud800", [], {"a": [1, {"b": None}]}, "🎉"])
def test_any_json_value_comes_back_as_it_was(store: Store, value: Any) -> None:
    values = KeyValues(store.db)
    values["k"] = value
    assert values["k"] == value


@pytest.mark.parametrize("key", ["missing", "", "no\0key", "\ud800", "x" * (KEY_LIMIT + 1)])
def test_what_is_missing_is_a_key_error(store: Store, key: str) -> None:
    values = KeyValues(store.db)
    with pytest.raises(KeyError):
        values[key]
    with pytest.raises(KeyError):
        del values[key]
    assert key not in values
    assert values.get(key, "default") == "default"
    assert values.get(key) is None


def test_what_is_deleted_is_gone(store: Store) -> None:
    values = KeyValues(store.db)
    values["a"] = 1
    del values["a"]
    assert ("a" in values, len(values), dict(values)) == (False, 0, {})


def test_it_is_iterated_in_the_order_of_its_keys(store: Store) -> None:
    values = KeyValues(store.db)
    for number, key in enumerate(["b", "a", "ä", "B", "🎉"]):
        values[key] = number
    assert list(values) == ["B", "a", "b", "ä", "🎉"]
    assert list(values.keys()) == ["B", "a", "b", "ä", "🎉"]
    assert list(values.values()) == [3, 1, 0, 2, 4]
    assert next(iter(values.items())) == ("B", 3)


def test_it_does_what_a_dict_does(store: Store) -> None:
    values = KeyValues(store.db)
    values.update({"a": 1, "b": 2}, c=3)
    assert (values.pop("a"), values.pop("a", None), values.setdefault("b", 9)) == (1, None, 2)
    assert values == {"b": 2, "c": 3}
    values.clear()
    assert not values


def test_scopes_and_owners_are_apart(store: Store) -> None:
    all_of_them = [
        KeyValues(store.db),
        KeyValues(store.db, "profile", "acme"),
        KeyValues(store.db, "profile", "other"),
        KeyValues(store.db, "user", "acme"),
    ]
    for number, values in enumerate(all_of_them):
        values["k"] = number
    del all_of_them[1]["k"]
    assert [values.get("k") for values in all_of_them] == [0, None, 2, 3]
    assert [dict(values) for values in all_of_them] == [{"k": 0}, {}, {"k": 2}, {"k": 3}]
    assert [len(values) for values in all_of_them] == [1, 0, 1, 1]


@pytest.mark.parametrize("key", ["", "no\0key", "\ud800", "x" * (KEY_LIMIT + 1)])
def test_a_key_that_cannot_be_kept_is_refused(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        KeyValues(store.db)[key] = 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_a_value_that_is_no_json_is_refused_and_the_old_one_stays(store: Store, value: Any) -> None:
    values = KeyValues(store.db)
    values["k"] = "old"
    with pytest.raises((ValueError, TypeError)):
        values["k"] = value
    assert values["k"] == "old"


def test_looking_through_it_does_not_fail_while_somebody_deletes(store: Store) -> None:
    values = KeyValues(store.db)
    values.update({f"{number}": number for number in range(20)})
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            values["7"] = 7
            values.pop("7", None)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(15):
            assert dict(values.items())["19"] == 19
            assert 19 in values.values()
    finally:
        stop.set()
        thread.join(20)
