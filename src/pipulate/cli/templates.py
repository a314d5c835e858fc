"""What `pipulate new` writes. `$name`, `$title` and `$kind` are filled in."""

from __future__ import annotations

from string import Template

_DECLARATIVE = '''"""$title: say here what it is good for."""

from typing import Annotated

from pipulate import Run, TextArea, Workflow

app = Workflow("$name", title="$title", description="One sentence about what it is good for.")


@app.step("input", title="Input")
def input_(text: Annotated[str, TextArea(rows=6)], times: int = 2) -> None:
    """What should be worked on?

    Args:
        text: Any text.
        times: How often to repeat it.
    """


@app.step("result", title="Result")
def result(run: Run) -> str:
    """A step without fields runs by itself."""
    given = run.answers(input_)
    return "\\n".join([given.text] * given.times)
'''

_EXPLICIT = '''"""$title: say here what it is good for."""

from collections import namedtuple

from fasthtml.common import *
from starlette.responses import Response

ROLES = ["Core"]

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))


class $kind:
    """A workflow of one step. For another step, copy step_01 and step_01_submit, and add it to `self.steps`."""

    APP_NAME = "$name"  # Stored with every run, and the beginning of every address. It stays as it is for ever.
    DISPLAY_NAME = "$title"
    ENDPOINT_MESSAGE = "One sentence about what it is good for."

    def __init__(self, app, pipulate, pipeline, db):
        self.app_name = self.APP_NAME
        self.pipulate, self.pipeline, self.db = pipulate, pipeline, db
        self.message_queue = pipulate.message_queue
        self.steps = [
            Step(id="step_01", done="value", show="Value", refill=True),
            Step(id="finalize", done="finalized", show="Finalize", refill=False),
        ]
        self.steps_indices = {step.id: index for index, step in enumerate(self.steps)}
        self.step_messages = {
            "new": "Begin with the first step.",
            "step_01": {"input": "Give the value.", "complete": "The value is {}."},
            "finalize": {"ready": "Every step is done.", "complete": "The run is locked."},
        }
        routes = [
            ("init", self.init, ["POST"]),
            ("revert", self.handle_revert, ["POST"]),
            ("finalize", self.finalize, ["GET", "POST"]),
            ("unfinalize", self.unfinalize, ["POST"]),
        ]
        for step in self.steps[:-1]:
            routes.append((step.id, getattr(self, step.id), ["GET"]))
            routes.append((f"{step.id}_submit", getattr(self, f"{step.id}_submit"), ["POST"]))
        for path, handler, methods in routes:
            app.route(f"/{self.app_name}/{path}", methods=methods)(handler)

    async def landing(self, request):
        """Show the page: a field for the key of a run, and the place for the run."""
        pip, app_name = self.pipulate, self.app_name
        next_free, prefix, _ = pip.generate_pipeline_key(self)
        self.pipeline.xtra(app_name=app_name)
        known = [run.pkey for run in self.pipeline() if run.pkey.startswith(prefix)]
        key = Input(
            type="search", name="pipeline_id", list="pipeline-ids", value=next_free, aria_label="Key", autofocus=True
        )
        return Container(
            Card(
                H2(self.DISPLAY_NAME),
                P(self.ENDPOINT_MESSAGE),
                Form(
                    pip.wrap_with_inline_button(key, button_label="Enter 🔑", button_class="secondary"),
                    pip.update_datalist("pipeline-ids", options=known or None),
                    hx_post=f"/{app_name}/init",
                    hx_target=f"#{app_name}-container",
                ),
            ),
            Div(id=f"{app_name}-container"),
        )

    async def init(self, request):
        """Begin a run, or open the one that has this key."""
        pip = self.pipulate
        form = await request.form()
        typed = form.get("pipeline_id", "").strip()
        if not typed:  # The page loads anew and offers the next free key.
            return Response("", headers={"HX-Refresh": "true"})
        _, prefix, own_part = pip.generate_pipeline_key(self, typed)
        pipeline_id = typed if typed.startswith(prefix) else f"{prefix}{own_part}"
        self.db["pipeline_id"] = pipeline_id
        _, error = pip.initialize_if_missing(pipeline_id, {"app_name": self.app_name})
        if error is not None:
            return error
        await self.message_queue.add(pip, f"Workflow ID: {pipeline_id}", verbatim=True)
        how_far = await pip.get_state_message(pipeline_id, self.steps, self.step_messages)
        await self.message_queue.add(pip, how_far, verbatim=True)
        return pip.rebuild(self.app_name, self.steps)

    async def step_01(self, request):
        """Show the value, or ask for it."""
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        step_id = "step_01"
        step_index = self.steps_indices[step_id]
        step, next_step_id = steps[step_index], steps[step_index + 1].id
        pipeline_id = self.db.get("pipeline_id", "unknown")
        state = pip.read_state(pipeline_id)
        value = pip.get_step_data(pipeline_id, step_id, {}).get(step.done, "")
        finalize_data = pip.get_step_data(pipeline_id, "finalize", {})

        # Phase 1: the run is locked.
        if "finalized" in finalize_data:
            return Div(
                Card(H3(f"🔒 {step.show}: {value}")),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )

        # Phase 2: the step has its value, and nobody went back to it.
        if value and state.get("_revert_target") != step_id:
            return Div(
                pip.display_revert_header(
                    step_id=step_id, app_name=app_name, steps=steps, message=f"{step.show}: {value}"
                ),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )

        # Phase 3: a form asks for the value.
        field = Input(type="text", name=step.done, value=value, aria_label=step.show, required=True, autofocus=True)
        return Div(
            Card(
                H3(f"{pip.fmt(step_id)}: {step.show}"),
                P(self.step_messages[step_id]["input"]),
                Form(
                    pip.wrap_with_inline_button(field),
                    hx_post=f"/{app_name}/{step_id}_submit",
                    hx_target=f"#{step_id}",
                ),
            ),
            Div(id=next_step_id),
            id=step_id,
        )

    async def step_01_submit(self, request):
        """Store the value, and answer with it and the next step."""
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        step_id = "step_01"
        step_index = self.steps_indices[step_id]
        step = steps[step_index]
        pipeline_id = self.db.get("pipeline_id", "unknown")
        form = await request.form()
        value = form.get(step.done, "").strip()
        is_valid, _, error = pip.validate_step_input(value, step.show)
        if not is_valid:
            return error, await self.step_01(request)
        await pip.set_step_data(pipeline_id, step_id, value, steps)
        await self.message_queue.add(pip, self.step_messages[step_id]["complete"].format(value), verbatim=True)
        if pip.check_finalize_needed(step_index, steps):
            await self.message_queue.add(pip, self.step_messages["finalize"]["ready"], verbatim=True)
        return pip.chain_reverter(step_id, step_index, steps, app_name, value)

    async def handle_revert(self, request):
        """Go back to a step."""
        pip = self.pipulate
        pipeline_id = self.db.get("pipeline_id", "unknown")
        form = await request.form()
        step_id = form.get("step_id")
        if step_id not in [step.id for step in self.steps[:-1]]:
            await self.message_queue.add(pip, "There is no such step to go back to.", verbatim=True)
            return pip.rebuild(self.app_name, self.steps)
        await pip.clear_steps_from(pipeline_id, step_id, self.steps)
        state = pip.read_state(pipeline_id)
        state["_revert_target"] = step_id
        pip.write_state(pipeline_id, state)
        message = await pip.get_state_message(pipeline_id, self.steps, self.step_messages)
        await self.message_queue.add(pip, message, verbatim=True)
        return pip.rebuild(self.app_name, self.steps)

    async def finalize(self, request):
        """Offer to lock the run once every step is done, and to unlock it afterwards; POST locks it."""
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        pipeline_id = self.db.get("pipeline_id", "unknown")
        state = pip.read_state(pipeline_id)
        is_done = all(state.get(step.id, {}).get(step.done) for step in steps[:-1])
        if request.method == "POST":
            message = "Not every step is done yet."
            if is_done:
                await pip.finalize_workflow(pipeline_id)
                message = self.step_messages["finalize"]["complete"]
            await self.message_queue.add(pip, message, verbatim=True)
            return pip.rebuild(app_name, steps)
        if "finalized" in pip.get_step_data(pipeline_id, "finalize", {}):
            return Card(
                H3("This run is locked."),
                Form(
                    Button(pip.UNLOCK_BUTTON_LABEL, type="submit", cls="secondary outline"),
                    hx_post=f"/{app_name}/unfinalize",
                    hx_target=f"#{app_name}-container",
                    hx_swap="outerHTML",
                ),
                id="finalize",
            )
        if not is_done:
            return Div(id="finalize")
        return Card(
            H3("Every step is done. Finalize?"),
            Form(
                Button("Finalize 🔒", type="submit", cls="primary"),
                hx_post=f"/{app_name}/finalize",
                hx_target=f"#{app_name}-container",
                hx_swap="outerHTML",
            ),
            id="finalize",
        )

    async def unfinalize(self, request):
        """Unlock the run."""
        pip = self.pipulate
        await pip.unfinalize_workflow(self.db.get("pipeline_id", "unknown"))
        await self.message_queue.add(pip, "The run is unlocked.", verbatim=True)
        return pip.rebuild(self.app_name, self.steps)
'''

