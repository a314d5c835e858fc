"""Files that reports make: asked for, made as jobs, kept, put into the bin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pipulate._clock import Clock, to_text
from pipulate._log import get_logger
from pipulate.crud.tables import Tables
from pipulate.errors import JobError, NotInReportError, ReportError
from pipulate.fields.files import File, Files
from pipulate.jobs.doing import Doing, Job
from pipulate.jobs.port import Jobs, Request
from pipulate.jobs.port import Options as Ways
from pipulate.jobs.stopping import Stopped
from pipulate.reports.report import Maker, Report
from pipulate.reports.showing import handed, missing
from pipulate.security.who import Who
from pipulate.storage import jobs, profiles, report_files
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.jobs import JobRow
from pipulate.storage.report_files import ReportFile
from pipulate.workflows.handed import Profile, Progress
from pipulate.workflows.work import progress_in

KIND: Final = "report"
_ENDED: Final = (jobs.FAILED, jobs.CANCELLED)
_GONE: Final = "The report {} was not there when this was to begin. Put its file back and go on, or cancel this."
_OTHER: Final = "The report was changed after this was asked for. Go on with the new code, or cancel this."
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom something can be made: a value of the author's, the same as text, and what people call it."""

    value: Any
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Made:
    """What a report has made, and is making, for a person.

    Attributes:
        files: What there is, newest first.
        binned: What is in the bin, newest first.
        jobs: Maker and subject -> the job that makes it or came to nothing, where nothing newer is there.
    """

    files: Sequence[ReportFile]
    binned: Sequence[ReportFile]
    jobs: Mapping[tuple[str, str], JobRow]


class Reports:
    """Asks for files of reports, makes them, and keeps them.

    Attributes:
        catalog: Stored name -> report, of the apps that are installed now; replaced as a whole.
    """

    waits_for_others = False

    def __init__(
        self, db: Database, files: FileStore, clock: Clock, runs_jobs: Jobs, tables: Callable[[str | None], Tables]
    ) -> None:
        """Wire it up.

        Args:
            db: The store.
            files: Where files live.
            clock: The time.
            runs_jobs: Does the jobs.
            tables: Profile -> the records of all apps, as the code of an author reads them.
        """
        self.catalog: Mapping[str, Report] = {}
        self.tables = tables
        self._db, self._files, self._clock, self._jobs = db, files, clock, runs_jobs
        runs_jobs.register(KIND, self)

    def profile(self, profile: str) -> Profile:
        """Return a profile as authors see it; it waits for the store."""
        found = self._db.read_now(profiles.find, profile)
        return Profile(profile, found.name if found else "")

    def subjects(self, maker: Maker, profile: Profile) -> list[Subject]:
        """Return for whom a file can be made; it waits for the store."""
        if maker.for_each is None:
            return [Subject(None, "", "")]
        found = maker.for_each(**handed(maker.asks, self.tables(profile.id), profile))
        pairs = [each if isinstance(each, tuple) and len(each) == 2 else (each, each) for each in found]
        return [Subject(value, str(value), str(label)) for value, label in pairs]

    # Asking

    async def ask(self, report: Report, maker: Maker, subject: Subject, profile: str, who: Who) -> JobRow:
        """Ask for a file; return the job that makes it, or the open one that makes the same already."""
        title = f"{report.title}: {maker.title}" + (f", {subject.label}" if subject.label else "")
        args = {"maker": maker.name, "subject": subject.text, "label": subject.label}
        request = Request(
            KIND, title[:300], who.actor, profile, args, app=report.name, code=report.digest,
            options=Ways(dedup=_dedup(report.name, maker.name, subject.text, who.actor)),
        )  # fmt: skip
        return await self._jobs.ask(request)

    # What there is

    async def made(self, report: Report, who: Who) -> Made:
        """Return what a report has made for a person, and is making."""
        return await self._db.read(_made, report, who.actor)

    async def find(self, report: str, file: str, who: Who) -> ReportFile:
        """Return a file.

        Raises:
            NotInReportError: If there is none.
        """
        return await self._db.read(report_files.find, report, file, who.actor)

    async def put_into_bin(self, report: str, file: str, who: Who, *, back: bool = False) -> ReportFile:
        """Put a file into the bin, or take it out; errors as in `find`."""
        at = None if back else to_text(self._clock.now())
        return await self._db.write(report_files.put_into_bin, report, file, who.actor, at)

    def path(self, made: ReportFile) -> Path:
        """Return where a file is on this machine."""
        return self._files.path(made.id, made.sha256)

    async def purge(self, before: str) -> None:
        """Erase what went into the bin before a moment."""
        for folder in await self._db.write(report_files.purge, before):
            self._files.erase(folder)
            _log.info("report_file.purged", file=folder)

    # Making

    def obstacle(self, row: JobRow) -> str:
        """Return in words why a job cannot be done with the code there is now."""
        report = self.catalog.get(row.app or "")
        if report is None:
            return _GONE.format(row.app)
        if row.payload["maker"] not in report.makers:
            return f"The report {row.app} makes no {row.payload['maker']!r} any more. Put it back and go on, or cancel."
        return _OTHER if row.code is not None and row.code != report.digest else ""

    def overtaken(self, tx: Transaction, row: JobRow) -> str:  # noqa: ARG002 - as the port has it
        """Return "": what comes of it is waited for to the end."""
        return ""

    async def do(self, doing: Doing) -> None:
        """Call what makes a file, and keep the file."""
        row = doing.row
        report = self.catalog[row.app or ""]
        maker = report.makers[row.payload["maker"]]
        try:
            profile = await doing.threads.run(self.profile, row.profile)
            subject = await doing.threads.run(self._subject, report, maker, profile, str(row.payload["subject"]))
            files = Files(self._files, row.id)
            given = self._given(maker, subject, doing, profile, files)
            output = await doing.call(maker.function, **given)
            doing.check()
            await doing.threads.run(self._keep, doing, report, maker, subject, output, files)
        except ReportError as error:
            _log.warning("report.not_made", report=report.name, maker=maker.name, job=row.id, reason=str(error))
            await doing.threads.run(partial(doing.end, jobs.FAILED, reason=str(error)))
        except ImportError as error:
            raise JobError(str(missing(error))) from error

    def _subject(self, report: Report, maker: Maker, profile: Profile, text: str) -> Subject:
        return known(report, self.subjects(maker, profile), text)

    def _given(self, maker: Maker, subject: Subject, doing: Doing, profile: Profile, files: Files) -> dict[str, Any]:
        there: dict[type, Any] = {
            Tables: self.tables(profile.id), Profile: profile, Job: Job(doing), Files: files,
            Progress: progress_in(doing, lambda _: None),
        }  # fmt: skip
        given = {name: there[kind] for name, kind in maker.handed_in.items()}
        return given | ({maker.subject: subject.value} if maker.subject else {})

    def _keep(self, doing: Doing, report: Report, maker: Maker, subject: Subject, output: Any, files: Files) -> None:
        """Keep what was made and end the job, both or neither."""
        file = self._file_of(maker, output, files, doing.row.id)
        made = ReportFile(
            doing.row.id, report.name, maker.name, subject.text, subject.label, file.name, file.media_type,
            file.size_bytes, file.sha256, to_text(self._clock.now()), doing.row.owner,
        )  # fmt: skip
        if not self._db.write_now(report_files.keep, doing.row, made):
            raise Stopped

    def _file_of(self, maker: Maker, output: Any, files: Files, folder: str) -> File:
        """Return what an author's function returned as a file that lies where it is kept.

        Raises:
            JobError: If it is none.
        """
        if isinstance(output, File) and self._files.has(folder, output.sha256):
            return output
        if not isinstance(output, Path):
            raise JobError(
                f"What makes {maker.name!r} returned {type(output).__name__}. It has to return the Path of a file, or a"
                " File that it saved with Files."
            )
        try:
            return files.of_path(output)
        except (OSError, ValueError) as error:
            raise JobError(f"What was made cannot be kept: {error}") from error


