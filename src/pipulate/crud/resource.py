"""Resources, as their authors declare them."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticUserError, create_model

from pipulate.crud.change import Change
from pipulate.fields import RANGES, FormField, UnsupportedTypeError, WrongHintError, describe, label_of, split
from pipulate.fields.actions import AppAction, declare, prepared
from pipulate.fields.docstrings import docs
from pipulate.fields.files import Files
from pipulate.fields.hints import Choices, FieldsOf, Link, OnDelete
from pipulate.findings import Finding, at
from pipulate.forms.secrets import opened
from pipulate.storage.files import FileStore
from pipulate.storage.records.files import folder_of, named_in
from pipulate.storage.records.shape import NAME, Column, Kind, Shape
from pipulate.tools.action import Effect
from pipulate.tools.training import look as training_findings

M = TypeVar("M")
Hook = TypeVar("Hook", bound=Callable[..., Any])
View = TypeVar("View", bound=Callable[..., Any])

Moment = Literal[
    "before_create", "after_create", "before_change", "after_change", "before_delete", "after_delete"
]  # fmt: skip
MOMENTS: Final[tuple[Moment, ...]] = (
    "before_create", "after_create", "before_change", "after_change", "before_delete", "after_delete",
)  # fmt: skip
RESERVED: Final = frozenset({"id", "profile", "version", "copy", "json"})
"""Names of fields that mean something on every record."""

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)
_KINDS: Final[Mapping[str, Kind]] = {"bool": "flag", "integer": "integer", "number": "real"}
_MANY: Final = frozenset({"lines", "checkboxes", "group"})


@dataclasses.dataclass(frozen=True, slots=True)
class Computed:
    """A column that is worked out from the record.

    Attributes:
        name: What `columns=` calls it.
        title: What people read above it.
        function: What works it out.
    """

    name: str
    title: str
    function: Callable[[Any], Any]


class Resource(Generic[M]):
    """A table of records that people keep, and the app that shows it.

    Attributes:
        name: Stored with every record.
        declared: The pydantic model or dataclass of a record.
        title: What people read.
        fields: The fields of a record, as they are asked for; hidden ones are left out.
        model: The pydantic model that records are checked with.
        rules: Functions that check several fields together -> the names of these fields.
        shape: Its table.
        files: Where the files of its records are, once it is installed.
        computed: Columns that are worked out.
        hooks: What is called before and after something is done.
        module: Name of the module it was made in.
    """

    def __init__(
        self,
        name: str,
        model: type[M],
        *,
        title: str | None = None,
        description: str = "",
        icon: str = "",
        order: int = 0,
        training: str | Path = "",
        toggle: str | None = None,
        key: str | Sequence[str] = (),
        label: str | None = None,
        columns: Sequence[str] = (),
        search: Sequence[str] = (),
        sort: str | Sequence[str] = (),
        per_profile: bool = True,
        may: Callable[..., bool] | None = None,
    ) -> None:
        """Declare a resource.

        Args:
            name: Stored with every record; lower-case letters, digits and underscores.
            model: A pydantic model or a dataclass: its fields are those of a record.
            title: What people read; made from the name where it is left out.
            description: A sentence below the title.
            icon: One character before it in the menu.
            order: Place in the menu; the smaller, the further up.
            training: What the assistant is told of the app: a text, or the name of a file with it, which ends in `.md`,
                beside the app or in a folder `training`.
            toggle: Field that is switched by a click.
            key: Field, or fields, whose values no two records share; what an import finds a record by.
            label: Field that names a record where another leads to it; the first text field where it is left out.
            columns: Fields and computed columns in the list; all where it is left out.
            search: Fields that are searched; all with text where it is left out.
            sort: Field, or fields, the list is sorted by at first, with "-" in front for the other way round; where it
                is left out, people put the records in order themselves.
            per_profile: Whether each record belongs to the profile that was chosen when it was made.
            may: Function of the user, what they want to do ("create", "change" or "delete"), and the record as it is
                or None; it tells whether they may.
        """
        self.name, self.declared = name, model
        self.title, self.description = title or label_of(name), description
        self.icon, self.order_in_menu, self.training = icon, order, training
        self.toggle, self.label, self.per_profile, self.may = toggle, label or "", per_profile, may
        self.key = _names(key)
        self.columns, self.search, self.sort = tuple(columns), tuple(search), _names(sort)
        self.computed: dict[str, Computed] = {}
        self.cells: dict[str, Callable[..., Any]] = {}
        self.hooks: dict[Moment, tuple[Callable[..., Any], ...]] = dict.fromkeys(MOMENTS, ())
        self.rules: dict[Callable[..., None], tuple[str, ...]] = {}
        self.actions: dict[str, AppAction] = {}
        self.fields: tuple[FormField, ...] = ()
        self.links: dict[str, Link] = {}
        self.model: type[BaseModel] = BaseModel
        self.shape = Shape("none", ())
        self.files: Files | None = None
        caller = sys._getframe(1)  # noqa: SLF001 - as collections.namedtuple does
        self._place = (caller.f_code.co_filename, caller.f_lineno)
        self.module = str(caller.f_globals.get("__name__", ""))

    def __repr__(self) -> str:
        return f"<Resource {self.name!r}>"

    def before_create(self, hook: Hook) -> Hook:
        """Call a function before a record is added; what it returns, where it does, is added instead.

        It gets a `Change`. A ValueError or `FieldError` of it refuses the change, and its words are shown.
        """
        return self._hook("before_create", hook)

    def after_create(self, hook: Hook) -> Hook:
        """Call a function with the `Change` once a record was added."""
        return self._hook("after_create", hook)

    def before_change(self, hook: Hook) -> Hook:
        """As `before_create`, before a record becomes something else."""
        return self._hook("before_change", hook)

    def after_change(self, hook: Hook) -> Hook:
        """Call a function with the `Change` once a record was changed."""
        return self._hook("after_change", hook)

    def before_delete(self, hook: Hook) -> Hook:
        """Call a function before a record goes into the bin; it may refuse as `before_create` does."""
        return self._hook("before_delete", hook)

    def after_delete(self, hook: Hook) -> Hook:
        """Call a function with the `Change` once a record went into the bin."""
        return self._hook("after_delete", hook)

    def _hook(self, moment: Moment, hook: Hook) -> Hook:
        self.hooks[moment] = (*self.hooks[moment], hook)
        return hook

    def column(self, name: str, title: str | None = None) -> Callable[[View], View]:
        """Add a column that a function works out from the record: `@tasks.column("overdue", "Overdue?")`."""

        def added(function: View) -> View:
            self.computed[name] = Computed(name, title or label_of(name), function)
            return function

        return added

    def cell(self, field: str) -> Callable[[View], View]:
        """Draw the values of a column with a function that gets the value and, where it takes two, the record."""

        def added(function: View) -> View:
            self.cells[field] = function
            return function

        return added

    def action(self, name: str, *, title: str | None = None, effect: Effect = "write") -> Callable[[Hook], Hook]:
        """Let the assistant call a function, beside this app; as `Workflow.action`, but only `Tables` is handed in."""
        return declare(self.actions, name, title, effect)

    def validate(self, rule: Hook) -> Hook:
        """Check several fields together with a function whose parameters are named as the fields are."""
        self.rules[rule] = tuple(rule.__code__.co_varnames[: rule.__code__.co_argcount])
        return rule

    def typed(self, values: Mapping[str, Any]) -> M:
        """Return values as the model or dataclass that was declared, with secrets as they were typed."""
        checked = self.model.model_validate(opened(values), context=self.files, by_name=True, by_alias=True)
        if self.declared is self.model:
            return checked  # type: ignore[return-value] # the model is M then
        return self.declared(**{name: getattr(checked, name) for name in type(checked).model_fields})

    def label_of(self, values: Mapping[str, Any]) -> str:
        """Return what people call a record."""
        value = values.get(self.label)
        return ", ".join(each["name"] for each in named_in(value)) or str(value or "").strip()

    def prepare(self) -> list[Finding]:
        """Work out fields, model and table; return everything that is wrong."""
        findings = []
        if not NAME.fullmatch(str(self.name)):
            message = "has lower-case letters, digits and underscores, begins with a letter, at most 50 characters."
            findings.append(self._wrong("R001", f"a name {message}"))
        try:
            self.model = _model_of(self.name, self.declared)
        except (PydanticUserError, TypeError, NameError) as error:
            return [*findings, self._wrong("R002", str(error).strip().splitlines()[0])]
        if not self.model.model_fields:
            return [*findings, self._wrong("R002", "the model of a record needs at least one field.")]
        fields, columns = list[FormField](), list[Column]()
        for name, info in self.model.model_fields.items():
            try:
                field = describe(name, info, docs(self.declared)[1].get(name, ""))
                columns.append(self._column_of(field, info))
                fields += [] if field.widget == "hidden" else [field]
            except (UnsupportedTypeError, WrongHintError, ValueError) as error:
                findings.append(self._wrong("R003", f"field {name!r}: {error}."))
        self.fields = tuple(fields)
        if findings:
            return findings
        texts = [each.name for each in self.fields if each.kind in ("text", "long", "email", "url")]
        self.label = self.label or (texts[0] if texts else self.fields[0].name)
        self.search = self.search or tuple(
            each.name for each in self.fields if each.kind not in ("bool", "secret") and not each.to
        )
        self.columns = self.columns or (*(each.name for each in self.fields), *self.computed)
        findings += self._check_names()
        findings += self._check_actions()
        if not findings:
            self.shape = Shape(self.name, tuple(columns), self.key, self.per_profile)
        return [*findings, *training_findings(self.training, self.folder, self._place)]

    @property
    def folder(self) -> Path:
        """Where the file of the app lies."""
        return Path(self._place[0]).parent

    def _check_actions(self) -> list[Finding]:
        from pipulate.crud.tables import Tables  # noqa: PLC0415 - it reads resources, and needs this module for it

        return list(prepared(self.actions, (Tables,)))

    def _column_of(self, field: FormField, info: Any) -> Column:
        bare, _, hints = split(info.annotation)
        hints = [*hints, *info.metadata]
        _refuse_unkept(field, info, hints)
        if field.kind == "file":
            return Column(field.name, "file")
        link = next((each for each in hints if isinstance(each, Link)), None)
        if link is not None:
            self.links[field.name] = link
            return _link_column(field, link)
        if field.widget in _MANY:
            return Column(field.name, "json")
        if getattr(bare, "__name__", "") == "Decimal":
            return Column(field.name, "decimal")
        if field.kind == "choice":
            return Column(field.name, _kind_of_options(field))
        return Column(field.name, _KINDS.get(field.kind, "json" if field.kind == "secret" else "text"))

    def _check_names(self) -> list[Finding]:
        known = {each.name for each in self.fields}
        given = {
            "toggle": (self.toggle,) if self.toggle else (), "key": self.key, "label": (self.label,),
            "columns": tuple(set(self.columns) - set(self.computed)), "search": self.search,
            "sort": tuple(each.removeprefix("-") for each in self.sort),
            "cell": tuple(set(self.cells) - set(self.computed)),
        }  # fmt: skip
        findings = [
            self._wrong("R004", f"{where}= names {name!r}, which is no field of it.")
            for where, names in given.items()
            for name in names
            if name not in known
        ]
        flags = {each.name for each in self.fields if each.kind == "bool"}
        if self.toggle in known and self.toggle not in flags:
            findings.append(self._wrong("R004", f"toggle= names {self.toggle!r}, which is not a bool."))
        for rule, names in self.rules.items():
            unknown = [name for name in names if name not in known]
            findings += [at(rule, "R004", f"Resource {self.name!r}: {name!r} is no field of it.") for name in unknown]
        return findings

    def _wrong(self, code: str, words: str) -> Finding:
        return Finding(code, f"Resource {self.name!r}: {words}", *self._place)


def install(resource: Resource[Any], store: FileStore) -> None:
    """Say where the files of the records of a resource are."""
    resource.files = Files(store, folder_of(resource.name))


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _refuse_unkept(field: FormField, info: Any, hints: Sequence[Any]) -> None:
    """Refuse a field that no table can keep.

    Raises:
        ValueError: Says why.
    """
    if field.name in RESERVED or not NAME.fullmatch(field.name):
        raise ValueError("this name is taken, or is not made of lower-case letters, digits and underscores")
    if field.widget == "hidden" and info.is_required():
        raise ValueError("nobody is asked for it, so it needs a default")
    if any(isinstance(each, Choices | FieldsOf) for each in hints):
        raise ValueError("Choices and FieldsOf depend on a run; a record is in none")
    if field.widget in RANGES:
        raise ValueError("two numbers cannot be kept in one field of a record; use two fields")
    if _names_path(info.annotation):
        raise ValueError("a path says where a file is while a step runs; a record keeps a File")


def _names_path(annotation: Any) -> bool:
    """Tell whether an annotation asks for a path, in a list or a group too."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return any(_names_path(each.annotation) for each in annotation.model_fields.values())
    return annotation is Path or any(map(_names_path, get_args(annotation)))


