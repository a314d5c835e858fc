"""The forms of a page: what their fields hold, and what a browser sends for them."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from pipulate.testing.errors import WrongFieldError
from pipulate.testing.page import Node

Sent = list[tuple[str, str]]
"""What a form sends: names and texts, in order."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a person chooses: `fill(file=Upload("sites.csv", b"site"))`.

    Attributes:
        name: What their machine calls it.
        content: What is in it.
        media_type: What their browser takes it for; "" where it does not know.
    """

    name: str
    content: bytes
    media_type: str = ""


_NEVER_SENT = frozenset({"submit", "button", "image", "reset"})
_LIMITS = ("min", "max", "step", "minlength", "maxlength", "pattern", "accept")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the things that can be chosen in a field: what the form sends, and what people read."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field as a page shows it.

    Attributes:
        name: Its name; that of a field inside a group has dots in it.
        kind: `text`, `number`, `date`, `checkbox`, `radio`, `select`, `textarea`, `file` and the like, as in HTML.
        label, help: What people read.
        texts: What it holds: one text, or one for each thing that is chosen; empty where nothing is.
        choices: What can be chosen, where it is a choice.
        is_required: Whether the browser marks it as needed.
        is_many: Whether several things can be chosen.
        limits: `min`, `max`, `maxlength` and so on, as texts.
        problem: What is wrong with it, or None.
    """

    name: str
    kind: str
    label: str = ""
    help: str = ""
    texts: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    is_required: bool = False
    is_many: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def text(self) -> str:
        """What it holds, as one text; "" where it holds nothing."""
        return self.texts[-1] if self.texts else ""

    @property
    def is_checked(self) -> bool:
        """Whether a checkbox or a switch is on."""
        return bool(self.texts)


def fields_of(form: Node) -> dict[str, Field]:
    """Return the fields of a form by name, without those that people do not see."""
    groups: dict[str, list[Node]] = {}
    for control in _controls(form):
        if control.get("type") != "hidden":
            groups.setdefault(control.get("name"), []).append(control)
    return {name: _field(form, name, controls) for name, controls in groups.items()}


def sent_by(form: Node, changed: Mapping[str, Sequence[str]] | None = None) -> Sent:
    """Return what a form sends as it stands, with other texts for the fields that are `changed`."""
    changed, sent, done = changed or {}, Sent(), set[str]()
    for control in _controls(form):
        name = control.get("name")
        if name in changed:
            if name not in done:
                sent += [(name, text) for text in changed[name]]
                done.add(name)
        else:
            sent += [(name, text) for text in _holds(control)]
    return sent


def _controls(form: Node) -> Iterator[Node]:
    for each in form:
        is_control = each.tag in ("select", "textarea") or (
            each.tag == "input" and each.get("type").lower() not in _NEVER_SENT
        )
        if is_control and each.get("name") and "disabled" not in each.attributes:
            yield each


def _holds(control: Node) -> list[str]:
    """Return the texts a browser sends for one control; what is uploaded for a file stands in a hidden one."""
    if control.get("type") == "file":
        return []
    if control.tag == "textarea":
        text = control.raw
        return [text.removeprefix("\n")]  # The first line break is only there to be dropped.
    if control.tag == "select":
        options = control.all("option")
        chosen = [_text_of(each) for each in options if "selected" in each.attributes]
        if not chosen and "multiple" not in control.attributes:
            chosen = [_text_of(each) for each in options[:1]]  # A browser shows, and sends, the first one.
        return chosen
    if control.get("type") in ("checkbox", "radio"):
        return [control.attributes.get("value", "on")] if "checked" in control.attributes else []
    return [control.get("value")]


def _text_of(option: Node) -> str:
    return option.attributes.get("value", option.text)


