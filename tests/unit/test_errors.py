"""The error tree: a stable code each, messages in plain sentences, their parts as attributes."""

from __future__ import annotations

import inspect
import re

import pytest

from pipulate import errors
from pipulate.errors import (
    FolderInUseError,
    InvalidAnswersError,
    KeepChangedError,
    PipulateError,
    ProcessDiedError,
    RunConflictError,
    StepNotOpenError,
    UnknownStepError,
    UnknownVersionError,
)

KEPT_FROM_A = "The earlier value of step 'c' cannot be kept: step 'a', which it was made from, has changed."
DIED = "The process of 'f' ended before its work was done: {}."
IN_USE = "The data folder /x is in use by {}. Stop it first, or choose another folder with --data."
TREE = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, PipulateError)]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [each.code for each in TREE]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"pipulate|[a-z]+\.[a-z_]+", code) for code in codes)


def test_every_error_has_a_name_that_says_so_and_a_sentence_about_it() -> None:
    for each in TREE:
        assert each.__name__.endswith("Error")
        assert (each.__doc__ or "").split("\n")[0].endswith(".")


def test_tree_in_the_module_is_the_tree_of_the_classes() -> None:
    drawn = dict(re.findall(r"(\w+Error)\s+(\S+\.\S+)", errors.__doc__ or ""))
    assert drawn == {each.__name__: each.code for each in TREE if each is not PipulateError}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UnknownStepError("a", "x", ["y", "z"]), "Workflow 'a' has no step 'x'; it declares: 'y', 'z'."),
        (UnknownStepError("a", "x", []), "Workflow 'a' has no step 'x'; it declares: none."),
        (UnknownVersionError(9, 3), "This run has versions 1 to 3; there is no version 9."),
        (StepNotOpenError("a", None), "Step 'a' is not open. No step is open now."),
        (StepNotOpenError("a", "b"), "Step 'a' is not open. The step that is open now is 'b'."),
        (KeepChangedError("c", "a"), KEPT_FROM_A),
        (KeepChangedError("c", None), "The earlier value of step 'c' cannot be kept: there is no earlier value."),
        (InvalidAnswersError({"a": "Too long.", "": "Wrong."}), "a: Too long.; step: Wrong."),
        (ProcessDiedError("f", 3), DIED.format("it left with exit code 3")),
        (ProcessDiedError("f", -9), DIED.format("it was killed (SIGKILL), as happens where memory runs out")),
        (ProcessDiedError("f", -11), DIED.format("it crashed (SIGSEGV)")),
        (ProcessDiedError("f", -99), DIED.format("it crashed (signal 99)")),
        (FolderInUseError("/x", 7), IN_USE.format("process 7")),
        (FolderInUseError("/x", None), IN_USE.format("another process")),
    ],
)  # fmt: skip
def test_message_is_a_sentence(error: PipulateError, says: str) -> None:
    assert str(error) == says


def test_conflict_carries_both_values_who_and_when() -> None:
    error = RunConflictError(
        step="a", seen=2, version=5, kind="submitted", changed="b", theirs={"x": 1}, mine={"x": 2}, by="ann",
        tab="t", at="2026-11-20T12:00:00Z",
    )  # fmt: skip
    assert (error.theirs, error.mine, error.by, error.tab, error.seen, error.version) == (
        {"x": 1}, {"x": 2}, "ann", "t", 2, 5,
    )  # fmt: skip
    assert "Nothing was overwritten" in str(error)
