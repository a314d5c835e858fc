"""The apps there are, as the actions and scenes of the assistant know them."""

from __future__ import annotations

from functools import partial
from typing import Final

from pipulate.actions.world import AppKind, KnownApp
from pipulate.explicit.loading import ExplicitApp
from pipulate.explicit.training import training_of as training_of_class
from pipulate.plugins.host import Plugin, Table
from pipulate.reports.report import Report
from pipulate.tools.training import training_of
from pipulate.web.site import app_address, is_hidden
from pipulate.workflows.definition import Workflow

_OWN_PAGES: Final[AppKind] = "own pages"


def known_apps(table: Table) -> list[KnownApp]:
    """Return the apps of a table, in the order of their files."""
    return [known for each in table.plugins if (known := _known(each)) is not None]


def _known(plugin: Plugin) -> KnownApp | None:
    app, address = plugin.app, app_address(plugin.file.module)
    if app is None:
        return None
    if isinstance(app, ExplicitApp):
        steps = tuple((str(each.id), str(getattr(each, "show", each.id))) for each in app.steps)
        kept = frozenset(str(each.id) for each in app.steps if getattr(each, "refill", False))
        return KnownApp(
            app.name, app.title, app.description, address, _OWN_PAGES, plugin.roles,
            is_in_menu=not is_hidden(plugin), training=partial(training_of_class, app.instance), steps=steps, kept=kept,
        )  # fmt: skip
    declared = plugin.workflow or plugin.resource or plugin.report
    assert declared is not None  # noqa: S101 - there are no other kinds
    kind: AppKind = "steps" if isinstance(app, Workflow) else "report" if isinstance(app, Report) else "records"
    return KnownApp(
        app.name, app.title, app.description, address, kind, plugin.roles,
        training=partial(training_of, declared.training, declared.folder),
    )  # fmt: skip
