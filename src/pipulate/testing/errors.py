"""What a test is told when a run does not go as it says.

All of them are assertion errors: a test that meets one has failed, it has not broken.

PlayError
├── WrongStepError       a step is not open, or a button is not there
├── WrongFieldError      a form has no such field
├── RefusedError         a form came back with problems
├── ConflictError        somebody else was faster, or the run is locked
├── AppFailedError       the author's code raised
└── BrokenRunError       a promise of Pipulate itself was broken
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

import pipulate

_OURS = str(Path(pipulate.__file__).parent)


class PlayError(AssertionError):
    """A run did not go as the test says."""


class WrongStepError(PlayError):
    """What the test wants to do is not offered on the page: the step is not open, or there is no such button."""


class WrongFieldError(PlayError):
    """The form has no field of this name, or a value cannot be written into it."""


class RefusedError(PlayError):
    """A form came back with problems.

    Attributes:
        step: The step.
        problems: Field -> what is wrong; the empty name is about the form as a whole.
    """

    def __init__(self, step: str, problems: Mapping[str, str], sent: Mapping[str, list[str]]) -> None:
        self.step, self.problems = step, dict(problems)
        lines = [f"Step {step!r} was not taken:"]
        for name, problem in problems.items():
            was = f"  (it was {', '.join(map(repr, sent[name]))})" if sent.get(name) else ""
            lines.append(f"  {name or 'the form'}: {problem}{was}")
        lines.append("Where this is what the test is about, say so: fill(..., expect_problems=True).")
        super().__init__("\n".join(lines))


class ConflictError(PlayError):
    """What was done was refused, because somebody else was faster or the run is locked.

    Attributes:
        reason: What the page says about it.
    """

    def __init__(self, what: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{what} was refused: {reason}")


class AppFailedError(PlayError):
    """The author's code raised; what it raised is the cause of this error.

    Attributes:
        error: What it raised, or None where the log did not say.
    """

    def __init__(self, what: str, error: BaseException | None, shown: str) -> None:
        self.error = error
        super().__init__(f"{what} failed. {told(error) if error is not None else shown}")


class BrokenRunError(PlayError):
    """A promise that Pipulate makes for every run was broken: this is a mistake of Pipulate's own."""


def told(error: BaseException) -> str:
    """Return what an exception says, and the lines of the author's code it passed through."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(_OURS)]
    head = "".join(traceback.format_exception_only(error)).strip()
    return "\n".join([f"The app raised {head}", *(line.rstrip() for line in traceback.format_list(frames))])
