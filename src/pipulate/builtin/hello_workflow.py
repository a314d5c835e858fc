"""Hello Workflow: two steps and a lock as a class, with every phase of every step written out, to be copied.

- `landing` is the page: a form for the key of a run, above the place where the run will stand. It posts to `init`,
  which begins the run, or opens it, and answers with a cell for each step. The first cell loads itself.
- A step answers in one of three phases, and looks for them in this order: the run is locked; the step has its value;
  a form asks for it. The first two end in an element that loads the next step. The form does not, so there the chain
  waits for a person.
- The form of a step posts to `<step>_submit`, which stores the value and answers as the second phase does.
- The last step is always `finalize`. It locks the run, and `unfinalize` opens it again.
"""

# ruff: noqa: ARG002 - the host hands the request to every handler, so every handler takes it

from collections.abc import Callable
from typing import Any, NamedTuple

from fasthtml.common import FT, H2, H3, Button, Card, Container, Div, Form, Input, P
from starlette.requests import Request
from starlette.responses import Response

ROLES = ["Core"]


class Step(NamedTuple):
    """A step, with the names the host knows.

    Attributes:
        id: Its name in addresses and in the stored state, and the name of its handler.
        done: Key of its value inside the dictionary that is stored for it.
        show: What people read.
        refill: Whether its value stays when an earlier step is changed.
        transform: Makes a suggestion of the value of the step before, or None.
    """

    id: str
    done: str
    show: str
    refill: bool
    transform: Callable[[str], str] | None = None


