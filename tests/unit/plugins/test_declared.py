"""Which apps a file declares."""

from __future__ import annotations

from types import ModuleType

from pydantic import BaseModel

from pipulate import Report, Resource, Workflow
from pipulate.plugins.loading import declared_in


class Thing(BaseModel):
    """A record."""

    name: str


def test_apps_of_every_kind_are_found_once_in_the_order_of_their_making_but_for_those_of_another_file() -> None:
    flow, table, report = Workflow("flow"), Resource("table", Thing), Report("report")
    elsewhere = Workflow("elsewhere")
    elsewhere.module = "another"
    module = ModuleType(__name__)
    vars(module).update(a=table, b=1, c=flow, d=table, e=elsewhere, f=report, g=Workflow)
    assert declared_in(module) == [table, flow, report]
    assert {each.module for each in (flow, table, report)} == {__name__}
