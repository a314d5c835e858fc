"""Reads what the page of a class-style step asks for off its markup, as a browser does: nothing else declares it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Final

from pipulate.actions.own_pages import OwnForm
from pipulate.fields import FormField, Option
from pipulate.fields.model import Kind, Widget

MARKUP_MAX: Final = 200_000
"""Most characters of an answer that are read."""

MARKS_MAX: Final = 10_000
"""Most marks of an answer; of one that has more, nothing is read: what is nested that deep takes seconds."""

_KEPT_TAGS: Final = frozenset(
    {
        "a", "article", "b", "br", "button", "code", "dd", "div", "dt", "em", "form", "h1", "h2", "h3", "h4", "h5",
        "h6", "i", "input", "label", "li", "option", "p", "pre", "select", "span", "strong", "td", "textarea", "th",
    }
)  # fmt: skip
_KEPT_ATTRIBUTES: Final = frozenset(
    {
        "action", "aria-label", "checked", "data-hx-post", "disabled", "for", "hx-post", "id", "max", "maxlength",
        "min", "minlength", "multiple", "name", "pattern", "placeholder", "required", "selected", "step", "title",
        "type", "value",
    }
)  # fmt: skip
_BUTTONS: Final = frozenset({"submit", "button", "reset", "image"})
_SILENT: Final = frozenset({"script", "style", "template"})
_IN_A_WORD: Final = frozenset({"a", "b", "code", "em", "i", "span", "strong"})
_LIMITS: Final = ("min", "max", "step", "minlength", "maxlength", "pattern")
_KINDS: Final[Mapping[str, tuple[Widget, Kind]]] = {
    "number": ("number", "number"), "range": ("slider", "number"), "date": ("date", "date"), "time": ("time", "time"),
    "datetime-local": ("datetime", "datetime"), "email": ("email", "email"), "url": ("url", "url"),
    "color": ("colour", "colour"), "password": ("password", "secret"), "file": ("upload", "file"),
    "hidden": ("hidden", "text"),
}  # fmt: skip

Attributes = Mapping[str, str]


def forms_in(markup: str) -> list[OwnForm]:
    """Return the forms of some markup, in order."""
    reader = _read(markup)
    return [_form(each, reader.labels) for each in reader.forms]


def words_in(markup: str) -> str:
    """Return what somebody reads in some markup, as one line."""
    return " ".join("".join(_read(markup).words).split())


def _read(markup: str) -> _Reader:
    """Read markup, put in order before by a parser that reads as browsers do: ours wants what is well formed."""
    import nh3  # noqa: PLC0415 - only who uses a page for somebody needs it

    text = markup[:MARKUP_MAX].encode("utf-8", "replace").decode()  # Half surrogates are no text.
    ordered = nh3.clean(
        text if text.count("<") <= MARKS_MAX else "", tags=set(_KEPT_TAGS), link_rel=None,
        attributes={"*": set(_KEPT_ATTRIBUTES)}, clean_content_tags=set(_SILENT),
    )  # fmt: skip
    reader = _Reader()
    reader.feed(ordered)
    reader.close()
    return reader


@dataclass(slots=True)
class _Control:
    """Something a form sends: an input, a choice of one, a text area, a button with a name."""

    tag: str
    attributes: Attributes
    label: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    options: list[_Control] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    @property
    def type(self) -> str:
        return self.attributes.get("type", "text" if self.tag == "input" else "submit").lower()

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())

    @property
    def value(self) -> str:
        if self.tag == "textarea":
            return "".join(self.text)
        if self.tag == "option":
            return self.attributes.get("value", self.words)
        return self.attributes.get("value", "on" if self.type in ("checkbox", "radio") else "")


@dataclass(slots=True)
class _Form:
    attributes: Attributes
    controls: list[_Control] = field(default_factory=list)


class _Reader(HTMLParser):
    """Gathers the forms of a page, what stands on their labels, and its words."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[_Form] = []
        self.labels: dict[str, list[str]] = {}
        self.words: list[str] = []
        self._form: _Form | None = None
        self._label: list[str] | None = None
        self._taking: list[_Control] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _IN_A_WORD:
            self.words.append(" ")
        if tag == "form":
            self._form = _Form(given)
            self.forms.append(self._form)
        elif tag == "label":
            self._label = self.labels.setdefault(given.get("for", ""), []) if "for" in given else []
        elif tag == "option" and self._taking:
            self._end("option")
            option = _Control(tag, given)
            self._taking[-1].options.append(option)
            self._taking.append(option)
        elif tag in ("input", "select", "textarea", "button") and self._form is not None:
            control = _Control(tag, given, self._label if self._label is not None else [])
            self._form.controls.append(control)
            if tag != "input":
                self._taking.append(control)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _IN_A_WORD:
            self.words.append(" ")
        if tag == "form":
            self._form, self._taking = None, []
        elif tag == "label":
            self._label = None
        else:
            self._end(tag)

    def handle_data(self, data: str) -> None:
        if self._taking:
            self._taking[-1].text.append(data)
        else:
            self.words.append(data)
            if self._label is not None:
                self._label.append(data)

    def _end(self, tag: str) -> None:
        """Take note that an option, a list, a text area or a button ends; a list ends its last option too."""
        while self._taking and (self._taking[-1].tag == tag or (self._taking[-1].tag, tag) == ("option", "select")):
            if self._taking.pop().tag == tag:
                return


