"""Where secrets that people type are sealed before they are stored, and unsealed when a step reads them.

This is the one place that encryption goes into. What is here now seals nothing: a secret is stored as it is, readable
for whoever can read the data folder or the database, and for their backups. The text names its kind, so that what
is stored today can be told from what is encrypted later.
"""

from __future__ import annotations

_PLAIN = "plain:"


def seal(secret: str) -> str:
    """Return a secret as it is stored."""
    return _PLAIN + secret


def unseal(sealed: str) -> str:
    """Return a stored secret as it was typed.

    Raises:
        ValueError: If it was sealed in a way this version does not know.
    """
    if not sealed.startswith(_PLAIN):
        raise ValueError("This secret was sealed by a version of Pipulate that this one does not know.")
    return sealed.removeprefix(_PLAIN)