def known(report: Report, subjects: Sequence[Subject], text: str) -> Subject:
    """Return for whom a text says.

    Raises:
        NotInReportError: If for nobody that is known.
    """
    for each in subjects:
        if each.text == text:
            return each
    _log.warning("report.unknown_subject", report=report.name, subject=text[:80])
    raise NotInReportError(
        f"“{report.title}” knows nobody {text[:80]!r} to be made for. They may have been removed meanwhile; reload the"
        " page."
    )


def _made(tx: Transaction, report: Report, owner: str) -> Made:
    files = report_files.listed(tx, report.name, owner)
    newest: dict[tuple[str, str], str] = {}
    for each in files:
        newest.setdefault((each.maker, each.subject), each.made_at)
    working: dict[tuple[str, str], JobRow] = {}
    for row in jobs.listed(tx, owner, statuses=(*jobs.OPEN, *_ENDED), app=report.name, limit=500):
        about = _about(row, owner)
        if about is None or about in working or (row.ended_at or "\x7f") < newest.get(about, ""):
            continue
        working[about] = row
    return Made(files, report_files.listed(tx, report.name, owner, deleted=True), working)


def _dedup(report: str, maker: str, subject: str, owner: str) -> str:
    return f"report/{owner}/{report}/{maker}/{subject}"


def _about(row: JobRow, owner: str) -> tuple[str, str] | None:
    """Return which maker and whom a job is for; lists of jobs come without their arguments."""
    start = f"report/{owner}/{row.app}/"
    if row.dedup is None or not row.dedup.startswith(start):
        return None
    maker, _, subject = row.dedup.removeprefix(start).partition("/")
    return maker, subject