def _form(found: _Form, labels: Mapping[str, Sequence[str]]) -> OwnForm:
    fields: list[FormField] = []
    texts: dict[str, list[str]] = {}
    ticks: dict[str, str] = {}
    for name, controls in _by_name(found.controls).items():
        made = _field(name, controls, labels)
        if made is not None:
            fields.append(made)
            texts[name] = _texts(made, controls)
            if made.kind == "bool":
                ticks[name] = controls[0].value
    post = next((text for at in ("hx-post", "data-hx-post", "action") if (text := found.attributes.get(at))), "")
    return OwnForm(post, fields, texts, ticks)


def _by_name(controls: Iterable[_Control]) -> dict[str, list[_Control]]:
    """Return the controls that can be sent, those of one name together."""
    found: dict[str, list[_Control]] = {}
    for each in controls:
        if each.name and "disabled" not in each.attributes:
            found.setdefault(each.name, []).append(each)
    return found


def _field(name: str, controls: Sequence[_Control], labels: Mapping[str, Sequence[str]]) -> FormField | None:
    """Return the field that some controls of one name are, or None for what only a click would send."""
    first = controls[0]
    one = FormField(
        name, _label(first, labels) or name, first.attributes.get("placeholder", ""), "text",
        "required" in first.attributes, False, None, limits=_limits(first.attributes),
    )  # fmt: skip
    if first.tag == "select":
        offered = tuple(_option(each.value, each.words) for each in first.options if "disabled" not in each.attributes)
        many = "multiple" in first.attributes
        return replace(one, widget="checkboxes" if many else "select", kind="choice", options=offered)
    if first.tag == "textarea":
        return replace(one, widget="textarea", kind="long")
    if first.tag == "button" or first.type in _BUTTONS:
        sent = [each for each in controls if each.type == "submit"]
        offered = tuple(_option(each.value, each.words or each.value) for each in sent)
        return replace(one, widget="radios", kind="choice", label="Button", options=offered) if sent else None
    ticks = [each for each in controls if each.type in ("checkbox", "radio")]
    if not ticks:
        widget, kind = _KINDS.get(first.type, ("text", "text"))
        return replace(one, widget=widget, kind=kind)
    offered = tuple(_option(each.value, _label(each, labels) or each.value) for each in ticks)
    if ticks[0].type == "radio":
        return replace(one, widget="radios", kind="choice", label=name, options=offered)
    if len(ticks) == 1:
        return replace(one, widget="checkbox", kind="bool")
    return replace(one, widget="checkboxes", kind="choice", label=name, options=offered, required=False)


def _option(value: str, label: str) -> Option:
    return Option(value, value, label or value)


def _limits(attributes: Attributes) -> tuple[tuple[str, str], ...]:
    return tuple((name, attributes[name]) for name in _LIMITS if attributes.get(name))


def _label(control: _Control, labels: Mapping[str, Sequence[str]]) -> str:
    given = control.attributes
    beside = "".join(labels.get(given.get("id", ""), ())) or "".join(control.label)
    return " ".join(beside.split()) or given.get("aria-label", "") or given.get("title", "")


def _texts(made: FormField, controls: Sequence[_Control]) -> list[str]:
    """Return what a field sends as it stands in the page; a secret stays where it is."""
    first = controls[0]
    if made.kind in ("secret", "file"):
        return []
    if first.tag == "select":
        chosen = [each.value for each in first.options if "selected" in each.attributes]
        return chosen if chosen or made.widget == "checkboxes" else [each.value for each in made.options[:1]]
    if made.kind == "bool":
        return ["on"] if "checked" in first.attributes else []
    if made.options and first.tag != "button" and first.type not in _BUTTONS:
        return [each.value for each in controls if "checked" in each.attributes]
    if made.options:
        return [made.options[0].text]
    return [each.value for each in controls]
