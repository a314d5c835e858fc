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
├── ModelError                    model.failed
│   ├── ModelMissingError         model.missing
│   ├── ModelUnreachableError     model.unreachable
│   ├── ModelLoadingError         model.loading
│   ├── ModelStalledError         model.stalled
│   ├── ModelCutError             model.cut
│   ├── ModelNonsenseError        model.nonsense
│   ├── ModelUnfitError           model.unfit
│   ├── ModelRefusedError         model.refused
│   └── ModelTooLongError         model.too_long
├── CallError                     call.failed
│   ├── CallNotFoundError         call.not_found
│   ├── CallDecidedError          call.decided
│   └── ActionFailedError         call.action_failed
├── ProfileLockedError            profile.locked
├── RecordError                   record.failed
│   ├── RecordNotFoundError       record.not_found
│   ├── RecordConflictError       record.conflict
│   ├── RecordTakenError          record.taken
│   ├── RecordLinkedError         record.linked
│   ├── RecordRefusedError        record.refused
│   ├── TableDiffersError         record.table_differs
│   ├── FitRefusedError           record.not_fitted
│   └── UnknownTableError         record.unknown_table
├── ReportError                   report.failed
│   └── NotInReportError          report.not_found
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
    │   └── StepUnansweredError   run.step_unanswered
    ├── UploadRefusedError        run.upload_refused
    │   └── UploadTooLargeError   run.upload_too_large
    ├── FileGoneError             run.file_gone
    └── ImportRefusedError        run.import_refused

A message is a plain sentence for the person who meets it; the parts stay on the object as attributes.
The code is stored and documented, and never changes its meaning.
"""

from __future__ import annotations

from pipulate.errors.jobs import (
    JobError,
    JobNotFoundError,
    JobStatusError,
    PartRefusedError,
    ProcessDiedError,
    ProgramMissingError,
    ScheduleRefusedError,
    StepResultError,
)
from pipulate.errors.models import (
    ActionFailedError,
    CallDecidedError,
    CallError,
    CallNotFoundError,
    ModelCutError,
    ModelError,
    ModelLoadingError,
    ModelMissingError,
    ModelNonsenseError,
    ModelRefusedError,
    ModelStalledError,
    ModelTooLongError,
    ModelUnfitError,
    ModelUnreachableError,
)
from pipulate.errors.records import (
    FitRefusedError,
    NotInReportError,
    RecordConflictError,
    RecordError,
    RecordLinkedError,
    RecordNotFoundError,
    RecordRefusedError,
    RecordTakenError,
    ReportError,
    TableDiffersError,
    UnknownTableError,
)
from pipulate.errors.root import PipulateError, ProfileLockedError, SettingsError
from pipulate.errors.runs import (
    AppMissingError,
    BadKeyError,
    BadNameError,
    FieldError,
    FileGoneError,
    ImportRefusedError,
    InvalidAnswersError,
    KeepChangedError,
    KeyTakenError,
    NothingToCancelError,
    RunConflictError,
    RunError,
    RunLockedError,
    RunNotFoundError,
    RunNotReadyError,
    StepFailedError,
    StepNotOpenError,
    StepUnansweredError,
    UnknownStepError,
    UnknownVersionError,
    UploadRefusedError,
    UploadTooLargeError,
)
from pipulate.errors.storage import (
    ArchiveError,
    FolderInUseError,
    StorageError,
    StoreDamagedError,
    StoreFullError,
    StoreNewerError,
    StoreUnavailableError,
)

__all__ = [
    "ActionFailedError",
    "AppMissingError",
    "ArchiveError",
    "BadKeyError",
    "BadNameError",
    "CallDecidedError",
    "CallError",
    "CallNotFoundError",
    "FieldError",
    "FileGoneError",
    "FitRefusedError",
    "FolderInUseError",
    "ImportRefusedError",
    "InvalidAnswersError",
    "JobError",
    "JobNotFoundError",
    "JobStatusError",
    "KeepChangedError",
    "KeyTakenError",
    "ModelCutError",
    "ModelError",
    "ModelLoadingError",
    "ModelMissingError",
    "ModelNonsenseError",
    "ModelRefusedError",
    "ModelStalledError",
    "ModelTooLongError",
    "ModelUnfitError",
    "ModelUnreachableError",
    "NotInReportError",
    "NothingToCancelError",
    "PartRefusedError",
    "PipulateError",
    "ProcessDiedError",
    "ProfileLockedError",
    "ProgramMissingError",
    "RecordConflictError",
    "RecordError",
    "RecordLinkedError",
    "RecordNotFoundError",
    "RecordRefusedError",
    "RecordTakenError",
    "ReportError",
    "RunConflictError",
    "RunError",
    "RunLockedError",
    "RunNotFoundError",
    "RunNotReadyError",
    "ScheduleRefusedError",
    "SettingsError",
    "StepFailedError",
    "StepNotOpenError",
    "StepResultError",
    "StepUnansweredError",
    "StorageError",
    "StoreDamagedError",
    "StoreFullError",
    "StoreNewerError",
    "StoreUnavailableError",
    "TableDiffersError",
    "UnknownStepError",
    "UnknownTableError",
    "UnknownVersionError",
    "UploadRefusedError",
    "UploadTooLargeError",
]
