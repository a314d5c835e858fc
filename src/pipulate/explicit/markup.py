"""From what a class-style handler returns to HTML that is safe to put into a page.

The elements of FastHTML are written as FastHTML writes them, with these differences:

- Whatever is not declared as markup is escaped: numbers, exceptions, bytes, dicts, objects. Lists are run through.
- Names of elements are checked; attributes whose name is none are left out, and addresses that run something.
- Code that a strict policy stops is moved to where it lets it be: a handler in an attribute becomes a listener. The
  script that does it carries the page's nonce, and takes itself out of the page when it has done its work.
- A handler that runs code typed by people becomes data, which the script of the page runs in a frame; see `typed`.

Markup that was declared as such (`NotStr`, `Safe`, a text that is a whole answer) is left as it is.

A page that shows this grants its nonce in `script-src` and `'unsafe-inline'` in `style-src`; it
runs those scripts of a swapped answer that carry the nonce, in their order, and no others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2s
from html import escape
from typing import Any, Final

from fastcore.basics import NotStr
from fastcore.foundation import L
from fastcore.xml import FT

from pipulate._log import get_logger
from pipulate.explicit.typed import concerns, parsed
from pipulate.ui.html import Html, is_safe_address

LISTS: Final = (tuple, list, L)
HELD: Final = "text/explicit"
"""Type of a script that waits for the script of the page, which runs it."""

DEEPEST: Final = 150
"""Levels of elements and lists in one another. A list that contains itself has no last level; Python's stack does."""

_TOO_DEEP: Final = f"what was returned is more than {DEEPEST} levels deep; perhaps it contains itself"

_log = get_logger()
_SCRIPTS = frozenset({"", "text/javascript", "application/javascript", "text/ecmascript", "application/ecmascript"})

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_TAG = re.compile(r"[a-zA-Z][a-zA-Z0-9:._-]*|!doctype", re.IGNORECASE)
_NAME = re.compile(r"[^\s\"'<>/=\x00-\x20\x7f-\x9f]+")
_INLINE = re.compile(r"on([a-z]{3,})")  # The shortest event is `cut`; `on`, `one` and `once` are no handlers.
_HX_ON = re.compile(r"(?:data-)?hx-on[:-](.+)")
_ASKED = frozenset({"hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete", "hx-push-url", "hx-replace-url"})
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "poster", "cite", "data", "xlink:href"})
_HAS_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_PICTURE = re.compile(r"data:image/[a-z.+-]+[;,]", re.IGNORECASE)
_CONTROLS = "".join(map(chr, range(33)))
_SPECIAL = frozenset({"form", "script", "style"})
_LEFT_OUT, _PLAIN, _ADDRESS, _INLINE_CODE, _HTMX_CODE = range(5)
_CODE = frozenset({_INLINE_CODE, _HTMX_CODE})


def render(
    content: Any, *, nonce: str = "", seen: int | None = None, held: bool = False, top_level_str_is_markup: bool = True
) -> Html:
    """Return what a handler answered as HTML.

    Args:
        content: Elements, lists of them, declared markup, None, or anything else, which is escaped. Headers and tasks,
            which FastHTML lets handlers put beside elements, are the caller's to take out before.
        nonce: The nonce of the page this will be part of, not of the answer that carries it.
        seen: The version of the run that this shows; each form takes it along as `data-pip-seen`.
        held: Whether its scripts stand in the page itself, and so wait there until those of the page have run.
        top_level_str_is_markup: Whether a plain text that is the whole answer, alone or alone in a list, is HTML. That
            is the contract with class-style handlers. A text inside an element or beside one is never markup.

    Raises:
        ValueError: If an element has a name that is none, or the tree is deeper than `DEEPEST`.
    """
    content = _alone(content)
    if isinstance(content, str) and top_level_str_is_markup:
        return Html(content)
    return _Writer(nonce, seen, held=held).whole(content)


def _alone(content: Any) -> Any:
    """Take a content that is alone in a list, or in several, out of them."""
    for _ in range(DEEPEST + 1):
        if not isinstance(content, LISTS) or len(content) != 1:
            return content
        content = content[0]
    raise ValueError(_TOO_DEEP)


