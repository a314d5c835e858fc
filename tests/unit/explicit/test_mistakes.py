"""The common mistakes in class-style plugins: found at their line, and never where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate import builtin
from pipulate.cli.templates import filled
from pipulate.explicit.mistakes import find
from tests.support.crudstyle import ASKS as NAMES
from tests.support.crudstyle import CUSTOMERS, NOTES, ROLES, TASKS
from tests.support.explicit import BENCH, DIARY, SHAPES

PLUGIN = filled("explicit", "audit")
IN_BOX = Path(builtin.__file__).parent

LOADER = 'Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load")'
TARGET = """hx_post=f"/{app_name}/{step_id}_submit",
                    hx_target=f"#{step_id}","""
LOCKED = """        if "finalized" in finalize_data:
            return Div(
                Card(H3(f"🔒 {step.show}: {value}")),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )
"""
DONE = """        if value and state.get("_revert_target") != step_id:
            return Div(
                pip.display_revert_header(
                    step_id=step_id, app_name=app_name, steps=steps, message=f"{step.show}: {value}"
                ),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )
"""
ASKS = 'if value and state.get("_revert_target") != step_id:'
CHAIN = "return pip.chain_reverter(step_id, step_index, steps, app_name, value)"
LATER = """loader = Div(id="finalize", hx_get="/audit/finalize")
        loader.attrs["hx-trigger"] = "load"
        return Div(pip.display_revert_header(step_id, app_name, steps), loader, id=step_id)"""
ANEW = """answer = Response("")
            answer.headers["HX-Refresh"] = "true"
            return answer"""
REFRESH = 'return Response("", headers={"HX-Refresh": "true"})'
EMPTY = f"""if not typed:  # The page loads anew and offers the next free key.
            {REFRESH}"""


def changed(old: str, new: str, *, times: int = 1) -> str:
    """Return the plugin with a part of it written otherwise."""
    assert old in PLUGIN
    return PLUGIN.replace(old, new, times)


def told(source: str) -> list[tuple[str, str]]:
    """Return what is found: the code, and the text of the line."""
    lines = source.splitlines()
    return [(each.code, lines[each.line - 1].strip()) for each in find(source, "audit.py")]


@pytest.mark.parametrize("source", [PLUGIN, (IN_BOX / "hello_workflow.py").read_text(), BENCH, SHAPES, DIARY])
def test_nothing_is_found_in_a_plugin_without_mistakes(source: str) -> None:
    assert find(source, "audit.py") == ()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (LOADER, LOADER.replace(', hx_trigger="load"', ""), None),
        (LOADER, LOADER.replace('"load"', "None"), None),
        (LOADER, 'Div(id="finalize", hx_get="/audit/finalize")', None),
        (LOCKED, LOCKED.replace(LOADER, "Div(id=next_step_id)"), "return Div("),
        (DONE, DONE.replace(LOADER, "Div(id=next_step_id)"), "return Div("),
        (DONE, DONE.replace(f"                {LOADER},\n", ""), "return Div("),
        (CHAIN, "return pip.display_revert_header(step_id, app_name, steps)", None),
        (
            "return pip.rebuild(self.app_name, self.steps)",
            'return Div(Div(id="step_01", hx_get="/audit/step_01"), id="audit-container")',
            None,
        ),
    ],
)
def test_a_step_that_does_not_load_the_next_is_found(old: str, new: str, line: str | None) -> None:
    assert [code for code, _ in told(changed(old, new))] == ["E001"]
    assert told(changed(old, new))[0][1].startswith(line or new)


@pytest.mark.parametrize(
    "name", ["landing", "init", "step_01", "step_01_submit", "handle_revert", "finalize", "unfinalize"]
)
def test_a_handler_without_request_is_found(name: str) -> None:
    source = changed(f"def {name}(self, request)", f"def {name}(self)")
    assert told(source) == [("E002", f"async def {name}(self):")]
    assert f"Write: async def {name}(self, request):" in find(source, "audit.py")[0].message


def test_a_handler_of_its_own_address_that_uses_request_without_taking_it_is_found() -> None:
    more = """
    async def progress(self, number: int):
        return P(request.query_params.get("number", number))
