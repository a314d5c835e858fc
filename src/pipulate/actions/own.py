"""All actions of the program itself."""

from __future__ import annotations

from typing import Final

from pipulate.actions import apps, class_style, filling, records, reports, results, runs
from pipulate.actions.world import World
from pipulate.tools.action import Action

NAMES: Final = frozenset(
    {
        "read_run", "list_runs", "start_run", "revert_step", "start_job", "submit_step", "read_result",
        "search_records", "read_record", "create_record", "update_record", "delete_record", "read_report",
        "make_report", "list_apps", "open_app", "read_form",
    }
)  # fmt: skip
"""Their names, which no action of an app can have."""


def own_actions(world: World) -> list[Action]:
    """Return the actions of the program itself, those that are used most first."""
    made = (
        runs.actions,
        filling.actions,
        class_style.actions,
        results.actions,
        records.actions,
        reports.actions,
        apps.actions,
    )
    return [action for each in made for action in each(world)]
