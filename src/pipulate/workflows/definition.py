"""Workflows and steps, as their authors declare them."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticUndefined

from pipulate.errors import UnknownStepError
from pipulate.workflows.fields import (
    Choices,
    FormField,
    UnsupportedTypeError,
    describe,
    guarded,
    label_of,
    split,
)
from pipulate.workflows.findings import Finding, at
from pipulate.workflows.run import Run

P = ParamSpec("P")
R = TypeVar("R")

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
RESERVED = frozenset({"finalize", "init", "landing", "revert", "unfinalize"})
"""Step names that mean something in the address of a class-style app."""

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)
_HANDED_IN = (Run,)


class Step(Generic[P, R]):
    """One step: a function whose parameters are the fields of a form and whose result is shown.

    Calling it calls the function.

    Attributes:
        name: Stored with every run.
        title: What people read.
        help: One or two sentences below the title.
        fields: The fields of its form.
        is_automatic: Whether it has none, so that it runs by itself.
        model: The pydantic model its answers are checked with.
        returns: How its result is stored and read back, or None where it declares no type.
    """

    def __init__(
        self,
        name: str,
        function: Callable[P, R],
        *,
        title: str | None = None,
        when: Callable[[Run], bool] | None = None,
        suggest: Callable[[Run], Any] | None = None,
        refill: bool = True,
    ) -> None:
        self.name, self.function = name, function
        self.title = title or label_of(name)
        self.help, self._field_help = _docs(function)
        self.when, self.suggest, self.refill = when, suggest, refill
        self.is_async = inspect.iscoroutinefunction(function)
        self.fields: tuple[FormField, ...] = ()
        self.is_automatic = True
        self.model: type[BaseModel] = BaseModel
        self.returns: TypeAdapter[Any] | None = None
        self.run_parameters: tuple[str, ...] = ()
        self.done_view: Callable[[Any], Any] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Step {self.name!r}>"

    def done(self, view: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Use a function to show the result: it gets what the step returned and returns an element of `pipulate.ui`."""
        self.done_view = view
        return view

    def load(self, output: Any) -> Any:
        """Return a stored result as the function returned it.

        Raises:
            ValueError: If it no longer fits the declared type.
        """
        return output if self.returns is None else self.returns.validate_python(output)

    def prepare(self) -> list[Finding]:
        """Work out fields, model and result type from the function; return everything that is wrong with it."""
        findings = []
        self.run_parameters = ()
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except Exception as error:  # noqa: BLE001 - plugin border: an annotation is the author's code
            return [at(self.function, "W009", f"Step {self.name!r}: an annotation cannot be resolved ({error}).")]
        model_fields: dict[str, Any] = {}
        for parameter in inspect.signature(self.function).parameters.values():
            finding = self._take(parameter, hints.get(parameter.name, inspect.Parameter.empty), model_fields)
            if finding:
                findings.append(finding)
        if not findings:
            findings += self._build(model_fields)
        findings += self._take_return(hints.get("return", inspect.Parameter.empty))
        for name in ("when", "suggest"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                findings.append(
                    at(self.function, "W011", f"Step {self.name!r}: {name}= must be a function of the run.")
                )
        return findings

    def _take(self, parameter: inspect.Parameter, annotation: Any, into: dict[str, Any]) -> Finding | None:
        """Sort one parameter: handed in by the framework, or a field."""
        where = f"Step {self.name!r}, parameter {parameter.name!r}: "
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            return at(self.function, "W008", where + "*args, **kwargs and positional-only parameters cannot be fields.")
        if annotation is inspect.Parameter.empty:
            return at(self.function, "W005", where + "give it a type, for example `str`.")
        if annotation in _HANDED_IN:
            self.run_parameters = (*self.run_parameters, parameter.name)
            return None
        if parameter.name.startswith("_"):
            return at(self.function, "W006", where + "the name of a field cannot start with an underscore.")
        if parameter.name.startswith("model_") and hasattr(BaseModel, parameter.name):
            return at(self.function, "W006", where + "this name is taken by pydantic; choose another.")
        try:
            _, optional, hints = split(annotation)
        except UnsupportedTypeError as error:
            return at(self.function, "W006", f"{where}{error}.")
        if any(isinstance(hint, Choices) and not callable(hint.of) for hint in hints):
            return at(self.function, "W011", where + "Choices needs a function of the run.")
        default = parameter.default
        if default is inspect.Parameter.empty:
            default = None if optional else ...
        into[parameter.name] = (guarded(annotation, required=default is ...), default)
        return None

    def _build(self, model_fields: dict[str, Any]) -> list[Finding]:
        try:
            with warnings.catch_warnings():  # A field named `copy` or `json` is fine: nobody calls these methods.
                warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)
                self.model = create_model(self.name, __config__=_CONFIG, **model_fields)
        except (PydanticUserError, TypeError, NameError) as error:
            return [at(self.function, "W006", f"Step {self.name!r}: {_first_line(error)}")]
        findings, fields = [], []
        for name, info in self.model.model_fields.items():
            annotation = model_fields[name][0]
            _, _, hints = split(annotation)
            try:
                field = describe(name, info, [*info.metadata, *hints], self._field_help.get(name, ""))
            except UnsupportedTypeError as error:
                message = (
                    f"Step {self.name!r}, parameter {name!r}: {error}. Use str, int, float, bool, date, Literal, an"
                    " Enum, or one of these or None."
                )
                findings.append(at(self.function, "W006", message))
                continue
            fields.append(field)
            if info.default is not PydanticUndefined and field.choices is None:
                findings += self._check_default(name, annotation, info.default)
        self.fields = tuple(fields)
        self.is_automatic = not fields
        return findings

    def _check_default(self, name: str, annotation: Any, default: Any) -> list[Finding]:
        try:
            TypeAdapter(annotation).validate_python(default)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            message = (
                f"Step {self.name!r}, parameter {name!r}: the default {default!r} breaks its own rules ({reason})."
            )
            return [at(self.function, "W007", message)]
        return []

    def _take_return(self, annotation: Any) -> list[Finding]:
        if annotation in (inspect.Parameter.empty, None, type(None), Any):
            return []
        try:
            self.returns = TypeAdapter(annotation)
            self.returns.core_schema  # noqa: B018 - building it is the check
        except Exception as error:  # noqa: BLE001 - plugin border: the type is the author's
            message = f"Step {self.name!r}: what it returns cannot be stored ({_first_line(error)})."
            return [at(self.function, "W010", message)]
        return []


