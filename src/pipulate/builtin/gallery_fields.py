"""Gallery of fields: every kind of question a step can ask, with its code beside it."""

from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, EmailStr, Field, HttpUrl

from pipulate import (
    Accept,
    Choices,
    Code,
    CodeEditor,
    Colour,
    DateRange,
    FieldError,
    File,
    Markdown,
    MarkdownEditor,
    Placeholder,
    Radios,
    Range,
    Run,
    Search,
    Slider,
    Switch,
    TextArea,
    Workflow,
)

gallery = Workflow(
    "gallery_fields",
    title="Gallery: fields",
    description="Every kind of question a step can ask, with the code of each beside it.",
    order=90,
    show_code=True,
)


def entries(_run: Run) -> list[tuple[str, str]]:
    """Return what there is to see."""
    return [(step.name, step.title) for step in gallery.steps[1:]]


@gallery.step("entry", title="Where to begin", goto=lambda run: run["entry"].entry)
def entry(entry: Annotated[str, Choices(entries), Search()] = "text") -> None:
    """Choose an entry, or begin with the first. One follows the other; edit this to go elsewhere.

    Args:
        entry: Type to search in the list.
    """


@gallery.step("text", title="Text")
def text(name: Annotated[str, Placeholder("Ada Lovelace"), Field(max_length=80)] = "Ada") -> str:
    """Ask for a line of text.

    Args:
        name: What the docstring says of a parameter is the help below its field.
    """
    return f"Hello, {name or 'you'}!"


@gallery.step("text_area", title="Text area")
def text_area(words: Annotated[str, TextArea(rows=4)] = "One line.\nAnother line.") -> int:
    """Ask for several lines, and count the words."""
    return len(words.split())


@gallery.step("numbers", title="Numbers")
def numbers(pieces: Annotated[int, Range(1, 500)] = 3, price: Annotated[Decimal, Field(ge=0)] = Decimal("1.20")) -> Any:
    """Ask for numbers that have limits."""
    return pieces * price


@gallery.step("addresses", title="Email and web addresses")
def addresses(email: EmailStr = "ada@example.org", site: HttpUrl = HttpUrl("https://example.org")) -> dict[str, str]:
    """Ask for addresses that could be ones."""
    return {"mail": email.partition("@")[2], "host": site.host or ""}


@gallery.step("dropdown", title="Dropdown")
def dropdown(day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"] = "Tuesday") -> str:
    """Ask for one of several options."""
    return f"See you on {day}."


class Size(Enum):
    """The labels people read are made from the names."""

    SMALL = "s"
    MEDIUM = "m"
    EXTRA_LARGE = "xl"


@gallery.step("radios", title="Radio buttons")
def radios(size: Annotated[Size, Radios()] = Size.MEDIUM) -> str:
    """Show all options at once. So do up to four options without being told."""
    return f"The code of this size is {size.value}."


@gallery.step("checkboxes", title="Checkboxes")
def checkboxes(toppings: list[Literal["Cheese", "Olives", "Basil"]] = ["Cheese", "Basil"]) -> int:
    """Ask for any number of options, and count them."""
    return len(toppings)


@gallery.step("range", title="Range")
def slider(share: Annotated[int, Range(0, 100), Slider(step=5)] = 40) -> str:
    """Ask for a number with a slider."""
    return f"{share} of 100 leaves {100 - share}."


@gallery.step("switch", title="Switch")
def switch(dark: Annotated[bool, Switch()] = True, agree: bool = False) -> str:
    """Ask for yes or no, with a switch or a checkbox."""
    return f"{'Dark' if dark else 'Light'}, {'agreed' if agree else 'not agreed'}."


@gallery.step("dates", title="Dates and times")
def dates(
    day: date = date(2026, 11, 20),
    at: time = time(9, 30),
    stay: DateRange = DateRange(start=date(2026, 11, 20), end=date(2026, 11, 24)),
) -> str:
    """Ask for a day, a time, and two days whose order is right."""
    return f"{day:%A} at {at:%H:%M}; the stay has {stay.days} days."


@gallery.step("colour", title="Colour")
def colour(colour: Annotated[str, Colour()] = "#2457c5") -> str:
    """Ask for a colour."""
    return f"Red is {int(colour[1:3], 16)} of 255."


@gallery.step("upload", title="Upload")
def upload(file: Annotated[File | None, Accept(".txt", ".csv", "image/*", max_mb=20)] = None) -> Any:
    """Ask for a file. It is kept with the run, and goes with it.

    Args:
        file: A text, a table or a picture; leave it empty to see what happens.
    """
    return file or "No file was chosen."


@gallery.step("code_editor", title="Code editor")
def code_editor(code: Annotated[str, CodeEditor("python", rows=6)] = "def double(x):\n    return 2 * x\n") -> Code:
    """Ask for code. Tab indents; Esc, then Tab, leaves the editor."""
    return Code(code, "python")


@gallery.step("markdown_editor", title="Markdown editor")
def markdown_editor(note: Annotated[str, MarkdownEditor(rows=5)] = "## A note\n\n- with **weight**\n") -> Markdown:
    """Ask for Markdown, which is shown while it is typed."""
    return Markdown(note)


class Address(BaseModel):
    """Where something goes."""

    street: str
    city: str


HOME = Address(street="12 St James's Square", city="London")


@gallery.step("group", title="Group")
def group(to: Address = HOME, bill_to: Address | None = None) -> str:
    """Ask for a model of pydantic. One that may be None has a switch."""
    return f"To {to.city}, paid in {(bill_to or to).city}."


@gallery.step("rule", title="Rule about several fields")
def rule(low: int = 1, high: int = 10) -> str:
    """Refuse what does not fit together. Try it with a lowest number above the highest."""
    return f"From {low} to {high}."


@rule.validate
def in_order(low: int, high: int) -> None:
    """Say it at the field, with all that was typed."""
    if high < low:
        raise FieldError("high", f"Must be at least {low}.")


def multiples(run: Run) -> list[tuple[int, str]]:
    """Return options with labels."""
    step = run[text_area] if text_area.name in run else 7
    return [(number * step, f"{number} x {step}") for number in range(1, 6)]


@gallery.step("choices", title="Options that depend on the run", suggest=lambda run: multiples(run)[1][0])
def choices(number: Annotated[int, Choices(multiples)]) -> int:
    """Offer what an earlier step found: here the number of words of the text area, or 7."""
    return number
