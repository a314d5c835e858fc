"""The program's own actions as a model is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipulate.actions.own import NAMES, own_actions
from pipulate.tools.action import Action
from pipulate.tools.registry import schema
from tests.support.actions import Desk
from tests.support.store import Sqlite

EFFECTS = {
    "read": {
        "read_form", "read_run", "list_runs", "read_result", "search_records", "read_record", "read_report",
        "list_apps", "open_app",
    },
    "write": {"start_run", "submit_step", "revert_step", "start_job", "create_record", "update_record", "make_report"},
    "destroy": {"delete_record"},
}  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Action]]:
    with Sqlite().opened(Path(tmp_path_factory.mktemp("own")) / "data") as store:
        yield own_actions(Desk(store).world)


def test_names_and_effects_are_what_they_were(own: list[Action]) -> None:
    assert {effect: {each.name for each in own if each.effect == effect} for effect in EFFECTS} == EFFECTS
    assert {each.name for each in own} == NAMES


def test_every_schema_is_a_plain_object_whose_fields_are_described(own: list[Action]) -> None:
    for each in own:
        made = schema(each)
        assert made["type"] == "object"
        assert made["additionalProperties"] is False
        assert "$ref" not in str(made)
        assert [name for name, field in made["properties"].items() if not field.get("description")] == []


def test_every_action_says_what_it_is_in_plain_words(own: list[Action]) -> None:
    for each in own:
        assert each.title[0].isupper()
        assert not each.title.endswith(".")
        assert each.description.endswith(".")
        assert len(each.description) < 400


def test_whatever_changes_something_has_a_card_and_what_reads_has_none(own: list[Action]) -> None:
    assert {each.name for each in own if each.differences is None} == EFFECTS["read"]


def test_all_of_them_together_leave_room_in_a_small_context(own: list[Action]) -> None:
    told: list[Any] = [(each.name, each.description, schema(each)) for each in own]
    assert len(str(told)) < 14_000
