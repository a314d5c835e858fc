"""What stands around the markup of class-style plugins: the head of a run, and what a refused write shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipulate.ui.html import (
    Html,
    a,
    button,
    dd,
    div,
    dl,
    dt,
    form,
    h2,
    h3,
    input_,
    join,
    noscript,
    p,
    script,
    section,
    span,
    strong,
)
from pipulate.ui.results import result
from pipulate.ui.run import RunPage, bar, run_head
from pipulate.ui.story import title_of
from pipulate.ui.words import moment, person


@dataclass(frozen=True, slots=True)
class Refused:
    """A write of a class-style handler that the store refused.

    Attributes:
        reason: Why, in a sentence.
        by, at: Who did what stands in the way, and when.
        step: The step it was for, as people read it; "" for the run as a whole.
        theirs: What the store holds for it now, or None.
        typed: What the form sent: name -> texts.
        post: Where it was sent to; "" where it cannot be sent again.
        address: Address of the run.
        run, seen, version: Id of the run, the version the form was made for, the newest one.
        container: Id of the element that the run's cells stand in.
    """

    reason: str
    by: str
    at: str
    step: str
    theirs: Any
    typed: Mapping[str, Sequence[str]]
    post: str
    address: str
    run: str
    seen: int
    version: int
    container: str


@dataclass(frozen=True, slots=True)
class Offer:
    """An old value of a step that may be taken again as it is.

    Attributes:
        step: Name of the step.
        short: The value in a few words.
    """

    step: str
    short: str


def explicit_page(app: str, head: Html | None, content: Html, facts: Mapping[str, Any], libraries: str) -> Html:
    """Return the work area of a class-style app: our head, then what the plugin made.

    Args:
        app: Stored name of the app.
        head: The head of the run, or None where no run is open.
        content: The plugin's markup.
        facts: Attributes by which the script knows the run of this tab.
        libraries: File name -> address of what is loaded when it is needed, as JSON.
    """
    return div(
        div(head, id="explicit-head"),
        # Only a script knows where its buttons lead: without one, a browser puts what is typed into an address.
        noscript(
            p("This app needs JavaScript. Switch it on before you type: nothing is sent without it.", role="alert")
        ),
        div(content, id="grid-left-content"),
        script(Html(libraries.replace("<", "\\u003c")), type="application/json", id="explicit-libraries"),
        id="explicit",
        class_="explicit",
        data_app=app,
        **facts,
    )


def head_of(page: RunPage, *, offer: Offer | None = None, oob: bool = False) -> Html:
    """Return the head of a run, alone or to be put in place beside another answer."""
    locked = bar(page) if page.view.row.locked_at is not None else None
    kept = _offered(page, offer) if offer is not None else None
    return div(run_head(page), locked, kept, id="explicit-head", hx_swap_oob="true" if oob else None)


def _offered(page: RunPage, offer: Offer) -> Html:
    address = f"/-/runs/{page.view.row.id}/steps/{offer.step}/keep"
    return div(
        span(strong(title_of(page.titles, offer.step)), " was ", strong(offer.short, dir="auto"), " before."),
        form(
            input_(type="hidden", name="_seen", value=page.view.row.version),
            button("Keep it", class_="secondary"),
            method="post",
            action=address,
            hx_post=address,
            hx_target="#explicit",
            hx_sync="this:drop",
            class_="bar-actions",
        ),
        class_="bar",
        role="status",
    )


def refused(what: Refused, viewer: str, now: datetime) -> Html:
    """Return what stands in place of the cells of a run: both sides, and the ways on."""
    theirs = result("tree", what.theirs) if what.theirs is not None else p("Nothing.", class_="help")
    names = [(name, texts) for name, texts in what.typed.items() if not name.startswith("_") and name != "step_id"]
    copy = f"/-/runs/{what.run}/copy"
    mine = dl([(dt(name), dd("\n".join(texts), dir="auto")) for name, texts in names], class_="tree")
    return section(
        h2("Not saved", f": {what.step}" if what.step else None),
        p(what.reason),
        p(f"{person(what.by, viewer)}, ", moment(what.at, now), class_="help"),
        div(
            section(h3("Theirs"), theirs, class_="card"),
            section(h3("Yours"), mine if names else p("Nothing was typed.", class_="help"), class_="card"),
            class_="versus",
        ),
        div(
            _again(what, is_typed=bool(names)),
            a("Take theirs", href=what.address, class_="button secondary"),
            form(
                input_(type="hidden", name="version", value=min(what.seen, what.version)),
                button("Continue in a copy", class_="secondary"),
                method="post",
                action=copy,
                hx_post=copy,
                hx_target=f"#{what.container}",
                hx_sync="this:drop",
                data_carries_draft=True,
            ),
            class_="actions",
        ),
        id=what.container,
        class_="conflict",
    )


def _again(what: Refused, *, is_typed: bool) -> Html | None:
    if not what.post:
        return None
    return form(
        join(input_(type="hidden", name=name, value=text) for name, texts in what.typed.items() for text in texts),
        button("Keep mine" if is_typed else "Do it all the same", class_="primary"),
        hx_post=what.post,
        hx_target=f"#{what.container}",
        hx_swap="outerHTML",
        hx_headers='{"X-Pipulate-Anew": "1"}',
        data_pip_seen=what.version,
    )
