"""The page on which a person chooses a run of a class-style plugin, and the parts it is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fastcore.xml import FT
from fasthtml.components import H2, Button, Datalist, Div, Input, Option, P, Small
from fasthtml.xtend import Form

from pipulate.explicit import keys
from pipulate.explicit.elements import Card, Container, as_child

PLACEHOLDER = "Existing or new 🗝 here (Enter for auto)"
_KEYS = "pipeline-ids"
_HELP = "pipeline-help"
_CURSOR_TO_END = "this.selectionStart = this.selectionEnd = this.value.length"
_BUTTON = "button_"


class Landing:
    """How people come to a run: a field for its key, a button beside it, and the keys there are."""

    if TYPE_CHECKING:

        def generate_pipeline_key(self, plugin: Any, user_input: str | None = None) -> tuple[str, str, str]:
            """Return a whole key, its prefix, and the part the person chose."""

        def keys_of(self, app_name: str) -> list[str]:
            """Return the keys of an app's runs, newest first."""

        def display_name(self, plugin: Any) -> str:
            """Return what people read for a plugin."""

        def message_of(self, plugin: Any) -> str:
            """Return what a plugin says about itself."""

    def create_standard_landing_page(self, plugin: Any) -> FT:
        """Return a card that asks for a key, offering the next free one, above the empty container of the run."""
        app, name = keys.app_name(plugin), self.display_name(plugin)
        offered, prefix, _ = self.generate_pipeline_key(plugin)
        known = [key for key in self.keys_of(app) if key.startswith(prefix)]
        asks = Input(
            type="search",
            name="pipeline_id",
            list=_KEYS,
            value=offered,
            placeholder=PLACEHOLDER,
            autofocus=True,
            cls="contrast",
            onfocus=_CURSOR_TO_END,
            aria_label="Key of the run",
            aria_describedby=_HELP,
        )
        form = Form(
            self.wrap_with_inline_button(
                asks, button_label="Enter 🔑", button_class="secondary", show_new_key_button=True, app_name=app
            ),
            self.update_datalist(_KEYS, options=known or None),
            Small("A known key opens its run again; a new one begins another.", id=_HELP),
            hx_post=f"/{app}/init",
            hx_target=f"#{app}-container",
            role="form",
            aria_label=f"Choose a run of {name}",
        )
        card = Card(H2(name), P(as_child(self.message_of(plugin)), cls="text-secondary"), form)
        return Container(card, Div(id=f"{app}-container"))

    def wrap_with_inline_button(
        self,
        input_element: Any,
        button_label: Any = "Next ▸",
        button_class: str = "primary",
        show_new_key_button: bool = False,
        app_name: str | None = None,
        **kwargs: Any,
    ) -> FT:
        """Return an input with a button that submits it, side by side.

        Args:
            input_element: The input.
            button_label: What the button says.
            button_class: Class of the button.
            show_new_key_button: Whether a second button asks for another key, which takes the place of the input.
            app_name: The app that the key is for; without it there is no second button.
            **kwargs: `button_x_y` becomes the attribute `x-y` of the button; others are ignored.
        """
        own = {name.removeprefix(_BUTTON): value for name, value in kwargs.items() if name.startswith(_BUTTON)}
        attributes = {
            "type": "submit",
            "cls": f"{button_class} inline-button-submit".strip(),
            "style": "width: auto; margin: 0; white-space: nowrap;",
            "name": False,  # An id would become one, and the button a field of the form.
            **own,
        }
        another = _another_key(app_name) if show_new_key_button and app_name else None
        return Div(
            as_child(input_element),
            Button(as_child(button_label), **attributes),
            *([another] if another is not None else []),
            cls="inline-button-container",
            style="display: flex; align-items: center; gap: 0.5rem;",
        )

    def update_datalist(
        self, datalist_id: str, options: Iterable[Any] | None = None, clear: bool = False, should_clear: bool = False
    ) -> FT:
        """Return what replaces the suggestions of an input, wherever they are on the page.

        Args:
            datalist_id: Id of the suggestions.
            options: The new ones; None for none.
            clear: Whether there are to be none, whatever the options.
            should_clear: What later plugins call `clear`.
        """
        offered = () if clear or should_clear or options is None else options
        return Datalist(*[Option(value=str(each)) for each in offered], id=datalist_id, hx_swap_oob="true")

    def get_ui_constants(self) -> dict[str, dict[str, str]]:
        """Return the words, signs and classes that later plugins share, by kind and name."""
        return _Kinds({kind: made(words) for kind, (made, words) in _WORDS.items()})

    def get_button_border_radius(self) -> str:
        """Return how round the corners of a button are, for a style."""
        return "var(--pico-border-radius)"


def _another_key(app_name: str) -> FT:
    return Button(
        "🆕",
        type="button",
        title="Offer a new key",
        aria_label="Offer a new key",
        cls="secondary outline inline-button-new",
        style="width: auto; margin: 0;",
        hx_get=f"/generate-new-key/{app_name}",
        hx_target="previous input",
        hx_swap="outerHTML",
    )


class _Labels(dict[str, str]):
    """Words by name. A name without words gives itself as words, for no plugin has to stop for a label."""

    def __missing__(self, name: str) -> str:
        return name.replace("_", " ").capitalize()


class _Signs(dict[str, str]):
    """Signs and classes by name; none for a name that is not known."""

    def __missing__(self, name: str) -> str:
        return ""


class _Kinds(dict[str, dict[str, str]]):
    """Words by kind."""

    def __missing__(self, kind: str) -> dict[str, str]:
        return _Labels()


_WORDS: dict[str, tuple[type[dict[str, str]], dict[str, str]]] = {
    "BUTTON_LABELS": (
        _Labels,
        {
            "ENTER_KEY": "Enter 🔑",
            "NEW_KEY": "🆕",
            "NEXT_STEP": "Next ▸",
            "PROCEED": "Proceed ▸",
            "FINALIZE": "Finalize 🔒",
            "UNLOCK": "🔓 Unlock",
        },
    ),
    "BUTTON_STYLES": (
        _Signs,
        {
            "PRIMARY": "primary",
            "SECONDARY": "secondary",
            "OUTLINE": "secondary outline",
            "STANDARD": "secondary outline",
            "BORDER_RADIUS": "var(--pico-border-radius)",
        },
    ),
    "EMOJIS": (
        _Signs,
        {
            "KEY": "🔑",
            "LOCKED": "🔒",
            "UNLOCKED": "🔓",
            "SUCCESS": "✅",
            "WARNING": "⚠️",
            "ERROR": "❌",
            "USER_INPUT": "✏️",
            "WORKFLOW": "🪜",
        },
    ),
    "MESSAGES": (
        _Labels,
        {
            "ALL_STEPS_COMPLETE": "Every step is done. You can finalize this run now.",
            "FINALIZE_QUESTION": "Every step is done. Finalize?",
            "FINALIZE_HELP": "Until then you can go back to any step and change it.",
            "WORKFLOW_LOCKED": "This run is locked.",
            "WORKFLOW_UNLOCKED": "This run is unlocked. You can go back to any step and change it.",
        },
    ),
    "LANDING_PAGE": (
        _Labels,
        {
            "INPUT_PLACEHOLDER": PLACEHOLDER,
            "INIT_MESSAGE_WORKFLOW_ID": "Workflow ID: {pipeline_id}",
            "INIT_MESSAGE_RETURN_HINT": "Return later by selecting {pipeline_id} from the list of keys.",
        },
    ),
}
