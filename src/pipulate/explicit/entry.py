"""The way in to class-style plugins. Nothing heavy is imported before the first of them is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from pipulate._clock import Clock
from pipulate.events import RecordsChanged
from pipulate.explicit.book import Book
from pipulate.explicit.loading import ExplicitApp, construct, plugin_class
from pipulate.explicit.longwork import LongWork
from pipulate.explicit.messages import ModelBeside
from pipulate.explicit.modules import for_fasthtml, offer, old_host
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.ledger import Written

if TYPE_CHECKING:
    from pipulate.explicit.host import Host


class Explicit:
    """Loads class-style plugins and, once there is one, the host that serves them.

    Attributes:
        work: Their long work; None where no jobs are run.
    """

    def __init__(
        self,
        open_db: Callable[[], Database],
        files: FileStore,
        clock: Clock,
        *,
        stored: Callable[[Written], None],
        said: Callable[[str, int], None],
        changed: Callable[[RecordsChanged], None],
        work: Callable[[Book], LongWork] | None = None,
        tables: bool = False,
        log_level: str = "info",
        model: ModelBeside | None = None,
    ) -> None:
        """Wire it up, and make the modules of the old host importable.

        Args:
            open_db: Returns the store.
            files: Where large values live.
            clock: The time.
            stored: Told of every change of a run, on the thread that made it.
            work: Makes what does the long work of plugins; None where none is done.
            tables: Whether each request logs the state of its run as a table.
            log_level: Least severe level that plugins' own lines are shown from.
            changed: Told of every change of plugins' own tables, on the thread that made it.
            model: The language model beside their work; None where there is none.
            said: Told conversation and number of every new message, on the thread that wrote it.
        """
        self._open_db, self._parts = open_db, (files, clock, stored, said, changed)
        self._tables, self._log_level, self._model = tables, log_level, model
        self.work = work(Book(open_db(), files, clock, stored)) if work is not None else None
        self._lock = threading.Lock()
        self._host: Host | None = None
        self._withdraw = offer(old_host(self.host), lambda: for_fasthtml(self.host))

    def host(self) -> Host:
        """Return the host, made when it is first needed."""
        with self._lock:
            if self._host is None:
                from pipulate.explicit.host import Host  # noqa: PLC0415 - imports FastHTML

                self._host = Host(
                    self._open_db(), *self._parts, work=self.work, tables=self._tables, log_level=self._log_level,
                    model=self._model,
                )  # fmt: skip
            return self._host

    def read(self, module: ModuleType, address: str) -> ExplicitApp | None:
        """Return the class-style app of a module that was just imported, or None where it has none.

        Raises:
            Exception: Whatever the plugin's constructor raises.
        """
        kind = plugin_class(module)
        if kind is None:
            return None
        host = self.host()
        with host.rt.gathered() as routes:
            app = construct(kind, address, host.handed_in(), routes)
        host.took(app)
        return app

    def close(self) -> None:
        """Stop what is running, and take the modules away."""
        self._withdraw()
        if self._host is not None:
            self._host.close()
