"""Errors of the store and its folder."""

from __future__ import annotations

from pipulate.errors.root import PipulateError


class StorageError(PipulateError):
    """The store did not do what was asked, and changed nothing."""

    code = "storage.failed"


class StoreUnavailableError(StorageError):
    """The database does not answer just now; trying again is safe."""

    code = "storage.unavailable"


class StoreFullError(StorageError):
    """There is no room left where the data lives; reading still works."""

    code = "storage.full"

    def __init__(self) -> None:
        super().__init__("The disk that holds the data is full. Nothing was changed; free some room and try again.")


class StoreDamagedError(StorageError):
    """The database file is not readable as a database."""

    code = "storage.damaged"


class StoreNewerError(StorageError):
    """The data was written by a newer version of this program."""

    code = "storage.newer"

    def __init__(self, found: str, known: str) -> None:
        self.found, self.known = found, known
        super().__init__(
            f"The data was written by a newer version of Pipulate (schema {found!r}; this program knows {known!r})."
            " Update the program, or restore a backup made by this version."
        )


class FolderInUseError(StorageError):
    """Another process of ours holds the data folder."""

    code = "storage.in_use"

    def __init__(self, folder: str, pid: int | None) -> None:
        self.folder, self.pid = folder, pid
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"The data folder {folder} is in use by {holder}. Stop it first, or choose another folder with --data."
        )


class ArchiveError(StorageError):
    """A backup or export file is not what it claims to be."""

    code = "storage.archive"