_TABLE = '''"""$title: say here what it keeps."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel

from pipulate import Resource, TextArea


class Record(BaseModel):
    """One record: each field is a column of the list.

    Attributes:
        due: Leave it empty where there is no hurry.
    """

    name: str
    due: date | None = None
    notes: Annotated[str, TextArea(rows=3)] = ""
    done: bool = False


records = Resource(
    "$name",
    Record,
    title="$title",
    description="One sentence about what it keeps.",
    toggle="done",
)


@records.column("overdue")
def overdue(record: Record) -> bool:
    """Work out a column that nobody types."""
    return record.due is not None and not record.done and record.due < date.today()
'''

STYLES = {"declarative": _DECLARATIVE, "explicit": _EXPLICIT}
"""Style -> its template; the first one is what is written where none is named."""


def filled(style: str, name: str) -> str:
    """Return a plugin of a style, ready to be saved."""
    return _filled(STYLES[style], name)


def filled_table(name: str) -> str:
    """Return a plugin with a table of records, ready to be saved."""
    return _filled(_TABLE, name)


def _filled(template: str, name: str) -> str:
    title = name.replace("_", " ").strip().capitalize()
    kind = "".join(part.capitalize() for part in name.split("_")) + "Workflow"
    return Template(template).substitute(name=name, title=title, kind=kind)
