"""How the `pip` object shows runs: what a step looks like once it is done, and the cells that load one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from zlib import crc32

from fastcore.xml import FT, Safe, to_xml
from fasthtml.components import H3, H4, Button, Div, Input, P, Pre
from fasthtml.xtend import A, Form
from starlette.responses import HTMLResponse

from pipulate._clock import SystemClock, to_text
from pipulate.explicit.elements import Card, as_child
from pipulate.explicit.landing import Landing

Steps = Sequence[Any]
"""The steps of a plugin: whatever has an `id`; mostly also `done`, `show` and `refill`."""

FINALIZE: Final = "finalize"
_NBSP = "\u00a0"
_SCROLL_DOWN = '{"scrollToLeftPanelBottom": true}'


class Look(Landing):
    """The members of `pip` that return elements; what they need to know of runs, another class provides."""

    UNLOCK_BUTTON_LABEL = "🔓 Unlock"
    ERROR_STYLE = "color: red;"
    SUCCESS_STYLE = "color: green;"
    MUTED_TEXT_STYLE = "color: var(--pico-muted-color);"
    CONTENT_STYLE = "margin-top: 1rem; overflow-x: auto;"
    FINALIZED_CONTENT_STYLE = "margin-top: 0.5rem; overflow-x: auto;"
    MENU_ITEM_PADDING = "padding: 0.5rem 0;"
    PRIMARY_BUTTON_STYLE: str | None = None
    SECONDARY_BUTTON_STYLE: str | None = None
    WARNING_BUTTON_STYLE: str | None = None

    if TYPE_CHECKING:

        def is_locked(self) -> bool:
            """Tell whether the run of this request is locked."""

    # A step that is done

    def display_revert_header(
        self,
        step_id: str,
        app_name: str,
        steps: Any,
        message: Any = None,
        target_id: str | None = None,
        revert_label: str | None = None,
        remove_padding: bool = False,
        show_when_finalized: bool = False,
    ) -> FT | None:
        """Return what is said of a finished step, beside a button that leads back to it; None in a locked run.

        Args:
            step_id: The step.
            app_name: The app it belongs to.
            steps: All steps of the app; they and the message may change places.
            message: What to say; without it only the button is returned.
            target_id: Id of what the answer replaces; the container of the app unless given.
            revert_label: What the button says after its sign.
            remove_padding: Whether it stands inside of something that has a padding.
            show_when_finalized: Whether a locked run shows it too.
        """
        steps, message = _in_order(steps, message)
        if self._is_over(steps) and not show_when_finalized:
            return None
        place = _place(step_id, steps)
        if place is None:
            return Div(f"Error: there is no step {step_id!r}.", style=self.ERROR_STYLE)
        number, step = place
        form = Form(
            Input(type="hidden", name="step_id", value=step_id),
            Button(
                self.step_button(number, getattr(step, "refill", False), revert_label),
                type="submit",
                cls="button-revert",
                title=f"Go back to {self._shown(step)}",
            ),
            hx_post=f"/{app_name}/revert",
            hx_target=f"#{target_id or f'{app_name}-container'}",
            hx_swap="outerHTML",
        )
        if message is None or message == "":
            return form
        padding = " padding: 0; margin: 0; box-shadow: none;" if remove_padding else ""
        return Card(
            Div(as_child(message), style="flex: 1;"),
            Div(form, style="flex: 0;"),
            style=f"display: flex; align-items: center; gap: 1rem;{padding}",
            role="group",
            aria_label=self._shown(step),
        )

    def display_revert_widget(
        self,
        step_id: str,
        app_name: str,
        steps: Any,
        message: Any = None,
        widget: Any = None,
        target_id: str | None = None,
        revert_label: str | None = None,
        widget_style: str | None = None,
        finalized_content: Any = None,
        next_step_id: str | None = None,
    ) -> FT | None:
        """Return the header of a finished step above something the plugin made of its value.

        In a locked run, earlier plugins get None, for they have a view of their own for it; later ones get that view.

        Args:
            step_id: As in `display_revert_header`, and so up to `message`.
            app_name: See there.
            steps: See there.
            message: See there.
            widget: What the plugin made; without it only the header is returned.
            target_id: As in `display_revert_header`.
            revert_label: See there.
            widget_style: Style of the widget instead of the usual one.
            finalized_content: What a locked run shows instead of the widget.
            next_step_id: The step that loads below in a locked run.
        """
        steps, message = _in_order(steps, message)
        if self._is_over(steps) and (finalized_content is not None or next_step_id or _are_of_later_kind(steps)):
            return self._locked_step(step_id, app_name, steps, finalized_content, next_step_id)
        header = self.display_revert_header(
            step_id, app_name, steps, message, target_id, revert_label, remove_padding=widget is not None
        )
        if widget is None or header is None:
            return header
        told = crc32(f"{app_name}\n{step_id}\n{message}".encode("utf-8", "replace"))
        return Div(
            header,
            Div(
                as_child(widget),
                id=f"{step_id}-widget-{told:08x}",
                cls="widget-content",
                style=widget_style or self.CONTENT_STYLE,
            ),
            id=f"{step_id}-content",
            cls="card-container",
        )

    def chain_reverter(
        self, step_id: str, step_index: int, steps: Steps, app_name: str, processed_val: Any
    ) -> HTMLResponse:
        """Return the answer to a step that was just submitted: what was stored, and the next step that loads below."""
        step = steps[step_index]
        following = steps[step_index + 1 : step_index + 2]
        told = Div(
            self.display_revert_header(step_id, app_name, steps, message=f"{self._shown(step)}: {processed_val}"),
            *[_loading(app_name, each.id) for each in following],
            id=step_id,
        )
        headers = {} if _are_of_later_kind(steps) else {"HX-Trigger-After-Settle": _SCROLL_DOWN}
        return Chained(told, headers)

    def finalized_content(
        self,
        message: Any,
        content: Any = None,
        heading_tag: Callable[..., Any] = H4,
        content_style: str | None = None,
    ) -> FT:
        """Return what a locked step says, with the message as heading where there is more to show."""
        if content is None:
            return Card(as_child(message))
        style = content_style or self.FINALIZED_CONTENT_STYLE
        return Card(heading_tag(as_child(message)), Div(as_child(content), style=style))

    def step_button(
        self, visual_step_number: int | str, preserve: bool = False, revert_label: str | None = None
    ) -> str:
        """Return what a button says that leads back to a step, with a sign for whether later values are kept."""
        label = revert_label or f"Step{_NBSP}{visual_step_number}"
        return f"{'⟲' if preserve else '↶'}{_NBSP}{label}"

    # The cells of a run

    def run_all_cells(self, app_name: str, steps: Steps) -> FT:
        """Return the container of a run, whose first cell loads; it can also be run through as `Div(*cells)`."""
        nested = [
            Div(id=each.id, hx_get=f"/{app_name}/{each.id}", hx_trigger=None if number else "load")
            for number, each in enumerate(steps)
        ]
        return Cells(f"{app_name}-container", nested, _replaced(app_name, steps))

    def rebuild(self, app_name: str, steps: Steps) -> FT:
        """Return the container of a run as earlier plugins know it, whose cells are replaced by what they load."""
        return Div(*_replaced(app_name, steps), id=f"{app_name}-container")

    def check_finalize_needed(self, step_index: int, steps: Steps) -> bool:
        """Tell whether the step after this one is the last, which locks the run."""
        return any(each.id == FINALIZE for each in steps[step_index + 1 : step_index + 2])

    # What was typed

    def validate_step_input(
        self, value: Any, step_show: str, custom_validator: Callable[[Any], tuple[bool, Any]] | None = None
    ) -> tuple[bool, str, FT | None]:
        """Return whether a value will do, else why not, as text and as an element.

        Args:
            value: What was typed.
            step_show: What people read for the step.
            custom_validator: The plugin's own rule, for a value that is there: whether it will do, and why not.
        """
        if value is None or not str(value).strip():
            is_valid, message = False, f"{step_show} cannot be empty"
        else:
            is_valid, told = custom_validator(value) if custom_validator is not None else (True, "")
            message = "" if is_valid else str(told)
        return (True, "", None) if is_valid else (False, message, P(message, style=self.ERROR_STYLE))

    # Words and styles

    def get_style(self, kind: str) -> str | None:
        """Return the style of this name: `error` gives `ERROR_STYLE`; None for one that is not known."""
        found = getattr(self, f"{str(kind).upper()}_STYLE", None)
        return found if isinstance(found, str) else None

    def fmt(self, name: str) -> str:
        """Return what people read for a stored name: `step_01` becomes `Step 1`."""
        return " ".join(_word(each) for each in str(name).split("_") if each)

    def make_singular(self, word: str) -> str:
        """Return one of what an English plural names many of, by its ending."""
        if word in _IRREGULAR:
            return _IRREGULAR[word]
        for ending, one in _ENDINGS:
            if word.endswith(ending) and len(word) > len(ending) + 1:
                return word.removesuffix(ending) + one
        return word

    def tree_display(self, content: Any) -> FT:
        """Return a path as a tree where it is drawn as one, else in a box."""
        text = str(content)
        is_tree = "\n" in text and ("└─" in text or "├─" in text)
        return Pre(as_child(content), style=_TREE_STYLE if is_tree else _BOX_STYLE)

    def create_folder_button(
        self, folder_path: Any, icon: str = "📁", text: str = "Open Folder", title_prefix: str = "Open folder"
    ) -> FT:
        """Return a link that asks the host to open a folder."""
        path = str(folder_path)
        return A(
            f"{icon} {text}".strip(),
            hx_get=f"/open-folder?path={quote(path, safe='', errors='replace')}",
            hx_swap="none",
            role="button",
            cls="secondary outline",
            title=f"{title_prefix}: {path}",
        )

    def id_conflict_style(self) -> str:
        """Return the style of a message about a key that is in use."""
        return "background-color: var(--pico-del-color); color: white; padding: 1rem; margin: 1rem 0;"

    def format_links_in_text(self, text: Any) -> str:
        """Return text as markup in which web addresses are links and all else is escaped."""
        parts = _ADDRESS.split(str(text))  # Text and addresses take turns.
        markup: str = Safe("".join(_link(part) if odd % 2 else escape(part) for odd, part in enumerate(parts)))
        return markup

    def get_timestamp(self) -> str:
        """Return the current moment as runs store it."""
        return to_text(SystemClock().now())

    # Parts

    def _is_over(self, steps: Any) -> bool:
        return bool(steps) and getattr(steps[-1], "id", None) == FINALIZE and self.is_locked()

    def _shown(self, step: Any) -> str:
        return str(getattr(step, "show", None) or self.fmt(step.id))

    def _locked_step(self, step_id: str, app_name: str, steps: Steps, content: Any, next_step_id: str | None) -> FT:
        place = _place(step_id, steps)
        heading = H3(f"🔒 {self._shown(place[1]) if place else self.fmt(step_id)}")
        card = Card(heading, *([] if content is None else [as_child(content)]))
        return Div(card, _loading(app_name, next_step_id), id=step_id) if next_step_id else card


class Chained(HTMLResponse):
    """A response that knows the element it was made of, so that the host can fill in what the element asks for.

    Attributes:
        element: The element.
    """

    def __init__(self, element: FT, headers: dict[str, str]) -> None:
        self.element = element
        super().__init__(to_xml(element).encode("utf-8", "replace"), headers=headers)  # No page holds half surrogates.
        self._made = self.body

    @property
    def is_untouched(self) -> bool:
        """Whether the plugin left the body as it was made."""
        return self.body is self._made


class Cells(FT):  # type: ignore[misc]
    """The container of a run. Later plugins return it as it is; earlier ones run through it for one of their own.

    The two generations want cells that load differently, so each gets its own.
    """

    def __init__(self, container_id: str, nested: Sequence[FT], replaced: Sequence[FT]) -> None:
        super().__init__("div", tuple(nested), {"id": container_id})
        self.replaced_ = tuple(replaced)  # A name that ends so is no attribute of the element.

    def __iter__(self) -> Iterator[FT]:
        return iter(self.replaced_)


def _replaced(app_name: str, steps: Steps) -> list[FT]:
    waits = ["load", *(f"stepComplete-{each.id} from:{each.id}" for each in steps)]
    return [
        Div(id=each.id, hx_get=f"/{app_name}/{each.id}", hx_trigger=wait, hx_swap="outerHTML")
        for each, wait in zip(steps, waits, strict=False)  # Nothing waits for the last.
    ]


def _loading(app_name: str, step_id: str) -> FT:
    return Div(id=step_id, hx_get=f"/{app_name}/{step_id}", hx_trigger="load")


def _in_order(steps: Any, message: Any) -> tuple[Any, Any]:
    """Return steps and message, whichever came first; what is neither is no step at all."""
    if _are_steps(message):
        steps, message = message, steps
    return steps if _are_steps(steps) else (), message


def _are_steps(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(_is_step(each) for each in value)


def _is_step(value: Any) -> bool:
    return hasattr(value, "id") and not isinstance(value, FT)  # An element has every attribute one asks for.


def _are_of_later_kind(steps: Steps) -> bool:
    """Tell plugins that import `Step` from the host from those that define it."""
    return bool(steps) and type(steps[0]).__module__.endswith("imports.crud")


def _place(step_id: str, steps: Steps) -> tuple[int, Any] | None:
    asking = [each for each in steps if each.id != FINALIZE]
    return next(((number, each) for number, each in enumerate(asking, 1) if each.id == step_id), None)


def _word(text: str) -> str:
    return (text.lstrip("0") or "0") if text.isdigit() else text.title()


def _link(address: str) -> str:
    whole = address.rstrip(".,;:!?)'")
    return f'<a href="{escape(whole)}" target="_blank" rel="noopener noreferrer">{escape(whole)}</a>' + escape(
        address[len(whole) :]
    )


_ADDRESS = re.compile(r"(https?://[^\s<>\"]+)")
_TREE_STYLE = "font-family: monospace; white-space: pre; line-height: 1.2; padding: 0.5rem 1rem; overflow-x: auto;"
_BOX_STYLE = (
    "font-family: monospace; white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.5rem 1rem; "
    "color: #1e3a8a; background-color: #dbeafe; border: 1px solid #93c5fd; border-radius: var(--pico-border-radius);"
)
_IRREGULAR = {
    "children": "child", "cookies": "cookie", "feet": "foot", "men": "man", "mice": "mouse", "movies": "movie",
    "news": "news", "people": "person", "series": "series", "statuses": "status", "women": "woman",
}  # fmt: skip
_ENDINGS = (
    ("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("zzes", "zz"),
    ("ss", "ss"), ("us", "us"), ("is", "is"), ("s", ""),
)  # fmt: skip
