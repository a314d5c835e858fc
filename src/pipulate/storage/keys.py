"""The rule for run keys and for names people give: what is accepted, and what is said about the rest."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from pipulate.errors import BadKeyError, BadNameError

KEY_MAX = 120
"""Longest key, in characters."""

NAME_MAX = 80
"""Longest name of a profile, in characters."""

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of the text around them."""

KEY_RULE = (
    f"1 to {KEY_MAX} characters on one line; letters, digits, signs, spaces and emoji of any language; slashes may"
    " divide it into parts, but no part may be empty, '.' or '..'"
)

_NUMBERED = re.compile(r"(.*?)([0-9]{1,15})")


class Key(NamedTuple):
    """A checked key and what is stored beside it.

    Attributes:
        text: The key as it is shown.
        folded: For searching without regard to case.
        prefix, number: The key as a text and a trailing number, so that the next free one is found without looking at
            every key; the number is None where there is none.
    """

    text: str
    folded: str
    prefix: str
    number: int | None


def check_key(text: str) -> Key:
    """Return a key in its one spelling (NFC, no space at either end).

    Raises:
        BadKeyError: If it breaks the rule; says how.
    """
    key = spelled(text, KEY_MAX)
    problem = None
    if not key:
        problem = "Give the run a key, for example 01."
    elif len(key) > KEY_MAX:
        problem = f"A key has at most {KEY_MAX} characters; this one has {len(key)}."
    elif (bad := unprintable(key)) is not None:
        problem = f"A key cannot contain the invisible character {bad}."
    elif any(part in ("", ".", "..") for part in key.split("/")):
        problem = "Between the slashes of a key there must be a name, and not '.' or '..'."
    if problem:
        raise BadKeyError(key, problem)
    match = _NUMBERED.fullmatch(key)
    prefix, number = (match[1], int(match[2])) if match else (key, None)
    return Key(key, key.casefold(), prefix, number)


def check_name(text: str) -> str:
    """Return a name in its one spelling.

    Raises:
        BadNameError: If it is empty, too long, or has characters that cannot be seen.
    """
    name = spelled(text, NAME_MAX)
    if not name:
        raise BadNameError("Give it a name.")
    if len(name) > NAME_MAX:
        raise BadNameError(f"A name has at most {NAME_MAX} characters; this one has {len(name)}.")
    if (bad := unprintable(name)) is not None:
        raise BadNameError(f"A name cannot contain the invisible character {bad}.")
    return name


def unprintable(text: str, *, allowed: str = "") -> str | None:
    """Return the first character that must not stand in one line of text, as `U+XXXX`, or None.

    That is: control characters, half surrogates, line and paragraph separators, and characters that turn the direction
    of the text around them (they can make a name read as another). Joiners, which emoji and many scripts need, are
    fine.
    """
    for character in text:
        category = unicodedata.category(character)
        if character in allowed:
            continue
        if category in ("Cc", "Cs", "Zl", "Zp") or character in BIDI:
            return f"U+{ord(character):04X}"
    return None


def folded(words: str) -> str | None:
    """Return what to look for in `Key.folded` to find the keys that contain `words`; None where no key can."""
    words = spelled(words, KEY_MAX)
    return None if len(words) > KEY_MAX or unprintable(words) else words.casefold()


def spelled(text: str, most: int) -> str:
    """Return text in its one spelling, or as it is where that could not make it short enough."""
    text = text.strip()
    if len(text) > 4 * most:  # Putting marks into their order takes the square of their number.
        return text
    return unicodedata.normalize("NFC", text).strip()


def next_key(prefix: str, highest: int | None) -> str:
    """Return the key after the highest number in use: two digits until a hundred is reached."""
    return f"{prefix}{(highest or 0) + 1:02d}"
