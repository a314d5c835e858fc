"""The port through which jobs are run. Whoever asks for one adds its row; who does it knows nothing of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipulate.jobs.doing import Doing
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow


@dataclass(frozen=True, slots=True)
class Options:
    """How a job is to be done.

    Attributes:
        retries: Further attempts after one that failed.
        backoff_s: Seconds before the first of them; doubled before each further one, up to ten minutes.
        timeout_s: Seconds after which an attempt is given up, or None.
        at_once: Most jobs of the same app and step at one time, or None.
        dedup: While a job with the same text is open, no other is added.
        start_at: Not before this moment, as `_clock.to_text` writes it, or None.
    """

    retries: int = 0
    backoff_s: float = 1.0
    timeout_s: float | None = None
    at_once: int | None = None
    dedup: str | None = None
    start_at: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        kind: Who does it: a name of `Jobs.register`.
        title: What people read.
        owner, profile: Whose it is.
        args: JSON for whoever does it.
        app, run, step, version: What it is for: the run at the version of the event that asked.
        code: Digest of the code it is asked for with; where it is another when work begins, a person decides.
        options: How it is to be done.
    """

    kind: str
    title: str
    owner: str
    profile: str
    args: Mapping[str, Any] = field(default_factory=dict)
    app: str | None = None
    run: str | None = None
    step: str | None = None
    version: int | None = None
    code: str | None = None
    options: Options = field(default_factory=Options)


class Kind(Protocol):
    """Does the jobs of one kind.

    Attributes:
        waits_for_others: Whether its jobs wait for jobs they ask for; they take no place among those that run at one
            time, or the others might wait for them in turn.
    """

    waits_for_others: bool

    def obstacle(self, row: JobRow) -> str:
        """Return in words why a job cannot be done with the code there is now, "" where it can."""
        ...

    def overtaken(self, tx: Transaction, row: JobRow) -> str:
        """Return in words why nobody waits for what comes of a job any more, "" where somebody does."""
        ...

    async def do(self, doing: Doing) -> None:
        """Do it, and say that it ended with `doing.end`; on the loop of the jobs, which must not be held up.

        Raises:
            Stopped: If it was asked to.
            Exception: If it failed.
        """
        ...


class Jobs(Protocol):
    """Runs jobs; safe to use from every thread and loop."""

    def register(self, kind: str, does: Kind) -> None:
        """Say who does the jobs of a kind. The name is stored."""
        ...

    def wake(self) -> None:
        """Begin: take up what was left. Nothing of the engine is loaded where there is nothing to do."""
        ...

    def start(self, row: JobRow) -> None:
        """Do a job that was added to the store, and committed; returns at once."""
        ...

    async def ask(self, request: Request) -> JobRow:
        """Add a job to the store and start it; return its row, or that of the open one with the same `dedup`."""
        ...

    async def cancel(self, job: str, owner: str, reason: str = "") -> JobRow | None:
        """Ask for a job to be cancelled; None where the person has no such open job."""
        ...

    async def resume(self, job: str, owner: str, code: str | None = None) -> JobRow | None:
        """Ask for a job that failed, was cancelled or is parked once more; None where there is none."""
        ...

    def doing(self, job: str) -> Doing | None:
        """Return what is known of a job that this process works on just now."""
        ...

    def listen(self, listener: Callable[[JobRow], None]) -> None:
        """Call a listener, on whatever thread, when the status of a job has changed or it has something new to show."""
        ...

    async def forget(self, ended: list[tuple[str, int]]) -> None:
        """Remove jobs that ended, given with their attempts, and everything they left."""
        ...

    async def close(self, drain_s: float = 20.0) -> None:
        """Let running jobs come to their next checkpoint, at most so long, then end; they go on at the next start."""
        ...


def row_of(request: Request, job: str, at: str) -> dict[str, Any]:
    """Return a request as `storage.jobs.add` takes it."""
    options = request.options
    return {
        "id": job, "kind": request.kind, "title": request.title, "owner": request.owner, "profile": request.profile,
        "args": json.dumps(dict(request.args)), "app": request.app, "run": request.run, "step": request.step,
        "version": request.version, "code": request.code, "dedup": options.dedup, "at_once": options.at_once,
        "retries": options.retries, "backoff_s": options.backoff_s, "timeout_s": options.timeout_s,
        "start_at": options.start_at, "asked_at": at,
    }  # fmt: skip
