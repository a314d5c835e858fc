"""What a model is told of the page that a conversation is beside, as it is now: in short, bounded, without secrets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipulate.actions import runs
from pipulate.actions.records import record_told
from pipulate.actions.told import as_json, cut, field_told, open_values, shown_fields, without_named_secrets
from pipulate.actions.world import KnownApp, World
from pipulate.chat.scene import Scene, refuse_others
from pipulate.crud.links import labels
from pipulate.crud.resource import Resource
from pipulate.errors import PipulateError, RunNotFoundError
from pipulate.security.who import Who
from pipulate.storage import lookups, messages, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.ledger import RunRow
from pipulate.storage.records.queries import Query
from pipulate.tools.action import Doing
from pipulate.workflows.work import RunView

ABOUT_MAX: Final = 12_000
"""Most characters of what is told of a page."""

_RUNS: Final = 8
_APPS: Final = 60
_STATE_MAX: Final = 1_500
_VIEW: Final = re.compile(r"([a-z][a-z0-9_]{0,59})/([0-9]{1,18})")
_MORE: Final = "\n… More was left out here; the actions read all of it."


@dataclass(slots=True)
class _Told:
    """Lines that are gathered, and whether others wrote some of them."""

    lines: list[str]
    untrusted: bool = False


class AppScenes:
    """Tells what conversations are beside."""

    def __init__(self, world: World) -> None:
        """Wire it up."""
        self._world = world

    async def scene(self, conversation: str, who: Who, view: str = "") -> Scene:
        """Return what a conversation is beside, as of now.

        Args:
            conversation: Its id.
            who: The person whose conversation it is.
            view: What the page shows besides, `resource/number` for a record; "" otherwise.

        Raises:
            RunNotFoundError: If it is neither one of the person's own nor that of a run of theirs, or its run is in the
                bin, or of another profile than the one that is shown alone.
        """
        doing = await self._world.db.read(_doing, conversation, who, view)
        app = self._world.app(doing.app)
        told, title = _Told([]), app.title if app is not None else ""
        if doing.run is not None:
            held = await self._world.engine.view(doing.run, who)
            title = f"{title or held.title}: {held.row.key}"
            await self._of_run(told, held)
        elif app is not None:
            await self._of_app(told, app, doing)
        else:
            await self._of_nothing(told, doing)
        if view:
            await self._of_view(told, doing)
        training = await asyncio.to_thread(app.training) if app is not None else ""
        about = "\n".join(told.lines)
        if len(about) > ABOUT_MAX:
            about = about[: ABOUT_MAX - len(_MORE)] + _MORE
        return Scene(doing, title, training, about, told.untrusted)

    # Runs

    async def _of_run(self, told: _Told, view: RunView) -> None:
        result = await runs.told(self._world, view)
        data: Mapping[str, Any] = result.data
        told.untrusted = result.untrusted
        told.lines.append(f"Open: the run “{view.row.key}” of the app “{data['app']}”.")
        told.lines.append(f"Run id: {view.row.id}. Version: {view.row.version}.")
        if "locked" in data:
            told.lines.append(f"It is locked. {data['locked']}")
        if view.workflow is None:
            told.lines += _state_lines(view, data)
            return
        told.lines.append("Its steps, in order:")
        told.lines += [_step_line(each) for each in data.get("steps", ())]
        if "open" in data:
            told.lines += _open_lines(data["open"])
        elif "problem" not in data and "locked" not in data:
            told.lines.append("All steps are done.")
        if "problem" in data:
            told.lines.append(f"Problem: {data['problem']}")

    # Apps

    async def _of_app(self, told: _Told, app: KnownApp, doing: Doing) -> None:
        told.lines.append(f"Open: the page of the app “{app.title}” (stored name {app.name}), kind: {app.kind}.")
        if app.description:
            told.lines.append(app.description)
        resource = self._world.records.resources.get(app.name)
        report = self._world.reports.catalog.get(app.name)
        if resource is not None:
            await self._of_resource(told, resource, doing)
        elif report is not None:
            told.lines.append("Its filters:")
            told.lines += [_field_line(field_told(each)) for each in shown_fields(report.fields)]
            told.lines += [f"It makes: {each.title} (maker {each.name})." for each in report.makers.values()]
        else:
            await self._of_runs(told, app, doing)

    async def _of_resource(self, told: _Told, resource: Resource[Any], doing: Doing) -> None:
        try:
            owner = await self._world.owner(doing, resource)
            found = await self._world.records.page(resource, Query(owner), limit=1)
        except PipulateError as error:
            told.lines.append(f"Problem: {error}")
            return
        told.lines.append(f"It has {found.total:,} records. The fields of a record:")
        told.lines += [_field_line(field_told(each)) for each in shown_fields(resource.fields)]

    async def _of_runs(self, told: _Told, app: KnownApp, doing: Doing) -> None:
        workflow = self._world.engine.catalog.get(app.name)
        steps = [(each.name, each.title) for each in workflow.steps] if workflow is not None else app.steps
        if steps:
            told.lines.append("Its steps: " + ", ".join(f"{title} ({name})" for name, title in steps) + ".")
        rows, imported = await self._world.db.read(_last_runs, app.name, doing)
        told.untrusted = told.untrusted or imported
        told.lines.append("The last runs:" if rows else "There are no runs yet.")
        for row in rows:
            state = "locked" if row.locked_at else f"open step: {row.open_step}" if row.open_step else "all steps done"
            told.lines.append(f"- {row.key} (id {row.id}), {state}, changed {row.updated_at}")

    async def _of_nothing(self, told: _Told, doing: Doing) -> None:
        is_locked = await self._world.db.read(profiles.is_locked, doing.who.actor)
        apps = [each for each in self._world.apps() if each.is_in_menu]
        shown = [f"{each.title} ({each.name})" for each in apps if not (is_locked and each.name == profiles.NAME)]
        told.lines.append("No app is open. The apps: " + (", ".join(shown[:_APPS]) or "none") + ".")

    # Records

    async def _of_view(self, told: _Told, doing: Doing) -> None:
        """Add the record that the page shows; one that is not there is left out, as on the page."""
        match = _VIEW.fullmatch(doing.view)
        resource = self._world.records.resources.get(match[1]) if match else None
        if match is None or resource is None:
            return
        try:
            record = await self._world.record(doing, resource, int(match[2]))
            names = await labels(self._world.records, resource, [record.values])
        except PipulateError:
            return
        held = record_told(resource, record, names, ABOUT_MAX // 4)
        told.untrusted = True
        told.lines.append(f"The page shows record {record.id} of {resource.title}, version {record.version}:")
        told.lines += [f"- {name}: {value}" for name, value in held["fields"].items()]


def _doing(tx: Transaction, conversation: str, who: Who, view: str) -> Doing:
    """Return in whose name, and beside what, something is done in a conversation.

    Raises:
        RunNotFoundError: As in `AppScenes.scene`.
    """
    refuse_others(tx, conversation, who.actor)
    chosen = profiles.chosen(tx, who.actor)
    if messages.is_outside(conversation, who.actor):
        app = conversation.removeprefix(messages.general(who.actor)).removeprefix("/") or None
        return Doing(who, chosen, app=app, view=view)
    row = lookups.by_id(tx, conversation, who.actor)
    if row.profile != chosen and profiles.is_locked(tx, who.actor):
        raise RunNotFoundError(conversation)
    return Doing(who, chosen, run=row.id, app=row.app, view=view)


def _last_runs(tx: Transaction, app: str, doing: Doing) -> tuple[Sequence[RunRow], bool]:
    """Return the runs of an app that changed last, and whether one of them came from a file."""
    rows = lookups.listed(tx, doing.who.actor, app=app, profile=doing.profile, limit=_RUNS).runs
    return rows, any(lookups.was_imported(tx, row.id) for row in rows)


def _step_line(step: Mapping[str, Any]) -> str:
    parts = [f"- {step['title']} (step {step['step']}): {step['status']}"]
    if "filled in" in step:
        parts.append(f"filled in: {step['filled in']}")
    if "result" in step:
        parts.append(f"result: {step['result']}")
    return "; ".join(parts)


def _open_lines(opened: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a model has to know of the step that is open."""
    yield f"The step that is open now: {opened['title']} (step {opened['step']})."
    if "help" in opened:
        yield str(opened["help"])
    if "note" in opened:
        yield f"Note: {opened['note']}"
    if "fields" in opened:
        yield "Its fields:"
        yield from (_field_line(each) for each in opened["fields"])
        wanting = [each["label"] for each in opened["fields"] if each.get("must") and not each.get("in the form now")]
        if wanting:
            yield "Still missing: " + ", ".join(wanting) + "."


