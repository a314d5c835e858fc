"""Profiles: the customers or projects that runs and records belong to."""

from __future__ import annotations

from typing import Annotated
from unicodedata import normalize
from uuid import uuid4

from pydantic import BaseModel, Field, field_validator

from pipulate import Help, Hidden, Label, Resource, Switch, TextArea

TRAINING = """
A profile is a customer or a project. Every run, and every record of an app that keeps records per profile, belongs to
one. The profile menu at the top chooses the profile; all lists then show what belongs to it, and what is started or
added belongs to it too.

- Name: what the menu shows; no two profiles share one. Real name, address and code are for your own use.
- Active: an inactive profile is in no menu. Everything that belongs to it stays.
- A profile that has runs or records cannot be deleted; make it inactive instead. The default profile always stays.
- Profiles are dragged into the order of the menu.
- Lock profile, in the menu, shows the chosen profile alone until you unlock it: for showing the screen to a customer.
"""


class Customer(BaseModel):
    """A customer or a project."""

    name: Annotated[str, Field(min_length=1, max_length=80), Help("What the profile menu shows.")]
    real_name: Annotated[str, Field(max_length=200)] = ""
    address: Annotated[str, TextArea(rows=3), Field(max_length=1_000)] = ""
    code: Annotated[str, Field(max_length=80), Help("For example a customer number.")] = ""
    active: Annotated[bool, Switch(), Label("In use")] = True
    ident: Annotated[str, Hidden()] = Field(default_factory=lambda: uuid4().hex)  # What runs know the profile by.

    @field_validator("name")
    @classmethod
    def in_one_spelling(cls, name: str) -> str:
        """Return a name that looks the same as the same text."""
        return normalize("NFC", name)


profiles = Resource(
    "profiles",
    Customer,
    title="Profiles",
    description="Customers and projects. Lists show what belongs to the profile you chose.",
    icon="⌂",
    order=80,
    training=TRAINING,
    toggle="active",
    key="name",
    columns=("name", "real_name", "code", "active"),
    per_profile=False,
)
