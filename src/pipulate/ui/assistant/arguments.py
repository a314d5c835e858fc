"""The arguments of a call: shown in full, and as a form to change them, made from the action's own JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipulate.ui.html import (
    Html,
    code,
    dd,
    details,
    div,
    dl,
    dt,
    input_,
    join,
    label,
    option,
    p,
    pre,
    select,
    span,
    textarea,
)
from pipulate.ui.html import summary as summary_

PREFIX: Final = "given."
"""What the names of the fields begin with."""

Kind = Literal["text", "long", "whole", "number", "tick", "choice", "json"]
_LONG: Final = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """One field of the form.

    Attributes:
        name: Name of the argument.
        title: What people read.
        help: What it means.
        kind: How it is asked for; `json` for whatever has parts.
        choices: For `choice`, the values that are allowed.
        is_required: Whether it has to be there.
        may_be_none: Whether null is allowed.
    """

    name: str
    title: str
    help: str
    kind: Kind
    choices: Sequence[Any] = ()
    is_required: bool = False
    may_be_none: bool = False


def asked(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Asked]:
    """Return the fields for an action's schema; of those arguments that it does not know, none."""
    required = schema.get("required") or ()
    return [
        _asked(name, part, name in required, arguments.get(name))
        for name, part in (schema.get("properties") or {}).items()
    ]


def _asked(name: str, part: Mapping[str, Any], is_required: bool, value: Any) -> Asked:
    parts = [each for each in part.get("anyOf") or () if each.get("type") != "null"]
    may_be_none = len(parts) != len(part.get("anyOf") or ())
    one = {**part, **parts[0]} if len(parts) == 1 else part
    kind: Kind = "json"
    choices = one.get("enum") or ([one["const"]] if "const" in one else [])
    if choices and all(isinstance(each, str | int | float) for each in choices):
        kind = "choice"
    elif one.get("type") == "string":
        kind = "long" if isinstance(value, str) and (len(value) > _LONG or "\n" in value) else "text"
    elif one.get("type") in ("integer", "number", "boolean"):
        kind = {"integer": "whole", "number": "number", "boolean": "tick"}[one["type"]]  # type: ignore[assignment]
    if not _fits(value, kind):
        kind = "json"  # So that what was proposed can be seen and kept as it is.
    return Asked(name, title_of(name), str(part.get("description") or ""), kind, choices, is_required, may_be_none)


def _fits(value: Any, kind: Kind) -> bool:
    if value is None or kind == "json":
        return True
    if kind == "tick":
        return isinstance(value, bool)
    if kind in ("whole", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) if kind in ("text", "long") else isinstance(value, str | int | float)


def title_of(name: str) -> str:
    """Return the name of an argument as people read it."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def fields(wanted: Sequence[Asked], texts: Mapping[str, str], place: str) -> Html:
    """Return the fields of a form.

    Args:
        wanted: Which.
        texts: Name of an argument -> what its field holds.
        place: What makes ids unique on the page.
    """
    return join(_field(each, texts.get(each.name, ""), f"{place}-{each.name}") for each in wanted)


def _field(each: Asked, text: str, place: str) -> Html:
    described = f"{place}-help" if each.help else None
    common: dict[str, Any] = {"name": PREFIX + each.name, "id": place, "aria_describedby": described}
    if each.kind == "tick":
        control = label(input_(type="checkbox", value="true", checked=text == "true", **common), each.title)
        return div(control, _help(each, described), class_="field tick")
    if each.kind == "choice":
        empty = [option("", value="", selected=text == "")] if not each.is_required or text == "" else []
        made = [option(str(one), value=str(one), selected=str(one) == text) for one in each.choices]
        control = select(empty, made, **common)
    elif each.kind in ("json", "long"):
        rows = min(10, max(3, text.count("\n") + 1))
        control = textarea("\n" + text, rows=rows, spellcheck="false" if each.kind == "json" else None, dir="auto",
                           class_="json" if each.kind == "json" else None, **common)  # fmt: skip
    else:
        kind = {"whole": ("number", "1"), "number": ("number", "any")}.get(each.kind, ("text", None))
        control = input_(type=kind[0], step=kind[1], value=text, dir="auto", **common)
    return div(label(each.title, for_=place), control, _help(each, described), class_="field")


def _help(each: Asked, place: str | None) -> Html | None:
    words = each.help + (" As JSON." if each.kind == "json" else "")
    return p(words, class_="help", id=place) if place else (p("As JSON.", class_="help") if words else None)


def texts(wanted: Sequence[Asked], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return what the fields hold for these arguments."""
    return {each.name: _text(each, arguments[each.name]) for each in wanted if each.name in arguments}


def _text(each: Asked, value: Any) -> str:
    if value is None:
        return ""
    if each.kind == "json":
        return json.dumps(value, ensure_ascii=False, indent=1)
    return "true" if value is True else "" if value is False else str(value)


def read(wanted: Sequence[Asked], typed: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that somebody typed.

    Args:
        wanted: The fields there were.
        typed: Name of an argument -> text; one that is missing was not ticked.
        before: The arguments as they were, from which what nobody changed is taken.

    Raises:
        ValueError: If something can not be read; says what, for the person.
    """
    was = texts(wanted, before)
    out: dict[str, Any] = {}
    for each in wanted:
        text = typed.get(each.name, "").replace("\r\n", "\n")
        if text == was.get(each.name, "") and (each.name in before or each.kind == "tick"):
            if each.name in before:
                out[each.name] = before[each.name]
        elif text == "" and each.kind not in ("tick", "text", "long"):
            if each.may_be_none and each.name in before:
                out[each.name] = None
        elif text != "" or each.name in before or each.is_required:
            out[each.name] = _value(each, text)
    return out


def _value(each: Asked, text: str) -> Any:
    try:
        match each.kind:
            case "tick":
                return text == "true"
            case "whole":
                return int(text)
            case "number":
                number = float(text)
                return int(text) if text.lstrip("+-").isdigit() else number
            case "choice":
                return next(one for one in each.choices if str(one) == text)
            case "json":
                return json.loads(text)
            case _:
                return text
    except (ValueError, StopIteration, RecursionError):
        what = {"whole": "a whole number", "number": "a number", "json": "valid JSON"}.get(each.kind, "allowed here")
        raise ValueError(f"“{each.title}” is not {what}.") from None


def shown(arguments: Any) -> Html:
    """Return arguments in full, folded: each with its name, and as they are sent; or the text sent in their place."""
    if not isinstance(arguments, Mapping):
        return details(summary_("Exactly what is sent"), pre(str(arguments), tabindex="0"), class_="exact")
    if not arguments:
        return p("It takes no arguments.", class_="help")
    exact = json.dumps(arguments, ensure_ascii=False, indent=2)
    return details(
        summary_("Exactly what is sent"),
        dl(_lines(arguments), class_="arguments"),
        details(summary_("As JSON"), pre(code(exact), tabindex="0")),
        class_="exact",
    )


def _lines(arguments: Mapping[str, Any]) -> Iterator[Html]:
    for name, value in arguments.items():
        if isinstance(value, str):
            drawn = span(value, class_="text") if value else span("(empty)", class_="none")
        elif value is None:
            drawn = span("(nothing)", class_="none")
        else:
            drawn = code(json.dumps(value, ensure_ascii=False))
        yield join(dt(title_of(name)), dd(drawn, dir="auto"))
