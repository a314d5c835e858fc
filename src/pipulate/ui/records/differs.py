"""The page of an app whose table has other fields than the app declares: what is different, and what to do."""

from __future__ import annotations

from pipulate.errors import TableDiffersError
from pipulate.ui.errors import listed
from pipulate.ui.html import Html, a, code, h1, header, join, p


def differs(title: str, error: TableDiffersError) -> Html:
    """Return the page that takes the place of the list.

    Args:
        title: What people call the records.
        error: What is different, and the command that mends it.
    """
    return join(
        header(h1(f"{title} waits for a decision"), class_="page-head"),
        p("The file of this app declares other fields than its table has. Nothing was changed, and nothing is lost;"
          " all other apps go on."),
        listed(error.differences),
        p("To bring the table to what the file declares, run this in a terminal. It says what it is about to do, asks,"
          " and makes a backup first:") if error.command else None,
        p(code(error.command)) if error.command else None,
        p("Or put the fields in the file back as they were. Then open this page again."),
        p(a("All apps", href="/", class_="button secondary")),
    )  # fmt: skip
