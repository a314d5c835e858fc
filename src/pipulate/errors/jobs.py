"""Errors of jobs and schedules."""

from __future__ import annotations

import signal

from pipulate.errors.root import PipulateError


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


class ScheduleRefusedError(JobError):
    """A schedule cannot be as it was asked for; `field` names what is wrong with it, "" where it is the app."""

    code = "job.schedule_refused"

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(reason)


def _ending(exit_code: int) -> str:
    """Return what an exit code says."""
    if exit_code >= 0:
        return f"it left with exit code {exit_code}"
    if exit_code == -signal.SIGKILL:
        return "it was killed (SIGKILL), as happens where memory runs out"
    known = {each.value: each.name for each in signal.Signals}
    return f"it crashed ({known.get(-exit_code, f'signal {-exit_code}')})"
