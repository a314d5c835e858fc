"""Files of a run, as the code of its steps sees them: what a person uploaded and what a step made."""

from __future__ import annotations

import mimetypes
import re
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any, Literal, NamedTuple, TextIO, Union, get_args, get_origin, overload

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from pipulate.storage.files import FileStore
from pipulate.storage.journal import State

_NAMED = frozenset({"sha256", "bytes", "name", "type"})
KEPT = "kept:"
"""What a form sends for a file its step had before: this and its SHA-256."""

NAME_MAX = 255
"""Most characters of a file's name."""

_NAME_BYTES = 240  # What file systems take for a name, with room for what programs put behind it.
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a run. It never changes: other content is another file.

    As the type of a parameter it asks for an upload; returned by a step it is shown and can be downloaded.

    Attributes:
        name: What the person or the step called it. It is text, never a path.
        media_type: Its kind, such as `text/csv`.
        size_bytes: Its length.
        sha256: Its SHA-256, in hexadecimal.
        path: Where it is on this machine, to be read and not to be changed.
    """

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    path: Path = field(compare=False)

    def open(self) -> IO[bytes]:
        """Open it for reading."""
        return self.path.open("rb")

    def read_bytes(self) -> bytes:
        """Return the whole content."""
        return self.path.read_bytes()

    def read_text(self, encoding: str = "utf-8-sig") -> str:
        """Return the whole content as text; a byte order mark is left out."""
        return self.path.read_text(encoding)

    def named(self) -> dict[str, Any]:
        """Return what is stored of it: `{"sha256", "bytes", "name", "type"}`."""
        return {"sha256": self.sha256, "bytes": self.size_bytes, "name": self.name, "type": self.media_type}

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validated, serialization=core_schema.plain_serializer_function_ser_schema(File.named)
        )


class FilePath(type(Path())):  # type: ignore[misc] # the kind of path of this machine
    """The path of a file of a run, which still knows the file."""

    file: File | None = None  # A path that was made from it is another path.

    @classmethod
    def of(cls, file: File) -> FilePath:
        """Return the path of a file."""
        made = cls(file.path)
        made.file = file
        return made


class _AsUpload:
    """Makes a parameter or a result that is declared as `Path` a file of the run."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def validated(value: Any, info: ValidationInfo) -> FilePath:
            return value if isinstance(value, FilePath) and value.file else FilePath.of(_validated(value, info))

        return core_schema.with_info_plain_validator_function(
            validated,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda path: path.file.named(), when_used="json"
            ),
        )


