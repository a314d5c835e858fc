"""Reports, as their authors declare them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticUserError, create_model

from pipulate.crud.tables import Tables
from pipulate.fields import (
    FormField,
    UnsupportedTypeError,
    WrongHintError,
    describe,
    in_pairs,
    label_of,
    split,
)
from pipulate.fields.actions import AppAction, declare, prepared
from pipulate.fields.docstrings import docs
from pipulate.fields.files import Files
from pipulate.fields.hints import Choices, FieldsOf
from pipulate.findings import Finding, at
from pipulate.jobs.doing import Job
from pipulate.storage.records.shape import NAME
from pipulate.tools.action import Effect
from pipulate.tools.training import look as training_findings
from pipulate.workflows.handed import Profile, Progress
from pipulate.workflows.source import file_digest

F = TypeVar("F", bound=Callable[..., Any])

FIGURE_GETS: Final = ("rows", "source")
"""What a figure may ask for, by the names of its parameters."""

_CONFIG: Final = ConfigDict(extra="forbid", allow_inf_nan=False)
_HANDED_IN: Final = (Tables, Profile)
_TO_MAKERS: Final = (*_HANDED_IN, Job, Progress, Files)
_BESIDE: Final = frozenset({"bom", "plain", "sort"})
"""Names that mean something in the address of every report."""


class Maker:
    """What makes a file, as a job.

    Attributes:
        name: Stored with every file.
        title: What the button says.
        function: Makes it, and returns a `File` or the `Path` of one.
        for_each: Returns for whom it can be made, as values or pairs of value and label; None where it is for nobody.
        handed_in: Parameter -> what the framework hands in for it.
        asks: The same for the parameters of `for_each`.
        subject: The parameter that gets for whom, or "".
    """

    def __init__(
        self, name: str, function: Callable[..., Any], title: str, for_each: Callable[..., Any] | None
    ) -> None:
        self.name, self.function, self.title, self.for_each = name, function, title, for_each
        self.handed_in: dict[str, type] = {}
        self.asks: dict[str, type] = {}
        self.subject = ""

    def __repr__(self) -> str:
        return f"<Maker {self.name!r}>"


class Report:
    """A table made from records, what is drawn from it, and files that are made for whom it is about.

    Attributes:
        name: Stored with every file it makes, so it is written out and never changes.
        title, description: What people read.
        columns: Column -> its heading, in the order they are shown; all of them where it is empty.
        empty: What is said where there is nothing to show; Markdown.
        fields: The filters: the parameters of the function that makes the table.
        model: The pydantic model filters are checked with.
        rules: None; there for whoever checks forms.
        makers: Name -> what makes a file.
        module: Name of the module that made it.
        digest: Of the file it is in.
    """

    rules: Mapping[Callable[..., None], tuple[str, ...]] = {}

    def __init__(
        self,
        name: str,
        *,
        title: str | None = None,
        description: str = "",
        icon: str = "",
        order: float = 0,
        training: str | Path = "",
        columns: Mapping[str, str] | None = None,
        empty: str = "There is nothing to show yet.",
    ) -> None:
        """Declare a report.

        Args:
            name: Stored with every file it makes; lower-case letters, digits and underscores.
            title: What people read; made from the name where it is left out.
            description: A sentence below the title.
            icon: A sign before it in the menu.
            order: Place in the menu; the smaller, the further up.
            training: What the assistant is told of the app: a text, or the name of a file with it, which ends in `.md`,
                beside the app or in a folder `training`.
            columns: Column -> its heading, in the order they are shown; all of them where it is left out.
            empty: What is said where there is nothing to show, with what to do about it; Markdown.
        """
        self.name, self.title, self.description = name, title or label_of(str(name)), description
        self.icon, self.order_in_menu, self.training = icon, order, training
        self.columns, self.empty = dict(columns or {}), empty
        self.fields: tuple[FormField, ...] = ()
        self.model: type[BaseModel] = BaseModel
        self.makers: dict[str, Maker] = {}
        self.actions: dict[str, AppAction] = {}
        self.digest: str | None = None
        self._rows: Callable[..., Any] | None = None
        self._figure: Callable[..., Any] | None = None
        self.handed_in: dict[str, type] = {}
        self.figure_gets: tuple[str, ...] = ()
        caller = sys._getframe(1)  # noqa: SLF001 - as collections.namedtuple does
        self._place = (caller.f_code.co_filename, caller.f_lineno)
        self.module = str(caller.f_globals.get("__name__", ""))

    def __repr__(self) -> str:
        return f"<Report {self.name!r}>"

    def table(self, function: F) -> F:
        """Use a function to make the table: a DataFrame, or a list of dicts, one a row.

        Its parameters are the filters, annotated as the fields of a step are; one of the type `Tables` or `Profile` is
        handed in. The table, the figure and the downloads are made of what it returns.
        """
        self._rows = function
        return function

    def figure(self, function: F) -> F:
        """Use a function to draw what the table shows: it returns a figure or layout of Bokeh.

        It gets what it names of `rows`, the table as `table` returned it, and `source`, the ColumnDataSource that the
        table on the page is drawn from: what is drawn from it is linked, so that rows chosen there are chosen here.
        """
        self._figure = function
        return function

    def action(self, name: str, *, title: str | None = None, effect: Effect = "write") -> Callable[[F], F]:
        """Let the assistant call a function, beside this report; as `Workflow.action`, with `Tables` and `Profile`."""
        return declare(self.actions, name, title, effect)

    @property
    def folder(self) -> Path:
        """Where the file of the app lies."""
        return Path(self._place[0]).parent

    def make(
        self, name: str, *, title: str | None = None, for_each: Callable[..., Any] | None = None
    ) -> Callable[[F], F]:
        """Use a function to make a file, as a job, when somebody presses the button.

        It returns the `Path` of a file, or a `File` saved with `Files`; either is kept. Handed in are `Tables`,
        `Profile`, `Job`, `Progress` and `Files`; with `for_each=`, one more parameter gets for whom.

        Args:
            name: Stored with every file; lower-case letters, digits and underscores.
            title: What the button says.
            for_each: Function that returns for whom it can be made: whole numbers or texts, or pairs of one and its
                label. It may ask for `Tables` and `Profile`.
        """

        def declared(function: F) -> F:
            self.makers[name] = Maker(name, function, title or label_of(name), for_each)
            return function

        return declared

    def rows(self, given: Mapping[str, Any]) -> Any:
        """Call the function that makes the table."""
        assert self._rows is not None  # noqa: S101 - a report without one is not taken into use
        return self._rows(**given)

    @property
    def has_figure(self) -> bool:
        """Whether anything is drawn beside the table."""
        return self._figure is not None

    def drawn(self, given: Mapping[str, Any]) -> Any:
        """Call the function that draws; `given` has all a figure may ask for."""
        assert self._figure is not None  # noqa: S101 - asked before
        return self._figure(**{name: given[name] for name in self.figure_gets})

    # What is wrong with it

    def prepare(self) -> list[Finding]:
        """Work out filters and what is handed in; return everything that is wrong."""
        findings = []
        if not NAME.fullmatch(str(self.name)):
            message = "has lower-case letters, digits and underscores, begins with a letter, at most 50 characters."
            findings.append(self._wrong("T001", f"a name {message}"))
        self.digest = file_digest(self._place[0])
        if self._rows is None:
            message = "it shows no table. Decorate the function that makes it with @report.table."
            return [*findings, self._wrong("T002", message)]
        findings += self._take_filters(self._rows)
        if self._figure is not None:
            findings += self._check_figure(self._figure)
        for maker in self.makers.values():
            findings += self._check_maker(maker)
        findings += prepared(self.actions, _HANDED_IN)
        return [*findings, *training_findings(self.training, self.folder, self._place)]

    def _take_filters(self, function: Callable[..., Any]) -> list[Finding]:
        hints, finding = self._hints(function)
        if finding is not None:
            return [finding]
        self.handed_in = {name: kind for name, kind in hints.items() if kind in _HANDED_IN}
        model_fields, findings = dict[str, Any](), list[Finding]()
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in self.handed_in:
                continue
            wrong = _no_filter(parameter, hints.get(parameter.name, inspect.Parameter.empty))
            if wrong:
                findings.append(at(function, "T003", f"Report {self.name!r}, filter {parameter.name!r}: {wrong}."))
                continue
            model_fields[parameter.name] = (in_pairs(hints[parameter.name]), parameter.default)
        return findings or self._build(function, model_fields)

    def _build(self, function: Callable[..., Any], model_fields: dict[str, Any]) -> list[Finding]:
        try:
            self.model = create_model(self.name, __config__=_CONFIG, **model_fields)
        except (PydanticUserError, TypeError, NameError) as error:
            return [at(function, "T003", f"Report {self.name!r}: {str(error).strip().splitlines()[0]}")]
        fields, findings, help_of = [], [], docs(function)[1]
        for name, info in self.model.model_fields.items():
            try:
                fields.append(_stands_in_an_address(describe(name, info, help_of.get(name, ""))))
            except (UnsupportedTypeError, WrongHintError) as error:
                findings.append(at(function, "T003", f"Report {self.name!r}, filter {name!r}: {error}."))
        self.fields = tuple(fields)
        return findings

    def _check_figure(self, function: Callable[..., Any]) -> list[Finding]:
        self.figure_gets = tuple(inspect.signature(function).parameters)
        unknown = [name for name in self.figure_gets if name not in FIGURE_GETS]
        message = f"Report {self.name!r}: a figure is given `rows` and `source`, and nothing called {{!r}}."
        return [at(function, "T004", message.format(name)) for name in unknown]

    def _check_maker(self, maker: Maker) -> list[Finding]:
        where = f"Report {self.name!r}, make {maker.name!r}: "
        hints, finding = self._hints(maker.function)
        if finding is not None:
            return [finding]
        names = tuple(inspect.signature(maker.function).parameters)
        maker.handed_in = {name: kind for name, kind in hints.items() if kind in _TO_MAKERS}
        rest = [name for name in names if name not in maker.handed_in]
        wrong = ""
        if not NAME.fullmatch(str(maker.name)):
            wrong = "its name has lower-case letters, digits and underscores, and begins with a letter"
        elif maker.for_each is None and rest:
            wrong = f"nothing is known to be given for {rest[0]!r}; say for_each=, or give it a type that is handed in"
        elif maker.for_each is not None and len(rest) != 1:
            wrong = "with for_each=, it needs exactly one parameter that is not handed in: it gets for whom"
        elif maker.for_each is not None:
            asked = self._hints(maker.for_each)[0]
            maker.asks = {name: kind for name, kind in asked.items() if kind in _HANDED_IN}
            if [*maker.asks] != [*inspect.signature(maker.for_each).parameters]:
                wrong = "the function of for_each= may only ask for `Tables` and `Profile`"
        maker.subject = rest[0] if maker.for_each is not None and len(rest) == 1 else ""
        return [at(maker.function, "T005", f"{where}{wrong}.")] if wrong else []

    def _hints(self, function: Callable[..., Any]) -> tuple[dict[str, Any], Finding | None]:
        """Return the types of the parameters of a function, or what is wrong with one.

        What it returns is left out: it is often named by a library that is imported for type checkers only.
        """
        found = getattr(function, "__annotations__", {})
        annotations = {name: each for name, each in found.items() if name != "return"}
        try:
            bare = SimpleNamespace(__annotations__=annotations)
            space = getattr(inspect.unwrap(function), "__globals__", {})
            return get_type_hints(bare, globalns=space, include_extras=True), None
        except Exception as error:  # noqa: BLE001 - plugin border: an annotation is the author's code
            message = f"Report {self.name!r}: an annotation cannot be resolved ({error})."
            return {}, at(function, "T003", message)

    def _wrong(self, code: str, words: str) -> Finding:
        return Finding(code, f"Report {self.name!r}: {words}", *self._place)


def _stands_in_an_address(field: FormField) -> FormField:
    if field.kind in ("file", "secret", "group"):
        raise UnsupportedTypeError("this cannot stand in an address, so it cannot be a filter")
    return field


def _no_filter(parameter: inspect.Parameter, annotation: Any) -> str:
    """Return why a parameter cannot be a filter, "" where it can."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        return "*args, **kwargs and positional-only parameters cannot be filters"
    if annotation is inspect.Parameter.empty:
        return "give it a type, for example `str`"
    if parameter.default is inspect.Parameter.empty:
        return "give it a default: a report shows something before anybody has chosen"
    if parameter.name in _BESIDE or parameter.name.startswith(("_", "model_")):
        return "this name is taken; choose another"
    try:
        _, _, hints = split(annotation)
    except UnsupportedTypeError as error:
        return str(error)
    if any(isinstance(hint, Choices | FieldsOf) for hint in hints):
        return "Choices and FieldsOf depend on a run; a report is in none"
    return ""
