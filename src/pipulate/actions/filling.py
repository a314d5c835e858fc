"""The action that fills in a step: the same form, the same check, the same event as when the person does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipulate import forms
from pipulate.actions import class_style
from pipulate.actions.answers import Texts, differing, refusal, texts_from
from pipulate.actions.runs import cleared, told, went_by_itself
from pipulate.actions.world import World, acting
from pipulate.errors import InvalidAnswersError, RunLockedError, StepNotOpenError
from pipulate.fields import leaves
from pipulate.fields.files import Files
from pipulate.forms import KEPT, texts_of
from pipulate.forms.sending import asks_for_files, checked, started_with
from pipulate.storage import lookups
from pipulate.tools.action import Action, Difference, Doing, Result
from pipulate.workflows import reading
from pipulate.workflows.asking import FormView
from pipulate.workflows.uploads import offered
from pipulate.workflows.work import RunView, installed


class FillGiven(BaseModel):
    """Which step, and what its form is filled in with."""

    model_config = ConfigDict(extra="forbid")

    step: str = Field(description="Stored name of the step, as the run's steps have it.")
    values: dict[str, Any] = Field(
        description="Field name -> value. What is left out stays as the form has it now. Files and secrets cannot be"
        " given: only the person can fill those in.",
    )
    version: int = Field(ge=0, description="Version of the run that you have read.")
    run: str = Field("", description="Id of the run; leave it out for the one this conversation is about.")


def actions(world: World) -> list[Action]:
    """Return the action that fills in a step."""

    async def submit(given: FillGiven, doing: Doing) -> Result:
        if (again := await _done_before(world, given, doing)) is not None:
            return again
        view = await world.run(doing, given.run)
        if class_style.is_of_own_pages(world, view):
            return await on_its_page(view, given, doing)
        filled = await _filled(world, given, doing)
        try:
            view = await world.engine.submit(
                filled.view.row.id, acting(doing), given.step, filled.after, seen=given.version, submit_id=doing.submit
            )
        except InvalidAnswersError as error:
            raise filled.refused(error) from None
        made = await told(world, await went_by_itself(world, view, doing))
        return Result(made.data, f"“{filled.title}” was filled in.", made.link, made.untrusted)

    async def on_its_page(view: RunView, given: FillGiven, doing: Doing) -> Result:
        form = await class_style.form_with(world, view, given.step, given.values, doing)
        made = await told(world, await class_style.submitted(world, view, given.step, form, given.version, doing))
        return Result(made.data, f"“{form.title}” was filled in.", made.link, made.untrusted)

    async def differences(given: FillGiven, doing: Doing) -> Sequence[Difference]:
        view = await world.run(doing, given.run)
        if class_style.is_of_own_pages(world, view):
            return (await class_style.form_with(world, view, given.step, given.values, doing)).differences
        filled = await _filled(world, given, doing)
        if filled.view.state.lock is not None:
            raise RunLockedError(filled.view.state.lock.by, filled.view.state.lock.at)
        await _check(world, doing, filled)
        found = differing(filled.form.step.fields, filled.before, filled.after, filled.form.options)
        return [*found, *cleared(world, filled.view, given.step)]

    return [
        Action(
            "submit_step", "Fill in and submit a step",
            "Fill in the form of a step and submit it, as the person would. Read the run first: it says which step is"
            " open, and its fields. A step that is done can be filled in again; later steps are cleared by that.",
            FillGiven, "write", submit, differences,
        )
    ]  # fmt: skip


async def tried(world: World, given: FillGiven, doing: Doing) -> None:
    """Refuse what the form of a step would refuse; nothing is changed.

    Raises:
        StepNotOpenError: If the step is not asked for now, and was not done either.
        CallError: If the form would refuse it; says which fields, and why.
    """
    view = await world.run(doing, given.run)
    if class_style.is_of_own_pages(world, view):
        await class_style.form_with(world, view, given.step, given.values, doing)
        return
    await _check(world, doing, await _filled(world, given, doing))


@dataclass(frozen=True, slots=True)
class _Filled:
    """The form of a step with what a model filled in; `before` is what it was submitted with the last time."""

    view: RunView
    form: FormView
    before: Mapping[str, Sequence[str]] | None
    after: Texts

    @property
    def title(self) -> str:
        return self.form.step.title

    def refused(self, error: InvalidAnswersError) -> Exception:
        return refusal(f"“{self.title}”", self.form.step.fields, error)


async def _done_before(world: World, given: FillGiven, doing: Doing) -> Result | None:
    """Return how the run stands where the same call was carried out before; None where it was not."""
    view = await world.run(doing, given.run)
    if doing.submit is None or await world.db.read(lookups.by_submit, view.row.id, doing.submit) is None:
        return None
    return await told(world, view)


async def _filled(world: World, given: FillGiven, doing: Doing) -> _Filled:
    """Return the form of a step as it is sent: what it starts with, and over that what is given.

    Raises:
        StepNotOpenError: If the step is not asked for now, and was not done either.
        CallError: If what is given cannot be filled in.
    """
    view = await world.run(doing, given.run)
    step = installed(view)[given.step]
    slot = next(each for each in await world.engine.slots(view) if each.step is step)
    if slot.status in ("waiting", "skipped") or step.is_automatic:
        raise StepNotOpenError(step.name, view.row.open_step if view.row.open_step != step.name else None)
    form = await world.engine.form(view, slot)
    if form.is_working:
        raise StepNotOpenError(step.name, None)
    starts = await _starts_with(world, doing, view, form, form.answers)
    held = slot.value.data.get("input") if slot.value is not None else None
    before = await _starts_with(world, doing, view, form, held) if held is not None else None
    try:
        typed = texts_from(form.step.fields, given.values, form.options)
    except InvalidAnswersError as error:
        raise refusal(f"“{step.title}”", form.step.fields, error) from None
    return _Filled(view, form, before, {**starts, **typed})


async def _starts_with(world: World, doing: Doing, view: RunView, form: FormView, answers: Mapping[str, Any]) -> Texts:
    """Return the texts that a form holds before anybody types; secrets stay where they are."""
    fields = form.step.fields
    texts = {name: [text for text in each if text != KEPT] for name, each in texts_of(fields, answers).items()}
    secrets = {each.name for each in leaves(fields) if each.kind == "secret"}
    texts = {name: each for name, each in texts.items() if name not in secrets}
    if asks_for_files(fields):
        offers = await world.db.read(offered, view.row.id, doing.who.actor, form.step.name)
        texts |= started_with(fields, answers, offers)
    return texts


async def _check(world: World, doing: Doing, filled: _Filled) -> None:
    """Refuse what the form would refuse, before a person is asked."""
    step, form, run = filled.form.step, filled.form, filled.view.row.id
    before = reading.given_before(step, filled.view.state)
    try:
        files = Files(world.engine.files, run)
        if asks_for_files(step.fields):
            offers = await world.db.read(offered, run, doing.who.actor, step.name)
            files = Files(world.engine.files, run, offers=checked(step.fields, filled.after, offers))
        answers = forms.taken(step, filled.after, form.options, before)
        forms.refuse_unoffered(step.fields, answers, form.options)
        await world.engine.apart(partial(world.engine.work.checked, step, answers, files))
    except InvalidAnswersError as error:
        raise filled.refused(error) from None
