"""Which step of a class-style run is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from pipulate.explicit.loading import ExplicitApp
from pipulate.storage.journal import State

_LOCK = "finalize"


def order(app: ExplicitApp) -> Sequence[str]:
    """Return the names of the steps that ask for something, in order."""
    return [step.id for step in app.steps if step.id != _LOCK]


def first_without(names: Sequence[str], state: State) -> str | None:
    """Return the first step without a value, or None."""
    return next((name for name in names if name not in state.steps), None)


def open_step(app: ExplicitApp, state: State) -> str | None:
    """Return the step whose form is shown: the one that was reopened, else the first without a value, or None."""
    names = order(app)
    return state.editing if state.editing in names else first_without(names, state)
