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
    from pipulate.crud.change import Change
    from pipulate.crud.resource import Resource
    from pipulate.crud.tables import Tables
    from pipulate.errors import ModelError
    from pipulate.fields import (
        Accept,
        Choices,
        CodeEditor,
        Colour,
        DateRange,
        FieldError,
        FieldsOf,
        Help,
        Hidden,
        Label,
        Link,
        MarkdownEditor,
        Placeholder,
        Radios,
        Range,
        Search,
        Slider,
        Switch,
        TextArea,
    )
    from pipulate.fields.files import File, Files
    from pipulate.jobs.doing import Job
    from pipulate.reports.report import Report
    from pipulate.workflows.definition import Step, Workflow
    from pipulate.workflows.handed import Messages, Profile, Progress, User
    from pipulate.workflows.markup import Markdown
    from pipulate.workflows.model import as_data, ask, ask_now
    from pipulate.workflows.run import Earlier, Run
    from pipulate.workflows.views.kinds import Code, Mermaid, Picture, SandboxedHtml

__all__ = [
    "Accept",
    "Change",
    "Choices",
    "Code",
    "CodeEditor",
    "Colour",
    "DateRange",
    "Earlier",
    "FieldError",
    "FieldsOf",
    "File",
    "Files",
    "Help",
    "Hidden",
    "Job",
    "Label",
    "Link",
    "Markdown",
    "MarkdownEditor",
    "Mermaid",
    "Messages",
    "ModelError",
    "Picture",
    "Placeholder",
    "Profile",
    "Progress",
    "Radios",
    "Range",
    "Report",
    "Resource",
    "Run",
    "SandboxedHtml",
    "Search",
    "Slider",
    "Step",
    "Switch",
    "Tables",
    "TextArea",
    "User",
    "Workflow",
    "__version__",
    "as_data",
    "ask",
    "ask_now",
]

_HOMES = {
    "Accept": "fields",
    "Change": "crud.change",
    "Choices": "fields",
    "Code": "workflows.views.kinds",
    "CodeEditor": "fields",
    "Colour": "fields",
    "DateRange": "fields",
    "Earlier": "workflows.run",
    "FieldError": "fields",
    "FieldsOf": "fields",
    "File": "fields.files",
    "Files": "fields.files",
    "Help": "fields",
    "Hidden": "fields",
    "Job": "jobs.doing",
    "Label": "fields",
    "Link": "fields",
    "Markdown": "workflows.markup",
    "MarkdownEditor": "fields",
    "Mermaid": "workflows.views.kinds",
    "Messages": "workflows.handed",
    "ModelError": "errors",
    "Picture": "workflows.views.kinds",
    "Placeholder": "fields",
    "Profile": "workflows.handed",
    "Progress": "workflows.handed",
    "Radios": "fields",
    "Range": "fields",
    "Report": "reports.report",
    "Resource": "crud.resource",
    "Run": "workflows.run",
    "SandboxedHtml": "workflows.views.kinds",
    "Search": "fields",
    "Slider": "fields",
    "Step": "workflows.definition",
    "Switch": "fields",
    "Tables": "crud.tables",
    "TextArea": "fields",
    "User": "workflows.handed",
    "Workflow": "workflows.definition",
    "as_data": "workflows.model",
    "ask": "workflows.model",
    "ask_now": "workflows.model",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: commands need none of it, and it takes a quarter of a second."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"pipulate.{_HOMES[name]}"), name)
