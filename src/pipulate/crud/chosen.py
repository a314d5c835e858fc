"""Records that were chosen for something that takes long: their numbers as of that moment, part by part, in the store.

What is done to them goes by these parts, whatever others add, change and delete meanwhile. How far it came is noted in
the transaction of each part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.crud.many import Report, parts
from pipulate.storage import keyvalue
from pipulate.storage.database import Database, Transaction

KEPT: Final = timedelta(days=30)
"""How long they are known: a person may have to decide something first."""

_STATE: Final = "state"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of them.

    Attributes:
        records: Their numbers.
        after: How many had been deleted when these were put off; -1 where it is their first turn.
    """

    records: Sequence[int]
    after: int = -1

    @property
    def is_first_turn(self) -> bool:
        """Whether they were not put off before."""
        return self.after < 0


@dataclass(frozen=True, slots=True)
class State:
    """How far it came.

    Attributes:
        parts: How many parts there are, with those that were put off.
        upto: How many parts are done.
        records: How many records are done.
        report: What became of them.
        until: When they are forgotten.
    """

    parts: int
    upto: int = 0
    records: int = 0
    report: Report = field(default_factory=Report)
    until: str = ""

    @property
    def is_done(self) -> bool:
        """Whether no part is left."""
        return self.upto >= self.parts


class Chosen:
    """Where they are kept."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    async def keep(self, records: Sequence[int]) -> str:
        """Keep their numbers; return the id of this choice."""
        made, until = new_id(), to_text(self._clock.now() + KEPT)
        await self._db.write(_kept, made, records, until)
        return made

    async def state(self, choice: str) -> State | None:
        """Return how far it came, or None where the choice is not known any more."""
        return await self._db.read(_state, choice)

    async def next(self, choice: str, state: State) -> Part:
        """Return the part whose turn it is."""
        stored = await self._db.read(keyvalue.get, "temporary", _owner(choice), str(state.upto))
        return Part(stored["records"], stored["after"])

    async def forget(self, choice: str) -> None:
        """Remove a choice."""
        await self._db.write(keyvalue.drop_all, "temporary", _owner(choice))


def part_done(tx: Transaction, choice: str, state: State, part: Part, report: Report, put_off: Sequence[int]) -> State:
    """Note within its transaction that a part is done, and what of it was put off; return how far it is then."""
    done = replace(state, upto=state.upto + 1, records=state.records + len(part.records) - len(put_off), report=report)
    if put_off:
        _put_part(tx, choice, done.parts, Part(put_off, report.changed), state.until)
        done = replace(done, parts=done.parts + 1)
    keyvalue.drop(tx, "temporary", _owner(choice), str(state.upto))
    _put_state(tx, choice, done)
    return done


def _kept(tx: Transaction, choice: str, records: Sequence[int], until: str) -> None:
    number = 0
    for number, some in enumerate(parts(records), 1):
        _put_part(tx, choice, number - 1, Part(some), until)
    _put_state(tx, choice, State(number, until=until))


def _put_part(tx: Transaction, choice: str, number: int, part: Part, until: str) -> None:
    stored = {"records": list(part.records), "after": part.after, "until": until}
    keyvalue.put(tx, "temporary", _owner(choice), str(number), stored)


def _put_state(tx: Transaction, choice: str, state: State) -> None:
    stored: dict[str, Any] = {
        "parts": state.parts, "upto": state.upto, "records": state.records, "report": state.report.as_json(),
        "until": state.until,
    }  # fmt: skip
    keyvalue.put(tx, "temporary", _owner(choice), _STATE, stored)


def _state(tx: Transaction, choice: str) -> State | None:
    try:
        stored = keyvalue.get(tx, "temporary", _owner(choice), _STATE)
    except KeyError:
        return None
    return State(**{**stored, "report": Report.from_json(stored["report"])})


def _owner(choice: str) -> str:
    return f"chosen/{choice}"
