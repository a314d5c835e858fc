"""What an app answers itself: addresses and live parts of its own, and the checks of how they are declared."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticUserError, create_model

from pipulate.fields.files import Files
from pipulate.findings import Finding, at
from pipulate.workflows.handed import Profile, User
from pipulate.workflows.run import Run

Method = Literal["GET", "POST"]
HANDED_IN = (Run, Files, Profile, User)
"""What a handler of an address of the app's may be handed, by the type of its parameter."""

SHORTEST_S = 0.1
_PART = re.compile(r"[a-z0-9_-]+|\{[a-z][a-z0-9_]*\}")
_TOPIC = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_CONFIG = ConfigDict(extra="ignore", allow_inf_nan=False)


@dataclass(slots=True)
class OwnRoute:
    """An address of an app's own.

    Attributes:
        method: What it answers to.
        path: Parts with slashes between; `{name}` stands for any one part.
        function: What answers.
        model: Checks what was sent: parts of the path, query or form.
        handed_in: Parameter -> one of `HANDED_IN`.
    """

    method: Method
    path: str
    function: Callable[..., Any]
    model: type[BaseModel] = BaseModel
    handed_in: Mapping[str, type] = field(default_factory=dict)

    def match(self, path: str) -> dict[str, str] | None:
        """Return what the address has where this one has names, or None where it is another address."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        found = {}
        for part, text in zip(wanted, given, strict=True):
            if part.startswith("{") and text:
                found[part[1:-1]] = text
            elif part != text:
                return None
        return found

    def prepare(self) -> Iterator[Finding]:
        """Work out what the handler takes; yield what is wrong with it."""
        if not all(_PART.fullmatch(part) for part in self.path.split("/")):
            words = "lower-case letters, digits, - and _ with slashes between, or {names}"
            yield at(self.function, "W034", f"The address {self.path!r} is not made of {words}.")
            return
        try:
            hints = get_type_hints(self.function, include_extras=True)
            fields: dict[str, Any] = {}
            handed: dict[str, type] = {}
            for name, parameter in inspect.signature(self.function).parameters.items():
                kind = hints.get(name, str)
                if kind in HANDED_IN:
                    handed[name] = kind
                else:
                    fields[name] = (kind, ... if parameter.default is parameter.empty else parameter.default)
            self.model, self.handed_in = create_model("Sent", __config__=_CONFIG, **fields), handed
        except (PydanticUserError, TypeError, NameError) as error:
            yield at(
                self.function, "W035", f"The handler of {self.path!r} has a parameter that cannot be sent ({error})."
            )


@dataclass(frozen=True, slots=True)
class LiveView:
    """A part of a page that is drawn again and again while somebody looks.

    Attributes:
        name: What `pipulate.ui.live` names it by.
        function: Gets the run, and in a parameter `step` the step its place names; returns an element.
        every_s: Seconds from one drawing to the next.
    """

    name: str
    function: Callable[..., Any]
    every_s: float

    def given(self, step: str | None) -> dict[str, str | None]:
        """Return what its function is called with beside the run; `step` is None for a place that names none."""
        return {"step": step} if "step" in inspect.signature(self.function).parameters else {}

    def prepare(self) -> Iterator[Finding]:
        """Yield what is wrong with it."""
        if not _TOPIC.fullmatch(self.name):
            yield at(self.function, "W036", f"Live view {self.name!r}: a name has lower-case letters, digits, - and _.")
        if not self.every_s >= SHORTEST_S:
            yield at(self.function, "W036", f"Live view {self.name!r}: every= is at least {SHORTEST_S} seconds.")
