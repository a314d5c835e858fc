"""Writes the pages of docs/reference that come from the code itself: `make docs-update`.

A page that is written by hand stays as it is; a test fails where one of these no longer says what the code does.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from pydantic import AwareDatetime, BaseModel, EmailStr, HttpUrl, SecretStr, create_model
from pydantic.fields import FieldInfo

import pipulate.fields
from pipulate import errors
from pipulate.builtin import gallery_fields, gallery_live, gallery_results
from pipulate.cli import EPILOG, cli
from pipulate.fields.files import File
from pipulate.findings import CODES
from pipulate.settings import PREFIX, SHARED, Settings
from pipulate.web.errors import status_of
from pipulate.web.routes import ADDRESSES, OLD_HOST, Address
from pipulate.workflows.views import of_pandas, of_polars, preview, tables
from pipulate.workflows.views.parts import EXACT, LIBRARIES, Kind

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
MARK = "<!-- Written by `make docs-update` from the code; changes made here are lost. -->"


def pages() -> dict[Path, str]:
    """Return every generated page: where it is and what it says."""
    made = {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "findings.md": findings_page(),
        "errors.md": errors_page(),
        "http.md": http_page(),
        "views.md": views_page(),
        "fields.md": fields_page(),
        "gallery.md": gallery_page(),
    }
    return {FOLDER / name: text.rstrip() + "\n" for name, text in made.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def filled(page: str, **parts: str) -> str:
    """Return a page with the mark of its kind, and with its parts in the places that name them: `[[part]]`."""
    page = page.replace("\n\n", f"\n\n{MARK}\n\n", 1)
    for name, text in parts.items():
        page = page.replace(f"[[{name}]]", text)
    return page


# Commands

_CLI = """\
# Commands

