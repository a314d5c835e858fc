"""From the values a model gives to the texts a form would send, so that what follows is what follows a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipulate.actions.told import cut, texts_told
from pipulate.errors import CallError, InvalidAnswersError
from pipulate.fields import RANGES, FormField, Option, leaves
from pipulate.tools.action import Difference

Texts = dict[str, list[str]]
"""Name of a field -> what a form sends for it."""

AFTER_MAX = 1_000
"""Characters of a value on a card; the arguments have all of it."""

_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0", ""})


def texts_from(fields: Sequence[FormField], given: Mapping[str, Any], options: Mapping[str, Sequence[Option]]) -> Texts:
    """Return the texts of the fields that are given.

    Args:
        fields: The fields of the form.
        given: Field -> JSON value; those of a group by their dotted names, or as an object under the group's name.
        options: Choices of fields whose choices are not always the same.

    Raises:
        InvalidAnswersError: With a sentence for each that is none, or is nothing a model may fill in.
    """
    known = {each.name: each for each in _every(fields) if each.widget != "hidden"}
    found, problems = Texts(), dict[str, str]()
    for name, value in given.items():
        field = known.get(name)
        if field is None:
            problems[name] = f"There is no such field. The fields are: {', '.join(known) or 'none'}."
            continue
        try:
            found |= _opened(fields, name) | _texts_of(field, value, options)
        except _WrongError as error:
            problems[error.field] = error.words
    if problems:
        raise InvalidAnswersError(problems)
    return found


def _opened(fields: Iterable[FormField], name: str) -> Texts:
    """Return what says that the groups a field is in are there, of those that need not be."""
    above = [each for each in _every(fields) if each.parts and name.startswith(f"{each.name}.")]
    return {each.name: ["on"] for each in above if each.optional}


class _WrongError(Exception):
    def __init__(self, field: str, words: str) -> None:
        self.field, self.words = field, words
        super().__init__(words)


def _every(fields: Iterable[FormField]) -> Iterable[FormField]:
    """Yield all fields, groups and what is in them."""
    for each in fields:
        yield each
        yield from _every(each.parts)


def _texts_of(field: FormField, value: Any, options: Mapping[str, Sequence[Option]]) -> Texts:
    if field.parts:
        return _of_group(field, value, options)
    if field.kind in ("secret", "file"):
        what = "type a secret" if field.kind == "secret" else "choose a file"
        raise _WrongError(field.name, f"Only the person can {what}, in the form itself. Leave this field out.")
    if field.widget in ("checkbox", "switch"):
        return {field.name: ["on"] if _yes(field, value) else []}
    offered = options.get(field.name) or field.options
    if field.widget == "checkboxes":
        return {field.name: [_option(offered, each) for each in _listed(value)]}
    if field.widget in RANGES:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise _WrongError(field.name, "Give a list of two numbers.")
        return {field.name: [_plain(field, each) for each in value]}
    if field.widget == "lines":
        return {field.name: ["\n".join(_plain(field, each) for each in _listed(value))]}
    if offered:
        return {field.name: [_option(offered, value)]}
    return {field.name: [_plain(field, value)]}


def _of_group(field: FormField, value: Any, options: Mapping[str, Sequence[Option]]) -> Texts:
    if value is None and field.optional:
        return {field.name: []}
    if not isinstance(value, Mapping):
        raise _WrongError(field.name, f"Give an object with: {', '.join(each.key for each in field.parts)}.")
    inner, found = {each.key: each for each in field.parts}, Texts({field.name: ["on"]} if field.optional else {})
    for key, part in value.items():
        if key not in inner:
            raise _WrongError(f"{field.name}.{key}", f"There is no such field. There are: {', '.join(inner)}.")
        found |= _texts_of(inner[key], part, options)
    return found


def _yes(field: FormField, value: Any) -> bool:
    text = str(value).strip().casefold() if value is not None else ""
    if text in _YES or text in _NO:
        return text in _YES
    raise _WrongError(field.name, "Give true or false.")


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _option(offered: Sequence[Option], value: Any) -> str:
    """Return the text of the choice that is meant, by its value or its label; what is none is for the check to say."""
    text = "" if value is None else str(value)
    for option in offered:
        if option.value == value or option.text == text:
            return option.text
    return next((each.text for each in offered if each.label.strip().casefold() == text.strip().casefold()), text)


def _plain(field: FormField, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping | list | tuple | bool):
        raise _WrongError(field.name, "Give one value, as text or a number.")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def differing(
    fields: Sequence[FormField],
    before: Mapping[str, Sequence[str]] | None,
    after: Mapping[str, Sequence[str]],
    options: Mapping[str, Sequence[Option]],
) -> list[Difference]:
    """Return what a card shows of a form: of one that was filled in before what changes, else all that is sent.

    Args:
        fields: Its fields.
        before: The texts it was sent with before, or None.
        after: The texts it is sent with.
        options: As in `texts_from`.
    """
    found = []
    for each in leaves(fields):
        if each.widget == "hidden" or each.kind == "file":
            continue
        offered = options.get(each.name, ())
        now = texts_told(each, after.get(each.name, ()), offered)
        was = texts_told(each, before.get(each.name, ()), offered) if before is not None else None
        if now != (was or "") or (before is None and now):
            found.append(Difference(label_in(fields, each), cut(was, AFTER_MAX) if was else None, cut(now, AFTER_MAX)))
    return found


def label_in(fields: Sequence[FormField], field: FormField) -> str:
    """Return what people call a field, with the groups it is in."""
    above = [each.label for each in _every(fields) if each.parts and field.name.startswith(f"{each.name}.")]
    return ": ".join([*above, field.label])


def refusal(what: str, fields: Sequence[FormField], error: InvalidAnswersError) -> CallError:
    """Return why answers are refused, for a model and for people: each field with its sentence."""
    return CallError(f"{what}: nothing was saved. {told_by_field(fields, error)}")


def told_by_field(fields: Sequence[FormField], error: InvalidAnswersError) -> str:
    """Return what is wrong with answers, each field by its name with its sentence."""
    labels = {each.name: each.label for each in _every(fields)}
    told = []
    for name, words in error.problems.items():
        label = labels.get(name)
        called = f"{label} ({name}): " if label and label != name else f"{name}: " if name else ""
        told.append(f"{called}{words}")
    return " ".join(told)
