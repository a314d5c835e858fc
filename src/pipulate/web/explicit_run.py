"""What stands above a run of a class-style app: what it is, what can be done with it, and what it may keep."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from pipulate.explicit.loading import ExplicitApp
from pipulate.explicit.longwork import StepJob
from pipulate.explicit.steps import first_without, order
from pipulate.storage import lookups, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import State, changed_read
from pipulate.storage.ledger import RunRow
from pipulate.storage.profiles import Profile
from pipulate.ui.explicit import Offer, head_of
from pipulate.ui.html import Html
from pipulate.ui.run import RunPage
from pipulate.web.site import Visit
from pipulate.workflows.work import RunView


async def head(visit: Visit, app: ExplicitApp, row: RunRow, *, oob: bool = False) -> Html:
    """Return the head of a run, alone or to be put in place beside another answer."""
    site = visit.site
    now, state, profile = await site.db.read(_facts, site.engine.files, row.id, visit.who.actor)
    page = RunPage(
        RunView(now, state, None), (), None, None, profile.name if profile else "", site.landing_of(row.app),
        site.address_of(now), visit.who.actor, visit.now, title=app.title, titles=app,
    )  # fmt: skip
    return head_of(page, offer=offer(app, state), oob=oob)


async def class_style_job(visit: Visit, run: str, step: str) -> StepJob | None:
    """Return the long work of a step of a class-style run; None where the run is of another kind.

    Raises:
        RunNotFoundError: If the person has no such run.
        HTTPException: If it has no job there.
    """
    view = await visit.site.engine.view(run, visit.who)
    app = visit.site.explicit_app(view.row.app)
    if app is None:
        return None
    work = visit.site.explicit.work if visit.site.explicit is not None else None
    found = await work.find(app, run, step) if work is not None else None
    if found is None:
        raise HTTPException(404)
    return found


def _facts(tx: Transaction, files: FileStore, run: str, owner: str) -> tuple[RunRow, State, Profile | None]:
    row, state = lookups.load(tx, files, run, owner)
    return row, state, profiles.find(tx, row.profile)


def offer(app: ExplicitApp, state: State) -> Offer | None:
    """Return the old value that the step which is asked for now may take again, or None.

    A class-style step is taken to have been made from all the earlier ones. Of a value that was not stored with what
    they were, nobody knows whether it still fits.
    """
    names = order(app)
    asked = first_without(names, state)
    if state.lock is not None or state.editing is not None or asked is None or asked not in state.offers:
        return None
    old = state.offers[asked]
    is_known = set(names[: names.index(asked)]) <= set(old.reads)
    return Offer(asked, old.short) if is_known and changed_read(old, state.steps) is None else None
