"""Whatever is done to a run, in whatever order: what is held of it is what its journal adds up to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from pipulate import Run, Workflow
from pipulate.errors import RunError
from pipulate.storage.runs import offered_key
from tests.support.flows import ANN, Play, bench, flow

pytestmark = pytest.mark.anyio


def kind(which: Literal["a", "b"]) -> str:
    return which


def text(text: str) -> str:
    return text * 40_000 if text == "long" else text


def extra(run: Run, text: str) -> str:
    return f"{run['kind']} {text}"


def both(run: Run) -> str:
    return f"{run['kind']} {len(run['text'])}"


async def last(run: Run) -> int:
    return len(run["both"])


def app() -> Workflow:
    return flow(kind, text, extra, both, last, extra={"when": lambda run: run["kind"] == "b"})


Doing = Callable[[Play, Random], Awaitable[object]]


async def submit(play: Play, random: Random) -> object:
    """Send a form, now and then one made for a version of long ago."""
    step = random.choice(["kind", "text", "extra", "both"])
    typed = {"which": [random.choice("ab")], "text": [random.choice(["x", "y", "long"])]}
    version = (await play.engine.view(play.id, ANN)).row.version
    seen = random.choice([version, max(1, version - random.randint(0, 3))])
    form = f"form-{random.randint(0, 400)}"
    return await play.engine.submit(play.id, ANN, step, typed, seen=seen, submit_id=form)


DOINGS: dict[str, tuple[int, Doing]] = {
    "submit": (10, submit),
    "go on": (6, lambda play, _: play.go_on()),
    "revert": (4, lambda play, random: play.revert(random.choice(["kind", "text", "extra", "both", "last"]))),
    "keep": (4, lambda play, random: play.keep(random.choice(["text", "extra", "both", "last"]))),
    "cancel": (2, lambda play, _: play.engine.cancel_edit(play.id, ANN)),
    "go back": (2, lambda play, random: play.engine.go_back(play.id, ANN, random.randint(1, 12), seen=None)),
    "lock": (1, lambda play, _: play.engine.finalize(play.id, ANN)),
    "unlock": (2, lambda play, _: play.engine.unfinalize(play.id, ANN)),
    "rename": (1, lambda play, random: play.engine.rename(play.id, ANN, f"key {random.randint(0, 9)}")),
    "delete": (1, lambda play, _: play.engine.delete(play.id, ANN)),
    "copy": (1, lambda play, random: play.engine.fork(play.id, ANN, version=random.randint(1, 9))),
}


@pytest.mark.parametrize("seed", range(6))
async def test_run_is_what_its_journal_says_whatever_is_done_to_it(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    names, weights = list(DOINGS), [weight for weight, _ in DOINGS.values()]
    run = ""
    for _ in range(3):  # Between the rounds the program ends and starts again.
        async with bench(tmp_path, app()) as made:
            play = Play(made, run) if run else await made.start()
            run = play.id
            for name in random.choices(names, weights, k=40):
                with suppress(RunError):  # What cannot be done just now is refused, and changes nothing.
                    await DOINGS[name][1](play, random)
                with suppress(RunError):
                    await play.engine.undelete(run, ANN)
                await play.view()
                await play.slots()
            assert await made.problems() == []
            assert (await made.db.read(offered_key, "flow", ANN.actor)).number
