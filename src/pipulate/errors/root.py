"""The root of the tree, and what belongs to no branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class PipulateError(Exception):
    """Root of every error raised on purpose; catch it to catch them all."""

    code: ClassVar[str] = "pipulate"


class SettingsError(PipulateError):
    """Settings cannot be used; carries all findings, not just the first."""

    code = "settings.invalid"

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("These settings cannot be used:\n" + "\n".join(f"  - {finding}" for finding in findings))


class ProfileLockedError(PipulateError):
    """The chosen profile is shown alone, so nothing of another one is."""

    code = "profile.locked"

    def __init__(self) -> None:
        super().__init__(
            "The profile is locked, so only what belongs to it is shown. Unlock it in the profile menu first."
        )
