"""A small workflow as each of the two generations of class-style plugins is written."""

FIRST = """
from collections import namedtuple
from datetime import datetime
import asyncio
from fasthtml.common import *
from loguru import logger

ROLES = ["Core", "Tutorial"]
Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))

class Garden:
    APP_NAME = "garden"
    DISPLAY_NAME = "Herb Garden"
    ENDPOINT_MESSAGE = "Plants two herbs."
    TRAINING_PROMPT = "herbs.md"
    PRESERVE_REFILL = True

    def __init__(self, app, pipulate, pipeline, db, app_name=APP_NAME):
        self.app, self.app_name, self.pipulate, self.pipeline, self.db = app, app_name, pipulate, pipeline, db
        pip = self.pipulate
        self.message_queue = pip.message_queue
        steps = [
            Step(id="step_01", done="herb", show="Herb", refill=True),
            Step(id="step_02", done="pot", show="Pot", refill=False, transform=lambda herb: f"pot for {herb}"),
        ]
        self.steps = [*steps, Step(id="finalize", done="finalized", show="Finalize", refill=False)]
        self.steps_indices = {step.id: i for i, step in enumerate(self.steps)}
        routes = [
            (f"/{app_name}", self.landing), (f"/{app_name}/init", self.init, ["POST"]),
            (f"/{app_name}/revert", self.handle_revert, ["POST"]),
            (f"/{app_name}/finalize", self.finalize, ["GET", "POST"]),
            (f"/{app_name}/finalize_submit", self.finalize, ["POST"]),
            (f"/{app_name}/unfinalize", self.unfinalize, ["POST"]),
        ]
        for step in steps:
            routes.append((f"/{app_name}/{step.id}", getattr(self, step.id)))
            routes.append((f"/{app_name}/{step.id}_submit", getattr(self, f"{step.id}_submit"), ["POST"]))
        for path, handler, *methods in routes:
            app.route(path, *methods)(handler)
        self.step_messages = {
            "new": "Begin.",
            "finalize": {"ready": "Ready.", "complete": f"Done. {pip.UNLOCK_BUTTON_LABEL}"},
            **{step.id: {"input": f"{pip.fmt(step.id)}: ask", "complete": step.show + " is {}."} for step in steps},
        }

    async def landing(self, request):
        pip = self.pipulate
        context = pip.get_plugin_context(self)
        full_key, prefix, user_part = pip.generate_pipeline_key(self)
        self.pipeline.xtra(app_name=self.app_name)
        known = [row.pkey for row in self.pipeline() if row.pkey.startswith(prefix)]
        return Container(
            Card(
                H2(context["plugin_name"]), P(self.ENDPOINT_MESSAGE, style=pip.get_style("muted")),
                Form(
                    pip.wrap_with_inline_button(
                        Input(type="search", name="pipeline_id", value=full_key, list="pipeline-ids", _class="contrast",
                              onfocus="this.setSelectionRange(this.value.length, this.value.length)"),
                        button_label=f"Enter 🔑", button_class="secondary"),
                    pip.update_datalist("pipeline-ids", options=known if known else None, clear=not known),
                    hx_post=f"/{self.app_name}/init", hx_target=f"#{self.app_name}-container"),
            ),
            Div(id=f"{self.app_name}-container"))

    async def init(self, request):
        pip, db = self.pipulate, self.db
        form = await request.form()
        user_input = form.get("pipeline_id", "").strip()
        if not user_input:
            from starlette.responses import Response
            response = Response("")
            response.headers["HX-Refresh"] = "true"
            return response
        context = pip.get_plugin_context(self)
        prefix = f"{context['profile_name'].replace(' ', '_')}-{context['plugin_name'].replace(' ', '_')}-"
        if user_input.startswith(prefix):
            pipeline_id = user_input
        else:
            _, prefix, user_part = pip.generate_pipeline_key(self, user_input)
            pipeline_id = f"{prefix}{user_part}"
        db["pipeline_id"] = pipeline_id
        state, error = pip.initialize_if_missing(pipeline_id, {"app_name": self.app_name})
        if error:
            return error
        await self.message_queue.add(pip, f"Workflow ID: {pipeline_id}", verbatim=True, spaces_before=0)
        await self.message_queue.add(pip, f"Return later by selecting '{pipeline_id}'", verbatim=True, spaces_before=0)
        return pip.rebuild(self.app_name, self.steps)

    async def show(self, step_id, field):
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        index = self.steps_indices[step_id]
        step, next_id = steps[index], steps[index + 1].id
        pipeline_id = self.db.get("pipeline_id", "unknown")
        state = pip.read_state(pipeline_id)
        value = pip.get_step_data(pipeline_id, step_id, {}).get(step.done, "")
        if "finalized" in pip.get_step_data(pipeline_id, "finalize", {}):
            return Div(Card(H3(f"🔒 {step.show}: {value}")),
                       Div(id=next_id, hx_get=f"/{app_name}/{next_id}", hx_trigger="load"), id=step_id)
        if value and state.get("_revert_target") != step_id:
            loads = Div(id=next_id, hx_get=f"/{app_name}/{next_id}", hx_trigger="load")
            return Div(field(step, value), loads, id=step_id)
        await self.message_queue.add(pip, self.step_messages[step_id]["input"], verbatim=True)
        suggestion = value if step.refill else ""
        if step.transform and not suggestion:
            before = steps[index - 1]
            suggestion = step.transform(pip.get_step_data(pipeline_id, before.id, {}).get(before.done))
        return Div(
            Card(H3(f"{pip.fmt(step_id)}: {step.show}"),
                 Form(pip.wrap_with_inline_button(Input(type="text", name=step.done, value=suggestion, required=True)),
                      hx_post=f"/{app_name}/{step_id}_submit", hx_target=f"#{step_id}")),
            Div(id=next_id), id=step_id)

    async def step_01(self, request):
        guide = lambda step, value: self.pipulate.display_revert_header(
            step_id=step.id, app_name=self.app_name, message=f"{step.show}: {value}", steps=self.steps)
        return await self.show("step_01", guide)

    async def step_02(self, request):
        pip = self.pipulate
        widget = lambda step, value: pip.display_revert_widget(
            step_id=step.id, app_name=self.app_name, message=f"{step.show}: {value}", widget=Pre(value),
            steps=self.steps)
        return await self.show("step_02", widget)

    async def step_01_submit(self, request):
        pip, steps = self.pipulate, self.steps
        pipeline_id = self.db.get("pipeline_id", "unknown")
        form = await request.form()
        ok, message, error = pip.validate_step_input(form.get("herb", ""), "Herb", lambda text: (text != "x", "No x"))
        if not ok:
            return error
        value = await pip.set_step_data(pipeline_id, "step_01", form.get("herb", ""), steps)
        await self.message_queue.add(pip, f"{steps[0].show}: {value}", verbatim=True)
        if pip.check_finalize_needed(0, steps):
            await self.message_queue.add(pip, self.step_messages["finalize"]["ready"], verbatim=True)
        return pip.chain_reverter("step_01", 0, steps, self.app_name, value)

    async def step_02_submit(self, request):
        pip, steps = self.pipulate, self.steps
        pipeline_id = self.db.get("pipeline_id", "unknown")
        form = await request.form()
        await pip.set_step_data(pipeline_id, "step_02", form.get("pot", ""), steps)
        pip.append_to_history(f"[WIDGET CONTENT] {form.get('pot', '')}")
        return await self.step_02(request)

    async def finalize(self, request):
        pip, steps, app_name = self.pipulate, self.steps, self.app_name
        pipeline_id = self.db.get("pipeline_id", "unknown")
        if request.method == "GET":
            if "finalized" in pip.get_step_data(pipeline_id, "finalize", {}):
                return Card(H3("Locked."), Form(Button(pip.UNLOCK_BUTTON_LABEL, type="submit", cls="secondary outline"),
                            hx_post=f"/{app_name}/unfinalize", hx_target=f"#{app_name}-container", hx_swap="outerHTML"),
                            id="finalize")
            if all(pip.get_step_data(pipeline_id, step.id, {}).get(step.done) for step in steps[:-1]):
                return Card(H3("Ready?"), Form(Button("Finalize 🔒", type="submit", cls="primary"),
                            hx_post=f"/{app_name}/finalize", hx_target=f"#{app_name}-container", hx_swap="outerHTML"),
                            id="finalize")
            return Div(P("Not ready."), id="finalize")
        await pip.finalize_workflow(pipeline_id)
        await self.message_queue.add(pip, self.step_messages["finalize"]["complete"], verbatim=True)
        return pip.rebuild(app_name, steps)

    async def unfinalize(self, request):
        await self.pipulate.unfinalize_workflow(self.db.get("pipeline_id", "unknown"))
        return self.pipulate.rebuild(self.app_name, self.steps)

    async def handle_revert(self, request):
        pip, steps = self.pipulate, self.steps
        form = await request.form()
        step_id, pipeline_id = form.get("step_id"), self.db.get("pipeline_id", "unknown")
        if not step_id:
            return P("Error: No step specified", style=pip.get_style("error"))
        await pip.clear_steps_from(pipeline_id, step_id, steps)
        state = pip.read_state(pipeline_id)
        state["_revert_target"] = step_id
        pip.write_state(pipeline_id, state)
        message = await pip.get_state_message(pipeline_id, steps, self.step_messages)
        await self.message_queue.add(pip, message, verbatim=True)
        return pip.rebuild(self.app_name, steps)
"""
"""Own `Step`, all routes written out, `rebuild`, keys by the name people read, addresses with and without methods."""

