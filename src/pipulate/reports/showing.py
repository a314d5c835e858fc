"""What a report shows: the rows its author's function returns, as a table that people see and take with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipulate import forms
from pipulate._program import installing
from pipulate.crud.tables import Tables
from pipulate.errors import ReportError
from pipulate.fields import label_of
from pipulate.forms import Typed
from pipulate.reports.report import Report
from pipulate.workflows.handed import Profile
from pipulate.workflows.views import of_pandas, of_polars
from pipulate.workflows.views.tables import Table
from pipulate.workflows.views.tagged import tag

DRAWN_MAX: Final = 20_000
"""Most rows that are drawn; a browser stays quick with so many points."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a report shows.

    Attributes:
        rows: What the author's function returned.
        table: The same for people: the columns that are shown, under their headings.
        columns: Their names in `rows`, in the same order.
    """

    rows: Any
    table: Table
    columns: tuple[str, ...]


def asked(report: Report, typed: Typed) -> dict[str, Any]:
    """Return the filters an address asks for, by name; those left out have their defaults.

    Raises:
        InvalidAnswersError: With a sentence for each that breaks a rule.
    """
    # Of boxes nothing is sent where they are not ticked, so only a form that was sent at all says so.
    boxes = {each.name for each in report.fields if each.widget in ("checkbox", "switch", "checkboxes")}
    answers = forms.decode(report.fields, typed, {})
    is_sent = any(each.name in typed for each in report.fields)
    given = {name: value for name, value in answers.items() if name in typed or (name in boxes and is_sent)}
    checked = forms.validate(report, given)
    return {name: getattr(checked, name) for name in type(checked).model_fields}


def shown(report: Report, filters: Mapping[str, Any], tables: Tables, profile: Profile) -> Shown:
    """Call the function that makes the table; on a thread, for it waits for the store.

    Raises:
        ReportError: If it needs a package that is not installed, or what it returns is no table, or has not the columns
            that are to be shown.
    """
    try:
        rows = report.rows({**filters, **handed(report.handed_in, tables, profile)})
        content = _content_of(rows)
    except ImportError as error:
        raise missing(error) from error
    columns = _chosen(report, [str(each["name"]) for each in content["columns"]])
    found = {str(each["name"]): each for each in content["columns"]}
    heads = [{**found[name], "name": report.columns.get(name) or label_of(name)} for name in columns]
    index = None if report.columns else content.get("index")
    return Shown(rows, Table({**content, "index": index, "columns": heads}), tuple(columns))


def handed(wanted: Mapping[str, type], tables: Tables, profile: Profile) -> dict[str, Any]:
    """Return what is handed in, by the names of the parameters."""
    return {name: tables if kind is Tables else profile for name, kind in wanted.items() if kind in (Tables, Profile)}


def missing(error: ImportError) -> ReportError:
    """Return an error of Python's for a package that is not there as one for people."""
    package = (error.name or str(error)).partition(".")[0]
    return ReportError(f"This needs the package {package}, which is missing. Install it with: {installing(package)}")


def _chosen(report: Report, there: Sequence[str]) -> list[str]:
    if not report.columns:
        return list(dict.fromkeys(there))
    gone = [name for name in report.columns if name not in there]
    if gone and there:
        raise ReportError(
            f"The report {report.name!r} is to show the column {gone[0]!r}, and its table has only: {', '.join(there)}."
        )
    return [] if gone else list(report.columns)


def _content_of(rows: Any) -> dict[str, Any]:
    """Return a table as it is stored; see `workflows.views`."""
    home = type(rows).__module__.partition(".")[0]
    try:
        if home == "pandas":
            return of_pandas.content_of(rows)
        if home == "polars":
            return of_polars.content_of(rows)
        return _plain(rows)
    except ValueError as error:
        raise ReportError(f"The table of this report cannot be shown: {error}") from error


def _plain(rows: Any) -> dict[str, Any]:
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise ReportError(
            "The table of a report is a DataFrame or a list of dicts; the function of this one returned"
            f" {type(rows).__name__}."
        )
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [{"name": str(name), "type": "object", "values": [tag(row.get(name)) for row in rows]} for name in names]
    return {"made_by": "list", "rows": len(rows), "columns": columns}
