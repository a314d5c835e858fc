"""Records of which there are very many; a change of one of them waits while there is a file `hold`."""

from __future__ import annotations

import threading
from pathlib import Path

from pydantic import BaseModel

from pipulate import Change, Resource


class Item(BaseModel):
    """A thing that is kept."""

    name: str
    shelf: int = 0


stock = Resource("stock", Item)
NEVER = threading.Event()


@stock.before_change
def held(change: Change[Item]) -> None:
    """Wait with one in the middle, and keep another as it is."""
    if change.before is not None and change.before.name == "Item 2900":
        while Path("hold").exists():
            NEVER.wait(0.01)
    if change.before is not None and change.before.name == "Item 7":
        raise ValueError("This one stays on its shelf.")
