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
├── JobError                      job.failed
│   ├── JobNotFoundError          job.not_found
│   ├── JobStatusError            job.status
│   ├── PartRefusedError          job.part_refused
│   ├── StepResultError           job.result_refused
│   ├── ProcessDiedError          job.process_died
│   ├── ProgramMissingError       job.program_missing
│   └── ScheduleRefusedError      job.schedule_refused
├── ProfileLockedError            profile.locked
├── RecordError                   record.failed
│   ├── RecordNotFoundError       record.not_found
│   ├── RecordConflictError       record.conflict
│   ├── RecordTakenError          record.taken
│   ├── RecordLinkedError         record.linked
│   ├── RecordRefusedError        record.refused
│   ├── TableDiffersError         record.table_differs
│   └── FitRefusedError           record.not_fitted
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
    ├── AppMissingError           run.app_missing
    ├── KeepChangedError          run.keep_changed
    ├── NothingToCancelError      run.nothing_to_cancel
    ├── RunNotReadyError          run.not_ready
    ├── InvalidAnswersError       run.invalid_answers
    │   └── FieldError            run.invalid_field
    ├── StepFailedError           run.step_failed
    ├── UploadRefusedError        run.upload_refused
    │   └── UploadTooLargeError   run.upload_too_large
    ├── FileGoneError             run.file_gone
    └── ImportRefusedError        run.import_refused

A message is a plain sentence for the person who meets it; the parts stay on the object as attributes.
The code is stored and documented, and never changes its meaning.
"""

from __future__ import annotations

import signal
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


class JobError(PipulateError):
    """A job could not do what it was asked for."""

    code = "job.failed"


class JobNotFoundError(JobError):
    """No job has this id, or the person may not see it."""

    code = "job.not_found"

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f"There is no job {wanted!r}.")


class JobStatusError(JobError):
    """A job stands otherwise than what was asked of it needs."""

    code = "job.status"

    def __init__(self, status: str, wanted: str) -> None:
        self.status, self.wanted = status, wanted
        super().__init__(f"This job is {status}. {wanted}")


class PartRefusedError(JobError):
    """The result of a checkpoint cannot be recorded."""

    code = "job.part_refused"

    def __init__(self, part: str, reason: str) -> None:
        self.part, self.reason = part, reason
        super().__init__(f"The part {part!r} of this job cannot be recorded: {reason}.")


class StepResultError(JobError):
    """What a step returned cannot be stored, or is not what its annotation says."""

    code = "job.result_refused"

    def __init__(self, step: str, reason: str) -> None:
        self.step, self.reason = step, reason
        super().__init__(f"What “{step}” returned cannot be kept: {reason}.")


class ProcessDiedError(JobError):
    """The process that called a function ended before the function did.

    Attributes:
        function: Name of the function.
        exit_code: What it ended with; minus the number of the signal, where one ended it.
    """

    code = "job.process_died"

    def __init__(self, function: str, exit_code: int) -> None:
        self.function, self.exit_code = function, exit_code
        super().__init__(f"The process of {function!r} ended before its work was done: {_ending(exit_code)}.")


class ProgramMissingError(JobError):
    """An outside program could not be started: it is not installed, or may not be run."""

    code = "job.program_missing"

    def __init__(self, program: str, reason: str) -> None:
        self.program, self.reason = program, reason
        super().__init__(
            f"The program {program!r} cannot be started: {reason}. Install it, or give the full path of its file."
        )


def _ending(exit_code: int) -> str:
    """Return what an exit code says."""
    if exit_code >= 0:
        return f"it left with exit code {exit_code}"
    if exit_code == -signal.SIGKILL:
        return "it was killed (SIGKILL), as happens where memory runs out"
    known = {each.value: each.name for each in signal.Signals}
    return f"it crashed ({known.get(-exit_code, f'signal {-exit_code}')})"


class ScheduleRefusedError(JobError):
    """A schedule cannot be as it was asked for; `field` names what is wrong with it, "" where it is the app."""

    code = "job.schedule_refused"

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(reason)


class ProfileLockedError(PipulateError):
    """The chosen profile is shown alone, so nothing of another one is."""

    code = "profile.locked"

    def __init__(self) -> None:
        super().__init__(
            "The profile is locked, so only what belongs to it is shown. Unlock it in the profile menu first."
        )


class RecordError(PipulateError):
    """Something asked of records could not be done; they are as they were."""

    code = "record.failed"


class RecordNotFoundError(RecordError):
    """A resource has no record of this number, or it is in the bin, or the person may not see it."""

    code = "record.not_found"

    def __init__(self, resource: str, record: int) -> None:
        self.resource, self.record = resource, record
        super().__init__(f"There is no record {record} in {resource!r} any more.")


class RecordConflictError(RecordError):
    """A record was changed by somebody else after the version a change is based on.

    Attributes:
        theirs, mine: Field -> what it is now, what it was to become; of the fields that both changed.
    """

    code = "record.conflict"

    def __init__(self, *, resource: str, record: int, seen: int, version: int, theirs: Any, mine: Any) -> None:
        self.resource, self.record, self.seen, self.version = resource, record, seen, version
        self.theirs, self.mine = theirs, mine
        super().__init__("Somebody else has changed this record meanwhile. Nothing was overwritten.")


class RecordTakenError(RecordError):
    """Another record has the value that no two may share."""

    code = "record.taken"

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__("There is a record with this " + " and ".join(fields) + " already.")


class RecordLinkedError(RecordError):
    """A record cannot be deleted, because others lead to it."""

    code = "record.linked"

    def __init__(self, title: str, records: int) -> None:
        self.title, self.records = title, records
        one = f"A record in {title} belongs to it" if records == 1 else f"{records:,} records in {title} belong to it"
        super().__init__(f"This cannot be deleted: {one}.")


class RecordRefusedError(RecordError):
    """The app does not allow this change; the message is its own."""

    code = "record.refused"


class TableDiffersError(RecordError):
    """A resource declares other fields than its table has, so its app waits until somebody decides."""

    code = "record.table_differs"

    def __init__(self, resource: str, differences: Sequence[str], command: str = "") -> None:
        self.resource, self.differences, self.command = resource, tuple(differences), command
        todo = f" To bring the table to them, after a backup, run: {command}" if command else ""
        super().__init__(
            f"The fields of {resource!r} are not those of its table: {'; '.join(differences)}. Nothing was changed."
            + todo
        )


class FitRefusedError(RecordError):
    """A table cannot be brought to the fields its resource declares now; it is as it was.

    Attributes:
        reasons: What stands in the way, and what to do about it, one sentence each.
    """

    code = "record.not_fitted"

    def __init__(self, resource: str, reasons: Sequence[str]) -> None:
        self.resource, self.reasons = resource, tuple(reasons)
        super().__init__("\n".join((f"The table of {resource!r} stays as it is.", *reasons)))


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
            "A file of this step is not there any more: it waited too long to be used. Choose it again; nothing else"
            " was lost."
        )


class ImportRefusedError(RunError):
    """A run file cannot be imported; nothing was added."""

    code = "run.import_refused"
