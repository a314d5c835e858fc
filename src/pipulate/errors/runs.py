"""Errors of runs, their steps and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipulate.errors.root import PipulateError


class RunError(PipulateError):
    """Something asked of a run could not be done; the run is as it was."""

    code = "run.failed"


class RunNotFoundError(RunError):
    """No run has this key or id, or the person may not see it."""

    code = "run.not_found"

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f"There is no run {wanted!r}.")


class UnknownStepError(RunError):
    """A run was asked for a step that its workflow does not declare."""

    code = "run.unknown_step"

    def __init__(self, workflow: str, step: str, known: Sequence[str]) -> None:
        self.workflow, self.step, self.known = workflow, step, tuple(known)
        super().__init__(
            f"Workflow {workflow!r} has no step {step!r}; it declares: {', '.join(map(repr, known)) or 'none'}."
        )


class UnknownVersionError(RunError):
    """A run never had the version asked for."""

    code = "run.unknown_version"

    def __init__(self, version: int, newest: int) -> None:
        self.version, self.newest = version, newest
        super().__init__(f"This run has versions 1 to {newest}; there is no version {version}.")


class BadKeyError(RunError):
    """A run key breaks the rule for keys."""

    code = "run.bad_key"

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(reason)


class KeyTakenError(RunError):
    """A run of this app already has the key."""

    code = "run.key_taken"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"A run with the key {key!r} exists already. Choose another key.")


class BadNameError(RunError):
    """A name (of a profile, say) breaks the rule for names."""

    code = "run.bad_name"


class RunLockedError(RunError):
    """The run is locked; unlock it to change it."""

    code = "run.locked"

    def __init__(self, by: str, at: str) -> None:
        self.by, self.at = by, at
        super().__init__("This run is locked. Unlock it to change it.")


class RunConflictError(RunError):
    """The run changed since the version this write had seen.

    Attributes:
        step: The step the write was for.
        seen: The version the write named.
        version: The version of the run now.
        kind: Kind of the event that stands in the way, as stored.
        changed: The step that event changed, or None where it changed the lock or the whole run.
        theirs: What the store holds for `step` now (its stored data), or None.
        mine: What the write wanted to store.
        by, tab, at: Author, browser tab and time (ISO 8601, UTC) of that event.
    """

    code = "run.conflict"

    def __init__(
        self,
        *,
        step: str | None,
        seen: int,
        version: int,
        kind: str,
        changed: str | None,
        theirs: Mapping[str, Any] | None,
        mine: Mapping[str, Any] | None,
        by: str,
        tab: str | None,
        at: str,
    ) -> None:
        self.step, self.seen, self.version, self.kind, self.changed = step, seen, version, kind, changed
        self.theirs, self.mine, self.by, self.tab, self.at = theirs, mine, by, tab, at
        super().__init__(
            f"This run changed since you opened it: you saw version {seen}, it is now at {version}. Nothing was"
            " overwritten."
        )


class StepNotOpenError(RunError):
    """A value was given for a step that is not asking for one."""

    code = "run.step_not_open"

    def __init__(self, step: str, open_step: str | None) -> None:
        self.step, self.open_step = step, open_step
        now = f"The step that is open now is {open_step!r}." if open_step else "No step is open now."
        super().__init__(f"Step {step!r} is not open. {now}")


class AppMissingError(RunError):
    """The app of a run is not there: not loaded yet, or its file was taken away or has a mistake."""

    code = "run.app_missing"

    def __init__(self, app: str) -> None:
        self.app = app
        super().__init__(
            f"The app {app!r} is not there just now, so nothing was changed. Right after a start it may still be"
            " loading: send it again in a moment."
        )


class KeepChangedError(RunError):
    """An old value cannot be kept because what it was made from has changed."""

    code = "run.keep_changed"

    def __init__(self, step: str, changed: str | None) -> None:
        self.step, self.changed = step, changed
        why = f"step {changed!r}, which it was made from, has changed" if changed else "there is no earlier value"
        super().__init__(f"The earlier value of step {step!r} cannot be kept: {why}.")


class NothingToCancelError(RunError):
    """No step is being edited, so there is no edit to cancel."""

    code = "run.nothing_to_cancel"

    def __init__(self) -> None:
        super().__init__("No step is being edited.")


class InvalidAnswersError(RunError):
    """What was typed breaks the rules of its fields.

    Attributes:
        problems: Field name -> one sentence; the empty name is about the step as a whole.
    """

    code = "run.invalid_answers"

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{name or 'step'}: {text}" for name, text in self.problems.items()))


class RunNotReadyError(RunError):
    """A run cannot be locked: steps are missing, or the app's own checks find something wrong.

    Attributes:
        problems: Title of a step -> one sentence.
    """

    code = "run.not_ready"

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        listed = " ".join(f"{title}: {text}" for title, text in self.problems.items())
        super().__init__(f"This run cannot be locked yet. {listed}")


class FieldError(InvalidAnswersError, ValueError):
    """The code of an app refuses what was typed in one field.

    Attributes:
        field: Name of the field; dotted where it is in a group.
        reason: The sentence people read at the field.
    """

    code = "run.invalid_field"

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__({field: reason})


class StepFailedError(RunError):
    """The code of a step raised; the log holds the traceback under `error_id`.

    Attributes:
        step: The step.
        error_id: Id of the entry in the log.
        where: For the author: file, line and kind of what was raised; "" where no file is known.
    """

    code = "run.step_failed"

    def __init__(self, step: str, error_id: str, where: str = "") -> None:
        self.step, self.error_id, self.where = step, error_id, where
        super().__init__(
            f"The app made an error in step {step!r}, so nothing of it was saved. The server's log has the details"
            f" under the id {error_id}." + (f" For the author: {where}" if where else "")
        )


class StepUnansweredError(StepFailedError):
    """The code of a step asked a language model, and got no answer; the message says why and what helps.

    Nothing is wrong with the code, so it has no `error_id` and is in no log of errors.
    """

    code = "run.step_unanswered"

    def __init__(self, step: str, words: str) -> None:
        super().__init__(step, "")
        self.args = (words,)


class UploadRefusedError(RunError):
    """A file that was sent for a field cannot be taken; nothing of it is kept."""

    code = "run.upload_refused"


class UploadTooLargeError(UploadRefusedError):
    """A file that was sent is larger than a limit allows; says which one."""

    code = "run.upload_too_large"


class FileGoneError(RunError):
    """A file that an answer names is not there any more."""

    code = "run.file_gone"

    def __init__(self, sha256: str) -> None:
        self.sha256 = sha256
        super().__init__(
            "A file is not there any more: it waited too long to be used. Choose it again; nothing else was lost."
        )


class ImportRefusedError(RunError):
    """A run file cannot be imported; nothing was added."""

    code = "run.import_refused"