def uploaded(annotation: Any) -> Any:
    """Return an annotation with every `Path` in it meaning a file of the run, never a place that somebody types."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is Path:
        return Annotated[Path, _AsUpload()]
    if origin is Annotated:
        if any(isinstance(hint, _AsUpload) for hint in parts[1:]):
            return annotation
        return Annotated[(uploaded(parts[0]), *parts[1:])]
    if origin is list and len(parts) == 1:
        return list[uploaded(parts[0])]  # type: ignore[misc] # made while the program runs
    if origin in (Union, types.UnionType):
        return Union[tuple(uploaded(part) for part in parts)]  # noqa: UP007 - made while the program runs
    return annotation


Named = list[dict[str, Any]]
"""What is stored of files: `{"sha256", "bytes", "name", "type"}` each."""


class Kept(NamedTuple):
    """A file that a step's value holds.

    Attributes:
        step: Name of the step.
        file: The file.
    """

    step: str
    file: File


class Files:
    """The files of one run, for the code of its steps.

    What is saved while a step runs belongs to the value of that step: it is kept with it and goes with it.
    """

    def __init__(
        self,
        store: FileStore,
        run: str,
        *,
        state: State | None = None,
        offers: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Wire it up.

        Args:
            store: Where files live.
            run: Id of the run.
            state: What its steps hold.
            offers: What a form may send for a file: text -> the file it means.
        """
        self._store, self._run, self._state, self._offers = store, run, state or State(), offers or {}
        self.saved: dict[tuple[str, str], File] = {}
        self.reads: dict[str, str] = {}

    def save(self, name: str, content: bytes | str | Path, media_type: str = "") -> File:
        """Keep content under a name, and return the file.

        Args:
            name: What people will see; only its last part counts.
            content: Bytes, text (stored as UTF-8), or the path of a file, which is copied.
            media_type: Its kind; guessed from the name where it is not given.

        Raises:
            FileNotFoundError, IsADirectoryError, ValueError: If a path is none of a regular file.
        """
        if isinstance(content, Path):
            sha256, size_bytes = self._store.put_file(self._run, regular(content))
        else:
            raw = content.encode() if isinstance(content, str) else content
            sha256, size_bytes = self._store.put(self._run, raw), len(raw)
        return self._take(name, sha256, size_bytes, media_type)

    @overload
    def open(self, file: str | File, mode: Literal["rb", "wb"] = "rb") -> Any: ...
    @overload
    def open(self, file: str | File, mode: Literal["r", "w"]) -> Any: ...
    def open(self, file: str | File, mode: str = "rb") -> Any:
        """Open a file: to read it, by its name or the file itself; to write a new one, in a `with` block.

        What is written is kept when the block ends, and `files.get(name)` is the file then; where the block raises,
        nothing of it is. Text is UTF-8; a byte order mark is left out on reading.

        Raises:
            KeyError: If no file of the run has that name.
            ValueError: If the mode is none of "r", "rb", "w", "wb".
        """
        if mode in ("w", "wb"):
            return self._writing(file if isinstance(file, str) else file.name, is_text=mode == "w")
        path = self.path(file)
        if mode == "r":
            return path.open(encoding="utf-8-sig")
        if mode == "rb":
            return path.open("rb")
        raise ValueError(f"A file is opened with 'r', 'rb', 'w' or 'wb', not with {mode!r}.")

    @contextmanager
    def _writing(self, name: str, *, is_text: bool) -> Iterator[IO[bytes] | TextIO]:
        with self._store.begin(self._run) as part:
            out = _Out(part.write, is_text=is_text)
            yield out  # type: ignore[misc] # as much of a file as writers need
            sha256, size_bytes = part.keep()
        self._take(name, sha256, size_bytes, "")

    def get(self, name: str) -> File:
        """Return a file by its name: one that this step has just saved, else the one of the latest step.

        Raises:
            KeyError: If no file of the run has that name.
        """
        own = [file for file in self.saved.values() if file.name == name]
        found = own or [kept.file for kept in self.list() if kept.file.name == name]
        if not found:
            raise KeyError(f"no file {name!r}; there are: {sorted({kept.file.name for kept in self.list()})}")
        return found[-1]

    def list(self) -> tuple[Kept, ...]:
        """Return the files that the steps of the run hold now, and then those that this step saved, as step ""."""
        found: Any = []
        for step, value in self._state.steps.items():
            self.reads[step] = value.digest
            found += [Kept(step, self.file(each)) for each in value.data.get("files", ())]
        return (*found, *(Kept("", file) for file in self.saved.values()))

    def path(self, file: str | File) -> Path:
        """Return where a file is on this machine, to be read and not to be changed; KeyError as in `get`."""
        return (self.get(file) if isinstance(file, str) else file).path

    def file(self, named: Mapping[str, Any]) -> File:
        """Return the file that a stored value names (`{"sha256", "bytes", "name", "type"}`)."""
        path = self._store.path(self._run, str(named["sha256"]))
        return File(str(named["name"]), str(named["type"]), int(named["bytes"]), str(named["sha256"]), path)

    def offered(self, text: str) -> File:
        """Return the file that a form means by a text.

        Raises:
            ValueError: If it was not offered to this form, or is not there any more.
        """
        named = self._offers.get(text)
        if named is None or not self._has(named["sha256"]):
            raise ValueError("This file is not there any more. Choose it again.")
        return self.file(named)

    def of_path(self, path: Path) -> File:
        """Return the file at a path: one of the run's that lies there, else a copy; errors as in `save`."""
        if isinstance(path, FilePath) and path.file is not None:
            return path.file
        if _SHA256.fullmatch(path.name) and path == self._store.path(self._run, path.name):
            for kept in reversed(self.list()):
                if kept.file.sha256 == path.name:
                    return kept.file
        return self.save(path.name, path)

    def named_in(self, value: Any) -> Named:
        """Return the files that a JSON value names, each once, in the order they come in.

        One that is not there (any more) is named too, so that the store refuses the value.
        """
        found: dict[tuple[str, str], dict[str, Any]] = {}
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, Mapping):
                if each.keys() == _NAMED and self._is_ours(each):
                    found.setdefault((each["sha256"], each["name"]), dict(each))
                else:
                    waiting.extend(reversed([*each.values()]))
            elif isinstance(each, list | tuple):
                waiting.extend(reversed(each))
        return [*found.values()]

    def _is_ours(self, named: Mapping[str, Any]) -> bool:
        """Tell whether a mapping with these keys is what we store of a file."""
        return (
            all(isinstance(named[each], str) for each in ("sha256", "name", "type"))
            and type(named["bytes"]) is int
            and _SHA256.fullmatch(named["sha256"]) is not None
            and _TYPE.fullmatch(named["type"]) is not None
            and named["name"] == plain_name(named["name"])
        )

    def _take(self, name: str, sha256: str, size_bytes: int, media_type: str) -> File:
        plain = plain_name(name)
        kind = plain_type(media_type, plain)
        file = File(plain, kind, size_bytes, sha256, self._store.path(self._run, sha256))
        self.saved[sha256, plain] = file
        return file

    def _has(self, sha256: Any) -> bool:
        try:
            return self._store.has(self._run, sha256)
        except (TypeError, ValueError):
            return False