def _field(form: Node, name: str, controls: list[Node]) -> Field:
    first = controls[0]
    kind = first.get("type") or "text" if first.tag == "input" else first.tag
    box = first.inside("fieldset") if kind == "radio" or len(controls) > 1 else None
    notes = [note for node in (*controls, box) if node for note in _notes(form, node)]
    return Field(
        name,
        kind,
        _label(form, box or first),
        next((note.text for note in notes if not note.has_class("problem")), ""),
        tuple(text for each in controls for text in _holds(each)),
        tuple(_choices(form, controls, kind)),
        "required" in first.attributes,
        "multiple" in first.attributes or (kind == "checkbox" and len(controls) > 1),
        {limit: first.get(limit) for limit in _LIMITS if limit in first.attributes},
        next((note.text for note in notes if note.has_class("problem")), None),
    )


def _choices(form: Node, controls: list[Node], kind: str) -> Iterator[Choice]:
    if kind == "select":
        yield from (Choice(_text_of(each), each.text) for each in controls[0].all("option"))
    elif kind == "radio" or (kind == "checkbox" and len(controls) > 1):
        yield from (Choice(each.attributes.get("value", "on"), _label(form, each)) for each in controls)


def _notes(form: Node, node: Node) -> Iterator[Node]:
    for name in node.get("aria-describedby").split():
        if (note := form.find(id=name)) is not None:
            yield note


def _label(form: Node, node: Node) -> str:
    found = node.find("legend") if node.tag == "fieldset" else None
    if found is None and node.get("id"):
        found = form.find("label", **{"for": node.get("id")})
    found = found or node.inside("label")
    if found is None:
        return node.get("aria-label")
    hints = [each.text for each in found if each.tag == "small"]  # Such as "optional".
    return " ".join(found.text.removesuffix(" ".join(hints)).split())


# From Python values to texts


def uploads_of(value: Any) -> list[Upload]:
    """Return what a person chooses in a field for files: uploads, or paths of files that are there.

    Raises:
        WrongFieldError: If the value is neither.
    """
    if isinstance(value, list | tuple):
        return [upload for each in value for upload in uploads_of(each)]
    if isinstance(value, Path):
        return [Upload(value.name, value.read_bytes())]
    if isinstance(value, Upload):
        return [value]
    if value is None:
        return []
    raise WrongFieldError(f"A file is given as a Path or an Upload(name, content), not as {value!r}.")


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return values by the names of fields: what is inside a dict or a model gets the name before it and a dot."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, BaseModel):
            value = {each: getattr(value, each) for each in type(value).model_fields}  # noqa: PLW2901 - the same value
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def texts_for(shown: Field, value: Any) -> list[str]:
    """Return what a browser sends when a person enters a value.

    Raises:
        WrongFieldError: If the value is of a kind that cannot be entered there.
    """
    if shown.kind == "checkbox" and not shown.is_many and not shown.choices:
        if not isinstance(value, bool):
            raise WrongFieldError(f"Field {shown.name!r} is ticked or not: give it True or False, not {value!r}.")
        return ["on"] if value else []
    if isinstance(value, list | tuple | set | frozenset):
        if not shown.is_many and shown.kind != "file":
            raise WrongFieldError(f"Field {shown.name!r} ({shown.kind}) takes one value, not {value!r}.")
        return [text for each in value for text in texts_for(shown, each)]
    if value is None:
        return [] if shown.is_many or shown.kind == "radio" else [""]
    text = as_text(value)
    if any(each.text == text for each in shown.choices):
        return [text]
    return [next((each.text for each in shown.choices if each.label == text), text)]


def as_text(value: Any) -> str:
    """Return one value as a person types it, or a browser's own control writes it."""
    match value:
        case str():
            return value
        case enum.Enum():
            return as_text(value.value)
        case SecretStr():
            return value.get_secret_value()
        case datetime():
            return value.isoformat(timespec="auto")
        case date() | time():
            return value.isoformat()
        case float() if value.is_integer():
            return str(int(value))
        case bool() | int() | float() | Decimal() | Path():
            return str(value)
    return str(value)


def unknown_field(step: str, name: str, known: Sequence[str]) -> WrongFieldError:
    """Return what tells an author that a form has no such field, with what was probably meant."""
    close = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return WrongFieldError(f"Step {step!r} has no field {name!r}; it asks for {', '.join(known) or 'nothing'}.{hint}")
