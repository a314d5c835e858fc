"""The test kit for people who write apps: a run is played as a person would, over the whole application.

    from pipulate.testing import play

    def test_everybody_pays_the_same() -> None:
        run = play(split).fill(total=50.1, people=2)
        assert run["share"] == "Everybody pays 25.05."

Nothing here is needed, or may be imported, by the program itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipulate.testing.app import RunningApp
    from pipulate.testing.clock import ManualClock
    from pipulate.testing.errors import (
        AppFailedError,
        BrokenRunError,
        ConflictError,
        PlayError,
        RefusedError,
        WrongFieldError,
        WrongStepError,
    )
    from pipulate.testing.forms import Choice, Field, Upload
    from pipulate.testing.machine import check_workflow
    from pipulate.testing.model import ScriptedModel
    from pipulate.testing.playing import Play
    from pipulate.testing.starting import play, play_plugin
    from pipulate.testing.store import Entry, Store, StoredRun

__all__ = [
    "AppFailedError",
    "BrokenRunError",
    "Choice",
    "ConflictError",
    "Entry",
    "Field",
    "ManualClock",
    "Play",
    "PlayError",
    "RefusedError",
    "RunningApp",
    "ScriptedModel",
    "Store",
    "StoredRun",
    "Upload",
    "WrongFieldError",
    "WrongStepError",
    "check_workflow",
    "play",
    "play_plugin",
]

_HOMES = {
    "AppFailedError": "errors",
    "BrokenRunError": "errors",
    "Choice": "forms",
    "ConflictError": "errors",
    "Entry": "store",
    "Field": "forms",
    "ManualClock": "clock",
    "Play": "playing",
    "PlayError": "errors",
    "RefusedError": "errors",
    "RunningApp": "app",
    "ScriptedModel": "model",
    "Store": "store",
    "StoredRun": "store",
    "Upload": "forms",
    "WrongFieldError": "errors",
    "WrongStepError": "errors",
    "check_workflow": "machine",
    "play": "starting",
    "play_plugin": "starting",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: pytest imports this package wherever Pipulate is installed, and has to stay fast."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
