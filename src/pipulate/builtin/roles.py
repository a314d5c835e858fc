"""Roles: which groups of apps the menu shows."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from pipulate import Label, Resource, Switch

TRAINING = """
Each app may name the roles it is made for. The menu shows the apps of the roles that are switched on here; an app that
names none is always shown. Roles are switched by a click and dragged into their order.
"""


class Role(BaseModel):
    """A role, and whether it is switched on."""

    text: Annotated[str, Field(min_length=1, max_length=80), Label("Role")]
    done: Annotated[bool, Switch(), Label("On")] = False


roles = Resource(
    "roles",
    Role,
    title="Roles",
    description="Which groups of apps the menu shows.",
    icon="◑",
    order=81,
    training=TRAINING,
    toggle="done",
    key="text",
    columns=("text", "done"),
    per_profile=False,
)
