"""The page of a run: its steps, its bars, and what stands in the way when two people meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipulate.fields import Option
from pipulate.storage import jobs
from pipulate.storage.journal import StepValue
from pipulate.ui import job
from pipulate.ui.beside import with_code
from pipulate.ui.forms import drawn_fields, problems_without_field
from pipulate.ui.html import (
    Html,
    a,
    article,
    button,
    details,
    div,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    li,
    nav,
    noscript,
    ol,
    p,
    section,
    span,
    strong,
    summary,
    ul,
)
from pipulate.ui.overrides import arranged, shown
from pipulate.ui.place import Place
from pipulate.ui.results import result
from pipulate.ui.story import Titles, title_of
from pipulate.ui.suggesting import Suggesting, with_model
from pipulate.ui.uploads import UploadForm
from pipulate.ui.words import clock_time, moment, person
from pipulate.workflows.asking import JobView
from pipulate.workflows.definition import Step
from pipulate.workflows.plan import Slot
from pipulate.workflows.run import SKIPPED, Run
from pipulate.workflows.work import Failure, RunView

_STOPPED = "This step stopped with an error of the app. Everything before it is kept."
_MULTIPART, _PLAIN = "multipart/form-data", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class OpenForm:
    """What the form of the open step holds.

    Attributes:
        texts: Field -> texts.
        problems: Field -> what is wrong; "" for the step as a whole.
        options: Field -> choices that depend on the run.
        submit_id: Id of this form.
        is_working: The step runs by itself just now.
        failure: Why it failed when it ran by itself, or None.
        uploads: What its fields for files need; None where it has none.
        job: The job that works out its value, or would have; None where there is none.
        model: Whether a language model can fill it in, has a suggestion that waits in the panel, or neither.
    """

    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    submit_id: str = ""
    is_working: bool = False
    failure: Failure | None = None
    uploads: UploadForm | None = None
    job: JobView | None = None
    model: Suggesting = "none"


@dataclass(frozen=True, slots=True)
class RunPage:
    """Everything the page of a run shows.

    Attributes:
        view: The run.
        slots: Its steps; all of them, or those an answer shows anew.
        asked: The step that is asked for, or None where the run is finished.
        open: What the form of that step holds, or None.
        profile: Name of its profile.
        landing: Address of its app's page, or None where the app is not installed.
        address: Address of the run.
        viewer: Id of the person who looks.
        now: The moment.
        shown: Where a past version is looked at: that version, its author and time; None for the run as it is now.
        notice: What the person should know about what they just tried, or "".
        renaming: The new key that was refused, and why; None where none was.
        title: What people call the app, where it is no workflow.
        run: The run as the code of its steps sees it, for views of the author's; None where there are none.
        problems: Title of a step -> what the app's checks find wrong in a finished run.
        is_unknown: Whether the app's own code failed, so that nobody knows which step is asked for.
        titles: What people call its steps, where it is no workflow.
    """

    view: RunView
    slots: Sequence[Slot]
    asked: Slot | None
    open: OpenForm | None
    profile: str
    landing: str | None
    address: str
    viewer: str
    now: datetime
    shown: tuple[int, str, str] | None = None
    notice: str = ""
    renaming: tuple[str, str] | None = None
    title: str = ""
    run: Run | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    is_unknown: bool = False
    titles: Titles | None = None

    @property
    def is_past(self) -> bool:
        """Whether this is a look at an earlier version, where nothing can be changed."""
        return self.shown is not None

    @property
    def can_edit(self) -> bool:
        """Whether steps show their editors."""
        return not self.is_past and self.view.state.lock is None and self.view.workflow is not None


def run_section(page: RunPage) -> Html:
    """Return the run: head, bar, steps."""
    row = page.view.row
    return article(
        run_head(page),
        p(page.notice, class_="bar notice", role="alert") if page.notice else None,
        bar(page),
        ol([step_item(page, slot) for slot in page.slots], _orphans(page), class_="steps"),
        id="run",
        data_run=row.id,
        data_version=row.version,
        data_past=page.is_past,
    )


def run_head(page: RunPage) -> Html:
    """Return the breadcrumb that is the title, and what can be done with the run as a whole."""
    row = page.view.row
    title = page.title or page.view.title
    app = a(title, href=page.landing) if page.landing else span(title)
    return header(
        nav(
            ol(li(app), li(page.profile), li(h1(row.key, dir="auto"), aria_current="page")),
            aria_label="Breadcrumb",
            class_="crumbs",
        ),
        div(progress_words(page), _history_link(page), _menu(page), class_="run-actions"),
        class_="run-head",
    )


def progress_words(page: RunPage, *, oob: bool = False) -> Html:
    """Return how far the run is, in words."""
    workflow = page.view.workflow
    if page.view.state.lock:
        text = "Locked"
    elif workflow is None or page.is_past or page.is_unknown:
        text = ""
    elif page.asked is None:
        text = "Not ready" if page.problems else "Finished"
    else:
        text = f"Step {workflow.position[page.asked.step.name] + 1} of {len(workflow.order)}"
    return span(text, id="run-progress", class_="state", hx_swap_oob="true" if oob else None)


def bar(page: RunPage, *, oob: bool = False) -> Html:
    """Return the line below the title: locked, past, finished, app missing; empty while a step is open."""
    row, state = page.view.row, page.view.state
    content: Any = None
    kind = "bar"
    if page.shown is not None:
        version, actor, at = page.shown
        kind = "bar past"
        content = join(
            span(
                "You are looking at version ",
                strong(version),
                f" of {row.version} ",
                f"({person(actor, page.viewer)}, ",
                moment(at, page.now),
                ").",
            ),
            div(
                _back_to_now(page),
                None if row.locked_at else _action(page, "Go back to here", "go-back", version=version),
                _action(page, "Copy as new run from here", "copy", version=version),
                class_="bar-actions",
            ),
        )
    elif state.lock is not None:
        kind = "bar locked"
        content = join(
            span(
                "Locked by ",
                person(state.lock.by, page.viewer).replace("You", "you"),
                ", ",
                moment(state.lock.at, page.now),
                ".",
            ),
            div(_action(page, "Unlock", "unlock"), class_="bar-actions"),
        )
    elif page.view.workflow is None:
        kind = "bar notice"
        content = span(
            f"The app of this run ({row.app}) is not installed, so its values can only be looked at. "
            "Put its file back into the plugins folder to go on."
        )
    elif page.asked is None and not page.is_unknown:
        kind, content = _finished(page)
    return div(
        content,
        id="run-bar",
        class_=kind if content else "bar none",
        hx_swap_oob="true" if oob else None,
        role="status" if content else None,
    )


def _finished(page: RunPage) -> tuple[str, Html]:
    if page.problems:
        listed = [li(_mend(page, title), " ", text) for title, text in page.problems.items()]
        return "bar notice unready", div(p("All steps are done, but something does not fit together:"), ul(listed))
    return "bar finished", join(
        span("All steps are done. Lock the run to keep it as it is."),
        div(_action(page, "Lock run", "lock", kind="primary"), class_="bar-actions"),
    )


def _mend(page: RunPage, title: str) -> Html:
    """Return the title of a step as a button that opens it again."""
    workflow = page.view.workflow
    step = next((each for each in workflow.steps if each.title == title), None) if workflow is not None else None
    if step is None or not page.can_edit:
        return strong(title)
    return _reopen(page, step, join(span("Edit ", class_="visually-hidden"), title), "quiet mend")


def _reopen(page: RunPage, step: Step[..., Any], words: Any, class_: str) -> Html:
    """Return the button that opens a step that is done, or runs it again."""
    address = f"/-/runs/{page.view.row.id}/steps/{step.name}/{'again' if step.is_automatic else 'revert'}"
    return form(_hidden(page), button(words, class_=class_), method="post", action=address, **_posts(address))


def _back_to_now(page: RunPage) -> Html:
    swap = {} if page.title else into_run(page.address, push=True)  # A class-style app has other markup.
    return a("Back to now", href=page.address, class_="button quiet", **swap)


def step_item(page: RunPage, slot: Slot, *, oob: bool = False) -> Html:
    """Return one step as a list item: folded when done, a card when open, a quiet label when it comes later."""
    if slot.status in ("open", "editing") and page.can_edit:
        kind, content = "open", _card(page, slot)
    elif slot.status in ("done", "editing"):
        kind, content = "done", _folded(page, slot)
    elif slot.status == "skipped":
        kind, content = "skipped", span(slot.step.title, span(" not needed here", class_="visually-hidden"))
    else:
        kind, content = (
            "waiting",
            join(
                span(slot.step.title, class_="label"),
                span(f"will be {'worked out' if slot.step.is_automatic else 'asked'} again", class_="again")
                if slot.offer is not None and page.can_edit
                else None,
            ),
        )
    return li(
        content,
        id=f"step-{slot.step.name}",
        class_=f"step {kind}",
        aria_current="step" if kind == "open" else None,
        hx_swap_oob="true" if oob else None,
    )


def _folded(page: RunPage, slot: Slot) -> Html:
    value = slot.value
    assert value is not None  # noqa: S101 - a done step has one
    step = slot.step
    given, when = value.data.get("input"), clock_time(value.at, page.now)
    edit = None
    if page.can_edit:
        words = "Run again" if step.is_automatic else "Edit"
        edit = _reopen(page, step, join(words, span(f" {step.title}", class_="visually-hidden")), "quiet edit")
    return join(
        div(
            span(step.title, class_="label"),
            span("Skipped", class_="none")
            if value.data.get("view") == SKIPPED
            else span(value.short if given is not None else "", class_="value", dir="auto"),
            edit,
            class_="line",
            title=f"{person(value.by, page.viewer) if given is not None else 'Worked out'}, {when}",
        ),
        with_code(_shown(page, slot, value), step.code, step.title),
    )


def _shown(page: RunPage, slot: Slot, value: StepValue) -> Html | None:
    """Return what the step returned, unless the line above says the same."""
    data, step = value.data, slot.step
    output = data.get("output")
    if data.get("view") in ("none", SKIPPED):
        return None
    is_locked = page.view.state.lock is not None and not page.is_past
    view = (step.locked_view if is_locked else None) or step.done_view
    if view is not None:
        run = page.run
        kind = str(data.get("view", "tree"))
        return shown(view, lambda: step.load(output, run.files if run is not None else None, kind), run)
    says_no_more = data.get("input") is not None and output == value.short
    if says_no_more:
        return None
    return result(str(data.get("view", "tree")), output, _place_of(page, step.name, value))


def _place_of(page: RunPage, step: str, value: StepValue) -> Place:
    return Place(page.view.row.id, step, value.version)


def _card(page: RunPage, slot: Slot) -> Html:
    step, opened = slot.step, page.open or OpenForm()
    heading = f"title-{step.name}"
    is_working = opened.job is not None and opened.is_working
    if step.is_automatic or is_working:
        content = _job(page, slot, opened.job) if opened.job is not None else _automatic(page, slot, opened)
        return section(h2(step.title, id=heading), content, class_="card", aria_labelledby=heading)
    address = _step_address(page, slot, "" if opened.uploads is None else "with-files")
    content = form(
        _hidden(page, opened.submit_id),
        _first_button(opened),
        problems_without_field(opened.problems, step.fields),
        _fields(page, slot, opened),
        div(
            button("Save" if slot.status == "editing" else "Continue", type="submit", class_="primary"),
            _keep(page, slot),
            _skip(page, slot),
            _cancel(page, slot),
            class_="actions",
        ),
        method="post",
        action=address,
        enctype=_MULTIPART if opened.uploads is not None else None,
        novalidate=True,
        autocomplete="off",
        data_draft=f"{page.view.row.id}:{step.name}",
        **_posts(address, target=f"#step-{step.name}"),
    )
    return section(
        h2(step.title, id=heading),
        p(step.help, class_="help") if step.help else None,
        _job(page, slot, opened.job) if opened.job is not None else None,
        with_code(content, step.code, step.title),
        with_model(opened.model, _step_address(page, slot, "suggest")),
        class_="card",
        aria_labelledby=heading,
    )


def _fields(page: RunPage, slot: Slot, opened: OpenForm) -> Html:
    step = slot.step
    drawn = drawn_fields(step.fields, opened.texts, opened.problems, opened.options, step.name, opened.uploads)
    return arranged(step.form_view, drawn, page.run) if step.form_view is not None else join(*drawn.values())


def _first_button(opened: OpenForm) -> Html | None:
    """Return what Enter presses in a form whose first visible buttons remove files."""
    if opened.uploads is None:
        return None
    return button("Continue", type="submit", class_="visually-hidden", tabindex="-1", aria_hidden="true")


def _skip(page: RunPage, slot: Slot) -> Html | None:
    if not slot.step.optional or slot.status == "editing":
        return None
    address = _step_address(page, slot, "skip")
    return button(
        "Skip", class_="quiet", formaction=address, formenctype=_PLAIN, data_drops_draft=True,
        **_posts(address, target=f"#step-{slot.step.name}"),
    )  # fmt: skip


def _automatic(page: RunPage, slot: Slot, opened: OpenForm) -> Html:
    """Return the card of a step that runs by itself: it starts as soon as the page shows it."""
    address = _step_address(page, slot, "run")
    if opened.failure is not None:
        return join(
            p(opened.failure.words or _STOPPED, role="alert"),
            p("The server's log has the details under the id ", strong(opened.failure.error_id), ".", class_="help")
            if opened.failure.error_id
            else None,
            p("For the author: ", opened.failure.where, class_="help", dir="auto") if opened.failure.where else None,
            form(
                _hidden(page),
                input_(type="hidden", name="_retry", value="1"),
                div(button("Try again", class_="primary"), class_="actions"),
                method="post",
                action=address,
                **_posts(address),
            ),
        )
    return form(
        _hidden(page),
        p("Working …", class_="working", role="status", data_progress=slot.step.name),
        noscript(button("Run this step", class_="primary")),
        method="post",
        action=address,
        hx_trigger="load",
        **_posts(address),
    )


def _job(page: RunPage, slot: Slot, view: JobView) -> Html:
    """Return the job of a step: how far it is, or why it came to nothing, and what can be done about it."""
    status = view.row.status
    if status in (jobs.QUEUED, jobs.RUNNING):
        return join(job.working(view, page.now), _job_form(page, slot, "Stop", "stop", "secondary"))
    kind = "primary" if slot.step.is_automatic else "secondary"
    gives_up = _job_form(page, slot, "Cancel", "stop", "secondary", "cancel") if status == jobs.PARKED else None
    return join(job.ended(view), _job_form(page, slot, job.again_words(view.row), "run", kind), gives_up)


def _job_form(page: RunPage, slot: Slot, words: str, action: str, kind: str, name: str = "") -> Html:
    address = _step_address(page, slot, action)
    return form(
        _hidden(page),
        input_(type="hidden", name="_retry", value="1") if action == "run" else None,
        div(button(words, span(f" {slot.step.title}", class_="visually-hidden"), class_=kind), class_="actions"),
        id=f"{name or action}-{slot.step.name}",  # What means something else is another element, even with the focus.
        method="post",
        action=address,
        **_posts(address),
    )


def _keep(page: RunPage, slot: Slot) -> Html | None:
    if slot.offer is None or not slot.is_unchanged:
        return None
    address = _step_address(page, slot, "keep")
    return button(
        "Keep as it is",
        span(f": {slot.offer.short}", class_="visually-hidden"),
        class_="secondary",
        formaction=address,
        formenctype=_PLAIN,
        **_posts(address),
    )


def _cancel(page: RunPage, slot: Slot) -> Html | None:
    if slot.status != "editing":
        return None
    address = f"/-/runs/{page.view.row.id}/cancel-edit"
    return button(
        "Cancel edit", class_="quiet", formaction=address, formenctype=_PLAIN, data_drops_draft=True, **_posts(address)
    )


def _orphans(page: RunPage) -> Html | None:
    """Return values of steps that the app no longer has, so that nothing that was ever given is out of sight."""
    known = {slot.step.name for slot in page.slots}
    left = {name: value for name, value in page.view.state.steps.items() if name not in known}
    if not left:
        return None
    return join(
        li(
            div(
                span(title_of(page.titles, name), class_="label"),
                span(value.short, class_="value", dir="auto"),
                class_="line",
            ),
            result(str(value.data.get("view", "tree")), value.data.get("output"), _place_of(page, name, value)),
            class_="step done orphan",
        )
        for name, value in sorted(left.items(), key=lambda item: item[1].version)
    )


def _history_link(page: RunPage) -> Html:
    address = f"/-/runs/{page.view.row.id}/history"
    return a(
        "History", href=address, class_="button quiet", hx_get=address, hx_target="#drawer", hx_swap="innerHTML",
        data_opens="drawer",
    )  # fmt: skip


def _menu(page: RunPage) -> Html:
    row = page.view.row
    locked = page.view.state.lock is not None
    key, problem = page.renaming or (row.key, "")
    rename = form(
        _hidden(page),
        div(
            input_(
                name="key",
                value=key,
                aria_label="New key",
                aria_invalid="true" if problem else None,
                aria_describedby="rename-problem" if problem else None,
                autofocus=bool(problem),
                dir="auto",
                autocomplete="off",
            ),
            button("Rename", class_="secondary"),
            class_="inline",
        ),
        p(problem, id="rename-problem", class_="problem", role="alert") if problem else None,
        method="post",
        action=f"/-/runs/{row.id}/rename",
        **_posts(f"/-/runs/{row.id}/rename", target=_place(page)),
    )
    return details(
        summary("More", class_="button quiet", aria_label="More actions for this run"),
        div(
            _action(page, "Copy as new run", "copy", kind="quiet"),
            _action(page, "Lock run", "lock", kind="quiet") if page.title and not locked and not page.is_past else None,
            _repeat(page),
            a("Export to a file", href=f"/-/runs/{row.id}/export", class_="button quiet", download=True),
            None if locked or page.is_past else _action(page, "Delete", "delete", kind="quiet danger"),
            None if locked or page.is_past else rename,
            p("Unlock the run to rename or delete it.", class_="help") if locked else None,
            class_="menu-body",
        ),
        class_="menu right",
        data_menu=True,
        open=bool(problem),
    )


def _repeat(page: RunPage) -> Html | None:
    """Return the way to a schedule; only apps whose steps the framework answers can have one."""
    if page.view.workflow is None or page.is_past:
        return None
    return a("Repeat on a schedule …", href=f"/-/schedules/new?run={page.view.row.id}", class_="button quiet")


def _action(page: RunPage, words: str, name: str, *, version: int | None = None, kind: str = "secondary") -> Html:
    """Return a button that does something to the run as a whole."""
    address = f"/-/runs/{page.view.row.id}/{name}"
    return form(
        _hidden(page),
        input_(type="hidden", name="version", value=version) if version is not None else None,
        button(words, class_=kind),
        method="post",
        action=address,
        **_posts(address, target=_place(page)),
    )


def _hidden(page: RunPage, submit_id: str = "") -> Html:
    """Return what every form of a run names: the version it was made for, and its own id."""
    return join(
        input_(type="hidden", name="_seen", value=page.view.row.version),
        input_(type="hidden", name="_submit", value=submit_id) if submit_id else None,
    )


def _place(page: RunPage) -> str:
    """Return what the answer to an action on the whole run takes the place of; a class-style app has other markup."""
    return "#explicit" if page.title and not page.is_past else "#run"


def _posts(address: str, *, target: str = "#run") -> dict[str, str]:
    return {"hx_post": address, "hx_target": target, "hx_swap": "outerHTML", "hx_sync": "this:drop"}


def into_run(address: str, *, push: bool = False) -> dict[str, str | None]:
    """Return the attributes of a link whose page is put in place of the run that is shown."""
    return {
        "hx_get": address,
        "hx_target": "#run",
        "hx_select": "#run",
        "hx_swap": "outerHTML",
        "hx_push_url": "true" if push else None,
    }


def _step_address(page: RunPage, slot: Slot, action: str = "") -> str:
    address = f"/-/runs/{page.view.row.id}/steps/{slot.step.name}"
    return f"{address}/{action}" if action else address
