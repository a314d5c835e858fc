"""What a run should do, in memory and as plainly as it can be said; knows nothing of the journal's own code."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ORDER = ("a", "b", "c", "d")


class Value(NamedTuple):
    """A value of a step: when it was made, what it is, and what the earlier steps were then."""

    version: int
    output: Any
    made_from: tuple[tuple[str, Any], ...]


@dataclass
class Moment:
    """A run at one version."""

    steps: dict[str, Value] = field(default_factory=dict)
    offers: dict[str, Value] = field(default_factory=dict)
    editing: str | None = None
    edit_began: int | None = None
    is_locked: bool = False


@dataclass
class Change:
    """What one version changed: steps, or the lock, which concerns every step."""

    steps: set[str] = field(default_factory=set)
    is_lock: bool = False


class Refused(Exception):  # noqa: N818 - the name of the error of ours that is expected is its argument
    """The operation has to raise this error."""


@dataclass
class ModelRun:
    """A run with all its past."""

    past: list[Moment] = field(default_factory=lambda: [Moment(), Moment()])
    changes: list[Change] = field(default_factory=lambda: [Change(), Change()])
    forms: set[str] = field(default_factory=set)

    @property
    def version(self) -> int:
        """The newest version; a new run has one, that it was started."""
        return len(self.past) - 1

    @property
    def now(self) -> Moment:
        """The run as it is."""
        return self.past[-1]

    def submit(self, step: str, output: Any, seen: int | None, form: str | None) -> None:
        """Give a step a value."""
        if form is not None and form in self.forms:
            return
        self._refuse_locked()
        self._refuse_conflict(seen, {*self._before(step), step})
        with_form = {form} if form is not None else set()

        def change(now: Moment) -> set[str]:
            cleared = self._clear_after(now, step) if step in now.steps and now.editing != step else set()
            now.steps[step] = Value(self.version + 1, output, self.inputs(step, now))
            now.offers.pop(step, None)
            if now.editing in {step, *cleared}:
                now.editing = now.edit_began = None
            return {step, *cleared}

        self._append(change)
        self.forms |= with_form

    def keep(self, step: str, seen: int | None) -> None:
        """Take the old value of a step again."""
        self._refuse_locked()
        self._refuse_conflict(seen, {*self._before(step), step})
        now = self.now
        if step not in now.offers:
            if step in now.steps:
                return
            raise Refused("KeepChangedError")
        if now.offers[step].made_from != self.inputs(step, now):
            raise Refused("KeepChangedError")

        def change(then: Moment) -> set[str]:
            then.steps[step] = then.offers.pop(step)
            if then.editing == step:
                then.editing = then.edit_began = None
            return {step}

        self._append(change)

    def revert(self, step: str, seen: int | None) -> None:
        """Reopen a step."""
        self._refuse_locked()
        if self.now.editing == step:
            return
        self._refuse_conflict(seen, {*self._before(step), step})
        if step not in self.now.steps:
            raise Refused("StepNotOpenError")

        def change(now: Moment) -> set[str]:
            cleared = self._clear_after(now, step)
            now.editing, now.edit_began = step, self.version + 1
            return {step, *cleared}

        self._append(change)

    def cancel_edit(self) -> None:
        """Put back what was before the edit."""
        self._refuse_locked()
        if self.now.edit_began is None:
            raise Refused("NothingToCancelError")
        self._bring_back(self.past[self.now.edit_began - 1])

    def go_back(self, version: int, seen: int | None) -> None:
        """Bring an earlier version back."""
        self._refuse_locked()
        if not 1 <= version <= self.version:
            raise Refused("UnknownVersionError")
        if seen is not None and seen != self.version:
            raise Refused("RunConflictError")
        self._bring_back(self.past[version])

    def lock(self, locked: bool) -> None:
        """Lock or unlock."""
        if self.now.is_locked == locked:
            return
        self._append(lambda now: setattr(now, "is_locked", locked), is_lock=True)

    def rename(self) -> None:
        """Change nothing but the key."""
        self._refuse_locked()
        self._append(lambda _: None)

    def fork(self, version: int) -> ModelRun:
        """Copy the run up to a version, unlocked."""
        if not 1 <= version <= self.version:
            raise Refused("UnknownVersionError")
        copy = ModelRun(deepcopy(self.past[: version + 1]), deepcopy(self.changes[: version + 1]))
        copy.forms = set()  # Which of them the copy has is asked of nobody here: its forms get new ids.
        copy._append(lambda now: setattr(now, "is_locked", False))
        return copy

    def inputs(self, step: str, moment: Moment) -> tuple[tuple[str, Any], ...]:
        """Return what a step is made from: the values of all earlier steps."""
        return tuple((name, moment.steps[name].output if name in moment.steps else None) for name in self._before(step))

    def _append(self, change: Callable[[Moment], set[str] | None], *, is_lock: bool = False) -> None:
        now = deepcopy(self.now)
        self.changes.append(Change(change(now) or set(), is_lock))
        self.past.append(now)

    def _bring_back(self, target: Moment) -> None:
        before = self.now

        def change(now: Moment) -> set[str]:
            left = now.offers | now.steps
            now.steps = dict(target.steps)
            now.offers = {step: value for step, value in left.items() if step not in now.steps}
            now.editing, now.edit_began = target.editing, target.edit_began
            different = {step for step in ORDER if before.steps.get(step) != now.steps.get(step)}
            return different | ({before.editing, now.editing} - {None})  # type: ignore[operator]  # None is taken out

        self._append(change)

    def _clear_after(self, now: Moment, step: str) -> set[str]:
        cleared = {name for name in ORDER[ORDER.index(step) + 1 :] if name in now.steps}
        for name in cleared:
            now.offers[name] = now.steps.pop(name)
        return cleared

    def _before(self, step: str) -> tuple[str, ...]:
        return ORDER[: ORDER.index(step)]

    def _refuse_locked(self) -> None:
        if self.now.is_locked:
            raise Refused("RunLockedError")

    def _refuse_conflict(self, seen: int | None, concerned: set[str]) -> None:
        if seen is None:
            return
        if seen > self.version:
            raise Refused("RunConflictError")
        if any(change.is_lock or change.steps & concerned for change in self.changes[seen + 1 :]):
            raise Refused("RunConflictError")
