"""Actions that apps bring: functions of their authors, offered beside their app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from pipulate.actions.answers import told_by_field
from pipulate.actions.guarded import guarded
from pipulate.actions.told import CHARS_MAX, as_json, cut, open_values
from pipulate.actions.world import World
from pipulate.crud.resource import Resource
from pipulate.crud.tables import Tables
from pipulate.errors import CallError, InvalidAnswersError
from pipulate.fields.actions import AppAction
from pipulate.fields.files import Files
from pipulate.reports.report import Report
from pipulate.security.capability import OWNER
from pipulate.storage import profiles
from pipulate.tools.action import Action, Doing, Result
from pipulate.workflows.definition import Workflow
from pipulate.workflows.handed import Profile, User
from pipulate.workflows.run import Run
from pipulate.workflows.work import RunView

AnyApp = Workflow | Resource[Any] | Report


def brought(world: World) -> list[Action]:
    """Return the actions of all apps there are now; of two with one name, that of the app that comes first."""
    known: Mapping[str, AnyApp] = {**world.engine.catalog, **world.records.resources, **world.reports.catalog}
    order = {each.name: place for place, each in enumerate(world.apps())}
    apps = sorted(known.values(), key=lambda app: (order.get(app.name, len(order)), app.name))
    return [_action(world, app, each) for app in apps for each in app.actions.values()]


def _action(world: World, app: AnyApp, declared: AppAction) -> Action:
    needs_run = any(kind in (Run, Files) for kind in declared.handed_in.values())

    def offered(doing: Doing) -> bool:
        return doing.app == app.name and (doing.run is not None or not needs_run)

    do = partial(_called, world, app, declared)
    return Action(
        declared.name, declared.title, declared.description, declared.model, declared.effect, do, None, offered,
        app.name,
    )  # fmt: skip


async def _called(world: World, app: AnyApp, declared: AppAction, given: BaseModel, doing: Doing) -> Result:
    if doing.app != app.name:
        raise CallError(f"“{declared.title}” belongs to {app.title}. Open that app first.")
    profile = await world.chosen(doing)
    view = await world.run(doing, doing.run) if doing.run is not None else None
    profile = view.row.profile if view is not None else profile
    arguments = {name: getattr(given, name) for name in type(given).model_fields}
    kinds = declared.handed_in.items()

    def handed() -> dict[str, Any]:
        return {name: _handed_in(world, kind, profile, doing, view) for name, kind in kinds}

    call = _awaited(world, declared.function, arguments, handed)
    try:
        made = await guarded(app.name, declared.name, call)
    except InvalidAnswersError as error:
        raise CallError(told_by_field((), error)) from None
    return Result(bounded(app.name, declared.name, made), f"{app.title}: {declared.title}.", untrusted=True)


async def _awaited(
    world: World, function: Callable[..., Any], arguments: Mapping[str, Any], handed: Callable[[], Mapping[str, Any]]
) -> Any:
    if asyncio.iscoroutinefunction(function):
        return await function(**arguments, **await world.engine.apart(handed))
    return await world.engine.apart(lambda: function(**arguments, **handed()))


def _handed_in(world: World, kind: type, profile: str, doing: Doing, view: RunView | None) -> Any:
    if kind is Tables:
        return world.engine.work.tables(profile)
    if kind is User:
        return User(doing.who.actor, "You" if doing.who.actor == OWNER else doing.who.actor)
    if kind is Profile:
        found = world.db.read_now(profiles.find, profile)
        return Profile(profile, found.name if found else "")
    if view is None:
        raise CallError("This is about a run, and the conversation is about none. Open a run first.")
    run = world.engine.run_of(view)
    return run if kind is Run else run.files


def bounded(app: str, action: str, made: Any) -> Any:
    """Return what the function of an author returned as JSON, cut where it is too long.

    Raises:
        CallError: If it is nothing that JSON has a form for.
    """
    try:
        plain = open_values(to_jsonable_python(made, inf_nan_mode="constants"))
    except (PydanticSerializationError, ValueError) as error:
        words = "It returns text, numbers, lists or dicts"
        raise CallError(f"The action {action!r} of {app!r} returned {type(made).__name__}. {words}.") from error
    if isinstance(plain, str):
        return cut(plain, CHARS_MAX)
    text = as_json(plain)
    return plain if len(text) <= CHARS_MAX else {"cut": cut(text, CHARS_MAX)}
