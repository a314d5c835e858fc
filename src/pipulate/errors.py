"""Every error this package raises on purpose, as one tree.

PipulateError
├── SettingsError                 settings.invalid
├── StorageError                  storage.failed
│   ├── StoreUnavailableError     storage.unavailable
│   ├── StoreFullError            storage.full
│   ├── StoreDamagedError         storage.damaged
│   ├── StoreNewerError           storage.newer
│   ├── FolderInUseError          storage.in_use
│   └── ArchiveError              storage.archive
└── RunError                      run.failed
    ├── RunNotFoundError          run.not_found
    ├── UnknownStepError          run.unknown_step
    ├── UnknownVersionError       run.unknown_version
    ├── BadKeyError               run.bad_key
    ├── KeyTakenError             run.key_taken
    ├── BadNameError              run.bad_name
    ├── RunLockedError            run.locked
    ├── RunConflictError          run.conflict
    ├── StepNotOpenError          run.step_not_open
    ├── KeepChangedError          run.keep_changed
    ├── NothingToCancelError      run.nothing_to_cancel
    ├── InvalidAnswersError       run.invalid_answers
    ├── StepFailedError           run.step_failed
    └── ImportRefusedError        run.import_refused

A message is a plain sentence for the person who meets it; the parts stay on the object as attributes.
The code is stored and documented, and never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class PipulateError(Exception):
    """Root of every error raised on purpose; catch it to catch them all."""

    code: ClassVar[str] = "pipulate"


class SettingsError(PipulateError):
    """Settings cannot be used; carries all findings, not just the first."""

    code = "settings.invalid"

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("These settings cannot be used:\n" + "\n".join(f"  - {finding}" for finding in findings))


class StorageError(PipulateError):
    """The store did not do what was asked, and changed nothing."""

    code = "storage.failed"


class StoreUnavailableError(StorageError):
    """The database does not answer just now; trying again is safe."""

    code = "storage.unavailable"


class StoreFullError(StorageError):
    """There is no room left where the data lives; reading still works."""

    code = "storage.full"

    def __init__(self) -> None:
        super().__init__("The disk that holds the data is full. Nothing was changed; free some room and try again.")


class StoreDamagedError(StorageError):
    """The database file is not readable as a database."""

    code = "storage.damaged"


class StoreNewerError(StorageError):
    """The data was written by a newer version of this program."""

    code = "storage.newer"

    def __init__(self, found: str, known: str) -> None:
        self.found, self.known = found, known
        super().__init__(
            f"The data was written by a newer version of Pipulate (schema {found!r}; this program knows {known!r})."
            " Update the program, or restore a backup made by this version."
        )


class FolderInUseError(StorageError):
    """Another process of ours holds the data folder."""

    code = "storage.in_use"

    def __init__(self, folder: str, pid: int | None) -> None:
        self.folder, self.pid = folder, pid
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"The data folder {folder} is in use by {holder}. Stop it first, or choose another folder with --data."
        )


class ArchiveError(StorageError):
    """A backup or export file is not what it claims to be."""

    code = "storage.archive"


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


class StepFailedError(RunError):
    """The code of a step raised; the log holds the traceback under `error_id`."""

    code = "run.step_failed"

    def __init__(self, step: str, error_id: str) -> None:
        self.step, self.error_id = step, error_id
        super().__init__(
            f"The app made an error in step {step!r}, so nothing was saved. The server's log has the details under"
            f" the id {error_id}."
        )


class ImportRefusedError(RunError):
    """A run file cannot be imported; nothing was added."""

    code = "run.import_refused"
