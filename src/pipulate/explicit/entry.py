"""The way in to class-style plugins. Nothing heavy is imported before the first of them is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from pipulate._clock import Clock
from pipulate.explicit.loading import ExplicitApp, construct, plugin_class
from pipulate.explicit.modules import offer, old_host
from pipulate.explicit.routes import Routes
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.ledger import Written

if TYPE_CHECKING:
    from pipulate.explicit.host import Host


class Explicit:
    """Loads class-style plugins and, once there is one, the host that serves them."""

    def __init__(
        self,
        open_db: Callable[[], Database],
        files: FileStore,
        clock: Clock,
        *,
        stored: Callable[[Written], None],
        said: Callable[[str, int], None],
        tables: bool = False,
    ) -> None:
        """Wire it up, and make the modules of the old host importable.

        Args:
            open_db: Returns the store.
            files: Where large values live.
            clock: The time.
            stored: Told of every change of a run, on the thread that made it.
            tables: Whether each request logs the state of its run as a table.
            said: Told conversation and number of every new message, on the thread that wrote it.
        """
        self._open_db, self._parts = open_db, (files, clock, stored, said)
        self._tables = tables
        self._lock = threading.Lock()
        self._host: Host | None = None
        self._withdraw = offer(old_host(self.host))

    def host(self) -> Host:
        """Return the host, made when it is first needed."""
        with self._lock:
            if self._host is None:
                from pipulate.explicit.host import Host  # noqa: PLC0415 - imports FastHTML

                self._host = Host(self._open_db(), *self._parts, tables=self._tables)
            return self._host

    def read(self, module: ModuleType, address: str) -> ExplicitApp | None:
        """Return the class-style app of a module that was just imported, or None where it has none.

        Raises:
            Exception: Whatever the plugin's constructor raises.
        """
        kind = plugin_class(module)
        if kind is None:
            return None
        host, routes = self.host(), Routes()
        app = construct(kind, address, host.handed_in(), routes)
        host.pip.plugins[address] = app.instance
        return app

    def close(self) -> None:
        """Stop what is running, and take the modules away."""
        self._withdraw()
        if self._host is not None:
            self._host.close()
