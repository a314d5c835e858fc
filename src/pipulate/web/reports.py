"""The page of a report, what is taken from it, and the files it makes.

The filters stand in the address: each tab has its own, a link shows the same again, and a download asks for the same.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic_core import to_jsonable_python
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipulate import forms
from pipulate._ids import error_id
from pipulate._log import get_logger
from pipulate.errors import InvalidAnswersError, PipulateError, ReportError, StorageError
from pipulate.reports import drawing, showing
from pipulate.reports.engine import Made, Subject, known
from pipulate.reports.report import Maker, Report
from pipulate.reports.showing import DRAWN_MAX, Shown
from pipulate.storage import messages
from pipulate.ui.reports import MadePart, ReportPage, made_part, report_page, shown_part
from pipulate.web.downloads import HARMLESS, disposition, sent, spreadsheet
from pipulate.web.runpage import elsewhere
from pipulate.web.site import Facts, Visit, app_address, part
from pipulate.workflows.views import exports
from pipulate.workflows.views.tables import Query

_log = get_logger()


async def page(visit: Visit, report: Report) -> Response:
    """Return the page of a report, or what it shows alone where our own script asks for it."""
    facts = await visit.facts(visit.beside(report.name))
    address = app_address(visit.request.path_params["module"])
    found = await _page(visit, report, address, facts)
    if visit.is_htmx:
        return part(shown_part(found), 422 if found.problems else 200, {"vary": "hx-request"})
    made = await _made(visit, report, facts.profile)
    status = 422 if found.problems else 200
    conversation = visit.beside(report.name)
    return await visit.page(
        report.title, report_page(found, made), conversation=conversation, status=status, facts=facts
    )


async def csv(visit: Visit) -> Response:
    """Return exactly what a report shows as CSV, in the order of `sort`."""
    report, shown = await _shown(visit)
    has_bom = visit.request.query_params.get("bom") == "1"

    def made() -> bytes:
        return b"".join(exports.csv_pieces(shown.table, _order(visit, shown), has_bom=has_bom))

    return Response(await asyncio.to_thread(made), 200, _headers(report, "csv"), "text/csv; charset=utf-8")


async def xlsx(visit: Visit) -> Response:
    """Return exactly what a report shows as XLSX, in the order of `sort`."""
    report, shown = await _shown(visit)

    async def write(path: Path) -> None:
        await asyncio.to_thread(exports.write_xlsx, shown.table, _order(visit, shown), path)

    return await spreadsheet(write, _headers(report, "xlsx")["content-disposition"])


def _order(visit: Visit, shown: Shown) -> Query:
    """Return the order an address asks for: numbers of columns as people see them, `-` before what goes downwards."""
    asked = visit.request.query_params.get("sort", "")
    if not re.fullmatch(r"-?[0-9]{1,5}(,-?[0-9]{1,5}){0,7}", asked, re.ASCII):
        return Query()
    before = len(shown.table.columns) - len(shown.columns)  # Those of an index, which the drawn table has not.
    first, *then = [(before + int(each.lstrip("-")), each.startswith("-")) for each in asked.split(",")]
    return Query(sort=first[0], is_down=first[1], then=tuple(then))


def _headers(report: Report, ending: str) -> dict[str, str]:
    return {"content-disposition": disposition(f"{report.name}_report.{ending}"), "content-security-policy": HARMLESS}


async def _shown(visit: Visit) -> tuple[Report, Shown]:
    """Return what an address shows; 404 where it is no report's, 422 where its filters break a rule."""
    report = _report(visit)
    facts = await visit.facts(messages.general(visit.who.actor))
    return report, await _rows(visit, report, showing.asked(report, _typed(visit)), facts.profile)


async def _rows(visit: Visit, report: Report, filters: Mapping[str, Any], profile: str) -> Shown:
    reports = visit.site.reports

    def called() -> Shown:
        return showing.shown(report, filters, reports.tables(profile), reports.profile(profile))

    return await asyncio.to_thread(called)


async def _page(visit: Visit, report: Report, address: str, facts: Facts) -> ReportPage:
    typed = _typed(visit)
    is_plain = visit.request.query_params.get("plain") == "1"
    try:
        filters = showing.asked(report, typed)
    except InvalidAnswersError as error:
        return ReportPage(report, address, typed, "", is_plain=is_plain, problems=error.problems)
    texts = forms.texts_of(report.fields, to_jsonable_python(filters))
    bare = ReportPage(report, address, texts, _query(report, texts), is_plain=is_plain)
    try:
        shown = await _rows(visit, report, filters, facts.profile)
    except StorageError:
        raise
    except PipulateError as error:
        return bare.with_trouble(str(error))
    except Exception as error:  # noqa: BLE001 - plugin border: the page around a report that fails stands
        reference = error_id()
        _log.error("report.failed", report=report.name, error_id=reference, exc_info=error)
        return bare.with_trouble(
            f"The app made an error in this report ({type(error).__name__}). The server's log has the details under the"
            f" id {reference}."
        )
    return await _drawn(bare.with_table(shown.table), report, shown)


