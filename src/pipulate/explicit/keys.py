"""The keys of class-style runs: profile, app, and what the person chose, joined by hyphens."""

from __future__ import annotations

import sys
from typing import Any

PART = "-"


def name_of(module: str) -> str:
    """Return what people read for a module that names itself nothing: `hello_workflow` becomes `Hello Workflow`."""
    return module.replace("_", " ").title()


def display_name(plugin: Any) -> str:
    """Return what people read for a plugin."""
    for attribute in ("DISPLAY_NAME", "display_name"):
        found = getattr(plugin, attribute, None)
        if isinstance(found, str) and found:
            return found
    return name_of(str(getattr(plugin, "name", None) or app_name(plugin)))


def app_name(plugin: Any) -> str:
    """Return the name under which the runs of a plugin are stored."""
    for attribute in ("APP_NAME", "app_name", "NAME", "name"):
        found = getattr(plugin, attribute, None)
        if isinstance(found, str) and found:
            return found
    return type(plugin).__name__.lower()


def names_itself_in_keys(plugin: Any) -> str:
    """Return the part of a key that names the app: later plugins use the stored name, earlier ones what people read.

    Those later ones are told by the `Step` they import instead of defining it.
    """
    module = sys.modules.get(type(plugin).__module__)
    step = getattr(module, "Step", None)
    is_later = getattr(step, "__module__", "").endswith("imports.crud")
    return app_name(plugin) if is_later else display_name(plugin)


def prefix(profile: str, plugin: Any) -> str:
    """Return the beginning of all keys of an app in a profile."""
    return "".join(f"{part.replace(' ', '_')}{PART}" for part in (profile, names_itself_in_keys(plugin)))


def numbered(text: str) -> str:
    """Return what the person chose; a number has two digits at least."""
    return f"{int(text):02d}" if text.isascii() and text.isdigit() and len(text) < 3 else text


def parsed(key: str) -> dict[str, str]:
    """Return a key cut into its parts; those it does not have are empty."""
    parts = [*key.split(PART, 2), "", ""]
    return {"profile_part": parts[0], "plugin_part": parts[1], "user_part": parts[2]}