def _link_column(field: FormField, link: Link) -> Column:
    known = get_args(OnDelete)
    if link.on_delete not in known:
        raise ValueError(f"on_delete={link.on_delete!r} is none of {', '.join(map(repr, known))}")
    if link.on_delete == "clear" and not field.optional:
        raise ValueError("on_delete='clear' needs a field that may be empty, such as int | None")
    return Column(field.name, "link", link.to, link.on_delete)


def _kind_of_options(field: FormField) -> Kind:
    kinds = {type(option.value) for option in field.options}
    return "flag" if kinds == {bool} else "integer" if kinds == {int} else "text" if kinds == {str} else "json"


def _model_of(name: str, declared: type[Any]) -> type[BaseModel]:
    """Return the pydantic model of what was declared."""
    if inspect.isclass(declared) and issubclass(declared, BaseModel):
        return declared
    if not dataclasses.is_dataclass(declared):
        raise TypeError("a record is declared as a pydantic model or a dataclass.")
    hints, fields = get_type_hints(declared, include_extras=True), dict[str, Any]()
    for each in dataclasses.fields(declared):
        made = each.default_factory
        default = each.default if made is dataclasses.MISSING else made()
        fields[each.name] = (hints[each.name], ... if default is dataclasses.MISSING else default)
    return create_model(name, __config__=_CONFIG, **fields)


__all__ = ["MOMENTS", "Change", "Computed", "Moment", "Resource"]