def pieces(content: Any) -> Iterator[Any]:
    """Yield the elements of a tree and, as `Html`, its declared markup, in document order.

    Raises:
        ValueError: If the tree is deeper than `DEEPEST`.
    """
    waiting = [(content, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError(_TOO_DEEP)
        if isinstance(each, FT):
            yield each
            waiting.extend((child, depth + 1) for child in reversed(each.children))
        elif isinstance(each, LISTS):
            waiting.extend((child, depth + 1) for child in reversed(each))
        elif (markup := _declared(each)) is not None:
            yield Html(markup)
        elif hasattr(each, "__ft__"):
            waiting.append((each.__ft__(), depth + 1))


def has_input_form(content: Any) -> bool:
    """Tell whether a tree asks a person for something.

    That is a form which htmx posts and which has a field to fill in, or posts to a step's `..._submit`. A form around
    a button (revert, finalize, unlock) asks for nothing. A form in declared markup always counts.
    """
    return any(
        "<form" in piece.lower() if isinstance(piece, str) else _is_input_form(piece) for piece in pieces(content)
    )


def _is_input_form(element: Any) -> bool:
    if element.tag != "form" or not element.attrs or "hx-post" not in element.attrs:
        return False
    address = str(element.attrs["hx-post"]).partition("?")[0]
    return address.endswith("_submit") or any(map(_is_field, pieces(element)))


def _is_field(piece: Any) -> bool:
    if isinstance(piece, str):
        return re.search(r"<(?:input|select|textarea)\b", piece, re.IGNORECASE) is not None
    if piece.tag == "input":
        return (piece.attrs or {}).get("type") not in {"hidden", "submit", "button", "reset", "image"}
    return piece.tag in {"select", "textarea"}


def _declared(child: Any) -> str | None:
    """Return what was declared as markup, or None if it was not. Elements are asked before."""
    if isinstance(child, NotStr):
        return str(child)
    return str(child.__html__()) if hasattr(child.__class__, "__html__") else None


def _escape(text: str) -> str:
    if "&" in text or "<" in text or ">" in text or '"' in text or "'" in text:  # Most text needs nothing done to it.
        return escape(text)
    return text


class _Tags(dict[str, tuple[str, str, str]]):
    """Name of an element -> what opens it, what closes it, and its plain name if it is written in a way of its own."""

    def __missing__(self, tag: str) -> tuple[str, str, str]:
        if tag and not _TAG.fullmatch(tag):
            raise ValueError(f"not a name for an element: {tag!r}")
        folded = tag.lower()
        opening = f"<{tag}" if tag else ""  # Without a name: several elements with none around them.
        found = opening, f"</{tag}>" if tag and folded not in _VOID else "", folded if folded in _SPECIAL else ""
        if len(self) < 1_000:  # Names come from code, not from people; should that ever change, memory stays flat.
            self[tag] = found
        return found


class _Names(dict[str, tuple[str, int]]):
    """Name of an attribute -> ` name="`, or which event it handles, and what kind of attribute it is."""

    def __missing__(self, name: str) -> tuple[str, int]:
        found = _named(name)
        if len(self) < 1_000:
            self[name] = found
        return found


def _named(name: str) -> tuple[str, int]:
    folded = name.lower()  # As a browser reads it.
    is_kept = _NAME.fullmatch(name) and (name == "_" or not name.endswith("_"))  # FastHTML keeps those to itself.
    if not is_kept or folded == "nonce" or folded.startswith("data-pip-"):
        return "", _LEFT_OUT
    if found := _INLINE.fullmatch(folded):
        return found[1], _INLINE_CODE
    if found := _HX_ON.fullmatch(folded):
        return _event_of_htmx(found[1]), _HTMX_CODE
    is_address = folded in _ADDRESSES or folded.removeprefix("data-") in _ASKED
    return f' {name}="', _ADDRESS if is_address else _PLAIN


def _event_of_htmx(name: str) -> str:
    """Return the event that htmx reads from what follows `hx-on:` or `hx-on-`."""
    if name.startswith(":"):
        return f"htmx{name}"
    if name.startswith("-"):
        return f"htmx:{name[1:]}"
    return f"htmx:{name[5:]}" if name.startswith("htmx-") else name


_tags = _Tags()
_names = _Names()


class _Writer:
    """Writes one tree, and hands on what has to be moved."""

    def __init__(self, nonce: str, seen: int | None, *, held: bool) -> None:
        self._nonce = f' nonce="{_escape(nonce)}"' if nonce else ""
        self._held = f' type="{HELD}"' if held else ""
        self._seen = "" if seen is None else f' data-pip-seen="{seen}"'
        self._moved = _Moved(self._nonce + self._held)
        self._depth = 0

    def whole(self, content: Any) -> Html:
        """Return all of it, with what was moved."""
        return Html(self._child(content) + self._moved.put_back())

    def _child(self, child: Any) -> str:
        kind = child.__class__
        if kind is FT:
            return self._element(child)
        if kind is str:
            return _escape(child)
        return "" if child is None else self._other(child)

    def _other(self, child: Any) -> str:
        if isinstance(child, FT):
            return self._element(child)
        if isinstance(child, (*LISTS, Iterator)):
            return self._inside(child)
        markup = _declared(child)
        if markup is not None:
            return markup
        if hasattr(child, "__ft__"):
            return self._inside((child.__ft__(),))
        return _escape(child.decode("utf-8", "replace") if isinstance(child, bytes) else str(child))

    def _inside(self, children: Iterable[Any]) -> str:
        """Return what stands in something, one level deeper; a tree that was too deep is not written on."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(_TOO_DEEP)
        out = ""
        for child in children:
            out += self._child(child)
        self._depth -= 1
        return out

    def _element(self, element: Any) -> str:
        out, closing, special = _tags[element.tag]
        if special:
            return self._special(special, element)
        if element.attrs:
            out += self._attributes(element.tag, element.attrs)
        if out:
            out += ">"
        if element.children:
            out += self._inside(element.children)
        return out if element.void_ else out + closing

    def _special(self, tag: str, element: Any) -> str:
        given = element.attrs or {}
        holds = self._held if tag == "script" and _runs(given.get("type")) else ""
        if holds:
            given = {name: value for name, value in given.items() if name.lower() != "type"}
        attributes = self._attributes(tag, given) if given else ""
        if tag == "form":
            return f"<form{attributes}{self._seen}>{self._inside(element.children)}</form>"
        # A script of the plugin finds what stands before it as the plugin wrote it.
        put_back = self._moved.put_back() if tag == "script" else ""
        nonce = "" if _is_elsewhere(given.get("src")) else self._nonce
        return f"{put_back}<{tag}{attributes}{nonce}{holds}>{_code(tag, element.children)}</{tag}>"

    def _attributes(self, tag: str, attributes: Mapping[str, Any]) -> str:
        out = ""
        handlers: list[tuple[str, str, bool]] = []
        typed: list[object] = []
        for name, value in attributes.items():
            if value is None or value is False:
                continue
            opening, kind = _names[name]
            text = value if value.__class__ is str else _value(value)
            if kind == _PLAIN:
                out += opening[:-2] if value is True else f'{opening}{_escape(text)}"'
            elif kind in _CODE and concerns(text):
                typed.append(_as_data(tag, opening, text))
            elif kind in _CODE:
                handlers.append((opening, text, kind == _INLINE_CODE))
            elif kind == _ADDRESS and (is_safe_address(text) or _is_picture(tag, opening, text)):
                out += f'{opening}{_escape(text)}"'
        if typed:
            out += f' data-pip-code="{_escape(json.dumps(typed))}"'
        return out + self._moved.handlers(tuple(handlers)) if handlers else out


def _as_data(tag: str, event: str, code: str) -> object:
    """Return a handler that runs typed code as the script of the page reads it; only the event where it is refused."""
    call = parsed(code)
    if call is None:
        _log.warning("explicit.code_refused", element=tag, on=event, length=len(code))
        return event
    return [event, call.widget, call.code, call.target, call.ends]


def _value(value: Any) -> str:
    if isinstance(value, LISTS):
        return " ".join(map(str, value))
    if isinstance(value, Mapping):
        return json.dumps(value, default=str)
    return str(value.__html__()) if hasattr(value, "__html__") else str(value)


def _is_picture(tag: str, opening: str, address: str) -> bool:
    return tag == "img" and opening == ' src="' and _PICTURE.match(address) is not None


def _runs(kind: Any) -> bool:
    """Tell whether a browser runs a script of this type as it meets it; modules wait by themselves."""
    return kind is None or kind is False or str(kind).strip().lower() in _SCRIPTS


def _is_elsewhere(source: Any) -> bool:
    """Tell whether a script may come from another host, reading its address as a browser does."""
    if source is None or source is False:
        return False
    address = re.sub(r"[\t\r\n]", "", str(source)).lstrip(_CONTROLS).replace("\\", "/")
    return address.startswith("//") or _HAS_SCHEME.match(address) is not None


def _code(tag: str, children: Any) -> str:
    """Return the inside of a script or a style sheet, where there are no entities and only its own end tag ends it."""
    return "".join(_until_end(tag, _plain(child)) for child in children)


def _plain(child: Any, depth: int = 0) -> str:
    if depth > DEEPEST:
        raise ValueError(_TOO_DEEP)
    if child is None:
        return ""
    if isinstance(child, LISTS):
        return "".join(_plain(each, depth + 1) for each in child)
    markup = _declared(child)
    return str(child) if markup is None else markup


def _until_end(tag: str, text: str) -> str:
    if "</" in text:
        text = re.sub(rf"</(?={tag})", r"<\\/", text, flags=re.IGNORECASE)
    if "<!--" in text:  # After it a browser takes `<script` for a script inside the script, with an end of its own.
        text = re.sub(r"<(?=script)", r"<\\", text, flags=re.IGNORECASE)
    return text


class _Moved:
    """What a strict policy stops where it stood, and the scripts that put it back.

    Elements carry a token that says what was taken from them: the same for the same, so it is kept once. Each handler
    gets a script of its own: one with a mistake in it then spoils no other.
    """

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._tokens: dict[Any, str] = {}
        self._waiting_handlers: dict[str, tuple[tuple[str, str, bool], ...]] = {}

    def handlers(self, handlers: tuple[tuple[str, str, bool], ...]) -> str:
        """Take all handlers of an element (event, code, whether from `on...`), and return what stands in for them."""
        token = self._tokens.get(handlers)
        if token is None:
            token = self._tokens[handlers] = _token(json.dumps(handlers))
        self._waiting_handlers[token] = handlers
        return f' data-pip-on="{token}"'

    def put_back(self) -> str:
        """Return scripts for what was taken since the last time."""
        handlers, self._waiting_handlers = self._waiting_handlers, {}
        out = ""
        for token, each in handlers.items():
            listeners = ",".join(f"[{json.dumps(event)},{_function(code, inline)}]" for event, code, inline in each)
            out += self._script(f'({_LISTEN})(document.currentScript,"{token}",[{listeners}])')
        return out

    def _script(self, code: str) -> str:
        return f"<script{self._nonce}>{_until_end('script', code)}</script>"


def _token(text: str) -> str:
    return blake2s(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _function(code: str, inline: bool) -> str:
    """Return a function, and whether its False counts, as a browser makes it from an attribute."""
    if inline:
        return f"function(event){{with(document){{with(this.form||{{}}){{with(this){{\n{code}\n}}}}}}}},1"
    return f"function(event){{\n{code}\n}},0"


_LISTEN = (
    "function(s,t,h){document.querySelectorAll('[data-pip-on=\"'+t+'\"]').forEach(function(e){"
    "if(e.pipOn===t)return;e.pipOn=t;h.forEach(function(l){e.addEventListener(l[0],function(v){"
    "if(l[1].call(e,v)===false&&l[2])v.preventDefault()})})});s.remove()}"
)
