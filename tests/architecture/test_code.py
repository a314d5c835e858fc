"""Rules for the code that no linter knows, each with what it keeps from happening."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median

import pytest

from tests.architecture.sources import ROOT, SRC, docstrings, name_of, nodes, sources, tree_of

WIDE_EXCEPTS = {
    "actions/proposing.py:_prompt": "calls a function of an app's author",
    "chat/proposing.py:proposed": "calls the rules of an app: one that fails is a suggestion that did not come",
    "_log.py:_Bridge.emit": "what a library logs must not stop what it does",
    "_threads.py:Threads.run.task": "handed to whoever waits",
    "actions/guarded.py:guarded": "plugin border: what the code of an app fails at is told to whoever asked for it",
    "app.py:_held": "lets go of the folder, and raises again",
    "explicit/driving.py:Driver._called": "what the store refused counts, whatever a handler raises instead",
    "crud/hooks.py:Hooks.told": "plugin border: what follows a change that is stored",
    "chat/answering.py:hear": "an adapter that fails is a model that gives no answer",
    "chat/answering.py:put_by.saving": "task border: tried again; the end of an answer is stored all the same",
    "chat/assistant.py:Assistant._work": "task border: the questions are in the store, and are taken up again",
    "chat/carrying.py:Carrying._carry": "task border: the row stays `running`, and the next start says why",
    "chat/carrying.py:Carrying._outcome": "plugin border: an action; goes to whoever asked for it",
    "crud/exporting.py:_of_author": "plugin border: one cell that fails leaves the others as they are",
    "crud/ordering.py:_value": "plugin border: one record that fails comes last, and says so in its cell",
    "ui/records/cells.py:drawn": "plugin border: one cell that fails leaves the others as they are",
    "plugins/loading.py:_text_of": "plugin border",
    "plugins/loading.py:load": "plugin border",
    "jobs/_worker.py:_answer": "plugin border: a function; goes to whoever waits",
    "jobs/_worker.py:_load": "forgets the module, and raises again",
    "jobs/_worker.py:_function": "plugin border: adds what to do, and raises again",
    "jobs/_worker.py:main": "whatever ends a program ends this one at once",
    "jobs/_worker.py:_pickled": "plugin border: an error's own constructor",
    "jobs/processes.py:_arguments": "plugin border: what values do when they are pickled",
    "jobs/processes.py:_loaded": "as above, when they are made again",
    "jobs/doing.py:_adapter_of": "plugin border: an annotation",
    "jobs/engine.py:Transact.open": "lets go of what was begun, and raises again",
    "jobs/engine.py:_Handler.emit": "library border: what it logs must not stop what it does",
    "jobs/transact.py:TransactJobs._after_opening": "library border: what the engine raises has no common root",
    "jobs/transact.py:TransactJobs._begin": "takes a note back, and raises again",
    "jobs/transact.py:TransactJobs._launch": "as above",
    "jobs/transact.py:TransactJobs._look": "library border, as above",
    "jobs/transact.py:TransactJobs._open": "library border: says so in the log, and raises again",
    "jobs/working.py:Working._do": "plugin border: the work of a job, and whatever would end the program",
    "explicit/longwork.py:_bound": "plugin border: an annotation",
    "llm/models.py:Models.look": "library border: a list that no adapter can read must not end the looking",
    "llm/opening.py:key_of": "library border: there are many kinds of keyrings, and each fails in its own way",
    "llm/wire.py:Bounded.send": "closes the answer, and raises again",
    "llm/wrapped.py:_mapped": "library border: what a server sends may break it in any place",
    "explicit/chain.py:_Chain._filled": "plugin border: a handler that is called for what it was just asked",
    "explicit/messages.py:Speaker._store": "thread border: what is said next is stored all the same",
    "explicit/calls.py:Calls.result": "plugin border: a handler, and whatever would end the program",
    "explicit/host.py:Host._run_until_stopped": "plugin border: what it left running",
    "explicit/relay.py:Relay._work": "plugin border: a response; handed to whoever waits for it",
    "explicit/host.py:Host._on_loop.run": "plugin border: a handler; handed to whoever waits for it",
    "web/explicit.py:_called": "plugin border: what the store refused counts, whatever the handler makes of it",
    "storage/migrate.py:_upgrade": "whatever a migration raises, the store is as it was and says so",
    "storage/postgres.py:PostgresDatabase._within": "rolls back, and raises again",
    "storage/restore.py:restore_sqlite": "removes what it began, and raises again",
    "storage/sqlite.py:SqliteDatabase._run": "rolls one unit back; its caller hears of it",
    "storage/sqlite.py:SqliteDatabase._write_batch": "each caller hears of it, and the writer lives",
    "ui/overrides.py:arranged": "plugin border: the app's own form",
    "ui/overrides.py:shown": "plugin border: the view of a result",
    "web/cards.py:_differences": "plugin border: what an action would change",
    "web/live.py:_Page._draw": "plugin border: a live view",
    "ui/results.py:drawn": "border of the store: a part of a result, which may be from another time or place",
    "testing/app.py:_Running.__init__": "lets go of what was begun, and raises again",
    "testing/machine.py:check_workflow": "says how to come to it, and raises again",
    "reports/report.py:Report._hints": "plugin border: an annotation",
    "web/errors.py:answered": "HTTP border",
    "web/reports.py:_drawn": "plugin border: a figure",
    "web/reports.py:_made": "plugin border: for whom something can be made",
    "web/reports.py:_page": "plugin border: a table",
    "workflows/definition.py:Step._take_return": "plugin border: a type",
    "workflows/definition.py:Step.prepare": "plugin border: an annotation",
    "workflows/asking.py:Asking._ask": "plugin border: choices and listed fields",
    "workflows/asking.py:Asking._form": "plugin border: suggestions",
    "workflows/work.py:_Rules.asks": "plugin border: conditions",
    "workflows/work.py:_Rules.goes_to": "plugin border: where a step leads",
    "workflows/work.py:Work.problems": "plugin border: checks of a run",
    "workflows/work.py:Work.awaited": "plugin border: a step",
    "workflows/work.py:Work.call": "plugin border: a step",
    "workflows/work.py:Work.checked": "plugin border: rules of an author",
    "workflows/work.py:Work.store": "plugin border: a result",
}

LONG_FUNCTIONS = {
    "app.py:build": "the one place where everything is put together",
    "crud/resource.py:Resource.__init__": "what an author can say of a table, and what each of it means",
    "explicit/look.py:Look.display_revert_header": "eight parameters that plugins use, and what each means",
    "storage/runs.py:change": "as submit",
    "storage/migrations/versions/0001_foundation.py:upgrade": "the list of all tables",
    "storage/migrations/versions/0003_jobs.py:upgrade": "as above",
    "storage/runs.py:submit": "one transaction, told in one place; a third of it is its docstring",
    "ui/run.py:bar": "five states of one line",
}

SLEEPS = {
    "integration/test_server_limits.py:reads_all": "an application that is slow is what is tested",
    "support/ollama.py:Ollama._parts": "a model that is slow is what is tested",
    "property/test_background_machine.py:BackgroundMachine.time_passes": "nothing depends on how far jobs come in it",
    "support/job_room.py:eventually": "looks again and again until something is so",
    "support/flows.py:until": "looks again and again until something is so",
}

CLASS_STYLE = ("builtin/hello_workflow.py", "cli/templates.py")
"""Written as people write class-style plugins: every phase spelt out, looks in attributes."""

NAMES_FOR_PEOPLE = {
    "explicit/keys.py:app_name": "a plugin that has no name at all",
    "actions/brought.py:bounded": "a message",
    "actions/guarded.py:guarded": "a message",
    "explicit/longwork.py:_same": "compares two functions; the name of one is stored, for it is found again by that",
    "explicit/modules.py:": "says which generation a plugin's Step is of",
    "explicit/modules.py:Later.__init__": "a message",
    "explicit/modules.py:_Made.exec_module": "the name a module is imported under",
    "explicit/own_tables.py:Tables.create": "by contract the class names the table, in words an author gives once",
    "explicit/rows.py:remembering": "what a row says of itself when it is printed",
    "jobs/_worker.py:_answer": "a message",
    "jobs/processes.py:_loaded": "a message",
    "jobs/processes.py:_request": "names a function in the other process, within one call",
    "plugins/loading.py:declared_in": "compares two names of one run",
    "plugins/loading.py:_why": "a message",
    "reports/engine.py:Reports._file_of": "a message",
    "reports/showing.py:_plain": "a message",
    "ui/overrides.py:failure": "a message",
    "web/reports.py:_drawn": "a message",
    "web/reports.py:_made": "a message",
    "web/reports.py:_page": "a message",
    "ui/records/cells.py:drawn": "a message",
    "ui/results.py:drawn": "a message",
    "workflows/definition.py:_first_line": "a message",
    "workflows/work.py:where_raised": "a message",
    "workflows/views/elements.py:markup_of": "knows classes of a library without importing it",
    "workflows/views/of_pandas.py:_array": "as above",
    "workflows/views/of_pandas.py:_index": "as above",
    "workflows/views/of_polars.py:_array": "as above",
    "workflows/views/of_polars.py:_spec": "polars names its types, and is asked for them by these names",
    "workflows/views/of_polars.py:content_of": "knows classes of a library without importing it",
    "workflows/views/parts.py:_kind_of_class": "as above",
    "workflows/views/parts.py:_pack": "a message",
    "workflows/views/tagged.py:_tag_pandas": "knows classes of a library without importing it",
    "workflows/views/tagged.py:tag": "a message",
}


def test_wide_excepts_stand_at_named_borders_only() -> None:
    wide = {"Exception", "BaseException"}
    found = {
        where
        for node, where in nodes()
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or wide & {ast.unparse(each) for each in ast.walk(node.type) if isinstance(each, ast.expr)}
        )
    }
    assert found == set(WIDE_EXCEPTS)


def test_nothing_is_global_and_nothing_prints() -> None:
    assert [where for node, where in nodes() if isinstance(node, ast.Global)] == []
    assert [
        where for node, where in nodes() if isinstance(node, ast.Call) and name_of(node) in ("print", "breakpoint")
    ] == []


def test_nothing_waits_in_a_way_that_loses_a_cancellation() -> None:
    """On Python 3.11 `asyncio.wait_for` goes on where what it waits for ends just as it is cancelled; `timeout` not."""
    found = [
        where for node, where in nodes() if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]
    assert found == []


def test_no_test_sleeps() -> None:
    found = {
        where
        for node, where in nodes(ROOT / "tests")
        if isinstance(node, ast.Call)
        and re.fullmatch(r"(\w+\.)?sleep", name_of(node))
        and ast.unparse(node.args[0]) != "0"  # Gives way to others, and takes no time.
    }
    assert found - set(SLEEPS) == set()


def test_names_that_are_stored_are_written_out() -> None:
    found = {
        where
        for node, where in nodes()
        if isinstance(node, ast.Attribute) and node.attr in ("__name__", "__qualname__")
    }
    assert found == set(NAMES_FOR_PEOPLE)


def test_files_and_functions_have_a_size_that_fits_a_head() -> None:
    assert {path.name: count for path in sources() if (count := len(path.read_text().splitlines())) > 600} == {}
    long = {
        where
        for node, where in nodes()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= 50
        and not where.startswith(CLASS_STYLE)
    }
    assert long == set(LONG_FUNCTIONS)


def test_tests_are_short() -> None:
    lengths = [
        (node.end_lineno or 0) - node.lineno
        for path in sources(ROOT / "tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert median(lengths) <= 12


def test_sql_is_written_in_the_storage_only() -> None:
    statement = re.compile(
        r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|PRAGMA|CREATE TABLE|ALTER TABLE)\s", re.IGNORECASE
    )
    prose = docstrings()
    found = {
        where
        for node, where in nodes()
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and statement.match(node.value)
        and not where.startswith("storage/")
    }
    assert found == set()


DRAWING = ("ui/", "web/", "builtin/", "cli/")


def test_no_element_is_given_code_or_style() -> None:
    found = {
        where
        for node, where in nodes()
        if isinstance(node, ast.keyword)
        and re.fullmatch(r"(style|on[a-z]+|hx_on.*|hx_vars|srcdoc)_?", node.arg or "")
        and where.startswith(("ui/", "builtin/"))
        and not where.startswith(CLASS_STYLE)
    }
    assert found == set()


def test_no_markup_is_written_by_hand() -> None:
    prose = docstrings()
    found = {
        where
        for node, where in nodes()
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and re.search(r"<(script|style|[a-z]+ [a-z-]+=)|\bstyle=|javascript:", node.value)
        and where.startswith(DRAWING)
        and not where.startswith(CLASS_STYLE)
    }
    shown_in_a_sandbox = "builtin/gallery_results.py:"
    assert found <= {"ui/html.py:_attributes", "ui/html.py:table_rows", shown_in_a_sandbox}


def test_markup_is_declared_safe_in_few_places_only() -> None:
    found = {where for node, where in nodes() if isinstance(node, ast.Call) and name_of(node) in ("raw", "Html")}
    assert {where for where in found if not where.startswith("ui/html.py")} == {
        "explicit/markup.py:_Writer.whole", "explicit/markup.py:pieces", "explicit/markup.py:render",
        "ui/assistant/prose.py:prose", "ui/explicit.py:explicit_page", "ui/frame.py:document",
        "ui/markdown.py:markdown", "ui/sanitised.py:sanitised",
        # JSON of our own making, in which no element can end.
        "ui/reports.py:_content",
        "web/explicit.py:_resumed", "web/oldhost.py:sandbox", "web/views.py:frame",
        # Sanitised whenever it is shown, whatever it says here.
        "workflows/views/elements.py:_element", "workflows/views/elements.py:markup_of", "workflows/views/parts.py:",
    }  # fmt: skip


def test_libraries_that_take_long_to_import_are_imported_when_they_are_used() -> None:
    heavy = {"alembic", "markdown_it", "nh3", "psycopg", "psycopg_pool", "sqlalchemy"}
    found = {
        where
        for path in sources()
        for node in tree_of(path).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and heavy
        & {name.split(".")[0] for name in [getattr(node, "module", None) or "", *(a.name for a in node.names)]}
        for where in [path.relative_to(SRC).as_posix()]
    }
    assert {where for where in found if "migrations/" not in where} == set()


# What the project says of itself

TEXTS = (".py", ".md", ".toml", ".ts", ".css", ".sh", ".yml", ".yaml", ".json", ".lock", ".txt", ".cfg", "")
SKIPPED = {".git", ".venv", "node_modules", "static", "dist", "data", "plugins", "__pycache__"}
OF_ONE_MACHINE = re.compile(r"/(?:work|root)/\w|/home/(?!you\b)\w|/Users/(?!you\b)\w|C:\\\\Users|/tmp/\w")


def texts() -> list[Path]:
    """Return the files that people read."""
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in TEXTS
        and not SKIPPED & set(path.relative_to(ROOT).parts[:-1])
        and not any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts)
    ]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts()
        if path != Path(__file__) and (match := OF_ONE_MACHINE.search(path.read_text(errors="replace")))
    }
    assert found == set()


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later_in_the_code(word: str) -> None:
    assert [path.name for path in sources() if re.search(rf"\b{word}\b", path.read_text())] == []