class HelloWorkflow:
    """Asks for a name, suggests a greeting for it, and locks both."""

    APP_NAME = "hello"  # Stored with every run, and the beginning of every address. It stays as it is for ever.
    DISPLAY_NAME = "Hello Workflow"
    ENDPOINT_MESSAGE = "A name and a greeting, with every phase of every step written out. Press Enter for a new run."
    TRAINING_PROMPT = "A workflow of two steps: a person gives a name, then changes or takes the greeting made of it."

    def __init__(self, app: Any, pipulate: Any, pipeline: Any, db: Any) -> None:
        """Declare the steps and register the addresses. The host hands in its parts by the names of the parameters."""
        self.app_name = self.APP_NAME
        self.pipulate, self.pipeline, self.db = pipulate, pipeline, db
        self.message_queue = pipulate.message_queue
        self.steps = [
            Step(id="step_01", done="name", show="Your name", refill=True),
            Step(id="step_02", done="greeting", show="Greeting", refill=False, transform="Hello {}!".format),
            Step(id="finalize", done="finalized", show="Finalize", refill=False),
        ]
        self.steps_indices = {step.id: index for index, step in enumerate(self.steps)}
        self.step_messages: dict[str, Any] = {
            "new": "Begin with your name.",
            "step_01": {"input": "What is your name?", "complete": "The name is {}."},
            "step_02": {"input": "Take the greeting, or change it.", "complete": "The greeting is: {}"},
            "finalize": {
                "ready": "Both steps are done. You can finalize now.",
                "complete": f"Locked. {pipulate.UNLOCK_BUTTON_LABEL} makes it possible to change it again.",
            },
        }
        for path, handler, methods in (
            ("init", self.init, ["POST"]),
            ("step_01", self.step_01, ["GET"]),
            ("step_01_submit", self.step_01_submit, ["POST"]),
            ("step_02", self.step_02, ["GET"]),
            ("step_02_submit", self.step_02_submit, ["POST"]),
            ("finalize", self.finalize, ["GET", "POST"]),
            ("unfinalize", self.unfinalize, ["POST"]),
            ("revert", self.handle_revert, ["POST"]),
        ):
            app.route(f"/{self.app_name}/{path}", methods=methods)(handler)

    # The run

    async def landing(self, request: Request) -> FT:
        """Return the page: a field for the key of a run, filled with the next free one, and the place for the run."""
        pip, app_name = self.pipulate, self.app_name
        next_free, prefix, _ = pip.generate_pipeline_key(self)
        self.pipeline.xtra(app_name=app_name)
        known = [run.pkey for run in self.pipeline() if run.pkey.startswith(prefix)]
        key = Input(
            type="search",
            name="pipeline_id",
            list="pipeline-ids",
            value=next_free,
            placeholder="Enter for a new run",
            aria_label="Key of the run",
            autofocus=True,
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

    async def init(self, request: Request) -> Any:
        """Begin a run, or open the one that has this key, and answer with its cells."""
        pip, app_name = self.pipulate, self.app_name
        form = await request.form()
        typed = str(form.get("pipeline_id", "")).strip()
        if not typed:
            # The page loads anew and offers the next free key.
            return Response("", headers={"HX-Refresh": "true"})
        _, prefix, own_part = pip.generate_pipeline_key(self, typed)
        pipeline_id = typed if typed.startswith(prefix) else f"{prefix}{own_part}"
        self.db["pipeline_id"] = pipeline_id
        _, error = pip.initialize_if_missing(pipeline_id, {"app_name": app_name})
        if error is not None:
            return error
        await self.message_queue.add(pip, f"Workflow ID: {pipeline_id}", verbatim=True)
        await self.message_queue.add(pip, "Choose this key on the page to return to the run.", verbatim=True)
        how_far = await pip.get_state_message(pipeline_id, self.steps, self.step_messages)
        await self.message_queue.add(pip, how_far, verbatim=True)
        return pip.rebuild(app_name, self.steps)

    async def handle_revert(self, request: Request) -> FT:
        """Go back to a step: it shows its form, and what came after it leaves the state unless it is to be refilled."""
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

    # Step 1

    async def step_01(self, request: Request) -> FT:
        """Show the name, or ask for it."""
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        step_id, next_step_id = "step_01", "step_02"
        step = steps[self.steps_indices[step_id]]
        pipeline_id = self.db.get("pipeline_id", "unknown")
        state = pip.read_state(pipeline_id)
        name = pip.get_step_data(pipeline_id, step_id, {}).get(step.done, "")
        finalize_data = pip.get_step_data(pipeline_id, "finalize", {})

        # Phase 1: the run is locked. The value is shown, and the next step loads.
        if "finalized" in finalize_data:
            return Div(
                Card(H3(f"🔒 {step.show}: {name}")),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )

        # Phase 2: the step has its value, and nobody went back to it. The same, with a button that leads back.
        if name and state.get("_revert_target") != step_id:
            return Div(
                pip.display_revert_header(
                    step_id=step_id, app_name=app_name, steps=steps, message=f"{step.show}: {name}"
                ),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )

        # Phase 3: a form asks for the value. The next step has its place, but does not load.
        field = Input(
            type="text",
            name=step.done,
            value=name,
            placeholder=step.show,
            aria_label=step.show,
            required=True,
            autofocus=True,
        )
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

    async def step_01_submit(self, request: Request) -> Any:
        """Store the name, and answer with it and the next step."""
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        step_id = "step_01"
        step_index = self.steps_indices[step_id]
        step = steps[step_index]
        pipeline_id = self.db.get("pipeline_id", "unknown")
        form = await request.form()
        name = str(form.get(step.done, "")).strip()
        is_valid, _, error = pip.validate_step_input(name, step.show)
        if not is_valid:
            return error, await self.step_01(request)
        await pip.set_step_data(pipeline_id, step_id, name, steps)
        pip.append_to_history(f"{step.show}: {name}")
        await self.message_queue.add(pip, self.step_messages[step_id]["complete"].format(name), verbatim=True)
        return pip.chain_reverter(step_id, step_index, steps, app_name, name)

    # Step 2: as step 1, but it suggests a value that is made of the one before.

    async def step_02(self, request: Request) -> FT:
        """Show the greeting, or ask for it."""
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        step_id, next_step_id = "step_02", "finalize"
        step_index = self.steps_indices[step_id]
        step, step_before = steps[step_index], steps[step_index - 1]
        pipeline_id = self.db.get("pipeline_id", "unknown")
        state = pip.read_state(pipeline_id)
        greeting = pip.get_step_data(pipeline_id, step_id, {}).get(step.done, "")
        finalize_data = pip.get_step_data(pipeline_id, "finalize", {})

        # Phase 1
        if "finalized" in finalize_data:
            return Div(
                Card(H3(f"🔒 {step.show}: {greeting}")),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )

        # Phase 2
        if greeting and state.get("_revert_target") != step_id:
            return Div(
                pip.display_revert_header(
                    step_id=step_id, app_name=app_name, steps=steps, message=f"{step.show}: {greeting}"
                ),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )

        # Phase 3
        name = pip.get_step_data(pipeline_id, step_before.id, {}).get(step_before.done, "")
        suggestion = step.transform(name) if step.transform and name else ""
        field = Input(
            type="text",
            name=step.done,
            value=greeting or suggestion,
            placeholder=step.show,
            aria_label=step.show,
            required=True,
            autofocus=True,
        )
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

    async def step_02_submit(self, request: Request) -> Any:
        """Store the greeting, and answer with it and what locks the run."""
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        step_id = "step_02"
        step_index = self.steps_indices[step_id]
        step = steps[step_index]
        pipeline_id = self.db.get("pipeline_id", "unknown")
        form = await request.form()
        greeting = str(form.get(step.done, "")).strip()
        is_valid, _, error = pip.validate_step_input(greeting, step.show)
        if not is_valid:
            return error, await self.step_02(request)
        await pip.set_step_data(pipeline_id, step_id, greeting, steps)
        pip.append_to_history(f"{step.show}: {greeting}")
        await self.message_queue.add(pip, self.step_messages[step_id]["complete"].format(greeting), verbatim=True)
        if pip.check_finalize_needed(step_index, steps):
            await self.message_queue.add(pip, self.step_messages["finalize"]["ready"], verbatim=True)
        return pip.chain_reverter(step_id, step_index, steps, app_name, greeting)

    # The end

    async def finalize(self, request: Request) -> FT:
        """Offer to lock the run once every step is done, and to unlock it once it is locked; POST locks it."""
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
            P("This locks the run. Until then you can go back to each step and change it."),
            Form(
                Button("Finalize 🔒", type="submit", cls="primary"),
                hx_post=f"/{app_name}/finalize",
                hx_target=f"#{app_name}-container",
                hx_swap="outerHTML",
            ),
            id="finalize",
        )

    async def unfinalize(self, request: Request) -> FT:
        """Unlock the run."""
        pip = self.pipulate
        await pip.unfinalize_workflow(self.db.get("pipeline_id", "unknown"))
        await self.message_queue.add(pip, "Unlocked. You can go back to each step and change it.", verbatim=True)
        return pip.rebuild(self.app_name, self.steps)
