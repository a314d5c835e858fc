"""The state of all plugins as plain values, for commands and scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipulate.plugins.host import Table


def as_json(table: Table) -> list[dict[str, Any]]:
    """Return a plugin a line: file, module, app (stored name or None), title, state, in_box, is_old, findings."""
    return [
        {
            "file": each.file.name,
            "module": each.file.module,
            "app": each.app.name if each.app else None,
            "title": each.app.title if each.app else None,
            "state": each.state,
            "in_box": each.file.is_in_box,
            "is_old": each.is_old,
            "findings": [asdict(finding) for finding in each.findings],
        }
        for each in table.plugins
    ]
