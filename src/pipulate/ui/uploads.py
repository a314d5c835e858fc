"""The field that files are chosen in: what is there already, what may come, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipulate.fields import FormField
from pipulate.fields.files import KEPT
from pipulate.forms.sending import in_words
from pipulate.storage.uploads import Limits
from pipulate.ui.html import Html, a, button, div, input_, label, li, small, span, ul
from pipulate.ui.words import size_in_words


@dataclass(frozen=True, slots=True)
class UploadForm:
    """What the upload fields of a form need besides what every field does.

    Attributes:
        address: Where files for its fields go: this, a slash, the name of the field.
        held: What the form may send for a file -> what is stored of the file.
        limits: Field -> how much may come.
        downloads: Where files that are kept can be downloaded: this, their SHA-256, their name; "" for nowhere.
    """

    address: str
    held: Mapping[str, Mapping[str, Any]]
    limits: Mapping[str, Limits]
    downloads: str = ""


def upload_field(
    field: FormField,
    texts: Sequence[str],
    problem: str | None,
    id_: str,
    uploads: UploadForm,
    *,
    is_focused: bool,
    form: str | None = None,
) -> Html:
    """Return a field for files. Without our script the browser sends what is chosen together with the form.

    Args:
        field: The field.
        texts: What it holds, as the form sends it.
        problem: What is wrong with it.
        id_: Id of its control.
        uploads: What is known of the files.
        is_focused: Whether the keyboard goes there first.
        form: Id of the form it is of, where it does not stand in it.
    """
    address, limits = f"{uploads.address}/{field.name}", uploads.limits[field.name]
    held = [
        held_file(field, text, uploads.held[text], address, form, uploads.downloads if text.startswith(KEPT) else "")
        for text in texts
        if text in uploads.held
    ]
    notes = (("limits", True), ("help", field.help), ("problem", problem))
    described = [f"{id_}-{note}" for note, is_there in notes if is_there]
    return div(
        label(field.label, None if field.required else small(" optional", class_="optional"), for_=id_),
        ul(held, class_="uploads", aria_label=f"Files for {field.label}"),
        div(
            input_(
                type="file", id=id_, name=field.name, accept=",".join(field.accept) or None, multiple=field.multiple,
                form=form, autofocus=is_focused, aria_describedby=" ".join(described),
                aria_invalid="true" if problem else None,
            ),
            class_="drop",
        ),
        small(in_words(field, limits), id=f"{id_}-limits", class_="help"),
        small(field.help, id=f"{id_}-help", class_="help") if field.help else None,
        small(problem, id=f"{id_}-problem", class_="problem") if problem else None,
        class_="field upload",
        data_needs="upload",
        data_upload=address,
        data_max_bytes=limits.file,
        data_max_files=1 if not field.multiple else field.max_files,
    )  # fmt: skip


def held_file(
    field: FormField, text: str, named: Mapping[str, Any], address: str, form: str | None = None, downloads: str = ""
) -> Html:
    """Return the line of a file that a form holds: name, size, how to remove it; a link where it can be downloaded."""
    name = str(named["name"])
    where = f"{downloads}/{named['sha256']}/{quote(name, safe='')}"
    shown: Any = a(name, href=where, download=name) if downloads else name
    return li(
        input_(type="hidden", name=field.name, value=text, form=form),
        span(
            span(shown, class_="name", dir="auto"), ", ", span(size_in_words(int(named["bytes"])), class_="size"), " "
        ),
        button(
            "Remove",
            span(" ", name, class_="visually-hidden"),
            type="submit",
            class_="quiet",
            name="_remove",
            value=text,
            form=form,
            formaction=f"{address}/remove",
            data_remove=text,
        ),
        class_="held",
    )
