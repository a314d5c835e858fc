"""Writes the pages of docs/reference that come from the code itself: `make docs-update`.

A page that is written by hand stays as it is; a test fails where one of these no longer says what the code does.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from pipulate import errors
from pipulate.cli import EPILOG, cli
from pipulate.settings import PREFIX, SHARED, Settings
from pipulate.web.errors import status_of
from pipulate.web.routes import ADDRESSES, OLD_HOST, Address
from pipulate.workflows.findings import CODES

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

In a clone the program is `.venv/bin/pipulate`, once `make setup` or `make run` has made the environment. Every command
explains itself with `--help`, or `-h`; `pipulate --version` prints the version, as `pipulate version` does.

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
was in use, that stays in use. A code keeps its meaning for ever.

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
    errors.RunNotFoundError: (("spring",), {}),
    errors.UnknownStepError: (("campaign_links", "page", ["pages", "links"]), {}),
    errors.UnknownVersionError: ((9, 4), {}),
    errors.BadKeyError: (("", "Give the run a key, for example 01."), {}),
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
    errors.KeepChangedError: (("links", "pages"), {}),
    errors.NothingToCancelError: ((), {}),
    errors.InvalidAnswersError: (({"people": "Must be 1 or more."},), {}),
    errors.StepFailedError: (("links", "8f3a2c"), {}),
}  # fmt: skip


_ERRORS = """\
# Errors

What the program refuses, or cannot do, on purpose. A person reads the message; a program reads the code, which never
changes its meaning. *Status* is the HTTP status of a page that fails with it. A command that fails with one of them
prints the message and exits with 1; with `storage.in_use` it exits with 3.

[[errors]]

A mistake in the program itself has no code. It is shown as a page with an id, and the log has the details under the
same id. So has a mistake in the code of a step (`run.step_failed`).

The tree, as Python sees it:

```text
[[tree]]
```
"""


def errors_page() -> str:
    """Return the page of all errors, from the classes."""
    rows = []
    for kind in error_classes():
        page = str(status_of(kind.__new__(kind))) if issubclass(kind, errors.StorageError | errors.RunError) else ""
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


def main() -> None:
    """Write the pages that are not as they should be."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(FOLDER.parent.parent))


if __name__ == "__main__":
    main()
