"""What holds for every run, whatever is done to it; each promise is checked against the journal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import journal, ledger, lookups
from pipulate.storage.journal import Event, State
from pipulate.testing.app import RunningApp
from pipulate.testing.browser import Answer
from pipulate.testing.errors import BrokenRunError
from pipulate.testing.forms import fields_of
from pipulate.testing.tab import Tab
from pipulate.workflows.work import installed

_SHOWN_AGAIN = frozenset({"text", "textarea", "number", "date", "time", "datetime-local", "email", "url", "range"})
_BY_THE_APP = frozenset({journal.COMPUTED, journal.KEPT})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment: its journal, and whether it was locked."""

    events: tuple[Event, ...]
    state: State


class Promises:
    """Watches one run."""

    def __init__(self, app: RunningApp, run: str) -> None:
        self._app, self._run = app, run
        self._now = self.snapshot()

    @property
    def version(self) -> int:
        """The version of the run when it was looked at last."""
        return self._now.state.version

    @property
    def is_locked(self) -> bool:
        """Whether it was locked then."""
        return self._now.state.lock is not None

    def snapshot(self) -> Snapshot:
        """Return the run as it is; check that what is stored and what the engine holds are what the journal says."""
        site = self._app.application.site
        events = tuple(self._app.call(site.db.read(ledger.events, self._run)))
        state = lookups.resolved(journal.fold(events), site.engine.files, self._run)
        held = self._app.call(site.engine.view(self._run, Who(OWNER)))
        stored = self._app.call(site.db.read(lookups.load, site.engine.files, self._run, OWNER))[1]
        _must(held.state == state, "what the engine holds of the run is not what its journal adds up to")
        _must(stored == state, "what is stored of the run is not what its journal adds up to")
        ever = {each.step for each in events if each.kind in (journal.SUBMITTED, journal.COMPUTED)}
        lost = ever - set(state.steps) - set(state.offers)
        _must(not lost, f"what was given for {sorted(map(str, lost))} is lost")
        return Snapshot(events, state)

    def hold(
        self,
        tab: Tab,
        answer: Answer,
        sent: Mapping[str, str],
        action: str,
        *,
        step: str | None = None,
        typed: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Check what came of an action; `step` and `typed` say which form was filled in, and how."""
        before, now = self._now, self.snapshot()
        self._now = now
        added = now.events[len(before.events) :]
        _must(now.events[: len(before.events)] == before.events, "the journal was changed where it was written already")
        _must(answer.status < 500, f"it was answered with status {answer.status}")
        if answer.status >= 400:
            _must(not added, f"it was refused ({answer.status}), and all the same it added {_told(added)}")
        if before.state.lock is not None and not action.endswith("/unlock"):
            _must(not added, f"the run is locked, and all the same this was added: {_told(added)}")
        if step is not None:
            self._form_was_taken_or_not(before, tab, answer, int(sent["_seen"]), step, typed or {}, added)

    def was_refused(self, tab: Tab) -> None:
        """Check that nothing was done, and that the answer says so."""
        self.nothing_changed(tab)
        _must(tab.answer.status >= 400, f"a locked run answered {tab.answer.status} to a change")

    def nothing_changed(self, tab: Tab, *, may_go_on: bool = False) -> None:
        """Check that an action left the run as it was; steps may have run by themselves where `may_go_on`."""
        before, now = self._now, self.snapshot()
        added = [each for each in now.events[len(before.events) :] if not (may_go_on and each.kind in _BY_THE_APP)]
        _must(not added, f"this was to change nothing, and it added {_told(added)}")
        _must(tab.answer.status < 500, f"it was answered with status {tab.answer.status}")
        self._now = now

    def _form_was_taken_or_not(
        self, before: Snapshot, tab: Tab, answer: Answer, seen: int, step: str, typed: Mapping[str, Sequence[str]],
        added: Sequence[Event],
    ) -> None:  # fmt: skip
        workflow = installed(self._app.call(self._app.application.site.engine.view(self._run, Who(OWNER))))
        earlier = workflow.order[: workflow.position[step]]
        in_the_way = _in_the_way(before.events[seen:], {step, *earlier})
        if answer.status == 200:
            taken = bool(added) and added[0].kind == journal.SUBMITTED and added[0].step == step
            _must(taken, f"the form of {step!r} was answered as if it was taken, but the journal says {_told(added)}")
            _must(in_the_way is None, f"an old form of {step!r} was taken in spite of: {in_the_way}")
        elif answer.status == 409 and before.state.lock is None and before.state.version != seen:
            _must(
                in_the_way is not None or step not in before.state.steps,
                f"a form of {step!r} was refused as old, though nothing that concerns it had changed",
            )
        elif answer.status == 422:
            self._came_back_as_typed(tab, step, typed)

    def _came_back_as_typed(self, tab: Tab, step: str, typed: Mapping[str, Sequence[str]]) -> None:
        form = tab.step_form(step)
        if form is None:
            return
        shown = fields_of(form)
        told = tab.alerts or [each.problem for each in shown.values() if each.problem]
        _must(bool(told), f"the form of {step!r} came back without a word about what is wrong")
        for name, texts in typed.items():
            if name in shown and shown[name].kind in _SHOWN_AGAIN and texts:
                wanted = _as_shown(texts[-1], shown[name].kind)
                was = _as_shown(shown[name].text, shown[name].kind)
                _must(was == wanted, f"the form of {step!r} came back with {was!r} in {name!r}; {wanted!r} was typed")


def _in_the_way(events: Sequence[Event], concerned: set[str]) -> str | None:
    """Return what came in between and changed one of these steps, or the lock; told here once more, to compare."""
    for each in events:
        touched = {each.step, *each.data.get("cleared", ()), *each.data.get("touched", ())}
        if each.kind in ("finalized", "unfinalized") or touched & concerned:
            return _told([each])
    return None


def _as_shown(text: str, kind: str) -> str:
    """Return typed text as a page can show it: without what HTML has no form for."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    text = text.encode("utf-8", "replace").decode()
    return text if kind == "textarea" else text.replace("\n", " ")


def _told(events: Sequence[Event]) -> str:
    return ", ".join(f"{each.kind} {each.step or ''}".strip() for each in events) or "nothing"


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenRunError(f"A promise was broken: {otherwise}.")
