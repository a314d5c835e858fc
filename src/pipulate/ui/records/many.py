"""What became of a change to many records, where not all of them could be changed."""

from __future__ import annotations

from typing import Any

from pipulate.crud.many import PROBLEMS_MAX, Report
from pipulate.crud.resource import Resource
from pipulate.ui.html import Html, a, h2, join, li, p, section, ul
from pipulate.ui.records.view import base
from pipulate.ui.words import count


def many_report(resource: Resource[Any], report: Report, address: str) -> Html:
    """Return what became of them; `address` is the list."""
    labels = {each.name: each.label for each in resource.fields}
    kept = f" {count(report.kept, 'record')} stayed as somebody else had just changed it." if report.kept else ""
    lines = [
        li(
            a(f"#{each.row}", href=f"{base(resource.name)}/{each.row}"),
            f" {labels.get(each.field, '')}: " if each.field else " ",
            each.words,
        )
        for each in report.problems
    ]
    more = p(f"The first {PROBLEMS_MAX:,} are listed.") if report.wrong > PROBLEMS_MAX else None
    return section(
        h2(f"{count(report.changed, 'record')} changed, {report.wrong:,} not", id="drawer-title"),
        p(kept) if kept else None,
        ul(lines, class_="problems") if lines else None,
        more,
        p(join(a("Back to the list", href=address, class_="button secondary"))),
        class_="many",
    )
