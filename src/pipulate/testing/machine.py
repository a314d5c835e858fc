"""A check that any workflow can be put through: people do anything to its runs, and every promise still holds."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from pipulate.testing.app import RunningApp
from pipulate.testing.errors import AppFailedError
from pipulate.testing.forms import Field, Sent, fields_of, sent_by, texts_for
from pipulate.testing.page import Node
from pipulate.testing.promises import Promises
from pipulate.testing.starting import begin
from pipulate.testing.tab import Tab
from pipulate.testing.values import Texts, asked_for, entered
from pipulate.workflows.definition import Workflow

_NOT_PRESSED = ("/copy", "/rename", "/delete")  # They end the run or begin another; the kit's own tests are about them.
_VERSIONS_LOOKED_AT = 4


def check_workflow(
    workflow: Workflow,
    *,
    examples: int = 30,
    actions: int = 16,
    strategies: Mapping[str, st.SearchStrategy[Any]] | None = None,
    seed: int | None = None,
) -> None:
    """Let two tabs do anything to runs of a workflow, in any order, and check after each action that all promises hold.

    They fill in forms with good and bad values, go back, keep, cancel, run steps again, bring back versions, lock,
    unlock, send forms twice and send old ones. Checked is that nothing fails, that nothing that was given is lost,
    that what is refused changes nothing and comes back as typed, that a stale form is refused exactly where somebody
    else changed what it is about, that a lock holds, and that the journal adds up to the state.

    It does the same on every machine and every day, until `seed` or the workflow changes.

    Args:
        workflow: The workflow.
        examples: How many runs are played.
        actions: How many things are done in each, at most.
        strategies: `"step.field"` -> what to enter there, as Python values, for fields whose rules cannot be guessed;
            now and then something else is entered all the same.
        seed: Chooses other runs.

    Raises:
        AppFailedError: If the code of the workflow raises.
        BrokenRunError: If a promise is broken.
        PlayError: If the workflow has findings, or `strategies` names a field that it does not have.
    """
    number = zlib.crc32(workflow.name.encode()) if seed is None else seed
    with RunningApp(workflow) as app:
        _refuse_unknown(workflow, strategies or {})
        machine = _machine(app, workflow.name, strategies or {}, number)
        try:
            for part in (4, 2, 1):  # Short runs first, so that what is found first is found in a few actions.
                _run(machine, max(1, examples // 3), max(2, actions // part))
        except BaseException as error:
            if machine.done:
                error.add_note("What was done:\n  " + "\n  ".join(machine.done))
            error.add_note(f"The same again: check_workflow(..., seed={number}, examples={examples})")
            raise
        assert not (problems := app.store.problems()), problems  # noqa: S101 - this is a check of a test


def _run(machine: type[Machine], examples: int, actions: int) -> None:
    """Play runs. Failing ones are not made smaller: each try would be a whole run, and they are short already."""
    how = settings(
        max_examples=examples, stateful_step_count=actions, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=how)


def _refuse_unknown(workflow: Workflow, strategies: Mapping[str, object]) -> None:
    for name in strategies:
        step, _, field = name.partition(".")
        if step not in workflow.order or not field:
            raise AssertionError(f"strategies: {name!r} is no field; write them as 'step.field', such as 'site.url'.")


class Machine(RuleBasedStateMachine):
    """What is done to one run, and what is checked after each thing."""

    app: RunningApp
    name: str
    strategies: Mapping[str, st.SearchStrategy[Any]]
    done: list[str]

    @initialize()
    def begin(self) -> None:
        """Start a run, and open it in a second tab."""
        type(self).done = []
        self._note("play(workflow)")
        run = begin(self.app, self.name, "")._tab  # noqa: SLF001 - the kit's own
        self.tabs = (run, Tab(self.app, run.run, run.address))
        self.promises = Promises(self.app, run.run)
        self.last: tuple[str, Sent] | None = None
        self._fail_where_failed(run)

    @rule(at=st.integers(0, 1), data=st.data())
    def fill(self, at: int, data: st.DataObject) -> None:
        """Fill in the form that a tab shows, old or not, and send it."""
        tab = self.tabs[at]
        step = tab.open_step
        form = tab.step_form(step) if step else None
        if step is None or form is None:
            self._reload(tab)
            return
        changed = {name: data.draw(self._entered(step, field)) for name, field in fields_of(form).items()}
        self._note(f"tab {at}: fill_step({step!r}, {changed!r})")
        pairs = sent_by(form, changed)
        self._send(tab, form.get("action"), pairs, step, changed)
        self.last = (form.get("action"), pairs) if tab.answer.status == 200 else None

    @rule(at=st.integers(0, 1), data=st.data())
    def go_on(self, at: int, data: st.DataObject) -> None:
        """Do what the app asks for, in a fresh tab and with good values; lock the run where all is done."""
        tab = self.tabs[at]
        self._reload(tab)
        step, lock = tab.open_step, tab.form_to(f"/-/runs/{tab.run}/lock")
        form = tab.step_form(step) if step else None
        if step is not None and form is not None:
            changed = {name: data.draw(self._entered(step, each, good=True)) for name, each in fields_of(form).items()}
            self._note(f"tab {at}: reload().fill_step({step!r}, {changed!r})")
            pairs = sent_by(form, changed)
            self._send(tab, form.get("action"), pairs, step, changed)
            self.last = (form.get("action"), pairs) if tab.answer.status == 200 else None
        elif lock is not None:
            self._note(f"tab {at}: reload().finalize()")
            self._send(tab, lock.get("action"), sent_by(lock))

    @rule(at=st.integers(0, 1), data=st.data())
    def press(self, at: int, data: st.DataObject) -> None:
        """Press one of the other buttons that a tab shows, old or not."""
        tab = self.tabs[at]
        offered = _buttons(tab)
        if not offered:
            self._reload(tab)
            return
        action = data.draw(st.sampled_from(sorted(offered)))
        self._note(f"tab {at}: {action.rpartition('/runs/')[2].partition('/')[2]}")
        self._send(tab, action, sent_by(offered[action]))

    @rule(at=st.integers(0, 1))
    def reload(self, at: int) -> None:
        """Load the page again."""
        self._note(f"tab {at}: reload()")
        self._reload(self.tabs[at])

    @rule(at=st.integers(0, 1), data=st.data())
    def go_back(self, at: int, data: st.DataObject) -> None:
        """Look at an earlier version, and bring it back where that is offered."""
        tab = self.tabs[at]
        version = data.draw(st.integers(1, self.promises.version))
        self._note(f"tab {at}: go_back({version})")
        tab.open(f"{tab.address}?version={version}")
        self.promises.nothing_changed(tab)
        form = tab.form_to(f"/-/runs/{tab.run}/go-back")
        if form is not None:
            self._send(tab, form.get("action"), sent_by(form))
        self._reload(tab)

    @precondition(lambda self: self.last is not None)
    @rule(at=st.integers(0, 1))
    def send_twice(self, at: int) -> None:
        """Send the form that was taken last once more."""
        assert self.last is not None  # noqa: S101 - the condition of the rule
        self._note(f"tab {at}: the same form again")
        tab = self.tabs[at]
        tab.post(*self.last)
        self.promises.nothing_changed(tab, may_go_on=True)
        self._reload(tab)

    @precondition(lambda self: self.promises.is_locked)
    @rule(at=st.integers(0, 1), data=st.data())
    def knock(self, at: int, data: st.DataObject) -> None:
        """Send what a page of a locked run does not even offer."""
        tab = self.tabs[at]
        step = data.draw(st.sampled_from(self.app.application.site.engine.catalog[self.name].order))
        action = data.draw(st.sampled_from(["", "/revert", "/again", "/keep"]))
        self._note(f"tab {at}: {step}{action} in spite of the lock")
        sent = [("_seen", str(self.promises.version))]
        tab.post(f"/-/runs/{tab.run}/steps/{step}{action}", sent)
        self.promises.was_refused(tab)
        self._reload(tab)

    def teardown(self) -> None:
        """Look at versions of the past, and let the application forget the run."""
        if sys.exception() is not None or not hasattr(self, "promises"):  # What went wrong is known already.
            return
        tab, every = self.tabs[0], range(1, self.promises.version + 1)
        for version in every[:: max(1, len(every) // _VERSIONS_LOOKED_AT)]:
            tab.open(f"{tab.address}?version={version}")
            self.promises.nothing_changed(tab)

    # Parts

    def _entered(self, step: str, field: Field, *, good: bool = False) -> st.SearchStrategy[Texts]:
        own = self.strategies.get(f"{step}.{field.name}")
        if own is None:
            return asked_for(field) if good else entered(field)
        written = own.map(lambda value: texts_for(field, value))
        if good:
            return written
        return st.one_of(written, written, written, entered(field))

    def _send(
        self, tab: Tab, action: str, pairs: Sent, step: str | None = None, typed: Mapping[str, Texts] | None = None
    ) -> None:
        answer = tab.post(action, pairs)
        self._fail_where_failed(tab)
        self.promises.hold(tab, answer, dict(pairs), action, step=step, typed=typed)
        if tab.is_conflict or answer.status != 200:
            if answer.status == 422:
                return  # The next one goes on with the form that came back.
            self._reload(tab)

    def _reload(self, tab: Tab) -> None:
        answer = tab.open(tab.address)
        self._fail_where_failed(tab)
        self.promises.hold(tab, answer, {}, "")

    def _fail_where_failed(self, tab: Tab) -> None:
        failure = tab.failure()
        if failure is not None or tab.answer.status >= 500:
            what = self.done[-1] if self.done else "Starting"
            raise AppFailedError(what, failure, tab.page.text[:300]) from failure

    def _note(self, what: str) -> None:
        self.done.append(what)


def _buttons(tab: Tab) -> dict[str, Node]:
    """Return what else a page offers: address -> the form that is sent there."""
    offered = {}
    for form in tab.page.all("form"):
        targets = [form.get("action"), *(each.get("formaction") for each in form.all("button"))]
        for target in targets:
            is_fill = target == form.get("action") and form is tab.step_form(tab.open_step or "")
            if f"/-/runs/{tab.run}/" in target and not is_fill and not target.endswith(_NOT_PRESSED):
                offered[target] = form
    return offered


def _machine(
    app: RunningApp, name: str, strategies: Mapping[str, st.SearchStrategy[Any]], number: int
) -> type[Machine]:
    made = type("Machine", (Machine,), {"app": app, "name": name, "strategies": strategies, "done": []})
    return seed(number)(made)
