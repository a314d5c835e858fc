"""Form fields as people see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipulate.ui.html import (
    Html,
    div,
    fieldset,
    input_,
    join,
    label,
    legend,
    option,
    p,
    select,
    small,
    textarea,
)
from pipulate.workflows.fields import FormField, Option

_INPUT_TYPES = {"text": "text", "integer": "number", "number": "number", "date": "date"}


def fields_of(
    fields: Sequence[FormField],
    texts: Mapping[str, Sequence[str]],
    problems: Mapping[str, str],
    options: Mapping[str, tuple[Option, ...]],
    prefix: str,
) -> Html:
    """Return all fields of a form.

    Args:
        fields: The fields.
        texts: Field -> the texts it holds, as a form would send them.
        problems: Field -> what is wrong with it.
        options: Field -> choices, for fields whose choices depend on the run.
        prefix: Makes the ids on the page differ from those of other forms.
    """
    first = _focused(fields, texts, problems)
    return join(
        *[
            _field(
                each,
                texts.get(each.name, ()),
                problems.get(each.name),
                options.get(each.name) or each.options,
                f"{prefix}-{each.name}",
                is_focused=each.name == first,
            )
            for each in fields
        ]
    )


def texts_of(fields: Sequence[FormField], answers: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return answers as the texts a form would send for them."""
    texts = {}
    for each in fields:
        value = answers.get(each.name)
        if each.widget == "checkbox":
            texts[each.name] = ["on"] if value else []
        elif value is not None:
            is_chosen = each.widget in ("select", "radios")  # The text of an option is its value's own.
            texts[each.name] = [str(value) if is_chosen else _text(value)]
    return texts


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _focused(
    fields: Sequence[FormField], texts: Mapping[str, Sequence[str]], problems: Mapping[str, str]
) -> str | None:
    """Return the field the keyboard goes to: the first wrong one, else the first empty one, else the first."""
    for each in fields:
        if each.name in problems:
            return each.name
    for each in fields:
        if each.widget != "checkbox" and not any(texts.get(each.name, ())):
            return each.name
    return fields[0].name if fields else None


def _field(
    field: FormField,
    texts: Sequence[str],
    problem: str | None,
    options: tuple[Option, ...],
    id_: str,
    *,
    is_focused: bool,
) -> Html:
    described = " ".join(name for name, there in ((f"{id_}-help", field.help), (f"{id_}-problem", problem)) if there)
    common: dict[str, Any] = {
        "name": field.name,
        "aria-describedby": described or None,
        "aria-invalid": "true" if problem else None,
        "required": field.required and field.widget != "checkbox",
    }
    notes = join(
        small(field.help, id=f"{id_}-help", class_="help") if field.help else None,
        small(problem, id=f"{id_}-problem", class_="problem") if problem else None,
    )
    if field.widget == "radios":
        return _radios(field, texts, options, id_, common, notes, is_focused=is_focused)
    caption = label(field.label, _hint(field), for_=id_)
    if field.widget == "checkbox":
        box = input_(type="checkbox", id=id_, value="on", checked=bool(texts), autofocus=is_focused, **common)
        return div(label(box, " ", field.label, for_=id_), notes, class_="field check")
    control = _control(field, texts[-1] if texts else "", options, {**common, "id": id_, "autofocus": is_focused})
    return div(caption, control, notes, class_=f"field {field.widget}")


def _control(field: FormField, text: str, options: tuple[Option, ...], common: dict[str, Any]) -> Html:
    if field.widget == "textarea":
        # A parser drops the first line break after the tag, so one is put there to be dropped.
        return textarea("\n", text, rows=field.rows, **dict(field.limits), **common)
    if field.widget == "select":
        is_chosen = any(each.text == text for each in options)
        # Where the old choice is gone, nothing is chosen, rather than what happens to come first.
        blank = [] if field.required and is_chosen else [option("Choose …" if field.required else "None", value="")]
        return select(
            blank, [option(each.label, value=each.text, selected=each.text == text) for each in options], **common
        )
    limits = dict(field.limits)
    if field.widget == "text":
        limits.setdefault("autocomplete", "off")
    return input_(type=_INPUT_TYPES[field.widget], value=text, **limits, **common)


def _radios(
    field: FormField,
    texts: Sequence[str],
    options: tuple[Option, ...],
    id_: str,
    common: dict[str, Any],
    notes: Html,
    *,
    is_focused: bool,
) -> Html:
    chosen = texts[-1] if texts else None
    where = next((index for index, each in enumerate(options) if each.text == chosen), 0)
    common.pop("aria-invalid")
    described = common.pop("aria-describedby")
    return fieldset(
        legend(field.label, _hint(field)),
        div(
            [
                label(
                    input_(
                        type="radio",
                        id=f"{id_}-{index}",
                        value=each.text,
                        checked=each.text == chosen,
                        autofocus=is_focused and index == where,
                        **common,
                    ),
                    " ",
                    each.label,
                )
                for index, each in enumerate(options)
            ],
            class_="options",
        ),
        notes,
        class_="field radios",
        **{"aria-describedby": described},
    )


def _hint(field: FormField) -> Html | None:
    return None if field.required else small(" optional", class_="optional")


def problems_without_field(problems: Mapping[str, str], fields: Sequence[FormField]) -> Html:
    """Return the problems that belong to the step as a whole, to stand above its fields."""
    names = {each.name for each in fields}
    whole = [text for name, text in problems.items() if name not in names]
    return p(" ".join(whole), class_="problem", role="alert") if whole else Html("")
