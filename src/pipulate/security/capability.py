"""What lets a browser in on a single person's machine: a secret in a cookie, got through a one-time link.

There is no password to type and no switch to leave it out: another page, another program of another user, or a name
that was made to point here does not have the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipulate.errors import StorageError

OWNER: Final = "owner"
"""Id of the one person there is where nobody logs in."""

LINK_S = 3_600
"""Seconds a one-time link can be used for."""

_LINKS = 32
_INSTANCE, _SECRET = re.compile(r"[0-9a-f]{8}"), re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(slots=True)
class Capability:
    """The secret of one data folder.

    Attributes:
        instance: Tells the cookies of several servers on one machine apart.
        secret: What the cookie holds; 256 random bits.
    """

    instance: str
    secret: str
    _links: dict[str, float] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """Name of the cookie."""
        return f"pipulate_{self.instance}"

    def holds(self, cookie: str | None) -> bool:
        """Tell whether a cookie's value is the secret."""
        return cookie is not None and hmac.compare_digest(cookie.encode(), self.secret.encode())

    def new_token(self) -> str:
        """Return a token for a link; it lets one browser in, once, within `LINK_S`."""
        now = time.monotonic()
        self._links = {mark: ends for mark, ends in self._links.items() if ends > now}
        while len(self._links) >= _LINKS:
            del self._links[next(iter(self._links))]
        token = secrets.token_urlsafe(32)
        self._links[_mark(token)] = now + LINK_S
        return token

    def redeem(self, token: str) -> bool:
        """Use a token up; tell whether it was good."""
        ends = self._links.pop(_mark(token), None)
        return ends is not None and ends > time.monotonic()


def open_capability(folder: Path) -> Capability:
    """Return the secret of a data folder, made at the first start and the same ever after.

    Raises:
        StorageError: If its file can be read by others, or cannot be read or written at all.
    """
    path = folder / "capability.json"
    try:
        if not path.exists():
            content = {"instance": secrets.token_hex(4), "secret": secrets.token_urlsafe(32)}
            _write_private(path, json.dumps(content))
        mode = path.stat().st_mode & 0o077
        if mode:
            raise StorageError(f"{path} can be read by others. Make it yours alone: chmod 600 {path}")
        return _read(path.read_text())
    except OSError as error:
        raise StorageError(f"{path} cannot be used: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is damaged. Delete it; browsers then need a new link.") from error


def _read(text: str) -> Capability:
    known = json.loads(text)
    instance, secret = known["instance"], known["secret"]
    if not _INSTANCE.fullmatch(instance) or not _SECRET.fullmatch(secret):  # An empty secret would let anybody in.
        raise ValueError("not what was written")
    return Capability(instance, secret)


def write_private(path: Path, content: str) -> None:
    """Write a file that only this user can read, in place of an old one if there is one.

    Raises:
        OSError: If it cannot be written.
    """
    path.unlink(missing_ok=True)
    _write_private(path, content)


def _write_private(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _mark(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