"""
    source = changed("routes = [", 'routes = [\n            ("progress", self.progress, ["GET"]),') + more
    assert told(source) == [("E002", "async def progress(self, number: int):")]


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ('hx_target=f"#{next_step_id}"', "goes to '#finalize'"),
        ('hx_target="#finalize"', "goes to '#finalize'"),
        ("hx_target=step_id", "goes to 'step_01'"),
        ('hx_target="#step1"', "goes to '#step1'"),
        ('target_id="finalize"', "goes to 'finalize'"),
    ],
)
def test_a_form_whose_answer_goes_elsewhere_is_found(target: str, shown: str) -> None:
    source = changed('hx_target=f"#{step_id}"', target)
    assert told(source)[0][0] == "E003"
    assert target in told(source)[0][1] or "Form(" in told(source)[0][1]
    message = find(source, "audit.py")[0].message
    assert shown in message
    assert "Write hx_target='#step_01'" in message


def test_a_form_whose_answer_goes_into_itself_is_found() -> None:
    source = changed(TARGET, TARGET.splitlines()[0])
    assert told(source) == [("E003", "Form(")]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (f"        {EMPTY}\n", "", 'typed = form.get("pipeline_id", "").strip()'),
        (REFRESH, 'return P("Type a key.")', "if not typed:"),
        (REFRESH, 'return Response("")', "if not typed:"),
        (REFRESH, 'answer = Response("")\n            return answer', "if not typed:"),
        (REFRESH, "return await self.landing(request)", "if not typed:"),
    ],
)
def test_an_empty_key_that_makes_no_new_one_is_found(old: str, new: str, line: str) -> None:
    assert [code for code, _ in told(changed(old, new))] == ["E004"]
    assert told(changed(old, new))[0][1].startswith(line)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (DONE + LOCKED, ASKS),
        (DONE + LOCKED.replace("        if", "        elif", 1), ASKS),
        (DONE.replace(ASKS, "if value:") + LOCKED, "if value:"),
        (f"        {ASKS}\n            return self.done(value)\n" + LOCKED, ASKS),
        (f"        if step.done == 'finalized':\n            return self.last()\n{DONE}{LOCKED}", ASKS),
        (
            DONE.replace(ASKS, "if is_done:").replace("        if", f"        is_done = {ASKS[3:-1]}\n        if", 1)
            + LOCKED,
            "if is_done:",
        ),
        (
            'if not value:\n            return Form(hx_post="/audit/step_01_submit", hx_target="#step_01")\n' + LOCKED,
            "if not value:",
        ),
    ],
)
def test_a_phase_that_comes_before_the_locked_one_is_found(body: str, line: str) -> None:
    source = changed(LOCKED, "").replace(DONE, body if body.startswith(" ") else f"        {body}")
    assert told(source) == [("E005", line)]


def test_all_mistakes_are_found_at_once_by_line() -> None:
    source = changed("def landing(self, request)", "def landing(self)").replace(REFRESH, 'return ""')
    source = source.replace(LOADER, "Div(id=next_step_id, hx_get=f'/{app_name}/{next_step_id}')")
    source = source.replace('hx_target=f"#{step_id}"', 'hx_target="#finalize"')
    found = find(source, "plugins/audit.py")
    assert [each.code for each in found] == ["E002", "E004", "E001", "E001", "E003"]
    assert [each.line for each in found] == sorted(each.line for each in found)
    assert {each.file for each in found} == {"plugins/audit.py"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LOADER, "Div(id=next_step_id, hx_get='/audit/' + next_step_id, hx_trigger='load once')"),
        (LOADER, "Div(id=next_step_id, hx_get=f'/audit/{next_step_id}', hx_trigger=LOAD)"),
        (LOADER, "Div(id=next_step_id, hx_get=f'/audit/{next_step_id}', _hx_trigger='load')"),
        (LOADER, "Div(id=next_step_id, hx_get=f'/audit/{next_step_id}', **LOADS)"),
        (LOADER, "Div({'hx-trigger': 'load'}, id=next_step_id, hx_get=f'/audit/{next_step_id}')"),
        (LOADER, "Div(id=next_step_id, hx_get=f'/audit/{next_step_id}', hx_trigger='revealed')"),
        (LOADER, "self.loader(next_step_id)"),
        (LOADER, "P(Div(id=next_step_id, hx_get=f'/audit/{next_step_id}', hx_trigger='load'))"),
        (LOADER, "NotStr(loads)"),
        (LOADER, "Form(Button('Go on'), hx_post=f'/audit/confirm', hx_target='#step_01')"),
        (LOADER, "Div(id='result', hx_get='/audit/result')"),
        (LOADER, f"Div('Again', id='again', hx_get='/audit/step_01'), {LOADER}"),
        (LOADER, f"Div({LOADER}, Div(id='finalize', hx_get='/audit/finalize'))"),
        (LOADER, "Div(id=next_step_id), cls='no-chain-reaction'"),
        (CHAIN, "return pip.rebuild(app_name, steps)"),
        (CHAIN, f"done = pip.display_revert_header(step_id, app_name, steps)\n        return Div(done, *[{LOADER}])"),
        (CHAIN, LATER),
    ],
)
def test_other_ways_to_go_on_are_no_mistake(old: str, new: str) -> None:
    steps = "next_step_id = steps[step_index], steps[step_index + 1].id"
    assert told(changed(old, new).replace("step = steps[step_index]\n", f"step, {steps}\n")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("landing(self, request)", "landing(self, render_items=None)"),
        ("landing(self, request)", "landing(self, request=None)"),
        ("step_01(self, request)", "step_01(self, req)"),
        ("step_01(self, request)", "step_01(self, asked: Request)"),
        ("step_01(self, request)", "step_01(self, *args, **kwargs)"),
        ("unfinalize(self, request)", "unfinalize(self, user: str)"),
        ("    async def unfinalize(self, request)", "    @logged\n    async def unfinalize(self)"),
        (
            "    async def unfinalize(self, request)",
            "    def tree(self):\n        return 1\n\n    def unfinalize(self, r)",
        ),
    ],
)
def test_other_ways_to_take_the_request_are_no_mistake(old: str, new: str) -> None:
    assert told(changed(old, new)) == []


@pytest.mark.parametrize(
    "target",
    [
        'hx_target="#step_01"',
        'hx_target="#" + step_id',
        'hx_target=f"#{step.id}"',
        'hx_target=f"#{steps[0].id}"',
        "target_id=step_id",
        'hx_target="#{}".format(step_id)',
        'hx_target="closest article"',
        'hx_target="this", hx_swap="outerHTML"',
        'hx_swap="none"',
        'hx_target="#audit-container"',
        'hx_target="#other-container"',
        'hx_target="#step_01-content"',
        'hx_target="#result"',
        'hx_target="#raw"',
        "hx_target=wherever(step_id)",
        "**attributes",
    ],
)
def test_other_ways_to_name_a_target_are_no_mistake(target: str) -> None:
    more = """
    def shows(self, app_name):
        return Div(id="result"), NotStr('<p id="raw"></p>')
