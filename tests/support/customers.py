"""Two tables of records, customers and their tasks, as a report in the box reads them; and records in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipulate.app import IN_BOX, Application
from pipulate.security.capability import OWNER
from pipulate.security.who import Who

ANN = Who(OWNER, "tab-1")


def write_apps(plugins: Path, box: Path) -> None:
    """Make a plugin folder, and a box with the report and what it reads."""
    plugins.mkdir(parents=True, exist_ok=True)
    box.mkdir(parents=True, exist_ok=True)
    for name in ("customer_tasks.py", "profiles.py", "tasks.py"):
        (box / name).write_bytes((IN_BOX / name).read_bytes())


async def add_customer(
    application: Application, name: str, tasks: Sequence[Mapping[str, Any]] = (), **fields: Any
) -> int:
    """Add a customer with tasks; return their number."""
    records = application.site.records
    ident = fields.pop("ident", f"profile-{name}"[:40])
    made = await records.create(
        records.resources["profiles"], {"name": name, "ident": ident, **fields}, None, ANN
    )  # fmt: skip
    for each in tasks:
        await records.create(records.resources["tasks"], each, ident, ANN)
    return made.records[0].id


async def add_some(application: Application) -> dict[str, int]:
    """Add three customers, one of whom is not active any more, with tasks of every priority."""
    acme = [
        {"title": f"Task {number}", "priority": number, "due": f"2026-12-{number:02}", "done": number == 2}
        for number in range(1, 6)
    ]
    return {
        "Acme": await add_customer(application, "Acme", acme, real_name="Ann Acme", code="A-1"),
        "Bolt": await add_customer(application, "Bolt", [{"title": "=HYPERLINK(1)", "priority": 3}]),
        "Gone": await add_customer(application, "Gone", [{"title": "Old", "priority": 1}], active=False),
        "New": await add_customer(application, "New"),
    }
