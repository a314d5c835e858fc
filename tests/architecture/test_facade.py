"""What an app may import: a name that is taken away or added is a decision, and shows here."""

from __future__ import annotations

import re

import pipulate
from pipulate import testing, ui
from tests.architecture.sources import ROOT

FACADE = [
    "Accept", "Change", "Choices", "Code", "CodeEditor", "Colour", "DateRange", "Earlier", "FieldError", "FieldsOf",
    "File", "Files", "Help", "Hidden", "Job", "Label", "Link", "Markdown", "MarkdownEditor", "Mermaid", "Messages",
    "ModelError", "Picture", "Placeholder", "Profile", "Progress", "Radios", "Range", "Report", "Resource", "Run",
    "SandboxedHtml", "Search", "Slider", "Step", "Switch", "Tables", "TextArea", "User", "Workflow", "__version__",
    "as_data", "ask", "ask_now",
]  # fmt: skip
ELEMENTS = [
    "EMPTY", "Element", "FormParts", "Html", "a", "b", "br", "code", "dd", "details", "div", "dl", "dt", "em", "h2",
    "h3", "hr", "img", "join", "kbd", "li", "live", "mark", "ol", "p", "pre", "progress", "section", "small",
    "span", "strong", "summary", "table", "table_rows", "tbody", "td", "th", "thead", "tr", "ul",
]  # fmt: skip

KIT = [
    "AppFailedError", "BrokenRunError", "Choice", "ConflictError", "Entry", "Field", "ManualClock", "Play", "PlayError",
    "RefusedError", "RunningApp", "ScriptedModel", "Store", "StoredRun", "Upload", "WrongFieldError", "WrongStepError",
    "check_workflow", "play", "play_plugin",
]  # fmt: skip


def test_facade_is_what_it_was() -> None:
    assert pipulate.__all__ == FACADE
    assert ui.__all__ == ELEMENTS
    assert testing.__all__ == KIT


def test_every_name_of_the_facade_is_there() -> None:
    assert all(hasattr(pipulate, name) for name in FACADE)
    assert all(hasattr(ui, name) for name in ELEMENTS)
    assert all(hasattr(testing, name) for name in KIT)


def test_every_action_and_attribute_of_the_kit_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "testing.md").read_text()
    names = [*KIT, *(name for kind in (testing.Play, testing.RunningApp, testing.Store) for name in dir(kind))]
    public = {name for name in names if not name.startswith("_")}
    assert [name for name in sorted(public) if not re.search(rf"`[^`]*\b{name}\b", page)] == []


def test_markup_cannot_be_declared_safe_through_the_facade() -> None:
    assert not {"raw", "script", "form", "input_", "link", "meta"} & set(vars(ui))


def test_every_name_of_the_facade_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert [name for name in [*FACADE, *ELEMENTS] if f"`{name}" not in page] == []
