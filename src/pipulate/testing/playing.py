"""A run that is played by a test, as a person does it with a browser."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self

from pipulate.chat.calls import digest
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import calls, messages
from pipulate.testing.browser import Answer
from pipulate.testing.errors import AppFailedError, ConflictError, PlayError, RefusedError, WrongStepError
from pipulate.testing.forms import fields_of, flattened, texts_for, unknown_field, uploads_of
from pipulate.testing.page import Node, read_page
from pipulate.testing.reading import Reading, name_of
from pipulate.testing.tab import Tab
from pipulate.workflows.definition import Step

Expected = bool | str | Collection[str] | Mapping[str, str]
"""Which problems a form is to come back with: any, at this field, at exactly these, or exactly these with words."""


class Play(Reading):
    """A run in one browser tab.

    What is done returns the same object, so calls can be put behind each other. What is read comes in two kinds:
    `fields`, `errors`, `open_step`, `html` and `text_of` are what this tab shows, which may be old; everything else is
    what is stored.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.app.close()

    # What a person does

    def fill(
        self,
        /,
        *,
        expect_problems: Expected = False,
        expect_conflict: bool = False,
        expect_failure: bool = False,
        **fields: Any,
    ) -> Self:
        """Fill in the form of the open step and send it. Fields that are not named stay as the form shows them.

        Args:
            expect_problems: The form is to come back: True, the name of a field, names, or a dict of field and words.
            expect_conflict: It is to be refused because somebody else was faster, or the run is locked.
            expect_failure: The code of the app is to raise; `failure` is what it raised.
            fields: Field -> value, as Python has it. A dict or a model fills in the fields of a group.

        Raises:
            WrongStepError: If no step asks for anything.
            WrongFieldError: If the step has no such field.
            RefusedError, ConflictError, AppFailedError: If that happens and is not expected.
        """
        __tracebackhide__ = True
        step = self._tab.open_step
        if step is None or self._tab.step_form(step) is None:
            raise WrongStepError(f"No step asks for anything now: {self._where()}.")
        return self.fill_step(
            step, fields, expect_problems=expect_problems, expect_conflict=expect_conflict,
            expect_failure=expect_failure,
        )  # fmt: skip

    def fill_step(
        self,
        step: str | Step[..., Any],
        values: Mapping[str, Any] | None = None,
        /,
        *,
        expect_problems: Expected = False,
        expect_conflict: bool = False,
        expect_failure: bool = False,
        **fields: Any,
    ) -> Self:
        """As `fill`, and make sure that it is this step. Names that Python does not allow go into `values`.

        Raises:
            WrongStepError: If this tab does not ask for the step; says which one it asks for.
        """
        __tracebackhide__ = True
        name = name_of(step)
        form = self._tab.step_form(name)
        if form is None:
            self._refuse_unknown(name)
            raise WrongStepError(f"Step {name!r} is not open: {self._where()}.")
        changed = self._written(name, form, {**(values or {}), **fields})
        answer = self._tab.press(form, changed=changed)
        if answer.status == 422:
            return self._came_back(name, expect_problems)
        self._judge(answer, f"Sending step {name!r}", expect_conflict=expect_conflict, expect_failure=expect_failure)
        if expect_problems:
            raise PlayError(f"Step {name!r} was to come back with problems, but it was taken: {self!r}")
        return self

    def revert(self, step: str | Step[..., Any], *, expect_conflict: bool = False) -> Self:
        """Go back to a step: press *Edit* beside it. Its form is open then, with the old answers in it.

        Raises:
            WrongStepError: If the page has no such button.
        """
        __tracebackhide__ = True
        name = name_of(step)
        return self._press_for(name, "revert", f"Going back to step {name!r}", expect_conflict=expect_conflict)

    def again(self, step: str | Step[..., Any], *, expect_conflict: bool = False, expect_failure: bool = False) -> Self:
        """Run a step that runs by itself once more: press *Run again* beside it, or *Try again* where it failed."""
        __tracebackhide__ = True
        name = name_of(step)
        form = self._tab.form_to(f"/steps/{name}/run")
        what = f"Running step {name!r} again"
        if form is None:
            return self._press_for(name, "again", what, expect_conflict=expect_conflict, expect_failure=expect_failure)
        answer = self._tab.press(form)
        return self._judge(answer, what, expect_conflict=expect_conflict, expect_failure=expect_failure)

    def keep(self, *, expect_conflict: bool = False, expect_failure: bool = False) -> Self:
        """Take the old answers of the open step again: press *Keep as it is*.

        Raises:
            WrongStepError: If that is not offered: nothing was answered before, or what it was made from changed.
        """
        __tracebackhide__ = True
        otherwise = "nothing can be kept as it is here"
        return self._press_beside("/keep", otherwise, expect_conflict=expect_conflict, expect_failure=expect_failure)

    def skip(self, *, expect_conflict: bool = False, expect_failure: bool = False) -> Self:
        """Leave out the open step: press *Skip*, which a step has that is optional."""
        __tracebackhide__ = True
        otherwise = "the open step cannot be skipped"
        return self._press_beside("/skip", otherwise, expect_conflict=expect_conflict, expect_failure=expect_failure)

    def suggest(self) -> dict[str, Any]:
        """Press *Suggest with the assistant*, which an open step with `suggest_with_model` has; see `ScriptedModel`.

        Returns:
            What the model suggests: field -> value. `allow` fills the step in with it.

        Raises:
            WrongStepError: If the page has no such button.
            PlayError: If nothing that fits came of it; says why.
        """
        __tracebackhide__ = True
        form = self._tab.form_to("/suggest")
        if form is None:
            raise WrongStepError(f"The open step has no suggestions of a model, or there is no model: {self._where()}.")
        self._judge(self._tab.press(form), "Asking for a suggestion")
        site = self.app.application.site
        self.app.call(site.assistant.idle(self.id))
        waiting = site.db.read_now(calls.waiting, self.id, "submit_step")
        if not waiting:
            last = site.db.read_now(messages.before, self.id, limit=1)[-1]
            raise PlayError(f"No suggestion came: {last.data.get('error', {}).get('words', last.text)}")
        self.reload()
        return dict(waiting[-1].arguments["values"])

    def allow(self, **changed: Any) -> Self:
        """Allow what was suggested last, with other values where some are given.

        Raises:
            PlayError: If nothing waits to be allowed, or it could not be done; says why.
        """
        __tracebackhide__ = True
        return self._decide("allow", changed)

    def deny(self) -> Self:
        """Say no to what was suggested last; errors as in `allow`."""
        __tracebackhide__ = True
        return self._decide("deny", {})

    def _decide(self, decision: Literal["allow", "deny"], changed: Mapping[str, Any]) -> Self:
        __tracebackhide__ = True
        site = self.app.application.site
        waiting = site.db.read_now(calls.waiting, self.id, "submit_step")
        if not waiting:
            raise PlayError("Nothing was suggested that waits to be allowed.")
        row = waiting[-1]
        arguments = row.arguments | {"values": {**row.arguments["values"], **changed}} if changed else None
        shown = digest(row.arguments)
        decided = site.assistant.decide(row.id, Who(OWNER), decision, shown=shown, arguments=arguments)
        self.app.call(decided)
        self.app.call(site.assistant.idle(self.id))
        done = site.db.read_now(calls.find, row.id)
        if done is not None and done.state == calls.FAILED:
            raise PlayError(f"It was allowed, and could not be done: {done.result['words']}")
        return self.reload()

    def cancel_edit(self, *, expect_conflict: bool = False) -> Self:
        """Leave the step as it was before `revert`: press *Cancel edit*."""
        __tracebackhide__ = True
        return self._press_beside("/cancel-edit", "there is no edit to cancel", expect_conflict=expect_conflict)

    def go_back(self, version: int, *, expect_conflict: bool = False) -> Self:
        """Bring back an earlier version: open it from the history and press *Go back to here*."""
        __tracebackhide__ = True
        seen, run, address = self._tab.page, self._tab.run, self._tab.address
        past = self._tab.open(f"{address}?version={version}")
        form = self._tab.form_to(f"/-/runs/{run}/go-back")
        if past.status != 200 or form is None:
            self._tab.page = seen
            reason = "the run is locked" if self.is_locked else f"it has the versions 1 to {self.version}"
            raise WrongStepError(f"Version {version} cannot be brought back: {reason}.")
        return self._judge(self._tab.press(form), f"Going back to {version}", expect_conflict=expect_conflict)

    def finalize(self, *, expect_conflict: bool = False) -> Self:
        """Lock the run: press *Lock run*, which is there when all steps are done."""
        __tracebackhide__ = True
        return self._press("lock", "Locking", "the run can be locked when all steps are done", expect_conflict)

    def unfinalize(self) -> Self:
        """Unlock the run."""
        __tracebackhide__ = True
        return self._press("unlock", "Unlocking", "the run is not locked", expect_conflict=False)

    def rename(self, key: str, *, expect_problems: bool = False) -> Self:
        """Give the run another key."""
        __tracebackhide__ = True
        form = self._tab.form_to(f"/-/runs/{self.id}/rename")
        if form is None:
            raise WrongStepError(f"The run cannot be renamed now: {self._where()}.")
        answer = self._tab.press(form, changed={"key": [key]})
        if answer.status == 422 and expect_problems:
            return self
        if answer.status == 422:
            raise RefusedError("the key", {"key": " ".join(self._tab.alerts)}, {"key": [key]})
        return self._judge(answer, f"Renaming to {key!r}")

    def fork(self, version: int | None = None) -> Play:
        """Copy the run, up to a version where one is named, and return the copy in a tab of its own."""
        __tracebackhide__ = True
        copy = Tab(self.app, self._tab.run, self._tab.address)
        if version is not None:
            copy.open(f"{copy.address}?version={version}")
        form = copy.form_to(f"/-/runs/{self.id}/copy", naming="version" if version is not None else "")
        if form is None:
            raise WrongStepError(f"There is no version {version} to copy; the run has 1 to {self.version}.")
        answer = copy.press(form)
        made = Play(copy)
        return made._judge(answer, "Copying")

    def delete(self) -> Self:
        """Put the run into the bin; what is stored of it cannot be read then, but `undelete` brings it back."""
        __tracebackhide__ = True
        return self._press("delete", "Deleting", "a locked run cannot be deleted", expect_conflict=False)

    def undelete(self) -> Self:
        """Take the run out of the bin."""
        __tracebackhide__ = True
        return self._judge(self._tab.post(f"/-/runs/{self._tab.run}/undelete", []), "Taking it out of the bin")

    def reload(self) -> Self:
        """Load the page again: this tab then shows what is stored now."""
        __tracebackhide__ = True
        return self._judge(self._tab.open(self._tab.address), "Loading the page", expect_failure=None)

    def other_tab(self) -> Play:
        """Open the same run in another tab, as it is now. Each tab goes on from what it saw last."""
        return Play(Tab(self.app, self._tab.run, self._tab.address))

    # After a conflict

    def keep_mine(self) -> Self:
        """Choose, on the page of a conflict, what was typed in this tab."""
        __tracebackhide__ = True
        return self._choose(f"/steps/{self._conflicting()}", "Keep mine")

    def take_theirs(self) -> Self:
        """Choose, on the page of a conflict, what is stored."""
        __tracebackhide__ = True
        self._conflicting()
        return self.reload()

    def continue_in_copy(self) -> Self:
        """Choose, on the page of a conflict, to go on in a copy of the run; this tab shows the copy then."""
        __tracebackhide__ = True
        return self._choose(f"/steps/{self._conflicting()}/copy", "Continue in a copy")

    # Parts

    def _written(self, step: str, form: Node, values: Mapping[str, Any]) -> dict[str, list[str]]:
        shown = fields_of(form)
        changed = {}
        for name, value in flattened(values).items():
            if name not in shown:
                raise unknown_field(step, name, list(shown))
            if shown[name].kind == "file":
                changed[name] = self._uploaded(step, form, name, value)
            else:
                changed[name] = texts_for(shown[name], value)
        return changed

    def _uploaded(self, step: str, form: Node, name: str, value: Any) -> list[str]:
        """Send files for a field, and return what the form sends for them."""
        control = form.find("input", type="file", name=name)
        box = control.inside("div") if control is not None else None
        while box is not None and not box.get("data-upload"):
            box = box.inside("div")
        sent = []
        for upload in uploads_of(value):
            answer = self._tab.upload(box.get("data-upload") if box is not None else "", upload)
            line = read_page(answer.text)
            held = line.find("input", name=name)
            if answer.status != 201 or held is None:
                raise RefusedError(step, {name: line.text}, {name: [upload.name]})
            sent.append(held.get("value"))
        return sent

    def _came_back(self, step: str, expected: Expected) -> Self:
        __tracebackhide__ = True
        problems = {name: words for name, words in self.errors.items() if words}
        if not expected:
            raise RefusedError(step, problems, {name: list(each.texts) for name, each in self.fields.items()})
        if expected is True:
            return self
        wanted = {expected} if isinstance(expected, str) else set(expected)
        wrong_words = isinstance(expected, Mapping) and any(
            words not in problems.get(name, "") for name, words in expected.items()
        )
        if set(problems) != wanted or wrong_words:
            raise PlayError(f"Step {step!r} was to come back with {expected!r}; it came back with {problems!r}.")
        return self

    def _judge(
        self, answer: Answer, what: str, *, expect_conflict: bool = False, expect_failure: bool | None = False
    ) -> Self:
        """Look at an answer and at its page; raise where it is not what the test expects (None: either way is fine)."""
        __tracebackhide__ = True
        words = " ".join(self._tab.alerts) or self._tab.page.text[:300]
        failure = self._tab.failure()
        if answer.status >= 500 or failure is not None:
            if expect_failure is False or failure is None:
                raise AppFailedError(what, failure, words) from failure
            return self
        if answer.status == 409:
            if not expect_conflict:
                raise ConflictError(what, words)
            return self
        if answer.status >= 400:
            raise PlayError(f"{what} was answered with status {answer.status}: {words}")
        if expect_conflict:
            raise PlayError(f"{what} was to be refused, but it was done: {self!r}")
        if expect_failure:
            raise PlayError(f"{what} was to fail, but it did not: {self!r}")
        return self

    def _press(self, action: str, what: str, otherwise: str, expect_conflict: bool) -> Self:
        __tracebackhide__ = True
        form = self._tab.form_to(f"/-/runs/{self.id}/{action}")
        if form is None:
            shown = f" The page says: {self.notice}" if self.notice else ""
            raise WrongStepError(f"{what} is not offered: {otherwise}; {self._where()}.{shown}")
        return self._judge(self._tab.press(form), what, expect_conflict=expect_conflict)

    def _press_for(
        self, step: str, action: str, what: str, *, expect_conflict: bool, expect_failure: bool = False
    ) -> Self:
        __tracebackhide__ = True
        form = self._tab.form_to(f"/steps/{step}/{action}")
        if form is None:
            self._refuse_unknown(step)
            raise WrongStepError(f"{what} is not offered: it is {self.phases[step]!r}, and {self._where()}.")
        answer = self._tab.press(form)
        return self._judge(answer, what, expect_conflict=expect_conflict, expect_failure=expect_failure)

    def _press_beside(
        self, ending: str, otherwise: str, *, expect_conflict: bool, expect_failure: bool = False
    ) -> Self:
        """Press the button, of those beside *Continue*, that leads to this address."""
        __tracebackhide__ = True
        for button in self._tab.page.all("button"):
            form = button.inside("form")
            if button.get("formaction").endswith(ending) and form is not None:
                answer = self._tab.press(form, button=button)
                what = f"Pressing {button.text!r}"
                return self._judge(answer, what, expect_conflict=expect_conflict, expect_failure=expect_failure)
        raise WrongStepError(f"{otherwise[0].upper()}{otherwise[1:]}: {self._where()}.")

    def _conflicting(self) -> str:
        forms: Iterator[str] = (each.get("action") for each in self._tab.page.all("form"))
        if not self._tab.is_conflict:
            raise WrongStepError(f"This tab shows no conflict: {self._where()}.")
        action = next(each for each in forms if each.endswith("/copy") and "/steps/" in each)
        return action.removesuffix("/copy").rpartition("/")[2]

    def _choose(self, ending: str, what: str) -> Self:
        __tracebackhide__ = True
        form = self._tab.form_to(ending)
        if form is None:
            raise WrongStepError(f"{what} is not offered on this page; {' '.join(self._tab.alerts)}")
        answer = self._tab.press(form)
        if answer.status == 422:
            return self._came_back(ending.rpartition("/")[2], expected=False)
        return self._judge(answer, what)