"""
    assert told(changed('hx_target=f"#{step_id}"', target) + more) == []


def test_a_target_that_is_inherited_is_no_mistake() -> None:
    around = changed(TARGET, TARGET.splitlines()[0]).replace(
        "            Div(id=next_step_id),\n            id=step_id,\n        )",
        "            Div(id=next_step_id),\n            id=step_id,\n            hx_target=f'#{step_id}',\n        )",
    )
    assert around.count("hx_target=f'#{step_id}'") == 1
    assert told(around) == []


@pytest.mark.parametrize(
    "new",
    [
        "if typed == '':\n            return Response('', headers={'hx-refresh': 'true'})",
        f"if not typed:\n            {ANEW}",
        "if not typed:\n            return '', HtmxResponseHeaders(refresh=True)",
        "if not typed:\n            return Response('', headers=ANEW)",
        "if not typed:\n            return self.anew()",
        "if not typed:\n            return anew()",
        "if not typed:\n            return answers.anew()",
        "if not typed:\n            typed, _, _ = pip.generate_pipeline_key(self)",
        "typed = typed or pip.generate_pipeline_key(self)[0]",
        "_, prefix, own_part = pip.generate_pipeline_key(self, typed or None)",
        "if typed:\n            pass\n        else:\n            typed = str(uuid4())",
    ],
)
def test_other_ways_to_a_new_key_are_no_mistake(new: str) -> None:
    more = """
    def anew(self):
        return Response("", headers={"HX-Refresh": "true"})