async def _drawn(found: ReportPage, report: Report, shown: Shown) -> ReportPage:
    """Add what a browser draws, where there is something to draw and what it is drawn with."""
    if found.is_plain or not shown.table.total > 0:
        return found
    if shown.table.total > DRAWN_MAX:
        return found.with_note(f"More than {DRAWN_MAX:,} rows are not drawn; narrow the filters to see the figure.")
    try:
        return found.with_drawing(await asyncio.to_thread(drawing.drawn, report, shown))
    except ReportError as error:
        return found.with_note(f"{error} Until then this is the plain table.")
    except Exception as error:  # noqa: BLE001 - plugin border: the table is there though its figure fails
        reference = error_id()
        _log.error("report.figure_failed", report=report.name, error_id=reference, exc_info=error)
        return found.with_note(
            f"The figure could not be drawn ({type(error).__name__}). The server's log has the details under the id"
            f" {reference}."
        )


def _typed(visit: Visit) -> dict[str, list[str]]:
    typed: dict[str, list[str]] = {}
    for name, text in visit.request.query_params.multi_items():
        typed.setdefault(name, []).append(text)
    return typed


def _query(report: Report, texts: Mapping[str, list[str]]) -> str:
    """Return filters as an address has them; those that are as they begin are left out."""
    begins = forms.texts_of(report.fields, {each.key: each.default for each in report.fields})
    return urlencode([(name, text) for name, all_ in texts.items() if all_ != begins.get(name) for text in all_])


# Files


async def made(visit: Visit) -> Response:
    """Return what a report makes and has made, as our own script brings it up to date."""
    report = _report(visit)
    conversation = visit.beside(report.name)
    facts = await visit.facts(conversation)
    shown = made_part(await _made(visit, report, facts.profile))
    return (
        part(shown) if visit.is_htmx else await visit.page(report.title, shown, conversation=conversation, facts=facts)
    )


async def make(visit: Visit) -> Response:
    """Ask for a file."""
    report = _report(visit)
    maker = report.makers.get(visit.request.path_params["maker"])
    if maker is None:
        raise HTTPException(404)
    facts = await visit.facts(messages.general(visit.who.actor))
    subjects = await asyncio.to_thread(_subjects, visit, maker, facts.profile)
    subject = known(report, subjects, await visit.text("for"))
    await visit.site.reports.ask(report, maker, subject, facts.profile, visit.who)
    return _done(visit, f"{maker.title}: asked for.")


async def file(visit: Visit) -> Response:
    """Return a file that a report made, to be kept; `?show=1` lets the browser show what it safely can."""
    names = visit.request.path_params
    found = await visit.site.reports.find(names["report"], names["file"], visit.who)
    return await sent(visit, visit.site.reports.path(found), found.sha256, found.name)


async def delete(visit: Visit) -> Response:
    """Put a file into the bin."""
    names = visit.request.path_params
    found = await visit.site.reports.put_into_bin(names["report"], names["file"], visit.who)
    return _done(visit, f"{found.name}: deleted.")


async def undelete(visit: Visit) -> Response:
    """Take a file out of the bin."""
    names = visit.request.path_params
    found = await visit.site.reports.put_into_bin(names["report"], names["file"], visit.who, back=True)
    return _done(visit, f"{found.name} is back.")


def _done(visit: Visit, said: str) -> Response:
    if visit.is_htmx:  # The page brings up to date what it shows of jobs, and reads out what was done.
        return Response(status_code=204, headers={"hx-trigger": json.dumps({"pipulate:job": {"said": said}})})
    return elsewhere(visit, visit.back())


def _report(visit: Visit) -> Report:
    report = visit.site.reports.catalog.get(visit.request.path_params["report"])
    if report is None:
        raise HTTPException(404)
    return report


def _subjects(visit: Visit, maker: Maker, profile: str) -> list[Subject]:
    return visit.site.reports.subjects(maker, visit.site.reports.profile(profile))


async def _made(visit: Visit, report: Report, profile: str) -> MadePart:
    found: Made = await visit.site.reports.made(report, visit.who)
    subjects: dict[str, list[Subject]] = {}
    trouble: str = ""
    for maker in report.makers.values():
        try:
            subjects[maker.name] = await asyncio.to_thread(_subjects, visit, maker, profile)
        except StorageError:
            raise
        except PipulateError as error:
            subjects[maker.name], trouble = [], str(error)
        except Exception as error:  # noqa: BLE001 - plugin border: the page stands, and says what is missing
            _log.error("report.subjects_failed", report=report.name, maker=maker.name, exc_info=error)
            subjects[maker.name] = []
            trouble = f"For whom “{maker.title}” can be made could not be found out ({type(error).__name__})."
    return MadePart(report, found, subjects, visit.now, trouble)
