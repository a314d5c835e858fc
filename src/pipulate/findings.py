"""What start-up checks find: stable codes, plain sentences, file and line. All are listed at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CODES = {
    "A001": "An action for the assistant has a name or an effect that is not allowed, or two have one name.",
    "A002": "An action for the assistant has a parameter that a model cannot give.",
    "A003": "An action for the assistant does not say what it is for.",
    "A004": "Another app has an action for the assistant of the same name.",
    "E001": "A class-style step that is done does not load the next one.",
    "E002": "A class-style handler does not take the request.",
    "E003": "The answer to a class-style form goes to the wrong place.",
    "E004": "A class-style `init` does not answer an empty key with `HX-Refresh`.",
    "E005": "A class-style step asks for its phases in the wrong order.",
    "E006": "A class on `BaseCrud` lacks a hook.",
    "P001": "The file could not be imported.",
    "P002": "The import has not ended; the line it hangs on is shown.",
    "P003": "The server died while it imported this file, so the file was skipped.",
    "P004": "The file declares no app.",
    "P005": "Another file has the same page address.",
    "P006": "Another app has the same stored name.",
    "P007": "The file could not be read.",
    "P008": "The file declares more than one app.",
    "R001": "The name of a resource is not allowed.",
    "R002": "What a resource declares as its model is none.",
    "R003": "A field of a resource cannot be kept in a table.",
    "R004": "A resource names a field that it has not, or of another type.",
    "T001": "The name of a report is not allowed.",
    "T002": "A report has no table.",
    "T003": "A parameter of a report's table is neither a filter nor handed in.",
    "T004": "The figure of a report asks for something it is not given.",
    "T005": "What makes a file of a report cannot be called.",
    "W001": "The name of a workflow is not allowed.",
    "W002": "A workflow has no steps.",
    "W003": "The name of a step is not allowed.",
    "W004": "Two steps of a workflow have the same name.",
    "W005": "A parameter has no type annotation.",
    "W006": "A parameter has a type that cannot be a field.",
    "W007": "A default value breaks the field's own rules.",
    "W008": "A parameter is of a kind that cannot be a field (`*args`, `**kwargs`, positional only).",
    "W009": "An annotation names something that does not exist.",
    "W010": "The return type cannot be stored.",
    "W011": "`suggest`, `when` or `choices` is not something that can be called with a run.",
    "W020": "A hint does not go with the type of its parameter.",
    "W021": "A rule declared with `@step.validate` checks what is no field of its step.",
    "W030": "A step without fields is declared optional.",
    "W031": "A step reads itself or a later step.",
    "W032": "A `goto` names no later step, or makes a step unreachable.",
    "W033": "A script or style sheet of the app is not there, or is not a plain name.",
    "W034": "An address of the app's own is not made of plain parts.",
    "W035": "A handler of the app's own address has a parameter that cannot be sent.",
    "W036": "A live view has a name or an interval that is not allowed.",
    "W037": "The training text of the app is not there.",
    "W038": "The training text of the app is too long.",
    "W044": "`suggest_with_model` cannot be used so: its function, or what the step asks for.",
}
WARNINGS = frozenset({"A004", "W037", "W038"})
"""Those that are said, and keep no app from being used."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a plugin.

    Attributes:
        code: One of `CODES`; keeps its meaning for ever.
        message: What is wrong and how to mend it.
        file: Path of the file, or "".
        line: Line in that file, from 1; 0 where there is none.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0

    @property
    def is_warning(self) -> bool:
        """Whether the app can be used all the same."""
        return self.code in WARNINGS

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.code} {self.message}"


def at(function: Callable[..., Any], code: str, message: str) -> Finding:
    """Return a finding about a function, with the place where it is written."""
    compiled = getattr(function, "__code__", None)
    return Finding(code, message, compiled.co_filename if compiled else "", compiled.co_firstlineno if compiled else 0)
