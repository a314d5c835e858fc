"""Fields of forms: what an annotated parameter is asked for with."""

from pipulate.errors import FieldError
from pipulate.fields.describe import (
    UnsupportedTypeError,
    WrongHintError,
    describe,
    label_of,
    options_from,
    split,
)
from pipulate.fields.hints import (
    LANGUAGES,
    Accept,
    Choices,
    CodeEditor,
    Colour,
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
from pipulate.fields.model import (
    LINES_MAX,
    LONG_MAX,
    SHORT_MAX,
    FormField,
    Kind,
    Option,
    Widget,
    labels,
    leaves,
)
from pipulate.fields.types import DateRange

__all__ = [
    "LANGUAGES", "LINES_MAX", "LONG_MAX", "SHORT_MAX", "Accept", "Choices", "CodeEditor", "Colour", "DateRange",
    "FieldError", "FieldsOf", "FormField", "Help", "Hidden", "Kind", "Label", "Link", "MarkdownEditor", "Option",
    "Placeholder", "Radios", "Range", "Search", "Slider", "Switch", "TextArea", "UnsupportedTypeError",
    "Widget", "WrongHintError", "describe", "label_of", "labels", "leaves", "options_from", "split",
]  # fmt: skip
