"""The data everything is measured on: 10,000 runs, one of them with 1,000 events and 50 notes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.storage import ledger, messages, runs
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import Author
from pipulate.storage.migrate import migrate_sqlite
from pipulate.storage.sqlite import SqliteDatabase

OWNER = "owner"
RUNS, FEW_RUNS = 10_000, 100
EVENTS, NOTES = 1_000, 50
STEPS = 1_400
LONG_FROM, SHORT_FROM = 1_000, 10
ORDER = tuple(f"step_{number:04d}" for number in range(STEPS))

PLUGINS = {
    "010_many.py": '''"""The app with the most runs: forty questions."""
from pipulate import Workflow

many = Workflow("many", title="Many runs")
for number in range(40):
    @many.step(f"question_{number:02d}", title=f"Question {number}")
    def question(answer: str) -> str:
        return answer
''',
    "020_few.py": '''"""The same app with few runs."""
from pipulate import Workflow

few = Workflow("few", title="Few runs")
for number in range(40):
    @few.step(f"question_{number:02d}", title=f"Question {number}")
    def question(answer: str) -> str:
        return answer
''',
    "030_long.py": f'''"""An app of very many steps."""
from pipulate import Workflow

long = Workflow("long", title="Long runs")
for number in range({STEPS}):
    @long.step(f"step_{{number:04d}}", title=f"Step {{number}}")
    def step(answer: str) -> str:
        return answer
''',
    "040_ten.py": '''"""An app of ten steps."""
from pipulate import Workflow

ten = Workflow("ten", title="Ten steps")
for number in range(10):
    @ten.step(f"step_{number}", title=f"Step {number}")
    def step(answer: str) -> str:
        return answer
''',
    "050_saved.py": 'from pipulate import Workflow\n\nsaved = Workflow("saved", title="Version 0")\n\n\n'
    '@saved.step("one")\ndef one(answer: str) -> str:\n    return answer\n',
    "060_busy.py": '''"""A job that says how far it is a thousand times a second."""
import time
from pipulate import Progress, Workflow

busy = Workflow("busy", title="Busy")

@busy.step("work", title="Work", background=True)
def work(updates: int, progress: Progress) -> float:
    began = time.monotonic()
    progress.total(updates)
    for number in range(updates):
        progress.advance(1, f"number {number}")
        time.sleep(max(0.0, began + number / 1000 - time.monotonic()))
    return updates / (time.monotonic() - began)
''',
}


def author(number: int = 0) -> Author:
    """Return who did something, `number` milliseconds after a fixed moment."""
    return Author(OWNER, to_text(datetime(2026, 11, 20, tzinfo=UTC) + timedelta(milliseconds=number)))


def make(folder: Path) -> None:
    """Make a data folder and a plugin folder."""
    layout = Layout(folder / "data")
    layout.make()
    (folder / "plugins").mkdir()
    for name, source in PLUGINS.items():
        (folder / "plugins" / name).write_text(source)
    migrate_sqlite(layout.database)
    db, files = SqliteDatabase(layout.database), FileStore(layout.files)
    for first in range(0, RUNS, 500):
        db.write_now(_start_many, "many", first, 500)
    db.write_now(_start_many, "few", 0, FEW_RUNS)
    for key, steps in (("long", LONG_FROM), ("short", SHORT_FROM)):
        run = new_id()
        db.write_now(runs.start, run, "long", check_key(key), "default", author())
        db.write_now(_answer, files, run, steps)
    run = new_id()
    db.write_now(runs.start, run, "ten", check_key("done"), "default", author())
    db.write_now(_answer, files, run, 10, tuple(f"step_{number}" for number in range(10)))
    db.close()


def _start_many(tx: Transaction, app: str, first: int, count: int) -> None:
    for number in range(first, first + count):
        run, by = new_id(), author(number)
        runs.start(tx, run, app, check_key(f"{number + 1:02d}"), "default", by)


def _answer(tx: Transaction, files: FileStore, run: str, steps: int, order: tuple[str, ...] = ORDER) -> None:
    for position in range(steps):
        value = files.store(run, {"input": {"answer": f"answer {position}"}, "output": "yes", "view": "text"})
        runs.submit(
            tx, run, author(position), step=order[position], value=value, short=f"answer {position}", reads={},
            order=order, seen=None, submit_id=None, open_step=(*order, None)[position + 1],
        )  # fmt: skip
    for number in range(NOTES):
        messages.add(tx, run, author(number).at, OWNER, "user", f"Note number {number}, as long as notes are.")
    assert ledger.find(tx, run).version == steps + 1
