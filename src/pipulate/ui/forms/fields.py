"""Fields with their labels, help and what is wrong with them; groups of fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipulate.fields import RANGES, FormField, Option
from pipulate.ui.forms.controls import control
from pipulate.ui.html import EMPTY, Html, div, fieldset, input_, join, label, legend, p, small
from pipulate.ui.uploads import UploadForm, upload_field

_BOXES = ("checkbox", "switch")


@dataclass(frozen=True, slots=True)
class _Form:
    texts: Mapping[str, Sequence[str]]
    problems: Mapping[str, str]
    options: Mapping[str, tuple[Option, ...]]
    prefix: str
    focused: str | None
    uploads: UploadForm | None = None
    form: str | None = None

    def id_of(self, field: FormField) -> str:
        return f"{self.prefix}-{field.name.replace('.', '-')}"

    def options_of(self, field: FormField) -> tuple[Option, ...]:
        return self.options.get(field.name) or field.options


def drawn_fields(
    fields: Sequence[FormField],
    texts: Mapping[str, Sequence[str]],
    problems: Mapping[str, str],
    options: Mapping[str, tuple[Option, ...]],
    prefix: str,
    uploads: UploadForm | None = None,
    *,
    form: str | None = None,
    takes_focus: bool = True,
) -> dict[str, Html]:
    """Return the fields of a form by name, in their order; a group with all that is in it.

    Args:
        fields: The fields.
        texts: Field -> the texts it holds, as a form would send them.
        problems: Field -> what is wrong with it.
        options: Field -> choices, for fields whose choices depend on the run.
        prefix: Makes the ids on the page differ from those of other forms.
        uploads: What fields for files need besides.
        form: Id of the form they are of, where they do not stand in it.
        takes_focus: Whether the keyboard goes to one of them.
    """
    focused = _focused(fields, texts, problems) if takes_focus else None
    drawn = _Form(texts, problems, options, prefix, focused, uploads, form)
    return {each.name: _field(drawn, each) for each in fields}


def fields_of(
    fields: Sequence[FormField],
    texts: Mapping[str, Sequence[str]],
    problems: Mapping[str, str],
    options: Mapping[str, tuple[Option, ...]],
    prefix: str,
) -> Html:
    """Return all fields of a form, one below the other; see `drawn_fields`."""
    return join(*drawn_fields(fields, texts, problems, options, prefix).values())


def problems_without_field(problems: Mapping[str, str], fields: Sequence[FormField]) -> Html:
    """Return the problems that belong to the step as a whole, or to what is not shown, to stand above its fields."""
    names = {each.name for each in _shown(fields)}
    whole = [text for name, text in problems.items() if name not in names]
    return p(" ".join(whole), class_="problem", role="alert") if whole else EMPTY


def _shown(fields: Sequence[FormField]) -> Iterator[FormField]:
    for each in fields:
        if each.widget != "hidden":
            yield each
        yield from _shown(each.parts)


def _asked(
    fields: Sequence[FormField], texts: Mapping[str, Sequence[str]], problems: Mapping[str, str]
) -> Iterator[tuple[FormField, str]]:
    """Yield the fields that can be filled in, with what is wrong with them or with the group they are first in."""
    for each in fields:
        problem = problems.get(each.name, "")
        if not each.parts:
            if each.widget != "hidden":
                yield each, problem
        elif not each.optional or any(texts.get(each.name, ())):
            for index, (part, inner) in enumerate(_asked(each.parts, texts, problems)):
                yield part, inner or (problem if index == 0 else "")


def _focused(
    fields: Sequence[FormField], texts: Mapping[str, Sequence[str]], problems: Mapping[str, str]
) -> str | None:
    """Return the field the keyboard goes to: the first wrong one, else the first empty one, else the first."""
    asked = list(_asked(fields, texts, problems))
    for each, problem in asked:
        if problem:
            return each.name
    for each, _ in asked:
        if each.widget not in (*_BOXES, "checkboxes", "colour") and not any(texts.get(each.name, ())):
            return each.name
    return asked[0][0].name if asked else None


def _field(form: _Form, field: FormField) -> Html:
    texts, id_ = form.texts.get(field.name, ()), form.id_of(field)
    if field.widget == "hidden":
        return input_(type="hidden", name=field.name, value=texts[-1] if texts else "", form=form.form)
    if field.parts:
        return _group(form, field, bool(any(texts)), id_)
    problem = form.problems.get(field.name)
    is_focused = field.name == form.focused
    if field.widget == "upload" and form.uploads is not None:
        return upload_field(field, texts, problem, id_, form.uploads, is_focused=is_focused, form=form.form)
    common: dict[str, Any] = {
        "name": field.name,
        "form": form.form,
        "aria-describedby": _described(field, problem, id_),
        "aria-invalid": "true" if problem else None,
        "required": field.required and field.widget not in _BOXES,
    }
    notes = _notes(field, problem, id_)
    if field.widget in RANGES:
        return _pair(field, texts, id_, common, notes, is_focused=is_focused)
    if field.widget in ("radios", "checkboxes"):
        return _several(field, texts, form.options_of(field), id_, common, notes, is_focused=is_focused)
    if field.widget in _BOXES:
        role = "switch" if field.widget == "switch" else None
        box = input_(type="checkbox", role=role, id=id_, value="on", checked=any(texts), autofocus=is_focused, **common)
        return div(label(box, " ", field.label, for_=id_), notes, class_=f"field check {field.widget}")
    caption = label(field.label, _hint(field), for_=id_, id=f"{id_}-label" if _is_made_over(field) else None)
    made = control(field, texts, form.options_of(field), {**common, "id": id_, "autofocus": is_focused})
    return div(caption, made, notes, class_=f"field {field.widget}")


def _is_made_over(field: FormField) -> bool:
    """Tell whether the script puts something into the place of the control that needs the same label."""
    return field.widget in ("code", "search", "slider", "markdown", "link")


def _described(field: FormField, problem: str | None, id_: str) -> str | None:
    return " ".join(name for name, there in ((f"{id_}-help", field.help), (f"{id_}-problem", problem)) if there) or None


def _notes(field: FormField, problem: str | None, id_: str) -> Html:
    return join(
        small(field.help, id=f"{id_}-help", class_="help") if field.help else None,
        small(problem, id=f"{id_}-problem", class_="problem") if problem else None,
    )


def _group(form: _Form, field: FormField, is_there: bool, id_: str) -> Html:
    problem = form.problems.get(field.name)
    box = None
    if field.optional:  # Without a script too: what is below is hidden by a style as long as this is not ticked.
        box = join(
            input_(
                type="checkbox", role="switch", id=id_, name=field.name, value="on", checked=is_there, form=form.form
            ),
            label("Fill this in", for_=id_),
        )
    return fieldset(
        legend(field.label, _hint(field)),
        _notes(field, problem, id_),
        box,
        div([_field(form, each) for each in field.parts], class_="parts row" if field.is_row else "parts"),
        class_="field group",
        aria_describedby=_described(field, problem, id_),
    )


def _several(
    field: FormField,
    texts: Sequence[str],
    options: tuple[Option, ...],
    id_: str,
    common: dict[str, Any],
    notes: Html,
    *,
    is_focused: bool,
) -> Html:
    is_one = field.widget == "radios"
    if is_one and not field.required:
        options = (*options, Option(None, "", "None"))
        texts = texts or ("",)
    chosen = texts[-1:] if is_one else texts
    where = next((index for index, each in enumerate(options) if each.text in chosen), 0)
    common.pop("aria-invalid")
    described = common.pop("aria-describedby")
    common["required"] = common["required"] and is_one
    return fieldset(
        legend(field.label, _hint(field)),
        div(
            [
                label(
                    input_(
                        type="radio" if is_one else "checkbox",
                        id=f"{id_}-{index}",
                        value=each.text,
                        checked=each.text in chosen,
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
        class_=f"field {field.widget}",
        **{"aria-describedby": described},
    )


def _pair(
    field: FormField, texts: Sequence[str], id_: str, common: dict[str, Any], notes: Html, *, is_focused: bool
) -> Html:
    """Return two numbers that are sent under one name; the script puts a slider with two handles above them."""
    described = common.pop("aria-describedby")
    low, high = (texts[0], texts[-1]) if texts else ("", "")
    numbers = [
        label(
            words,
            input_(type="number", id=f"{id_}-{words}", value=text, autofocus=is_focused and words == "from",
                   **dict(field.limits), **common),
        )
        for words, text in (("from", low), ("to", high))
    ]  # fmt: skip
    needs = {"data_needs": "fields", "data_widget": "range-slider"} if field.widget == "range-slider" else {}
    return fieldset(
        legend(field.label, _hint(field)),
        div(numbers, class_="pair", **needs),
        notes,
        class_="field range",
        **{"aria-describedby": described},
    )


def _hint(field: FormField) -> Html | None:
    return None if field.required else small(" optional", class_="optional")
