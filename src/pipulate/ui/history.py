"""The history of a run: newest first, one line an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipulate.storage.journal import Event
from pipulate.ui.html import EMPTY, Html, a, button, div, h2, header, li, ol, p, span
from pipulate.ui.run import into_run
from pipulate.ui.story import Titles, told_by
from pipulate.ui.words import doer, moment


@dataclass(frozen=True, slots=True)
class History:
    """A page of a history.

    Attributes:
        run: Id of the run.
        address: Address of the run.
        events: Newest first.
        shorts: Version -> what the event's step held before it, in short.
        older: Version below which the next page begins, or None.
        newest: Version of the run where this is the newest page: it follows the run; None elsewhere.
        workflow: For titles, or None.
        is_explicit: Whether its app is class-style: its page has another place for what a version held.
    """

    run: str
    address: str
    events: Sequence[Event]
    shorts: Mapping[int, str]
    older: int | None
    newest: int | None
    workflow: Titles | None
    is_explicit: bool = False


def history_drawer(history: History, viewer: str, now: datetime) -> Html:
    """Return the drawer."""
    return div(
        header(
            h2("History", id="drawer-title"),
            button("Close", type="button", class_="quiet", data_closes="drawer"),
            class_="panel-head",
        ),
        ol(history_lines(history, viewer, now), class_="history"),
        class_="drawer-body",
        **({} if history.newest is None else {"data_history": history.run, "data_version": history.newest}),
    )


def history_lines(history: History, viewer: str, now: datetime) -> list[Html]:
    """Return the lines of a page, and the one that fetches the next page."""
    lines = [_line(history, event, viewer, now) for event in history.events]
    if history.older is not None:
        address = f"/-/runs/{history.run}/history?before={history.older}"
        lines.append(
            li(
                a(
                    "Older",
                    href=address,
                    class_="button quiet",
                    hx_get=address,
                    hx_target="closest li",
                    hx_swap="outerHTML",
                ),
                class_="more",
            )
        )
    if not lines:
        lines.append(li(p("Nothing has happened yet.", class_="none")))
    return lines


def _line(history: History, event: Event, viewer: str, now: datetime) -> Html:
    address = f"{history.address}?version={event.version}"
    before = {event.step: history.shorts[event.version]} if event.step and event.version in history.shorts else None
    return li(
        a(
            span(
                told_by(event, doer(event.actor, viewer, event.data.get("via")), history.workflow, before),
                class_="what",
            ),
            span(moment(event.at, now), f" · version {event.version}", class_="when"),
            href=address,
            **({} if history.is_explicit else into_run(address, push=True)),
            title="Look at the run as it was then",
        ),
        _upload(history.run, event),
    )


def _upload(run: str, event: Event) -> Html:
    """Return the link to a file that was uploaded, or nothing."""
    if event.kind != "uploaded":
        return EMPTY
    address = f"/download_file?run={run}&file={event.data['$file']['sha256']}"
    return a("Download", href=address, download=True, class_="button quiet")