In a clone the program is `.venv/bin/pipulate`, once `make setup` or `make run` has made the environment. Both install
what the apps in the box use, and more: the extras `data` (tables, figures, spreadsheets), `pdf`, and `llm` (language
models that speak OpenAI's protocol). `make setup EXTRAS=` leaves them out, `EXTRAS=data` takes the one; what was
installed before stays. Every command explains itself with `--help`, or `-h`; `pipulate --version` prints the version,
as `pipulate version` does.

## Exit codes

[[codes]]

`--json`, where a command has it, prints the same as JSON to standard output. Warnings, logs and reasons go to standard
error. An option wins over [the setting of the same name](settings.md).

[[commands]]
"""


def cli_page() -> str:
    """Return the page of all commands, from the help each of them prints."""
    parts: list[str] = []
    for name, command in _commands(cli, "pipulate"):
        help_text = inspect.cleandoc(str(command.help)).replace("\b\n", "")
        parts += [f"## {name}", help_text, *_parameters(name, command)]
    return filled(_CLI, codes=_exit_codes(), commands="\n\n".join(parts))


def _exit_codes() -> str:
    pairs = re.findall(r"^ +(\d+) +(.+)$", EPILOG, re.MULTILINE)
    return table(("Code", "Means"), [(f"`{code}`", meaning) for code, meaning in pairs])


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for each, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {each}")
        else:
            yield f"{name} {each}", command


def _parameters(name: str, command: click.Command) -> Iterator[str]:
    arguments = [each.human_readable_name for each in command.params if isinstance(each, click.Argument)]
    yield f"```text\n{' '.join([name, *arguments, '[OPTIONS]'])}\n```"
    rows = []
    for each in command.params:
        if isinstance(each, click.Option):
            value = "" if each.is_flag else f" {_metavar(each)}"
            default = f" Default: {each.default}." if each.show_default and not each.is_flag else ""
            rows.append((f"`{each.opts[0]}{value}`", f"{each.help}{default}"))
    if rows:
        yield table(("Option", "Does"), rows)


def _metavar(option: click.Option) -> str:
    return option.metavar or {"text": "TEXT", "path": "PATH"}.get(option.type.name, "NUMBER")


# Settings

_SETTINGS = """\
# Settings

A setting is an environment variable, read once at the start. Where there is an option too, the option wins. An empty
variable counts as not set. There is no settings file.

[[settings]]

A variable that begins with `PIPULATE_` and is none of these stops the start. All findings are named at once, with the
name you may have meant:

```text
pipulate: These settings cannot be used:
  - PIPULATE_PROT: unknown setting; did you mean PIPULATE_PORT?
```
"""


def settings_page() -> str:
    """Return the page of all settings, from the model that reads them."""
    options = {each.name: each.opts[0] for each in cli.commands["run"].params if isinstance(each, click.Option)}
    options["reload"] = options.pop("no_reload")
    rows = []
    for name, info in Settings.model_fields.items():
        variable = next((shared for shared, field in SHARED.items() if field == name), f"{PREFIX}{name.upper()}")
        option = f"`{options[name]}`" if name in options else ""
        rows.append((f"`{variable}`", option, _kind(info), _default(info), str(info.description)))
    return filled(_SETTINGS, settings=table(("Variable", "Option", "Value", "Default", "Means"), rows))


def _kind(info: FieldInfo) -> str:
    annotation = info.annotation
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    members = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) in (Union, UnionType):
        annotation = members[0]
    words = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text", Path: "path"}
    words |= {SecretStr: "address, never shown"}
    kind = "list" if get_origin(annotation) is tuple else words[annotation]  # type: ignore[index]
    return kind + _limits(info)


def _limits(info: FieldInfo) -> str:
    names = ("ge", "gt", "le", "lt")
    limits = {name: getattr(each, name) for each in info.metadata for name in names if hasattr(each, name)}
    if "ge" in limits and "le" in limits:
        return f" from {limits['ge']} to {limits['le']}"
    words = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}
    return "".join(f", {words[name].format(limit)}" for name, limit in limits.items())


def _default(info: FieldInfo) -> str:
    if info.default in (None, ()):
        return "not set"
    return f"`{str(info.default).lower() if isinstance(info.default, bool) else info.default}`"


# Findings

MEND = {
    "E001": "End the answer with `Div(id=next_step_id, hx_get=f'/{app_name}/{next_step_id}', hx_trigger='load')`. The"
    " form alone has none: there the chain waits for a person.",
    "E002": "Give every handler the parameter `request`: `async def step_01(self, request)`.",
    "E003": "Let the form of a step have the step's own id as target: `hx_target=f'#{step_id}'`.",
    "E004": "Where `pipeline_id` is empty, return `Response('', headers={'HX-Refresh': 'true'})`. The page then offers"
    " the next free key.",
    "E005": "Ask in this order: `'finalized' in finalize_data`, then"
    " `value and state.get('_revert_target') != step_id`. Else show the form.",
    "E006": "Write `prepare_insert_data(self, form)`, `prepare_update_data(self, form)` and `render_item(self, item)`;"
    " see [the class style over a table](../how-to/write-a-crud-app-as-a-class.md).",
    "A001": "Lower-case letters, digits and underscores, beginning with a letter; `read`, `write` or `destroy`; each"
    " name once.",
    "A002": "Use the types of fields, but no file, secret or `Choices`. `Run`, `Files`, `Profile`, `User` and `Tables`"
    " are handed in to actions of workflows, `Tables` to those of resources, `Tables` and `Profile` to those of"
    " reports.",
    "A003": "Write a docstring: it is what a model reads.",
    "A004": "Give one of the two actions another name. Until then the assistant is offered the first; the app is used.",
    "P001": "The message is Python's own, with the line. For a missing module, install it into the environment Pipulate"
    " runs in.",
    "P002": "Move what waits (a download, a model that is loaded) out of the top level of the file and into a step.",
    "P003": "Mend what ends the process (`os._exit`, a crashing extension). Then save the file, or press *Try again* on"
    " the plugins page.",
    "P004": 'Begin the app with `app = Workflow("name")` at the top level. If the file only helps others, put it into'
    " a folder, or let its name begin with `xx_` or `__`.",
    "P005": "Rename one of the files. The number before the first underscore does not count: `010_hello.py` and"
    " `hello.py` have the same address. A file of yours wins over one in the box.",
    "P006": "Give one of the two another stored name. If it has runs already, let the other one change.",
    "P007": "Make the file readable for the user who runs Pipulate.",
    "P008": "Put each app into a file of its own. Importing an app from another file is fine.",
    "R001": 'Give the resource a name such as `Resource("tasks", Task)`: lower-case letters, digits and underscores;'
    " begins with a letter; at most 50 characters.",
    "R002": "Hand in a pydantic model or a dataclass with at least one field, and the class itself: `Task` and not"
    " `Task()`.",
    "R003": "Use a type from [Fields](fields.md): all but `Choices` and `FieldsOf`, which need a run, and `Path`,"
    " for which a record has `File`. A field"
    " is called by lower-case letters, digits and underscores, and none of `id`, `profile`, `version`, `copy` and"
    " `json`. `Link` goes with `int` or `int | None`.",
    "R004": "Spell the name as the class does. `toggle=` names a field of type `bool`; a rule has parameters named as"
    " fields are.",
    "T001": "Lower-case letters, digits and underscores; begins with a letter; at most 50 characters.",
    "T002": "Decorate the function that makes the table with `@report.table`.",
    "T003": "A filter has a type that a form can ask for and a default; `Tables` and `Profile` are handed in.",
    "T004": "Name the parameters of the figure `rows` and `source`, or leave out what it does not need.",
    "T005": "With `for_each=`, one parameter gets for whom; the others have a type that is handed in: `Tables`,"
    " `Profile`, `Job`, `Progress` or `Files`.",
    "W001": "Lower-case letters, digits and underscores; begins with a letter; at most 60 characters.",
    "W002": 'Declare a step: `@app.step("name")`.',
    "W003": "As W001, and none of `finalize`, `init`, `landing`, `revert`, `unfinalize`.",
    "W004": "Rename one of the two; the message names the line of the first.",
    "W005": "Give the parameter a type, such as `text: str`.",
    "W006": "Use a type from [Fields](fields.md), and a name that does not begin with an underscore.",
    "W007": "Change the default or the limit, so that the one fits the other.",
    "W008": "Write each field as a plain parameter with a name.",
    "W009": "Import the name the annotation uses. Under `from __future__ import annotations` it must be importable at"
    " run time, not only under `if TYPE_CHECKING:`.",
    "W010": "Return text, numbers, dates, lists and dicts of these, dataclasses or pydantic models; or leave the return"
    " type out.",
    "W011": "Hand in a function that takes the run, such as `lambda run: ...`, and not what it would return.",
    "W020": "The message says what the hint goes with. Change the hint, or the type beside it.",
    "W021": "Name the parameters of the rule as the fields of its step are named, and make it a plain function.",
    "W030": "Leave out `optional=True`, or give the step a field.",
    "W031": "Read a step that is declared above this one, or move this step down.",
    "W032": "Name a step that is declared below this one. If the steps between are to be reached in some runs, let"
    " `goto` be a function of the run.",
    "W033": 'Put the file beside the app and name it without a folder, such as `assets=["widget.js"]`.',
    "W034": "Use lower-case letters, digits, hyphens and underscores, with slashes between. `{name}` stands for any"
    " part.",
    "W035": "Use types that pydantic knows for what is sent; `Run`, `Files`, `Profile` and `User` are handed in.",
    "W036": "A name such as `clock`, and `every=0.1` or more.",
    "W037": "Put the text file beside the app or into a folder `training`, or hand the text itself in. The app is used"
    " without it.",
    "W038": "Leave out what a model does not need, such as what the fields say themselves. The app is used.",
    "W044": "Write a plain function of the run that returns the prompt; ask for files and secrets in another step.",
    "W041": "Write `background=True` at the step, or leave the parameter out.",
    "W042": "`retries` and `backoff` of at least 0, `timeout` and `at_once` of more than 0, or leave them out.",
}


_FINDINGS = """\
# Findings

What can be wrong with a plugin file. All findings of a file are listed at once, with the file and, where there is one,
the line: on the plugins page, in the log, and by

```console
$ pipulate plugins
$ pipulate plugins --check
```

of which the second exits with 1 if there is any. A file with findings is disabled alone; if an earlier version of it
was in use, that stays in use. A code keeps its meaning for ever. Those that begin with `R` are about
[tables of records](records.md), those that begin with `W` about workflows, those that begin with `A` about
[actions for the assistant](../how-to/give-the-assistant-a-tool.md), and those that begin with `P` about files.

`A004`, `W037` and `W038` are said, and the app is used all the same.

Codes that begin with `E` are common mistakes in class-style plugins. `--check` alone looks for them, in the source and
without running it, and says only what it is sure of. They keep no file from being used.

[[findings]]
"""


def findings_page() -> str:
    """Return the page of all findings about plugin files."""
    rows = [(f"`{code}`", meaning, MEND[code]) for code, meaning in CODES.items()]
    return filled(_FINDINGS, findings=table(("Code", "What was found", "How to mend it"), rows))


# Errors

_SAMPLES: Mapping[type[errors.PipulateError], tuple[tuple[Any, ...], dict[str, Any]]] = {
    errors.SettingsError: ((["PIPULATE_PROT: unknown setting; did you mean PIPULATE_PORT?"],), {}),
    errors.StoreFullError: ((), {}),
    errors.StoreNewerError: (("0002", "0001"), {}),
    errors.FolderInUseError: (("data", 4711), {}),
    errors.JobNotFoundError: (("0193a1b2c3d4",), {}),
    errors.JobStatusError: (("done", "Only one that has not ended can be cancelled."), {}),
    errors.PartRefusedError: (("page 7", "what it returned has no form in JSON (Unable to serialize)"), {}),
    errors.ProcessDiedError: (("links_of", -9), {}),
    errors.ProgramMissingError: (("pandoc", "no such file or directory"), {}),
    errors.CallNotFoundError: ((), {}),
    errors.ScheduleRefusedError: (("zone", "“Europe/Berln” is no time zone. Did you mean Europe/Berlin?"), {}),
    errors.UnknownTableError: (("There is no table of records 'task'; there are: 'profiles', 'tasks'.",), {}),
    errors.NotInReportError: (("“Customer tasks” knows nobody '17' to be made for.",), {}),
    errors.CallNotFoundError: ((), {}),
    errors.ActionFailedError: (("prices", "discount", "KeyError", "8f3a2c"), {}),
    errors.ProfileLockedError: ((), {}),
    errors.RecordNotFoundError: (("tasks", 12), {}),
    errors.RecordConflictError: (
        (), {"resource": "tasks", "record": 12, "seen": 2, "version": 3, "theirs": {}, "mine": {}},
    ),
    errors.RecordTakenError: ((["code"],), {}),
    errors.RecordLinkedError: (("Tasks", 3), {}),
    errors.RecordRefusedError: (("A task of the past stays.",), {}),
    errors.TableDiffersError: (("tasks", ["'due' is new"], "pipulate records fit tasks"), {}),
    errors.FitRefusedError: (("tasks", ["'due' is gone: say --rename due=until, or --drop due."]), {}),
    errors.RunNotFoundError: (("spring",), {}),
    errors.UnknownStepError: (("campaign_links", "page", ["pages", "links"]), {}),
    errors.UnknownVersionError: ((9, 4), {}),
    errors.BadKeyError: (("", "Give the run a key, for example 01."), {}),
    errors.PartRefusedError: (("page 7", "what it returned has no form in JSON"), {}),
    errors.StepResultError: (("Pages", "Input should be a valid string"), {}),
    errors.KeyTakenError: (("spring",), {}),
    errors.RunLockedError: (("owner", "2026-11-20T12:00:00.000000Z"), {}),
    errors.RunConflictError: (
        (),
        {
            "step": "pages", "seen": 2, "version": 4, "kind": "submitted", "changed": "pages", "theirs": None,
            "mine": None, "by": "owner", "tab": None, "at": "2026-11-20T12:00:00.000000Z",
        },
    ),
    errors.StepNotOpenError: (("links", "pages"), {}),
    errors.AppMissingError: (("audit",), {}),
    errors.KeepChangedError: (("links", "pages"), {}),
    errors.RunNotReadyError: (({"Links": "This step is not done."},), {}),
    errors.NothingToCancelError: ((), {}),
    errors.InvalidAnswersError: (({"people": "Must be 1 or more."},), {}),
    errors.FieldError: (("end", "This is before the start."), {}),
    errors.StepFailedError: (("links", "8f3a2c"), {}),
    errors.StepUnansweredError: (("summary", "The model began and then said nothing for 60 seconds."), {}),
    errors.ModelUnfitError: (("subject: Field required",), {}),
    errors.UploadRefusedError: (("photo.exe cannot be used here. Choose a .csv file.",), {}),
    errors.UploadTooLargeError: (("This file is too large. A file here can have up to 50 MB.",), {}),
    errors.FileGoneError: (("0" * 64,), {}),
}  # fmt: skip


_ERRORS = """\
# Errors

What the program refuses, or cannot do, on purpose. A person reads the message; a program reads the code, which never
changes its meaning. *Status* is the HTTP status of a page that fails with it. A command that fails with one of them
prints the message and exits with 1; with `storage.in_use` it exits with 3.

[[errors]]

Codes that begin with `record.` are about [tables of records](records.md). In a list the message stands at the cell, or
in a line at the edge of the page, and the record is as it was.

A mistake in the program itself has no code. It is shown as a page with an id, and the log has the details under the
same id. So has a mistake in the code of a step (`run.step_failed`).

The tree, as Python sees it:

```text
[[tree]]
```
"""


_SHOWN = (
    errors.StorageError
    | errors.RunError
    | errors.RecordError
    | errors.JobNotFoundError
    | errors.JobStatusError
    | errors.ScheduleRefusedError
)
"""Errors that a page can meet."""


def errors_page() -> str:
    """Return the page of all errors, from the classes."""
    rows = []
    for kind in error_classes():
        page = str(status_of(kind.__new__(kind))) if issubclass(kind, _SHOWN) else ""
        rows.append((f"`{kind.code}`", f"`{kind.__name__}`", _first(kind), page, _message(kind)))
    head = ("Code", "Class", "Means", "Status", "Message, for example")
    return filled(_ERRORS, errors=table(head, rows), tree=(errors.__doc__ or "").split("\n\n")[1])


def error_classes() -> list[type[errors.PipulateError]]:
    """Return the errors in the order they are written down."""
    return [
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, errors.PipulateError) and each is not errors.PipulateError
    ]


def _message(kind: type[errors.PipulateError]) -> str:
    if "__init__" not in vars(kind):
        return ""
    arguments, named = _SAMPLES[kind]
    return " ".join(str(kind(*arguments, **named)).split())


def _first(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


# Fields

_TYPES = (
    ("str", "the text, without spaces at its ends"),
    ("int", "a whole number"),
    ("float", "a number; never NaN or an infinity"),
    ("Decimal", "a number, with the digits that were typed"),
    ("bool", "`True` if it is ticked, else `False`"),
    ("bool | None", "`True`, `False` or `None`"),
    ("date", "a `datetime.date`"),
    ("time", "a `datetime.time` without a zone"),
    ("datetime", "a `datetime.datetime` without a zone: the time on the clock"),
    (
        "AwareDatetime",
        "a `datetime.datetime` with a zone; what is typed is in the zone of the machine Pipulate runs on",
    ),
    ("tuple[int, int]", "two numbers, the second not below the first; the same for `float`"),
    ("DateRange", "a `DateRange` with `start`, `end` and `days`; the end is never before the start"),
    ('Literal["a", "b"]', "the option, with its own type"),
    ("Size", "the member of the `Enum`; people read the names of the members"),
    ('list[Literal["a", "b"]]', "a list of the options that are ticked; the same for an `Enum`"),
    ("list[str]", "a list, one entry a line; the same for numbers, dates, times, EmailStr and HttpUrl"),
    ("EmailStr", "an address that could be one; nobody asks the server behind it"),
    ("HttpUrl", "pydantic's address; `AnyUrl` takes other schemes"),
    ("SecretStr", "pydantic's `SecretStr`; see [Secrets](#secrets)"),
    ("Address", "your pydantic model; see [Groups](#groups)"),
    ("File", "a `File` that was uploaded; `list[File]` for several"),
)
_WIDGETS = {
    "range": "two numbers",
    "text": "one line", "integer": "a number", "number": "a number", "checkbox": "a checkbox", "select": "a list",
    "date": "a date", "time": "a time", "datetime": "a date and a time", "radios": "all options at once",
    "checkboxes": "a checkbox for each option", "lines": "a box of several lines", "email": "one line",
    "url": "one line", "password": "dots", "group": "a frame with a field for each part", "upload": "a file to choose",
    "textarea": "a box of several lines", "code": "a code editor", "markdown": "a box with a preview below",
    "switch": "a switch", "slider": "a slider and its number", "search": "a list to search in",
    "colour": "a colour to choose", "hidden": "nothing",
}  # fmt: skip
_HINTS = (
    ("str", "TextArea(rows=8)", "`str`; a list that is typed"),
    ("str", 'CodeEditor("python", rows=12)', "`str`"),
    ("str", "MarkdownEditor(rows=8)", "`str`"),
    ("bool", "Switch()", "`bool`"),
    ('Literal["a", "b", "c", "d", "e"]', "Radios()", "`bool`, `Literal`, an `Enum`, `Choices`"),
    ('Literal["a", "b"]', "Search()", "`Literal`, an `Enum`, `Choices`"),
    ("Annotated[int, Range(0, 9)]", "Slider(step=None)", "a number with a lowest and a highest value"),
    ("str", "Colour()", "`str`"),
    ("str", "Hidden()", "one plain value"),
    ("int", "Choices(function)", "one plain value, or a list of them"),
    ("File", 'Accept(".csv", "image/*", max_mb=20, max_files=5)', "`File`, `list[File]`"),
)


class _Size(Enum):
    SMALL = "s"


class _Address(BaseModel):
    street: str


def fields_page() -> str:
    """Return the page of fields: written by hand, but for the tables of types and hints, which are tried out here."""
    page = (FOLDER / "fields.md").read_text()
    types = [(f"`{'an Enum' if code == 'Size' else code}`", _looks(code), gets) for code, gets in _TYPES]
    hints = [(f"`{hint}`", _looks(f"Annotated[{code}, {hint}]"), fits) for code, hint, fits in _HINTS]
    tables = {
        "types": table(("Annotation", "Looks like", "The step gets"), types),
        "hints": table(("Hint", "Looks like", "Goes with"), hints),
    }
    for name, text in tables.items():
        made = f"<!-- {name}: written by `make docs-update` -->\n\n{text}\n\n<!-- end -->"
        before, _, rest = page.partition(f"<!-- {name}: ")
        page = before + made + rest.partition("<!-- end -->")[2]
    return page


def _looks(code: str) -> str:
    """Return what a field of an annotation looks like, in words."""
    names = {**vars(pipulate.fields), **_NAMES}
    annotation = eval(code.replace("max_files=5", "max_files=1"), names)  # noqa: S307 - the constants above
    model = create_model("Model", x=(annotation, ...))
    return _WIDGETS[pipulate.fields.describe("x", model.model_fields["x"]).widget]


def function(_run: object) -> list[int]:
    """Return the options of a sample."""
    return [1]


_NAMES = {
    "date": date, "time": time, "datetime": datetime, "Decimal": Decimal, "AwareDatetime": AwareDatetime,
    "Literal": Literal, "Annotated": Annotated, "EmailStr": EmailStr, "HttpUrl": HttpUrl, "SecretStr": SecretStr,
    "Size": _Size, "Address": _Address, "File": File, "function": function,
}  # fmt: skip


# Addresses

_HANDLERS = {
    "/-/control/link": "Return a new one-time link.",
    "/-/control/plugins": "Return the state of the plugins as this server has it.",
    "/-/control/import": "Take in a run from a file of this machine.",
    "/-/control/delete": "Put a run into the bin, or erase it, so that open pages hear of it.",
}
_KINDS = {
    "page": "May be opened by a link from anywhere. Needs the cookie.",
    "part": "Asked for by our own pages, or typed into the address bar. Needs the cookie.",
    "action": "Changes something when it is a POST; taken from our own pages only. Needs the cookie.",
    "control": "For commands of the same user, which send the secret of the data folder. Refused to browsers.",
    "public": "Holds no data. Needs no cookie.",
    "socket": "Needs the cookie, and the `Origin` of our own pages.",
}
_OTHERS = (
    ("`GET`", "`/-/static/{file}`", "public", "Return a style, a script or a picture of the program."),
    ("`GET`", "`/-/open`", "public", "Let a browser in: swap the one-time token of a link for the cookie."),
    ("WebSocket", "`/-/live`", "socket", "Tell a page what is new: messages, versions of its run, changed apps."),
)


_HTTP = """\
# Addresses

Every address the server answers to. They serve its own pages and commands. You may bookmark the pages of apps and runs;
everything else can change with any version.

[[addresses]]

`{module}` is the name of an app's file without its number and ending, `{key}` the key of a run, with slashes as they
are and everything else percent-encoded. `{run}` is the id of a run, `{step}` the stored name of a step. `?version=3`
behind the address of a run shows that version of it.

## Kinds

[[kinds]]

Before anything else, every request must name a host of this server: `127.0.0.1`, `localhost` or `[::1]` with its port,
or one of the setting `PIPULATE_ALLOWED_HOSTS`. Otherwise the answer is 400. The rules are explained in
[Safety on localhost](../explanation/safety-on-localhost.md).

## What a form of a step sends

| Name | Means |
| --- | --- |
| `_seen` | The version of the run the form was made for. Needed. |
| `_submit` | The id of the form: 8 to 64 letters, digits, hyphens. The same again with equal answers changes nothing. |
| any other | A field. Names that begin with an underscore are never fields. |

## Headers

| Header | In | Means |
| --- | --- | --- |
| `X-Pipulate-Tab` | requests | The browser tab: 1 to 40 lower-case letters, digits, hyphens. |
| `X-Pipulate-Run` | answers that show a run | The id of the run. |
| `X-Pipulate-Version` | answers that show a run | Its version, after what was asked for was done. |
"""


def http_page() -> str:
    """Return the page of all addresses, from the table the server is built from."""
    rows = [
        (
            " ".join(f"`{method}`" for method in each.methods),
            f"`{re.sub(r':[a-z]+', '', each.path)}`",
            each.kind,
            _about(each),
        )
        for each in (*ADDRESSES, *OLD_HOST)
    ]
    return filled(
        _HTTP,
        addresses=table(("Method", "Address", "Kind", "Does"), [*rows, *_OTHERS]),
        kinds=table(("Kind", "Means"), list(_KINDS.items())),
    )


def _about(address: Address) -> str:
    return _HANDLERS.get(address.path) or _first(address.handler)


# Views

_PLAIN_VIEWS = (
    ("`None`", "nothing; the answers stand for the step", "the answers"),
    ("`str`", "text", "the same"),
    ("`int`, `float`", "a number, its thousands apart", "the same"),
    ("`bool`", "yes or no", "the same"),
    ("a list of dicts with the same plain entries", "a table", "the same"),
    ("any other list, dict, dataclass or pydantic model", "a tree, to be copied as JSON", "the declared type"),
)  # fmt: skip
_VIEW_WORDS = {
    "Markdown": ("formatted text; scripts, styles, forms and pictures are removed", "the same"),
    "Html": ("the element, without scripts, styles, forms, ids and attributes that do something", "`Html`"),
    "Code": ("code in the colours of its language, with a button to copy it", "the same"),
    "Mermaid": ("a diagram, drawn strictly in a frame of its own", "the same"),
    "SandboxedHtml": ("a frame with scripts and styles of its own, without origin or network", "the same"),
    "Picture": ("the picture", "the same"),
    "File": ("name and size", "the same"),
    "Decimal": ("a number", "the same"),
    "datetime": ("day, time and zone", "the same; a zone becomes its offset"),
    "date": ("the day", "the same"),
    "time": ("the time", "the same"),
    "float": ("in words, where it is infinite or not a number", "the same"),
    "pandas.DataFrame": ("a table", "the same"),
    "pandas.Series": ("a table", "the same"),
    "polars.DataFrame": ("a table", "the same"),
    "polars.Series": ("a table", "the same"),
    "matplotlib.Figure": (
        "the figure, drawn on the server as SVG, or as PNG where that is long; then closed",
        "`Picture`",
    ),
    "matplotlib.Axes": ("the figure they are in", "`Picture`"),
    "bokeh.LayoutDOM": ("the figure or layout, interactive, in a frame of its own", "the same, a copy"),
    "PIL.Image": ("the picture", "the same; of a mode that PNG can hold"),
    "fastcore.FT": ("an element of FastHTML, as `Html`", "`Html`"),
}

_VIEWS = """\
# Views

How what a step returns is shown, and what `run[step]` gives for it later. It is stored as JSON and files of the run,
never as pickled objects.

[[views]]

`bytes` are a picture where they begin as one (PNG, JPEG, GIF, WebP). A `pathlib.Path` is the path of a file that the
step has written; it is copied into the run. In lists, tuples and dicts each part is shown by its own type.

A part that cannot be shown says so in its place. The return type is checked when the file is loaded (`W010`), and the
result when the step returns. With [`@step.done`](api.md#step) you draw it yourself. The libraries come with
`make run` in a clone, elsewhere with `pip install 'pipulate[data]'`; none is imported before an app imports it.

## Tables

A page has [[rows]] rows and shows [[columns]] columns at most; downloads have all. Rows that have all words of a search
are found, whatever their case. Sorting is stable: numbers by size, dates by time, text without regard to case, missing
values last. Up to [[cells]] cells of the tables used last stay in the memory of the server.

[[pandas]]

[[polars]]

Any other type stops the step, with the name of the column. `DataFrame.attrs` is not kept.
"""


def views_page() -> str:
    """Return the page of all views, from the table of kinds."""
    kinds: dict[str, Kind] = {
        **{each.__name__: kind for each, kind in EXACT.items()},
        **{f"{library}.{name}": kind for (library, name), kind in LIBRARIES.items()},
    }
    rows = [(f"`{name}`", *_VIEW_WORDS[name], "" if not kind.needs_files else "yes") for name, kind in kinds.items()]
    plain = [(*each, "") for each in _PLAIN_VIEWS]
    head = ("Type", "Shown as", "`run[step]` gives", "Kept in a file")
    return filled(
        _VIEWS, views=table(head, [*plain, *rows]), rows=str(preview.PAGE), columns=str(preview.COLUMNS_MAX),
        cells=f"{tables.CELLS_MAX:,}", pandas=_exact("pandas", of_pandas), polars=_exact("polars", of_polars),
    )  # fmt: skip


def _exact(library: str, module: Any) -> str:
    """Return what its module says of a library, in lines of the length that pages have."""
    words = (inspect.getdoc(module) or "").partition("\n\n")[2]
    return textwrap.fill(f"For {library}: " + " ".join(words.split()), 118, break_on_hyphens=False)


_GALLERY = """# Gallery

The code of every entry of the three apps *Gallery*, which are in the box: `src/pipulate/builtin/gallery_fields.py`,
`gallery_results.py` and `gallery_live.py`. There each of them works, with its code beside it. Entries that need pandas,
matplotlib or Bokeh import them when they run; these come with `make run` in a clone, elsewhere with
`pip install 'pipulate[data]'`.

To take one into an app of your own, copy it and name your own workflow in the place of `gallery`:

```py
from pipulate import Workflow

gallery = Workflow("mine", title="Mine")
```

[[entries]]
"""


def gallery_page() -> str:
    """Return the page with the code of the gallery."""
    parts = []
    for module in (gallery_fields, gallery_results, gallery_live):
        gallery = module.gallery
        gallery.prepare()
        parts += [f"## {gallery.title.partition(': ')[2].capitalize()}", gallery.description]
        for step in gallery.steps:
            parts += [f"### {step.title}", step.help, f"```py\n{step.code}\n```"]
        for name in gallery.assets:
            code = (gallery.folder / name).read_text(encoding="utf-8")
            parts += [f"`{name}`, beside the app:", f"```{name.rpartition('.')[2]}\n{code.rstrip()}\n```"]
    return filled(_GALLERY, entries="\n\n".join(parts))


def main() -> None:
    """Write the pages that are not as they should be."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(FOLDER.parent.parent))


if __name__ == "__main__":
    main()
