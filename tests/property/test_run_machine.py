"""Two people do anything to runs, in any order, and the server restarts in between: always what the model says."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipulate._ids import new_id
from pipulate.errors import PipulateError
from pipulate.storage import lifecycle, lookups, runs
from pipulate.storage.keys import check_key
from pipulate.storage.postgres import PostgresDatabase
from pipulate.storage.sqlite import SqliteDatabase
from tests.property.model import ORDER, ModelRun, Moment, Refused
from tests.support.store import LARGE, Postgres, Sqlite, Store, made

TIMES = int(os.environ.get("PIPULATE_TEST_TIMES", "1"))
"""How many times as many examples are tried, for who has the time."""

RUNS_MOST = 3
NUMBERS = st.integers(0, 99)
OUTPUTS = st.sampled_from(["x", "y", "x", "y", LARGE])


class Page(NamedTuple):
    """Who does it, to which run, and whether the page was loaded just before."""

    writer: str
    which: int
    is_fresh: bool


PAGES = st.builds(
    Page,
    st.sampled_from(["ada", "ada in another tab"]),
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from([True, True, False]),
)


class RunMachine(RuleBasedStateMachine):
    """Drives a store and the model side by side."""

    make: Callable[[Path], Store]
    reopen: Callable[[Store], None]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.store = type(self).make(self.folder / "data")
        self.pairs: list[tuple[str, ModelRun]] = []
        self.used: list[tuple[str, ModelRun]] = []
        self.seen: dict[tuple[str, int], int] = {}
        self.forms: list[tuple[int, str, str]] = []

    def teardown(self) -> None:
        """End, and look at everything once more."""
        try:
            self.used = list(self.pairs)
            self.every_run_is_what_the_model_says()
            assert self.store.problems() == []
        finally:
            self.store.db.close()
            shutil.rmtree(self.folder)

    @initialize(done=st.integers(0, len(ORDER)))
    def start(self, done: int) -> None:
        """Begin with one run, some of its steps done, which both have open."""
        run, model = self.store.start(None), ModelRun()
        for step in ORDER[:done]:
            self._submit(run, step, step, None, new_id())
            model.submit(step, step, None, None)
        self._add(run, model)

    def _add(self, run: str, model: ModelRun) -> None:
        self.pairs.append((run, model))
        self.used.append((run, model))
        for writer in ("ada", "ada in another tab"):
            self.seen[writer, len(self.pairs) - 1] = model.version

    def _both(self, page: Page, do: Callable[[str, int], Any], expect: Callable[[ModelRun, int], Any]) -> Any:
        """Do the same to the store and to the model; both have to agree about whether it can be done."""
        which = page.which % len(self.pairs)
        run, model = self.pairs[which]
        self.used.append((run, model))
        if page.is_fresh:
            self.seen[page.writer, which] = model.version
        seen, refused = self.seen[page.writer, which], None
        try:
            expected = expect(model, seen)
        except Refused as error:
            expected, refused = None, str(error)
        answer = "done"
        try:
            do(run, seen)
        except PipulateError as error:
            answer = type(error).__name__
        assert answer == (refused or "done")
        if refused is None:
            self.seen[page.writer, which] = model.version
        return expected

    def _now(self, page: Page) -> Moment:
        return self.pairs[page.which % len(self.pairs)][1].now

    def _pick(self, number: int, likely: Iterable[str]) -> str:
        """Return a step that something can be done with, most of the time."""
        fit = sorted(likely)
        return fit[number % len(fit)] if fit and number % 8 else ORDER[number % len(ORDER)]

    @rule(page=PAGES, number=NUMBERS, output=OUTPUTS, checks=st.booleans())
    def submit(self, page: Page, number: int, output: str, checks: bool) -> None:
        """Answer a step; mostly the next one, or the one being edited."""
        now, form = self._now(page), new_id()
        ahead = [step for step in ORDER if step not in now.steps][:1]
        step = self._pick(number, [now.editing] if now.editing else ahead)
        self._answer(page, step, output, form, checks=checks)

    @rule(page=PAGES, output=OUTPUTS)
    def submit_the_next(self, page: Page, output: str) -> None:
        """Answer what is asked, as most people do most of the time."""
        now = self._now(page)
        step = now.editing or next((step for step in ORDER if step not in now.steps), ORDER[-1])
        self._answer(page._replace(is_fresh=True), step, output, new_id(), checks=True)

    def _answer(self, page: Page, step: str, output: str, form: str, *, checks: bool) -> None:
        self._both(
            page,
            lambda run, seen: self._submit(run, step, output, seen if checks else None, form),
            lambda model, seen: model.submit(step, output, seen if checks else None, form),
        )
        self.forms.append((page.which % len(self.pairs), step, form))

    @precondition(lambda self: self.forms)
    @rule(page=PAGES, number=NUMBERS, output=OUTPUTS)
    def submit_again(self, page: Page, number: int, output: str) -> None:
        """Send a form once more, whatever came of it the first time."""
        which, step, form = self.forms[-1 - number % min(len(self.forms), 3)]
        self._both(
            page._replace(which=which),
            lambda run, seen: self._submit(run, step, output, seen, form),
            lambda model, seen: model.submit(step, output, seen, form),
        )

    def _submit(self, run: str, step: str, output: str, seen: int | None, form: str) -> object:
        earlier = ORDER[: ORDER.index(step)]
        return self.store.submit(run, step, output, seen=seen, submit_id=form, reads=earlier)

    @rule(page=PAGES, number=NUMBERS)
    def keep(self, page: Page, number: int) -> None:
        """Take an old value again."""
        now, model = self._now(page), self.pairs[page.which % len(self.pairs)][1]
        step = self._pick(
            number, [step for step, old in now.offers.items() if old.made_from == model.inputs(step, now)]
        )
        self._both(
            page, lambda run, seen: self.store.keep(run, step, seen=seen), lambda model, seen: model.keep(step, seen)
        )

    @rule(page=PAGES, number=NUMBERS)
    def revert(self, page: Page, number: int) -> None:
        """Reopen a step."""
        step = self._pick(number, self._now(page).steps)
        self._both(
            page,
            lambda run, seen: self.store.revert(run, step, seen=seen),
            lambda model, seen: model.revert(step, seen),
        )

    @precondition(lambda self: any(model.now.editing for _, model in self.pairs) or len(self.forms) % 5 == 4)
    @rule(page=PAGES)
    def cancel_edit(self, page: Page) -> None:
        """Cancel an edit, where there is one."""
        edited = [which for which, (_, model) in enumerate(self.pairs) if model.now.editing]
        which = edited[page.which % len(edited)] if edited else page.which
        self._both(
            page._replace(which=which), lambda run, _: self.store.cancel_edit(run), lambda model, _: model.cancel_edit()
        )

    @rule(page=PAGES, version=NUMBERS)
    def go_back(self, page: Page, version: int) -> None:
        """Bring an earlier version back."""
        version %= self.pairs[page.which % len(self.pairs)][1].version + 2
        self._both(
            page,
            lambda run, seen: self.store.go_back(run, version, seen=seen),
            lambda model, seen: model.go_back(version, seen),
        )

    @rule(page=PAGES)
    def lock(self, page: Page) -> None:
        """Lock a run."""
        self._both(page, lambda run, _: self.store.do(lifecycle.finalize, run), lambda model, _: model.lock(True))

    @precondition(lambda self: any(model.now.is_locked for _, model in self.pairs))
    @rule(page=PAGES)
    def unlock(self, page: Page) -> None:
        """Unlock a run that is locked."""
        locked = [which for which, (_, model) in enumerate(self.pairs) if model.now.is_locked]
        self._both(
            page._replace(which=locked[page.which % len(locked)]),
            lambda run, _: self.store.do(lifecycle.unfinalize, run),
            lambda model, _: model.lock(False),
        )

    @rule(page=PAGES)
    def rename(self, page: Page) -> None:
        """Give the run another key."""
        key = check_key(new_id())
        self._both(page, lambda run, _: self.store.do(runs.rename, run, key), lambda model, _: model.rename())

    @precondition(lambda self: len(self.pairs) < RUNS_MOST)
    @rule(page=PAGES, version=NUMBERS)
    def fork(self, page: Page, version: int) -> None:
        """Copy a run at a version."""
        version, copy = version % (self.pairs[page.which % len(self.pairs)][1].version + 2), new_id()

        def do(run: str, _: int) -> object:
            for sha256 in self.store.db.read_now(lookups.files_of, run):
                self.store.files.copy(run, copy, sha256)
            return self.store.db.write_now(lifecycle.fork, run, copy, self.store.author(), version=version)

        model = self._both(page, do, lambda model, _: model.fork(version))
        if model is not None:
            self._add(copy, model)

    @rule()
    def restart(self) -> None:
        """Close the store and open it again."""
        self.store.db.close()
        type(self).reopen(self.store)
        self.used += self.pairs

    @invariant()
    def every_run_is_what_the_model_says(self) -> None:
        """Compare the runs that were used, as the rows have them and as the journal adds up."""
        for run, model in self.used:
            now, state = model.now, self.store.state(run)
            assert state == self.store.folded(run)
            assert state.version == model.version
            assert {step: value.version for step, value in state.steps.items()} == _versions(now.steps)
            assert {step: value.version for step, value in state.offers.items()} == _versions(now.offers)
            assert self.store.outputs(run) == {step: value.output for step, value in now.steps.items()}
            assert (state.editing, state.editing_version) == (now.editing, now.edit_began)
            assert (state.lock is not None) == now.is_locked
        self.used.clear()


def _versions(values: dict[str, Any]) -> dict[str, int]:
    return {step: value.version for step, value in values.items()}


def test_runs_on_sqlite_are_what_the_model_says() -> None:
    stores = Sqlite()

    class OnSqlite(RunMachine):
        @staticmethod
        def make(folder: Path) -> Store:
            layout = stores.make(folder)
            return Store(SqliteDatabase(layout.database), layout)

        @staticmethod
        def reopen(store: Store) -> None:
            store.db = SqliteDatabase(store.layout.database)

    _drive(OnSqlite, examples=40, steps=50)


def test_runs_on_postgresql_are_what_the_model_says(postgres_url: str) -> None:
    stores = Postgres(postgres_url)

    class OnPostgres(RunMachine):
        @staticmethod
        def make(folder: Path) -> Store:
            stores.empty()
            layout = made(folder)
            return Store(PostgresDatabase(stores.url), layout, stores.url)

        @staticmethod
        def reopen(store: Store) -> None:
            store.db = PostgresDatabase(stores.url)

    _drive(OnPostgres, examples=12, steps=40)


def _drive(machine: type[RunMachine], *, examples: int, steps: int) -> None:
    how = settings(
        max_examples=examples * TIMES,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # A disk is as fast as it is.
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=how)
