"""How the long work of a class-style step looks: as the job of any step, in a cell that asks for itself anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from fastcore.xml import FT
from fasthtml.components import H3, Button, Div, Input
from fasthtml.xtend import Form

from pipulate._clock import SystemClock
from pipulate.explicit.book import FINALIZE, TARGET
from pipulate.explicit.elements import Card, as_child
from pipulate.storage import jobs
from pipulate.ui import job as shown
from pipulate.workflows import values
from pipulate.workflows.asking import JobView

if TYPE_CHECKING:
    from pipulate.explicit.look import Look

EVERY_S: Final = 1
"""Seconds between two looks of a page at a job."""


def facts(job: JobView) -> dict[str, Any]:
    """Return how a job stands, as plugins read it."""
    row = job.row
    return {
        "id": row.id, "status": row.status, "done": row.done.get("done", 0), "total": row.done.get("total"),
        "text": row.done.get("text", ""), "reason": row.reason, "lines": [line.text for line in job.lines],
    }  # fmt: skip


def job_cell(
    look: Look,
    app: str,
    step_id: str,
    steps: Sequence[Any],
    run: str,
    job: JobView | None,
    state: Mapping[str, Any],
    message: Any,
) -> FT:
    """Return the cell of a step that a job gives its value.

    Args:
        look: What returns the parts that every finished step has.
        app: Name of the app.
        step_id: The step.
        steps: All steps of the app.
        run: Id of the run.
        job: How the job stands, or None where there is none.
        state: The state of the run.
        message: What a finished step says; its value unless given.
    """
    place = next(number for number, each in enumerate(steps) if each.id == step_id)
    step, following = steps[place], [each.id for each in steps[place + 1 : place + 2]]
    is_open = job is not None and job.row.is_open
    if step_id in state and state.get(TARGET) != step_id and not is_open:
        held = state[step_id].get(step.done) if isinstance(state[step_id], dict) else state[step_id]
        said = message if message is not None else f"{step.show}: {values.shorten(values.plain(held))}"
        finished = Card("🔒 ", as_child(said)) if FINALIZE in state else None
        finished = finished or look.display_revert_header(step_id, app, steps, message=said)
        return Div(finished, *[_loads(app, each) for each in following], id=step_id)
    waiting, back = [Div(id=each) for each in following], look.display_revert_header(step_id, app, steps)
    if job is None:
        return Div(Card(H3(str(step.show)), "This has not been started.", back), *waiting, id=step_id)
    polls = {
        "hx_get": f"/{app}/{step_id}", "hx_trigger": f"every {EVERY_S}s", "hx_target": f"#{step_id}",
        "hx_swap": "outerHTML", "data_polls": True,
    } if is_open and job.row.status != jobs.PARKED else {}  # fmt: skip
    buttons = [*_buttons(job, run, step_id), None if polls else back]
    card = Card(H3(str(step.show)), *_told(job), Div(*buttons, cls="actions", style="margin-top: 8px;"))
    return Div(card, *waiting, id=step_id, **polls)


def _told(job: JobView) -> list[Any]:
    """Return how a job stands in words, what there is so far, and the newest lines of its log."""
    row, now = job.row, SystemClock().now()
    is_working = row.status in (jobs.QUEUED, jobs.RUNNING)
    said: list[Any] = [shown.how_far(row), shown.standing(job, now)] if is_working else [shown.ended(job)]
    if row.stop:
        said.append("Asked to stop: it does at its next checkpoint.")
    said.append(shown.partial_of(row))
    if job.lines:
        said.append(shown.lines(job.lines, now))
    return said


def _buttons(job: JobView, run: str, step: str) -> list[FT]:
    """Return what can be done with a job; a click anywhere shows the whole run anew."""
    row = job.row
    found = []
    if words := shown.again_words(row):
        found.append(_button(words, run, step, "run", Input(type="hidden", name="_retry", value="1")))
    if row.is_open and not row.stop:
        found.append(_button("Stop", run, step, "stop"))
    return found


def _button(words: str, run: str, step: str, action: str, *more: FT) -> FT:
    return Form(
        *more,
        Button(words, type="submit", cls="secondary", id=f"{step}-{action}"),
        hx_post=f"/-/runs/{run}/steps/{step}/{action}",
        hx_target="#explicit",
        hx_sync="this:drop",
    )


def _loads(app: str, step: str) -> FT:
    return Div(id=step, hx_get=f"/{app}/{step}", hx_trigger="load")
