"""An assistant, in whatever order people ask, stop, decide, clear and try again, and whenever the program ends.

The log only grows, one answer is written at a time, and nothing is done that nobody allowed, nor twice.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pipulate.chat.calls import digest
from pipulate.errors import PipulateError
from pipulate.storage import messages
from pipulate.storage.calls import CallRow
from pipulate.storage.messages import Message
from tests.support.scripted import ADA, Room, Says, failing
from tests.support.store import Sqlite, Store

CALLS = st.lists(
    st.tuples(st.sampled_from(["look", "fill", "destroy", "unknown"]), st.integers(0, 2)), max_size=3
)  # fmt: skip
FINAL = ("done", "failed", "denied", "refused", "gone")


class AssistantMachine(RuleBasedStateMachine):
    """Plays one run with an assistant; the loop stands still between two rules."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.runner = asyncio.Runner()
        self.opened = Sqlite().opened(self.folder / "data")
        self.room = Room(self.opened.__enter__())
        self.room.model.default = lambda _: Says("Done.")
        self.run = self.room.store.start()
        self.allowed: set[str] = set()
        self.log: list[Message] = []

    def teardown(self) -> None:
        self.go(self.room.assistant.close())
        assert self.room.store.problems() == []
        self.opened.__exit__(None, None, None)
        self.runner.close()
        shutil.rmtree(self.folder)

    def go(self, work: Any) -> Any:
        """Do something to its end; what cannot be done says so and changes nothing."""

        async def tried() -> Any:
            try:
                return await work
            except PipulateError:
                return None

        return self.runner.run(tried())

    def rows(self) -> list[CallRow]:
        """Return all calls."""
        return self.room.calls(self.run)

    @rule(calls=CALLS, error=st.booleans(), text=st.sampled_from(["", "Some words"]))
    def script(self, calls: list[tuple[str, int]], error: bool, text: str) -> None:
        asked = [(name, {"number": number}) for name, number in calls]
        self.room.model.script(Says(text, asked, error=failing() if error else None))

    @rule(wait=st.booleans())
    def ask(self, wait: bool) -> None:
        self.go(self.room.assistant.ask(self.run, ADA, "?"))
        if wait:
            self.go(self.room.assistant.idle(self.run))

    @rule(turns=st.integers(0, 12))
    def let_go_on(self, turns: int) -> None:
        async def some() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.go(some())

    @rule()
    def stop(self) -> None:
        self.go(self.room.assistant.stop(self.run, ADA))

    @rule(
        index=st.integers(0, 50),
        decision=st.sampled_from(["allow", "allow", "allow_run", "deny"]),
        honest=st.booleans(),
    )
    def decide(self, index: int, decision: Any, honest: bool) -> None:
        rows = self.rows()
        if not rows:
            return
        row = rows[index % len(rows)]
        shown = digest(row.arguments) if honest else digest("something else")
        decided = self.go(self.room.assistant.decide(row.id, ADA, decision, shown=shown))
        assert decided is None or (honest and row.state == "asked")
        if decided is not None and decision != "deny":
            self.allowed.add(row.id)

    @rule(index=st.integers(0, 50))
    def retry(self, index: int) -> None:
        answers = [each for each in self.log if each.role == "answer"]
        if answers:
            self.go(self.room.assistant.retry(self.run, ADA, answers[index % len(answers)].seq))

    @rule(is_hard=st.booleans())
    def end_and_start(self, is_hard: bool) -> None:
        self.go(self.room.crash() if is_hard else self.room.again())

    @rule()
    def clear_and_show_again(self) -> None:
        self.go(self.room.assistant.clear(self.run, ADA))
        assert self.room.log(self.run) == []
        self.go(self.room.assistant.conversations.unclear(self.run, "ada"))

    @invariant()
    def the_log_only_grows(self) -> None:
        log = self.room.log(self.run)
        assert [each.seq for each in log] == list(range(1, len(log) + 1))
        for before, now in zip(self.log, log, strict=False):
            assert (before.seq, before.role, before.at, before.actor) == (now.seq, now.role, now.at, now.actor)
            if before.role != "answer":
                assert before.text == now.text
            elif before.state != "open":
                assert (before.text, before.state) == (now.text, now.state)
        self.log = log

    @invariant()
    def one_answer_at_a_time(self) -> None:
        assert len([each for each in self.log if each.state == "open" and each.role == "answer"]) <= 1
        assert self.room.model.most_open <= 1

    @invariant()
    def nothing_is_done_without_a_decision_nor_twice(self) -> None:
        rows = {each.id: each for each in self.rows()}
        done = Counter(doing.submit for _, _, doing in self.room.effects.done)
        assert not [each for each, count in done.items() if count > 1]
        for name, given, doing in self.room.effects.done:
            row = rows[str(doing.submit)]
            assert (row.action, row.arguments) == (name, given)
            if name == "destroy" or (name == "fill" and row.granted_by is None):
                assert row.id in self.allowed
            if row.granted_by is not None:
                assert row.granted_by in self.allowed
                assert rows[row.granted_by].is_for_run
        for row in rows.values():
            assert row.state != "done" or row.id in done

    @invariant()
    def what_is_over_stays_over(self) -> None:
        for row in self.rows():
            if row.state in FINAL and row.state != "done":
                assert not [
                    each for _, _, each in self.room.effects.done if each.submit == row.id and row.state != "failed"
                ]

    @invariant()
    def where_nothing_goes_on_every_question_is_answered_or_waits(self) -> None:
        if self.room.assistant._talks or self.room.assistant._carrying.ids():
            return
        open_questions = self.room.db.read_now(messages.open_questions, self.run)
        waiting = {each.question for each in self.rows() if each.state == "asked"}
        assert {each.seq for each in open_questions} == waiting


def test_whatever_people_do_nothing_is_done_that_nobody_allowed() -> None:
    how = settings(
        max_examples=30,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        print_blob=True,
    )
    run_state_machine_as_test(AssistantMachine, settings=how)
