"""Workflows and steps, as their authors declare them."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_type_hints, overload
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    create_model,
)

from pipulate.crud.tables import Tables
from pipulate.errors import UnknownStepError
from pipulate.fields import (
    Choices,
    FieldsOf,
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
from pipulate.fields.files import Files, uploaded
from pipulate.findings import Finding, at
from pipulate.jobs.doing import Job
from pipulate.jobs.port import Options
from pipulate.tools.action import Effect
from pipulate.tools.training import look as training_findings
from pipulate.workflows.cached import Cached
from pipulate.workflows.handed import Messages, Profile, Progress, User
from pipulate.workflows.order import order_findings
from pipulate.workflows.own import LiveView, Method, OwnRoute
from pipulate.workflows.prompts import prompt_findings
from pipulate.workflows.run import Run
from pipulate.workflows.source import code_of, file_digest
from pipulate.workflows.views import parts

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V", bound=Callable[..., Any])
C = TypeVar("C", bound=Callable[[Run], str | None])
M = TypeVar("M", bound=Callable[[Run], str])
Rule = TypeVar("Rule", bound=Callable[..., None])

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
RESERVED = frozenset({"finalize", "init", "landing", "revert", "unfinalize"})
"""Step names that mean something in the address of a class-style app."""

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)
_HANDED_IN = (Run, Files, Progress, Messages, Profile, User, Job, Tables)
ACTION_HANDED_IN = (Run, Files, Profile, User, Tables)
"""What a function that the assistant may call can be handed, by the type of its parameter."""
_FUNCTIONS = (AfterValidator, BeforeValidator, PlainValidator, WrapValidator)


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
        rules: Functions that check several fields together -> the names of these fields.
        has_own_rules: Whether checking answers calls the author's code.
        model_prompt: Function of the run that returns what a model is asked, to fill in the form; None where none is.
        model_fallback: Function of the run that returns what the form starts with where there is no model, or None.
        background: How it runs as a job, or None where whoever answers waits for it.
        digest: Of the file its function is in, where it runs as a job; None where that is in no file.
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
        optional: bool = False,
        goto: str | Callable[[Run], str | None] | None = None,
        background: Options | None = None,
    ) -> None:
        self.name, self.function = name, function
        self.title = title or label_of(name)
        self.help, self._field_help = docs(function)
        self.when, self.suggest, self.refill = when, suggest, refill
        self.optional, self.goto, self.background = optional, goto, background
        self.is_async = inspect.iscoroutinefunction(function)
        self.fields: tuple[FormField, ...] = ()
        self.digest: str | None = None
        self.is_automatic = True
        self.model: type[BaseModel] = BaseModel
        self.returns: TypeAdapter[Any] | None = None
        self.handed_in: dict[str, type] = {}
        self.listed: frozenset[str] = frozenset()
        self.checks: tuple[Callable[[Run], str | None], ...] = ()
        self.form_view: Callable[..., Any] | None = None
        self.done_view: Callable[..., Any] | None = None
        self.locked_view: Callable[..., Any] | None = None
        self.model_prompt: Callable[[Run], str] | None = None
        self.model_fallback: Callable[[Run], Any] | None = None
        self.rules: dict[Callable[..., None], tuple[str, ...]] = {}
        self.has_own_rules = False
        self._shown_among: Sequence[Step[..., Any]] = ()
        self._code: str | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Step {self.name!r}>"

    def show_code(self, *, among: Sequence[Step[..., Any]]) -> None:
        """Say that people are to read its code; `among` are the steps of its workflow, empty where they are not."""
        self._shown_among, self._code = among, None

    @property
    def code(self) -> str:
        """Its code, where people are to read it, or ""; taken from its file when first asked for."""
        if self._code is None:
            self._code = code_of(self, self._shown_among) if self._shown_among else ""
        return self._code

    def form(self, view: V) -> V:
        """Use a function to draw the form: it gets the fields, drawn, and returns an element that holds them.

        The fields come as a `FormParts`; a second parameter, where it has one, gets the run.
        """
        self.form_view = view
        return view

    def done(self, view: V) -> V:
        """Use a function to show the result: it gets what the step returned and returns an element of `pipulate.ui`.

        A second parameter, where it has one, gets the run.
        """
        self.done_view = view
        return view

    def locked(self, view: V) -> V:
        """As `done`, for a run that is locked; without it, `done` serves both."""
        self.locked_view = view
        return view

    def check(self, function: C) -> C:
        """Use a function of the run to check the whole run before it is locked.

        It returns what is wrong in a sentence, or raises ValueError with it, or returns None. The person sees the
        sentence with the title of this step.
        """
        self.checks = (*self.checks, function)
        return function

    def validate(self, rule: Rule) -> Rule:
        """Check several fields together with a function whose parameters are named as the fields are.

        It is called once every field is right by itself, whatever door the answers come in by. It raises
        `FieldError("pages", "...")` for one field, or ValueError with a sentence about the step.
        """
        self.rules[rule] = tuple(inspect.signature(rule).parameters)
        return rule

    @overload
    def suggest_with_model(self, function: M) -> M: ...
    @overload
    def suggest_with_model(self, *, fallback: Callable[[Run], Any]) -> Callable[[M], M]: ...
    def suggest_with_model(self, function: Any = None, *, fallback: Callable[[Run], Any] | None = None) -> Any:
        """Have the language model suggest answers; the function gets the run and returns what the model is asked.

        The open form then has a button for it, where there is a model. What the model suggests is checked as the form
        is, and shown to the person: nothing is filled in before they allow it. Files and secrets are left to them.

        Args:
            function: Returns the prompt. It is called on a thread, so it may wait.
            fallback: As `suggest` of the step, for where there is no model: the form starts with what it returns.
        """

        def declare(function: M) -> M:
            self.model_prompt, self.model_fallback = function, fallback
            return function

        return declare if function is None else declare(function)

    def load(self, output: Any, files: Files | None = None, view: str = "tree") -> Any:
        """Return a stored result as the function returned it; `files` are those of the run, `view` is stored with it.

        Raises:
            ValueError: If it no longer fits the declared type.
            ImportError: If it needs a library that is not installed any more.
        """
        return parts.loaded(view, output, self.returns, files)

    def asking(self, fields: Sequence[FormField], models: Mapping[str, type[BaseModel]]) -> Step[P, R]:
        """Return the same step, with fields that are only known in a run, and the models of the groups they are in."""
        step = copy(self)
        step.fields = tuple(fields)
        given: Any = {name: (model, ...) for name, model in models.items()}
        step.model = create_model(self.name, __base__=self.model, **given)
        step.listed = frozenset(models)
        return step

    def prepare(self) -> list[Finding]:
        """Work out fields, model and result type from the function; return everything that is wrong with it."""
        findings = []
        self.handed_in, self.has_own_rules = {}, False
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
            findings += self._check_rules()
        findings += self._take_return(hints.get("return", inspect.Parameter.empty))
        if self.optional and self.is_automatic and not findings:
            message = f"Step {self.name!r} asks for nothing, so there is nothing to skip: leave out optional=True."
            findings.append(at(self.function, "W030", message))
        findings += self._check_job()
        if self.model_prompt is not None and not findings:
            findings += prompt_findings(self.name, self.function, self.model_prompt, self.model_fallback, self.fields)
        for name in ("when", "suggest"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                findings.append(
                    at(self.function, "W011", f"Step {self.name!r}: {name}= must be a function of the run.")
                )
        return findings

    def _check_job(self) -> list[Finding]:
        """Look at how it runs as a job, and note which code that would be."""
        if self.background is None:
            wanting = [name for name, kind in self.handed_in.items() if kind is Job]
            message = f"Step {self.name!r}, parameter {{!r}}: only a step with background=True runs in a job."
            return [at(self.function, "W041", message.format(name)) for name in wanting]
        self.digest = _digest_of(self.function)
        how = self.background
        wrong = how.retries < 0 or how.backoff_s < 0 or min(how.timeout_s or 1, how.at_once or 1) <= 0
        if not wrong:
            return []
        message = f"Step {self.name!r}: retries= and backoff= are at least 0, timeout= and at_once= are more than 0."
        return [at(self.function, "W042", message)]

    def _take(self, parameter: inspect.Parameter, annotation: Any, into: dict[str, Any]) -> Finding | None:
        """Sort one parameter: handed in by the framework, or a field."""
        where = f"Step {self.name!r}, parameter {parameter.name!r}: "
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            return at(self.function, "W008", where + "*args, **kwargs and positional-only parameters cannot be fields.")
        if annotation is inspect.Parameter.empty:
            return at(self.function, "W005", where + "give it a type, for example `str`.")
        if annotation in _HANDED_IN:
            self.handed_in[parameter.name] = annotation
            return None
        if parameter.name.startswith("_"):
            return at(self.function, "W006", where + "the name of a field cannot start with an underscore.")
        if parameter.name.startswith("model_") and hasattr(BaseModel, parameter.name):
            return at(self.function, "W006", where + "this name is taken by pydantic; choose another.")
        try:
            _, optional, hints = split(annotation)
        except UnsupportedTypeError as error:
            return at(self.function, "W006", f"{where}{error}.")
        if any(isinstance(hint, Choices | FieldsOf) and not callable(hint.of) for hint in hints):
            return at(self.function, "W011", where + "Choices and FieldsOf need a function of the run.")
        annotation, default = in_pairs(uploaded(annotation)), parameter.default
        if default is inspect.Parameter.empty:
            default = None if optional else ...
        self.has_own_rules = self.has_own_rules or any(isinstance(hint, _FUNCTIONS) for hint in hints)
        into[parameter.name] = (annotation, default)
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
            where = f"Step {self.name!r}, parameter {name!r}: "
            try:
                field = describe(name, info, self._field_help.get(name, ""))
            except UnsupportedTypeError as error:
                findings.append(at(self.function, "W006", f"{where}{error}."))
                continue
            except WrongHintError as error:
                findings.append(at(self.function, "W020", f"{where}{error}."))
                continue
            fields.append(field)
            if not info.is_required() and field.choices is None:
                findings += self._check_default(
                    name, model_fields[name][0], info.get_default(call_default_factory=True)
                )
        self.fields = tuple(fields)
        self.is_automatic = not fields
        self.has_own_rules = self.has_own_rules or bool(self.rules) or any(field.parts for field in fields)
        return findings

    def _check_rules(self) -> list[Finding]:
        findings, known = [], {field.name for field in self.fields}
        for rule, names in self.rules.items():
            where = f"Step {self.name!r}, validate: "
            if inspect.iscoroutinefunction(rule):
                findings.append(at(rule, "W021", where + "a rule is a plain function, not an async one."))
            if not names:
                findings.append(at(rule, "W021", where + "name the fields to check as parameters."))
            findings += [
                at(rule, "W021", f"{where}{name!r} is none of the fields {', '.join(sorted(known)) or '(none)'}.")
                for name in names
                if name not in known
            ]
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
            self.returns = parts.adapter_of(annotation)
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
        icon: A sign that stands before the title in menus, or "".
        order: Place in the menu: lower comes first, and equal numbers go by the name of the file.
        training: What the assistant is to know about the app: a text, or the name of a file with it, which ends in
            `.md`, beside the app or in a folder `training`.
        show_code: Whether the code of each step stands beside it, for people who want to learn from it.
        module: Name of the module that made it.
    """

    def __init__(
        self,
        name: str,
        *,
        title: str | None = None,
        description: str = "",
        icon: str = "",
        order: float = 0,
        training: str | Path = "",
        assets: Sequence[str] = (),
        show_code: bool = False,
    ) -> None:
        self.name = name
        self.title = title or label_of(name)
        self.description = description
        self.icon, self.order_in_menu, self.training, self.assets = icon, order, training, tuple(assets)
        self.show_code = show_code
        made_at = sys._getframe(1)  # noqa: SLF001 - as collections.namedtuple does
        self.module = made_at.f_globals.get("__name__", "")
        self._place = made_at.f_code.co_filename, made_at.f_lineno
        self.steps: list[Step[..., Any]] = []
        self.routes: list[OwnRoute] = []
        self.live_views: dict[str, LiveView] = {}
        self.actions: dict[str, AppAction] = {}
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
        optional: bool = False,
        goto: str | Callable[[Run], str | None] | None = None,
        background: bool = False,
        retries: int = 0,
        backoff: float = 1.0,
        timeout: float | None = None,
        at_once: int | None = None,
    ) -> Callable[[Callable[P, R]], Step[P, R]]:
        """Declare a function as the next step.

        Args:
            name: Stored with every run; letters, digits and underscores, beginning with a letter.
            title: What people read; made from the name where it is not given.
            when: Gets the run and says whether the step is asked for; without it, always.
            suggest: Gets the run and returns what the form starts with: a dict by field, or a value for the only field.
            refill: Whether the form, asked again after something before it changed, starts with the old answers.
            optional: Whether people may skip it; it then has no value.
            goto: The later step that comes next, past those between: a name, or a function of the run that returns one,
                or None for the next step.
            background: Whether it runs as a job, which outlives the page and the program: nobody waits for it.
            retries: Further attempts where it raises.
            backoff: Seconds before the first of them, doubled before each further one.
            timeout: Seconds after which an attempt is given up.
            at_once: Most of these jobs at one time; what is more waits in a queue.
        """
        how = None
        if background or retries or timeout is not None or at_once is not None:
            how = Options(retries=retries, backoff_s=backoff, timeout_s=timeout, at_once=at_once)

        def declare(function: Callable[P, R]) -> Step[P, R]:
            step = Step(
                name, function, title=title, when=when, suggest=suggest, refill=refill, optional=optional, goto=goto,
                background=how,
            )  # fmt: skip
            self.steps.append(step)
            return step

        return declare

    def get(self, path: str) -> Callable[[F], F]:
        """Answer an address of the app's own; see `address`.

        The function's parameters are what was sent: parts of the path, then the query. A parameter of type `Run` gets
        the run of the page that asks. It returns elements of `pipulate.ui`, a `File`, or JSON values.
        """
        return self._route("GET", path)

    def action(self, name: str, *, title: str | None = None, effect: Effect = "write") -> Callable[[F], F]:
        """Let the assistant call a function, beside this app.

        Its parameters are what a model has to give, annotated as the fields of a step are; one of the type `Run`,
        `Files`, `Profile`, `User` or `Tables` is handed in. Its docstring says what it is for. It returns text or
        JSON values.

        Args:
            name: Stored with every call and unique among all apps; letters, digits and underscores.
            title: What people read before they allow it, a verb and its object; made from the name where it is left
                out.
            effect: `read` changes nothing and is called without asking; `write` asks the person, who may allow it for
                the whole run; `destroy` takes something away and always asks.
        """
        return declare(self.actions, name, title, effect)

    def post(self, path: str) -> Callable[[F], F]:
        """As `get`, for what a form sends. It must not change a run: that is what steps are for."""
        return self._route("POST", path)

    def _route(self, method: Method, path: str) -> Callable[[F], F]:
        def declare(function: F) -> F:
            self.routes.append(OwnRoute(method, path.strip("/"), function))
            return function

        return declare

    def address(self, path: str, run: Run | None = None) -> str:
        """Return the address of what `get` or `post` declared; with a run, it is asked for that run."""
        query = f"?_run={run.id}" if run is not None else ""
        return f"/-/apps/{quote(self.name)}/{quote(path.strip('/'))}{query}"

    def live(self, name: str, *, every: float = 1.0) -> Callable[[F], F]:
        """Draw a part of the run's pages again and again while somebody looks: `pipulate.ui.live(name)` is its place.

        Args:
            name: Letters, digits, hyphens and underscores.
            every: Seconds from one drawing to the next, at least 0.1.
        """

        def declare(function: F) -> F:
            self.live_views[name] = LiveView(name, function, every)
            return function

        return declare

    def cached(self, function: Callable[Concatenate[Run, P], R]) -> Cached[P, R]:
        """Keep the results of a function of the run; see `Cached`."""
        return Cached(function)

    @property
    def draws_itself(self) -> bool:
        """Whether a step has a view of the author's."""
        return any(step.form_view or step.done_view or step.locked_view for step in self.steps)

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
            step.show_code(among=self.steps if self.show_code else ())
        for route in self.routes:
            findings += route.prepare()
        for view in self.live_views.values():
            findings += view.prepare()
        findings += prepared(self.actions, ACTION_HANDED_IN)
        self.order = tuple(step.name for step in self.steps)
        self.position = {name: index for index, name in enumerate(self.order)}
        return [*findings, *order_findings(self.steps), *self._check_texts()]

    def _check_texts(self) -> list[Finding]:
        """Look for the files the app names: they lie beside its own."""
        folder, findings = Path(self._place[0]).parent, []
        for name in self.assets:
            if Path(name).name != name or Path(name).suffix not in (".js", ".css"):
                message = f"Asset {name!r}: name a .js or .css file that lies beside the app, without a folder."
                findings.append(Finding("W033", message, *self._place))
            elif not (folder / name).is_file():
                findings.append(Finding("W033", f"Asset {name!r} is not in {folder}.", *self._place))
        return [*findings, *training_findings(self.training, folder, self._place)]

    @property
    def folder(self) -> Path:
        """Where the file of the app lies."""
        return Path(self._place[0]).parent


def _digest_of(function: Callable[..., Any]) -> str | None:
    """Return the digest of the file a function is in, or None where it is in none."""
    try:
        return file_digest(inspect.getfile(inspect.unwrap(function)))
    except TypeError:
        return None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
