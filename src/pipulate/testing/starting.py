"""Beginning a run: of a workflow, of the app in a plugin file."""

from __future__ import annotations

from pathlib import Path

from pipulate.testing.app import RunningApp, listed
from pipulate.testing.browser import form_body
from pipulate.testing.errors import PlayError
from pipulate.testing.playing import Play
from pipulate.testing.tab import Tab
from pipulate.workflows.definition import Workflow


def play(app: Workflow, *, key: str = "", in_app: RunningApp | None = None) -> Play:
    """Begin a run of a workflow, in an application of its own unless one is given.

    The application ends with the returned object; to end it earlier, use `with play(...) as run:`.
    """
    return (in_app or RunningApp()).play(app, key=key)


def play_plugin(path: Path, *, key: str = "") -> Play:
    """Begin a run of the workflow in a plugin file, loaded as the program loads it; as `play` otherwise.

    Raises:
        PlayError: If the file has findings; lists all of them. Or if its app is a class, which has pages of its own.
    """
    app = RunningApp(plugins=[path])
    plugin = next((each for each in app.application.site.plugins.table.plugins if each.file.name == path.name), None)
    if plugin is None:
        raise PlayError(f"{path.name} is not the name of a plugin file.")
    if plugin.app is None:
        raise PlayError(listed(f"{path.name} cannot be used:", plugin.findings))
    if plugin.workflow is None:
        raise PlayError(f"{path.name} declares a class, not a workflow; its pages are its own, and cannot be played.")
    return app.play(plugin.app.name, key=key)


def begin(app: RunningApp, name: str, key: str) -> Play:
    """Press *Start* on the page of an app, and return the run."""
    __tracebackhide__ = True
    plugin = app.application.site.plugins.table.by_app[name]
    answer = app.send("POST", f"/{plugin.file.module}", form_body([("key", key), ("offered", "")]))
    if answer.status != 200 or "x-pipulate-run" not in answer.headers:
        raise PlayError(f"A run of {name!r} could not be started (status {answer.status}).")
    tab = Tab(app, answer.headers["x-pipulate-run"], answer.address)
    return Play(tab)._judge(tab.answer, f"Starting {name!r}", expect_failure=None)  # noqa: SLF001 - the kit's own
