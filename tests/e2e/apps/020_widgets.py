"""Every kind of field, one step after another."""

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, EmailStr, Field, HttpUrl, SecretStr

from pipulate import (
    Choices,
    CodeEditor,
    Colour,
    DateRange,
    FieldError,
    Help,
    Hidden,
    Label,
    MarkdownEditor,
    Placeholder,
    Radios,
    Range,
    Search,
    Slider,
    Switch,
    TextArea,
    Workflow,
)

widgets = Workflow("widgets", title="All widgets", description="Every kind of field.")


class Topping(Enum):
    """What may go on top."""

    CHEESE = "cheese"
    OLIVES = "olives"
    FRESH_BASIL = "basil"


class Person(BaseModel):
    """A person.

    Attributes:
        name: As it stands on the door.
    """

    name: str
    age: Annotated[int, Range(0, 150)] = 30


class Address(BaseModel):
    """Where somebody lives."""

    street: str
    code: Annotated[str, Field(pattern=r"^\d{4,5}$", title="Post code")]
    who: Person


@widgets.step("plain", title="One of each")
def plain(
    name: Annotated[str, Label("Your name"), Placeholder("Ada Lovelace"), Help("As you want to be called.")],
    email: EmailStr,
    site: HttpUrl,
    secret: Annotated[SecretStr, Label("API key")],
    price: Annotated[Decimal, Field(ge=0, multiple_of=Decimal("0.05"))],
    share: Annotated[int, Range(0, 100), Slider()] = 40,
    start: time = time(9, 30),
    meeting: datetime = datetime(2026, 11, 20, 14, 0),
    moment: AwareDatetime | None = None,
    stay: DateRange = DateRange(start=date(2026, 11, 20), end=date(2026, 11, 24)),
    colour: Annotated[str, Colour()] = "#2457c5",
    loud: Annotated[bool, Switch()] = True,
    mood: Annotated[Literal["a", "b", "c", "d", "e"], Radios()] = "c",
    toppings: list[Topping] = [Topping.CHEESE],
    words: list[str] = ["one", "two"],
    numbers: Annotated[list[int], TextArea(3)] = [],
    origin: Annotated[str, Hidden()] = "here",
) -> str:
    """Fill in what you like."""
    return f"{name}: {secret.get_secret_value()[:1]}{len(secret.get_secret_value())} from {origin}"


@plain.validate
def price_fits(price: Decimal, share: int) -> None:
    """Refuse what cannot be."""
    if price > share:
        raise FieldError("price", "Must not be more than the share.")


@widgets.step("editors", title="Editors")
def editors(
    code: Annotated[str, CodeEditor("python", rows=8), Help("Any Python.")] = "def f(x):\n    return x + 1\n",
    text: Annotated[str, MarkdownEditor(rows=5)] = "# Title\n\nSome **bold** text.",
    place: Annotated[str, Choices(lambda _: [(f"p-{n}", f"Place {n}") for n in range(5_000)]), Search()] = "p-7",
    part: Annotated[int | None, Choices(lambda _: [(n, f"Part {n}") for n in range(200)]), Search()] = None,
) -> None:
    """Write something."""


@widgets.step("groups", title="Groups")
def groups(home: Address, work: Address | None = None) -> str:
    """Where do you live?"""
    return f"{home.who.name}, {home.code}" + (f"; {work.code}" if work else "")
