"""Pages for when something is not there or went wrong: what happened, why, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipulate.ui.html import Html, a, code, h1, header, join, li, p, strong, ul


def problem(heading: str, *sentences: Any) -> Html:
    """Return a page with a heading, some sentences, and the way home."""
    return join(
        header(h1(heading), class_="page-head"),
        [p(each) for each in sentences],
        p(a("All apps", href="/", class_="button secondary")),
    )


def not_found(path: str) -> Html:
    """Return the page for an address that leads nowhere."""
    return problem("There is nothing here", join("No page has the address ", code(path, dir="auto"), "."))


def failed(error_id: str) -> Html:
    """Return the page for a mistake of ours."""
    return problem(
        "Something went wrong",
        "The mistake is on this side, not yours. Nothing that was acknowledged is lost.",
        join("The server's log has the details under the id ", strong(error_id), ". Reload the page to try again."),
    )


def locked_out(command: str) -> Html:
    """Return the page for a browser that was not let in."""
    return join(
        header(h1("This browser has not been let in"), class_="page-head"),
        p("Pipulate answers only browsers that were opened with a one-time link, so that no other page or program on"
          " this machine can use it."),
        p("In a terminal, in the folder where you started Pipulate, run"),
        p(code(command)),
        p("and open the link it prints. This browser is then remembered for a year."),
    )  # fmt: skip


def listed(sentences: Sequence[str]) -> Html:
    """Return sentences as a list."""
    return ul(li(each) for each in sentences)