def _field_line(field: Mapping[str, Any]) -> str:
    parts = [f"- {field['field']} ({field['label']}): {field['type']}"]
    if field.get("must"):
        parts.append("has to be filled in")
    parts += [f"{name} {text}" for name, text in field.get("limits", {}).items()]
    if "options" in field:
        more = f" and {field['more options']} more" if "more options" in field else ""
        parts.append("options: " + ", ".join(map(_option, field["options"])) + more)
    if "in the form now" in field:
        parts.append(f"in the form now: {field['in the form now']}")
    elif "starts with" in field:
        parts.append(f"starts with: {cut(str(field['starts with']))}")
    if "help" in field:
        parts.append(str(field["help"]))
    return "; ".join(parts)


def _option(option: Any) -> str:
    return f"{option['value']} ({option['label']})" if isinstance(option, dict) else str(option)


def _state_lines(view: RunView, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the state of a class-style run, step by step; what is named like a secret is left out."""
    yield "What its steps hold:"
    for step in data["steps"]:
        value = view.state.steps.get(step["step"])
        held = without_named_secrets(open_values(value.data.get("output"))) if value is not None else None
        text = "nothing yet" if held is None else cut(held if isinstance(held, str) else as_json(held), _STATE_MAX)
        yield f"- {step['title']} (step {step['step']}, {step['status']}): {text}"
    if any(step["status"] == "open" for step in data["steps"]):
        yield "read_form reads what the open step asks for."
