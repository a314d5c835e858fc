"""All actions there are, what a model is told of them, and the check of what it sends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from pipulate.tools.action import Action, Doing

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
"""What a stored name of an action looks like."""

_SHOWN_MAX = 5  # Mistakes told at once; a model that made more has not understood the tool.


class Registry:
    """The actions by name: the program's own, and those of the apps that are loaded now.

    Attributes:
        refused: Name of an action -> why it is not there, for the page about plugins.
    """

    def __init__(self, own: Iterable[Action] = ()) -> None:
        """Begin with the program's own.

        Raises:
            ValueError: If two have one name, or one has none that can be stored.
        """
        self._own: dict[str, Action] = {}
        for action in own:
            self._own[_named(action, self._own)] = action
        self._all: Mapping[str, Action] = dict(self._own)
        self.refused: Mapping[str, str] = {}

    def take_in(self, brought: Iterable[Action]) -> None:
        """Have the actions of apps besides our own, in place of those apps brought before.

        Of two with one name the first stays; the second is noted in `refused`.
        """
        every, refused = dict(self._own), dict[str, str]()
        for action in brought:
            try:
                every[_named(action, every)] = action
            except ValueError as error:
                refused[action.name] = str(error)
        self._all, self.refused = every, refused

    def find(self, name: str) -> Action | None:
        """Return an action, or None where there is none of that name."""
        return self._all.get(name)

    def offered(self, doing: Doing) -> list[Action]:
        """Return what makes sense here, those of the app beside which it is asked first, in the order they came."""
        here = [each for each in self._all.values() if each.offered is None or each.offered(doing)]
        return sorted(here, key=lambda each: each.app is None or each.app != doing.app)


def checked(action: Action, arguments: Mapping[str, Any]) -> BaseModel:
    """Return arguments as the action takes them.

    Raises:
        ValueError: If they break its rules; says which, for the model, without repeating what was given.
    """
    try:
        return action.given.model_validate(dict(arguments))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        told = [f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in found[:_SHOWN_MAX]]
        more = len(found) - len(told)
        raise ValueError("; ".join(told) + (f"; and {more} more" if more > 0 else "")) from None


def schema(action: Action) -> dict[str, Any]:
    """Return the JSON schema of an action's arguments: an object without references, which small models read better."""
    return in_one(action.given.model_json_schema()) | {"additionalProperties": False}


def in_one(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema without references and titles."""
    rest = {name: each for name, each in made.items() if name not in ("$defs", "title")}
    plain: dict[str, Any] = _inlined(rest, made.get("$defs", {}), 0)
    return plain


def _inlined(part: Any, defined: Mapping[str, Any], depth: int) -> Any:
    if isinstance(part, list):
        return [_inlined(each, defined, depth) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        if depth > 8:  # It refers to itself; what is deeper may be anything.
            return {"type": "object"}
        rest = {name: value for name, value in part.items() if name != "$ref"}
        return _inlined(defined[part["$ref"].rpartition("/")[2]], defined, depth + 1) | rest
    return {
        name: _inlined(value, defined, depth)
        for name, value in part.items()
        if name != "title" or not isinstance(value, str)
    }


def _named(action: Action, there: Mapping[str, Action]) -> str:
    """Return the name of an action.

    Raises:
        ValueError: If another has it, or it is none.
    """
    if not NAME.fullmatch(action.name):
        raise ValueError(f"{action.name!r} is no name of an action: small letters, digits and _, at most 50.")
    if action.name in there:
        whose = there[action.name].app
        raise ValueError(f"{action.name!r} is an action of {whose or 'Pipulate'} already.")
    return action.name