class _Out:
    """What a step writes a new file with: `write`, and what `csv`, `json` and pandas ask for besides."""

    def __init__(self, write: Any, *, is_text: bool) -> None:
        self._write, self._is_text = write, is_text
        self.mode = "w" if is_text else "wb"
        self.encoding = "utf-8"
        self.closed = False

    def write(self, content: Any) -> int:
        """Add text or bytes; return how much."""
        if isinstance(content, str) is not self._is_text:
            raise TypeError(f"This file was opened for {'text' if self._is_text else 'bytes'}.")
        self._write(content.encode() if self._is_text else bytes(content))
        return len(content)

    def writelines(self, lines: Any) -> None:
        """Add several."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: it is on the disk when the block ends."""

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def readable(self) -> bool:
        """Tell that it cannot be read."""
        return False

    def seekable(self) -> bool:
        """Tell that it is written from its beginning to its end."""
        return False

    def __iter__(self) -> Iterator[Any]:
        raise OSError("This file is open for writing.")


def regular(path: Path) -> Path:
    """Return where a path leads, links followed.

    Raises:
        FileNotFoundError, IsADirectoryError, ValueError: If that is no regular file.
    """
    real = path.resolve()
    if not real.exists():
        raise FileNotFoundError(f"There is no file {path}, so it cannot be kept.")
    if real.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Keep files one by one, or pack the folder into one file.")
    if not real.is_file():
        raise ValueError(f"{path} is no regular file, so it cannot be kept.")
    return real


def _validated(value: Any, info: ValidationInfo) -> File:
    """Return the file that a stored value names; the run's `Files` come as the context of the validation."""
    if isinstance(value, File):
        return value
    files = info.context
    if not isinstance(files, Files):
        raise ValueError("Choose a file.")  # noqa: TRY004 - pydantic takes no other error
    if isinstance(value, str):
        return files.offered(value)
    if isinstance(value, Path):
        return files.of_path(value)
    try:
        return files.file(value)
    except (KeyError, TypeError, ValueError):
        raise ValueError("Choose a file.") from None


def is_named(value: Any) -> bool:
    """Tell whether a JSON value is what is stored of a file."""
    return isinstance(value, Mapping) and value.keys() == _NAMED


def plain_name(name: str) -> str:
    """Return the last part of a file's name, without what a file system or a header could take for something else."""
    last = name[-10_000:].replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(sign for sign in last if sign.isprintable() and sign not in '<>:"|?*').strip(". ")
    stem, dot, ending = kept.rpartition(".")
    if not stem or len(ending) > 20:
        stem, dot, ending = kept, "", ""
    while len(stem) + len(dot + ending) > NAME_MAX or len((stem + dot + ending).encode()) > _NAME_BYTES:
        stem = stem[: max(0, min(len(stem) - 1, NAME_MAX))]
    return stem + dot + ending or "file"


def plain_type(media_type: str, name: str) -> str:
    """Return a kind as it is stored: what was said, or what the name says where that says nothing."""
    said = media_type.partition(";")[0].strip().lower()
    return said if _TYPE.fullmatch(said) and said != UNKNOWN_TYPE else guessed(name)


def guessed(name: str) -> str:
    """Return the kind of a file by its name."""
    return mimetypes.guess_type(name)[0] or UNKNOWN_TYPE
