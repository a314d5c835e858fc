"""Actions on reports: read the rows of one, and have a file made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipulate.actions.answers import refusal, texts_from
from pipulate.actions.guarded import guarded
from pipulate.actions.results import rows_told
from pipulate.actions.told import OFFSET_MAX, ROWS_MAX, cut, field_told, shown_fields
from pipulate.actions.world import World, acting
from pipulate.errors import CallError, InvalidAnswersError
from pipulate.reports import showing
from pipulate.reports.engine import Subject
from pipulate.reports.report import Maker, Report
from pipulate.tools.action import Action, Difference, Doing, Result

_REPORT = "Stored name of the report; leave it out for the one this conversation is beside."


class ReportGiven(BaseModel):
    """Which report, with which filters, and which rows of it."""

    model_config = ConfigDict(extra="forbid")

    report: str = Field("", description=_REPORT)
    filters: dict[str, Any] = Field(
        default_factory=dict, description="Filter -> value; those that are left out are as the report begins."
    )
    offset: int = Field(0, ge=0, le=OFFSET_MAX, description="Rows to leave out at the beginning.")
    rows: int = Field(ROWS_MAX, ge=1, le=ROWS_MAX, description="Most rows that are returned.")


class MakeGiven(BaseModel):
    """Which file of which report."""

    model_config = ConfigDict(extra="forbid")

    maker: str = Field(description="Name of what makes the file, as read_report lists it.")
    subject: str = Field(
        "", max_length=200, description="For whom, by name, as read_report lists it; empty where it is for nobody."
    )
    report: str = Field("", description=_REPORT)


def actions(world: World) -> list[Action]:
    """Return the actions on reports."""
    reports = _Reports(world)

    def there(doing: Doing) -> bool:
        del doing
        return bool(world.reports.catalog)

    return [
        Action(
            "read_report", "Read a report",
            "Read rows of a report's table, at most 50 at one time, with its filters, and which files it can make.",
            ReportGiven, "read", reports.read, offered=there,
        ),
        Action(
            "make_report", "Have a report make a file",
            "Begin the job that makes a file of a report. The person finds the file on the page of the report.",
            MakeGiven, "write", reports.make, reports.would_make, there,
        ),
    ]  # fmt: skip


class _Reports:
    def __init__(self, world: World) -> None:
        self._world, self._reports = world, world.reports

    async def read(self, given: ReportGiven, doing: Doing) -> Result:
        report = self._world.report(doing, given.report)
        profile = await self._world.chosen(doing)
        try:
            filters = showing.asked(report, texts_from(report.fields, given.filters, {}))
        except InvalidAnswersError as error:
            raise refusal(report.title, report.fields, error) from None

        def rows() -> dict[str, Any]:
            shown = showing.shown(report, filters, self._reports.tables(profile), self._reports.profile(profile))
            return rows_told(shown.table, given.offset, given.rows)

        found = await guarded(report.name, "table", self._world.engine.apart(rows))
        heads = [field_told(each) for each in shown_fields(report.fields)]
        makers = [await self._maker_told(report, each, profile) for each in report.makers.values()]
        data = {"report": report.name, "title": report.title, "filters": heads, **found, "makes": makers}
        return Result(data, link=self._page_of(report), untrusted=True)

    async def _maker_told(self, report: Report, maker: Maker, profile: str) -> dict[str, Any]:
        told: dict[str, Any] = {"maker": maker.name, "title": maker.title}
        if maker.for_each is not None:
            try:
                told["for"] = [cut(each.label, 80) for each in await self._subjects(report, maker, profile)][:20]
            except CallError as error:
                told["problem"] = str(error)
        return told

    async def make(self, given: MakeGiven, doing: Doing) -> Result:
        report, maker, subject, profile = await self._asked(given, doing)
        row = await self._reports.ask(report, maker, subject, profile, acting(doing))
        words = f"{report.title}: “{_called(maker, subject)}” was asked for."
        return Result({"job": row.id, "status": row.status}, words, f"/-/jobs/{row.id}")

    async def would_make(self, given: MakeGiven, doing: Doing) -> Sequence[Difference]:
        report, maker, subject, _ = await self._asked(given, doing)
        return [Difference(report.title, None, _called(maker, subject))]

    async def _asked(self, given: MakeGiven, doing: Doing) -> tuple[Report, Maker, Subject, str]:
        """Return what makes which file for whom, in which profile.

        Raises:
            CallError: If there is no such thing to be made, or nobody of that name to make it for.
        """
        report, profile = self._world.report(doing, given.report), await self._world.chosen(doing)
        maker = report.makers.get(given.maker)
        if maker is None:
            raise CallError(
                f"{report.title} makes no {given.maker!r}. It makes: {', '.join(report.makers) or 'nothing'}."
            )
        subjects = await self._subjects(report, maker, profile)
        wanted = given.subject.strip()
        found = [each for each in subjects if wanted in (each.text, each.label)]
        if len(found) != 1:
            why = "Several are called" if found else "There is nobody"
            raise CallError(f"{why} {wanted!r}. read_report lists for whom this can be made.")
        return report, maker, found[0], profile

    async def _subjects(self, report: Report, maker: Maker, profile: str) -> list[Subject]:
        def called() -> list[Subject]:
            return self._reports.subjects(maker, self._reports.profile(profile))

        return await guarded(report.name, maker.name, self._world.engine.apart(called))

    def _page_of(self, report: Report) -> str:
        app = self._world.app(report.name)
        return app.address if app is not None else ""


def _called(maker: Maker, subject: Subject) -> str:
    return f"{maker.title}, {subject.label}" if subject.label else maker.title
