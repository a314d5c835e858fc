"""Actions on apps: which there are, and the way to one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from pipulate.actions.told import cut, fitted
from pipulate.actions.world import KnownApp, World
from pipulate.crud import roles
from pipulate.errors import CallError
from pipulate.storage import profiles
from pipulate.storage.database import Transaction
from pipulate.tools.action import Action, Doing, Result


class AppsGiven(BaseModel):
    """Which apps."""

    model_config = ConfigDict(extra="forbid")

    words: str = Field("", max_length=200, description="Only apps with this in title or description; empty for all.")


class AppGiven(BaseModel):
    """Which app."""

    model_config = ConfigDict(extra="forbid")

    app: str = Field(description="Stored name of the app, as list_apps has it.")


def actions(world: World) -> list[Action]:
    """Return the actions on apps."""

    async def listed(given: AppsGiven, doing: Doing) -> Result:
        words = given.words.strip().casefold()
        found = [
            {"app": each.name, "title": each.title, "description": cut(each.description, 160), "kind": each.kind}
            for each in await _shown(world, doing)
            if words in f"{each.title} {each.description}".casefold()
        ]
        return Result({"apps": fitted(found), "found": len(found)})

    async def opened(given: AppGiven, doing: Doing) -> Result:
        app = next((each for each in await _shown(world, doing) if each.name == given.app.strip()), None)
        if app is None:
            raise CallError(f"There is no app {given.app!r} in the menu. list_apps says which there are.")
        data = {"app": app.name, "title": app.title, "address": app.address}
        return Result(data, f"The way to {app.title}.", app.address)

    return [
        Action(
            "list_apps", "List the apps", "List the apps in the person's menu: stored name, title, description, kind.",
            AppsGiven, "read", listed,
        ),
        Action(
            "open_app", "Give the way to an app",
            "Give the person a link to an app's page. It changes nothing, and does not open the page by itself.",
            AppGiven, "read", opened,
        ),
    ]  # fmt: skip


async def _shown(world: World, doing: Doing) -> list[KnownApp]:
    """Return the apps in a person's menu; while a profile is locked, without the list of profiles."""
    active, is_locked = await world.db.read(_menu, doing.who.actor)
    return [
        each
        for each in world.apps()
        if each.is_in_menu and roles.is_shown(each.roles, active) and not (is_locked and each.name == profiles.NAME)
    ]


def _menu(tx: Transaction, user: str) -> tuple[frozenset[str], bool]:
    return roles.active(tx), profiles.is_locked(tx, user)
