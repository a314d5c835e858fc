"""Functions of an app that the assistant may call: how they are declared, and what they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, create_model
from pydantic.errors import PydanticSchemaGenerationError

from pipulate.fields.describe import UnsupportedTypeError, WrongHintError, describe, label_of, split
from pipulate.fields.docstrings import docs
from pipulate.fields.hints import Choices, FieldsOf
from pipulate.fields.model import FormField, leaves
from pipulate.fields.pairs import in_pairs
from pipulate.findings import Finding, at
from pipulate.tools.action import Effect
from pipulate.tools.registry import NAME

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(slots=True)
class AppAction:
    """A function of an app that the assistant may call.

    Attributes:
        name: Unique among all actions; letters, digits and underscores.
        title: What people read, a verb and its object.
        effect: What it does to the world.
        function: What is called.
        description: What a model reads: the beginning of the docstring.
        model: What the arguments are checked with.
        handed_in: Parameter -> the type of what the framework hands in.
    """

    name: str
    title: str
    effect: Effect
    function: Callable[..., Any]
    description: str = ""
    model: type[BaseModel] = BaseModel
    handed_in: Mapping[str, type] = field(default_factory=dict)

    def prepare(self, handed_in: Iterable[type]) -> Iterator[Finding]:
        """Work out what the function takes; yield what is wrong with it.

        Args:
            handed_in: The types that the framework hands in here.
        """
        where = f"Action {self.name!r}"
        if not NAME.fullmatch(str(self.name)):
            words = "lower-case letters, digits and underscores, begins with a letter, and has at most 50 characters"
            yield at(self.function, "A001", f"{where}: a name has {words}.")
        if self.effect not in get_args(Effect):
            yield at(self.function, "A001", f"{where}: effect= is 'read', 'write' or 'destroy', not {self.effect!r}.")
        self.description, told = docs(self.function)
        if not self.description:
            words = "its docstring says to a model what it is for, and what it returns; write one"
            yield at(self.function, "A003", f"{where}: {words}.")
        try:
            self.model, self.handed_in = self._taken(set(handed_in), told)
        except (PydanticUserError, PydanticSchemaGenerationError, TypeError, NameError, WrongHintError) as error:
            yield at(self.function, "A002", f"{where}: {str(error).strip().splitlines()[0]}.")

    def _taken(self, handed_in: set[type], told: Mapping[str, str]) -> tuple[type[BaseModel], dict[str, type]]:
        """Return the model of the arguments, and what is handed in.

        Raises:
            TypeError: If a parameter is none that a model can give.
        """
        hints, handed = _hints(self.function), dict[str, type]()
        given: dict[str, Any] = {}
        for parameter in inspect.signature(self.function).parameters.values():
            name, annotation = parameter.name, hints.get(parameter.name)
            if annotation in handed_in:
                handed[name] = annotation
                continue
            _refuse(parameter, annotation)
            default = ... if parameter.default is parameter.empty else parameter.default
            given[name] = (in_pairs(annotation), default)
        model = create_model(self.name, __config__=_CONFIG, **given)
        for name, info in model.model_fields.items():
            asked = describe(name, info, told.get(name, ""))
            _refuse_unseen(asked)
            given[name] = (Annotated[given[name][0], Field(description=asked.help or asked.label)], given[name][1])
        return create_model(self.name, __config__=_CONFIG, **given), handed


def declare(actions: dict[str, AppAction], name: str, title: str | None, effect: Effect) -> Callable[[F], F]:
    """Return what adds a function to the actions of an app; of two with one name, the later one has `name` twice."""

    def added(function: F) -> F:
        key = name if name not in actions else f"{name} (line {function.__code__.co_firstlineno})"
        actions[key] = AppAction(name, title or label_of(str(name)), effect, function)
        return function

    return added


def prepared(actions: Mapping[str, AppAction], handed_in: Iterable[type]) -> Iterator[Finding]:
    """Work out all actions of an app; yield what is wrong with them."""
    kinds, names = tuple(handed_in), set[str]()
    for each in actions.values():
        if each.name in names:
            yield at(each.function, "A001", f"Action {each.name!r} is declared twice.")
        names.add(each.name)
        yield from each.prepare(kinds)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of the parameters; what it returns is often named by a library for type checkers only."""
    found = getattr(function, "__annotations__", {})
    bare = SimpleNamespace(__annotations__={name: each for name, each in found.items() if name != "return"})
    space = getattr(inspect.unwrap(function), "__globals__", {})
    return get_type_hints(bare, globalns=space, include_extras=True)


def _refuse(parameter: inspect.Parameter, annotation: Any) -> None:
    where = f"parameter {parameter.name!r}: "
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise TypeError(where + "*args, **kwargs and positional-only parameters cannot be given")
    if annotation is None:
        raise TypeError(where + "give it a type, for example `str`")
    if parameter.name.startswith(("_", "model_")):
        raise TypeError(where + "this name is taken; choose another")
    try:
        _, _, hints = split(annotation)
    except UnsupportedTypeError as error:
        raise TypeError(f"{where}{error}") from None
    if any(isinstance(hint, Choices | FieldsOf) for hint in hints):
        raise TypeError(where + "Choices and FieldsOf depend on a run's form; an action has none")


def _refuse_unseen(asked: FormField) -> None:
    unseen = [each.name for each in leaves([asked]) if each.kind in ("file", "secret")]
    if unseen:
        raise TypeError(f"parameter {unseen[0]!r}: a model can give neither a file nor a secret")