class Workflow:
    """An app: steps, asked one by one.

    Attributes:
        name: Stored with every run, so it is written out and never changes.
        title: What people read.
        description: One sentence about what it is good for.
        module: Name of the module that made it.
    """

    def __init__(self, name: str, *, title: str | None = None, description: str = "") -> None:
        self.name = name
        self.title = title or label_of(name)
        self.description = description
        made_at = sys._getframe(1)  # noqa: SLF001 - as collections.namedtuple does
        self.module = made_at.f_globals.get("__name__", "")
        self._place = made_at.f_code.co_filename, made_at.f_lineno
        self.steps: list[Step[..., Any]] = []
        self.position: Mapping[str, int] = {}
        self.order: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}>"

    def step(
        self,
        name: str,
        *,
        title: str | None = None,
        when: Callable[[Run], bool] | None = None,
        suggest: Callable[[Run], Any] | None = None,
        refill: bool = True,
    ) -> Callable[[Callable[P, R]], Step[P, R]]:
        """Declare a function as the next step.

        Args:
            name: Stored with every run; letters, digits and underscores, beginning with a letter.
            title: What people read; made from the name where it is not given.
            when: Gets the run and says whether the step is asked for; without it, always.
            suggest: Gets the run and returns what the form starts with: a dict by field, or a value for the only field.
            refill: Whether the form, asked again after something before it changed, starts with the old answers.
        """

        def declare(function: Callable[P, R]) -> Step[P, R]:
            step = Step(name, function, title=title, when=when, suggest=suggest, refill=refill)
            self.steps.append(step)
            return step

        return declare

    def __getitem__(self, name: str) -> Step[..., Any]:
        """Return a step.

        Raises:
            UnknownStepError: If there is none with this name.
        """
        if name not in self.position:
            raise UnknownStepError(self.name, name, self.order)
        return self.steps[self.position[name]]

    def find(self, name: str) -> Step[..., Any] | None:
        """Return a step, or None where there is none with this name."""
        return self.steps[self.position[name]] if name in self.position else None

    def prepare(self) -> list[Finding]:
        """Work out every step; return everything that is wrong, all at once."""
        findings = []
        if not NAME.fullmatch(str(self.name)):
            message = (
                f"Workflow {self.name!r}: a name has lower-case letters, digits and underscores, begins with a letter,"
                " and has at most 60 characters."
            )
            findings.append(Finding("W001", message, *self._place))
        if not self.steps:
            message = f"Workflow {self.name!r} has no steps; declare one with @workflow.step."
            findings.append(Finding("W002", message, *self._place))
        seen: dict[str, Step[..., Any]] = {}
        for step in self.steps:
            if not NAME.fullmatch(str(step.name)) or step.name in RESERVED:
                message = (
                    f"Step {step.name!r}: a name has lower-case letters, digits and underscores, begins with a letter,"
                    f" has at most 60 characters, and is none of {', '.join(sorted(RESERVED))}."
                )
                findings.append(at(step.function, "W003", message))
            if step.name in seen:
                first = at(seen[step.name].function, "W004", "")
                message = f"Step {step.name!r} is declared twice; the first one is on line {first.line}."
                findings.append(at(step.function, "W004", message))
            seen.setdefault(step.name, step)
            findings += step.prepare()
        self.order = tuple(step.name for step in self.steps)
        self.position = {name: index for index, name in enumerate(self.order)}
        return findings


def workflows_in(namespace: Mapping[str, Any]) -> Iterator[Workflow]:
    """Yield the workflows a module holds, each once, in the order of their making."""
    seen = set()
    for value in namespace.values():
        if isinstance(value, Workflow) and id(value) not in seen:
            seen.add(id(value))
            yield value


_SECTION = re.compile(r"^(\w+):[ \t]*$", re.MULTILINE)
_ARGUMENT = re.compile(r"(\w+)(?: \(.*\))?:\s*(.*)")


def _docs(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return a docstring's opening words and what its `Args:` say of each parameter."""
    opening, *rest = _SECTION.split(inspect.getdoc(function) or "")
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    return " ".join(opening.split()), _arguments(sections.get("Args", ""))


def _arguments(section: str) -> dict[str, str]:
    arguments: dict[str, str] = {}
    name, margin = "", -1
    for line in filter(str.strip, section.splitlines()):
        indent = len(line) - len(line.lstrip())
        margin = indent if margin < 0 else margin
        if indent < margin:  # The section has ended.
            break
        match = _ARGUMENT.match(line.strip()) if indent == margin else None
        if match:
            name = match[1]
            arguments[name] = match[2]
        elif name:
            arguments[name] += " " + line.strip()
    return arguments


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
