"""Pipulate turns what people do in notebooks into step-by-step web apps that never lose anything.

An app is one Python file:

    from pipulate import Workflow

    hello = Workflow("hello", title="Hello")

    @hello.step("name")
    def name(name: str) -> str:
        return f"Hello, {name}!"
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipulate._version import __version__

if TYPE_CHECKING:
    from pipulate.workflows.definition import Step, Workflow
    from pipulate.workflows.fields import Choices, Range, TextArea
    from pipulate.workflows.markup import Markdown
    from pipulate.workflows.run import Earlier, Run

__all__ = [
    "Choices",
    "Earlier",
    "Markdown",
    "Range",
    "Run",
    "Step",
    "TextArea",
    "Workflow",
    "__version__",
]

_HOMES = {
    "Choices": "fields",
    "Earlier": "run",
    "Markdown": "markup",
    "Range": "fields",
    "Run": "run",
    "Step": "definition",
    "TextArea": "fields",
    "Workflow": "definition",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: commands need none of it, and it takes a quarter of a second."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"pipulate.workflows.{_HOMES[name]}"), name)