SECOND = """
from fasthtml.common import *
from imports.crud import Step, VALID_ROLES
import config as CFG
from server import APP_NAME as HOST_NAME, MODEL, append_to_conversation, get_db_filename, title_name
from tools.mcp_tools import something_of_the_old_host

ROLES = ["Developer"]

class Shed:
    APP_NAME = "shed"
    DISPLAY_NAME = "Tool Shed"
    ENDPOINT_MESSAGE = "Stores a tool."
    TRAINING_PROMPT = "Tools hang on walls."

    def __init__(self, app, pipulate, pipeline, db, config, app_name=APP_NAME):
        self.app, self.pip, self.config = app, pipulate, config
        self.app_name, self.message_queue = app_name, pipulate.message_queue
        self.ui = pipulate.get_ui_constants()
        self.steps = [
            Step(id="step_tool", done="tool", show="Tool", refill=True),
            Step(id="step_02b", done="wall", show="Wall", refill=False),
            Step(id="finalize", done="finalized", show="Finalize", refill=False),
        ]
        self.steps_indices = {step.id: i for i, step in enumerate(self.steps)}
        self.step_messages = {step.id: {"complete": step.show + ": {}"} for step in self.steps}
        pipulate.register_workflow_routes(self)

    async def landing(self, request=None):
        return self.pip.create_standard_landing_page(self)

    async def init(self, request):
        pip, form = self.pip, await request.form()
        typed = form.get("pipeline_id", "").strip()
        if not typed:
            return HTMLResponse("", headers={"HX-Refresh": "true"})
        full, prefix, part = pip.generate_pipeline_key(self, typed)
        key = typed if typed.startswith(prefix) else full
        pip.db["pipeline_id"] = key
        state, problem = pip.initialize_if_missing(key, {"app_name": self.APP_NAME})
        return problem or pip.run_all_cells(self.APP_NAME, self.steps)

    async def cell(self, step_id):
        pip, steps = self.pip, self.steps
        step, next_id = steps[self.steps_indices[step_id]], steps[self.steps_indices[step_id] + 1].id
        key = pip.db.get("pipeline_id", "unknown")
        value = pip.get_step_data(key, step_id, {}).get(step.done, "")
        if "finalized" in pip.get_step_data(key, "finalize", {}):
            return pip.display_revert_widget(
                step_id=step_id, app_name=self.APP_NAME, steps=steps, message="locked", widget=Pre(value),
                finalized_content=P("kept: ", value), next_step_id=next_id)
        if value and pip.read_state(key).get("_revert_target") != step_id:
            shown = pip.display_revert_header(step_id, self.APP_NAME, steps, f"{step.show}: {value}")
            return Div(shown, Div(id=next_id, hx_get=f"/{self.APP_NAME}/{next_id}", hx_trigger="load"), id=step_id)
        ask = Input(name=step.done, value=value)
        return Div(
            Card(Form(
                pip.wrap_with_inline_button(ask, button_label=self.ui["BUTTON_LABELS"]["NEXT_STEP"], button_data_x="1"),
                hx_post=f"/{self.APP_NAME}/{step_id}_submit", hx_target=f"#{step_id}")),
            Div(id=next_id), id=step_id)

    async def step_tool(self, request):
        return await self.cell("step_tool")

    async def step_02b(self, request):
        return await self.cell("step_02b")

    async def submit(self, request, step_id):
        form = await request.form()
        step = self.steps[self.steps_indices[step_id]]
        await self.pip.set_step_data(self.pip.db["pipeline_id"], step_id, form[step.done], self.steps)
        return self.pip.chain_reverter(step_id, self.steps_indices[step_id], self.steps, self.APP_NAME, form[step.done])

    async def step_tool_submit(self, request):
        return await self.submit(request, "step_tool")

    async def step_02b_submit(self, request):
        return await self.submit(request, "step_02b")

    async def finalize(self, request):
        key = self.pip.db["pipeline_id"]
        if request.method == "POST":
            return await self.pip.handle_finalized_step(key, "finalize", self.steps, self.APP_NAME, self)
        locked = "finalized" in self.pip.get_step_data(key, "finalize", {})
        return Card(H3("Locked" if locked else "Open"), id="finalize")

    async def unfinalize(self, request):
        await self.pip.unfinalize_workflow(self.pip.db["pipeline_id"])
        return self.pip.run_all_cells(self.APP_NAME, self.steps)

    async def handle_revert(self, request):
        form = await request.form()
        key = self.pip.db["pipeline_id"]
        state = await self.pip.clear_steps_from(key, form["step_id"], self.steps)
        state = self.pip.read_state(key)
        state["_revert_target"] = form["step_id"]
        self.pip.write_state(key, state)
        return self.pip.run_all_cells(self.APP_NAME, self.steps)
"""
"""`Step` of the host, routes and landing page by one call, `pip.db`, keys by the stored name."""