"""
    beside = 'ROLES = ["Core"]\nANEW = {"HX-Refresh": "true"}'
    uses_own = "self.anew" in new
    assert told(changed(EMPTY, new).replace('ROLES = ["Core"]', beside) + (more if uses_own else "")) == []


@pytest.mark.parametrize(
    "body",
    [
        LOCKED + DONE.replace("        if", "        elif", 1),
        LOCKED.replace('"finalized" in finalize_data', 'state.get("finalize", {}).get("finalized")') + DONE,
        LOCKED.replace('"finalized" in finalize_data', "is_finalized") + DONE,
        DONE.replace("if value", 'if "finalized" not in finalize_data and value') + LOCKED,
        "        if not earlier:\n            return P('Begin with the first step.')\n" + LOCKED + DONE,
        "        if state.get('_revert_target') not in (None, step_id):\n            return Div(id=step_id)\n"
        + LOCKED
        + DONE,
        "        try:\n            made = 1\n        finally:\n            pass\n" + LOCKED + DONE,
        "        if '_revert_target' in state and state['_revert_target'] != step_id:\n            return P()\n"
        + LOCKED
        + DONE,
        DONE,
        DONE + "        if 'finalized' not in finalize_data:\n            return P('Not yet.')\n",
        "        if step.done == 'finalized':\n            return pip.rebuild(app_name, steps)\n" + LOCKED + DONE,
        DONE.replace(
            ASKS, f"{ASKS}\n            if 'finalized' in finalize_data:\n                return self.locked()"
        ),
    ],
)
def test_other_ways_to_ask_for_the_phases_are_no_mistake(body: str) -> None:
    assert told(changed(LOCKED, "").replace(DONE, body)) == []


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def broken(:",
        "\0",
        "class Nothing: ...",
        "class Page:\n    APP_NAME = 'page'\n",
        PLUGIN.replace("APP_NAME =", "OTHER =").replace("DISPLAY_NAME =", "TITLE =").replace("self, request", "self"),
        filled("declarative", "audit"),
        "x = " + "-" * 100_000 + "1",
        PLUGIN + "\n    def deep(self):\n        return " + "a" + ".b" * 20_000,
    ],
    ids=[
        "empty",
        "broken",
        "zero",
        "no page",
        "page of nothing",
        "without a name",
        "declarative",
        "too deep",
        "too long",
    ],
)
def test_nothing_is_found_in_another_file_or_one_that_cannot_be_read(source: str) -> None:
    assert find(source, "audit.py") == ()


def test_only_the_class_the_host_takes_is_looked_at() -> None:
    helper = "\n\nclass Zebra:\n    APP_NAME = 'zebra'\n    def landing(self): ...\n"
    assert told(PLUGIN + helper) == []
    assert [code for code, _ in told(PLUGIN + helper.replace("Zebra", "Aardvark"))] == ["E002"]


def test_what_a_class_has_from_its_base_in_the_file_is_looked_at() -> None:
    source = changed("def unfinalize(self, request)", "def unfinalize(self)").replace(
        "class AuditWorkflow", "class Base"
    )
    names = [each for each in PLUGIN.splitlines() if "_NAME = " in each]
    for each in names:
        source = source.replace(f"{each}\n", "")
    assert told(source) == []
    assert told(f"{source}\n\nclass Audit(Base):\n{names[0]}\n") == [("E002", "async def unfinalize(self):")]


def test_what_a_method_hands_to_another_is_left_to_that() -> None:
    more = """
    def cell(self, name):
        return Div(id=name, hx_get=f"/audit/{name}")
"""
    assert told(changed(LOADER, 'self.cell(next_step_id)(hx_trigger="load")') + more) == []


def test_names_that_lead_back_to_themselves_are_followed_to_an_end() -> None:
    loops = """
        here = there
        there = here
        place = place + 1
        step_id = steps[place].id or step_id + here
        target = target if place else Div(target, target)
"""
    assert told(changed('        step_id = "step_01"\n', f'        step_id = "step_01"\n{loops}')) == []


# E006: a class over a table lacks a hook


HOOKS = """
    def prepare_insert_data(self, form): return dict(form)
    def prepare_update_data(self, form): return dict(form)
    def render_item(self, item): return item.text
"""
OVER_A_TABLE = """
from server import BaseCrud
class Tasks(BaseCrud):{hooks}
    note = 1
class Page:
    NAME = "tasks"
    async def landing(self, request): ...
"""


@pytest.mark.parametrize("missing", ["prepare_insert_data", "prepare_update_data", "render_item"])
def test_class_over_a_table_that_lacks_a_hook_is_found(missing: str) -> None:
    hooks = "\n".join(line for line in HOOKS.splitlines() if missing not in line)
    for base in ("BaseCrud", "crud.BaseCrud", "BaseApp"):
        source = OVER_A_TABLE.format(hooks=hooks).replace("Tasks(BaseCrud)", f"Tasks({base})")
        (found,) = find(source, "tasks.py")
        assert (found.code, found.line) == ("E006", 3)
        assert found.message.startswith(f"Tasks lacks {missing}. Write: prepare_insert_data(self, form)")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("class Page", "class More(Tasks): ...\nclass Page"),
        ("def prepare_insert_data(self, form): return dict(form)", "async def insert_item(self, request): ..."),
        ("def render_item(self, item): return item.text", "render_item = staticmethod(str)"),
        ("class Tasks(BaseCrud):", "class Mixed(BaseCrud, FromElsewhere): ...\nclass Tasks(BaseCrud):"),
    ],
)
def test_class_over_a_table_that_has_its_hooks_is_left_alone(old: str, new: str) -> None:
    assert find(OVER_A_TABLE.format(hooks=HOOKS).replace(old, new, 1), "tasks.py") == ()


@pytest.mark.parametrize("source", [TASKS, NOTES, CUSTOMERS, ROLES, NAMES])
def test_apps_over_tables_as_they_exist_have_no_mistakes(source: str) -> None:
    assert find(source, "app.py") == ()
