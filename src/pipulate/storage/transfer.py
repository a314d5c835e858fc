"""One run as one file: everything it is made of, so that another installation can take it in."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipulate._version import __version__
from pipulate.errors import ArchiveError, ImportRefusedError, KeyTakenError
from pipulate.storage import journal, ledger, messages, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import Event, State
from pipulate.storage.keys import Key, check_key
from pipulate.storage.ledger import EVENT_COLUMNS, Author, RunRow, Written
from pipulate.storage.messages import Message
from pipulate.storage.packed import Packed
from pipulate.storage.sealed import Bare

LIMIT_BYTES = 100_000_000_000
"""Most that may come out of a run's file."""

VALUE_BYTES = 1_000_000_000
"""Most that may come out of it for its journal, or for one value: these are read into memory."""

_SHA256 = r"[0-9a-f]{64}"
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_VERSION_MAX = 2**31 - 1
_TEXT_MAX = 100_000

_Short = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]  # The length refuses half surrogates too.
_Version = Annotated[int, Field(ge=1, le=_VERSION_MAX)]


def _checked_text(text: str) -> str:
    if len(text) > _TEXT_MAX:  # Counted here, because a text may have half surrogates in it.
        raise ValueError(f"longer than {_TEXT_MAX} characters")
    return text


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)  # The patterns cost every start 80 ms.


class _Run(_Strict):
    app: Annotated[str, Field(pattern=r"^[\w .:-]{1,200}$")]
    key: Annotated[str, Field(min_length=1, max_length=200)]
    profile: _Short
    created_at: Annotated[str, Field(pattern=rf"^{_MOMENT}$")]


class _Data(_Strict):
    """What the journal's own rules read in the data of an event; whatever else it says is only shown."""

    model_config = ConfigDict(extra="allow")

    digest: _Short = ""
    short: _Short = ""
    reads: dict[_Short, _Short] = {}
    cleared: list[_Short] = []
    touched: list[_Short] = []
    steps: dict[_Short, _Version] = {}
    editing: _Short | None = None
    editing_version: _Version | None = None


def _checked_data(data: dict[str, Any]) -> dict[str, Any]:
    _Data.model_validate(data)
    return data


class _File(_Strict):
    sha256: Annotated[str, Field(pattern=rf"^{_SHA256}$")]
    bytes: Annotated[int, Field(ge=0, le=LIMIT_BYTES)]


class _Named(_File):
    """A file that a value names beside itself."""

    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
    type: Annotated[str, Field(pattern=r"^[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}$")]


class _Large(_Strict):
    """A value that is kept in a file."""

    file: Annotated[_File, Field(alias="$file")]
    files: list[_Named] = []


class _Event(_Strict):
    version: _Version
    at: Annotated[str, Field(pattern=rf"^{_MOMENT}$")]
    actor: _Short
    tab: _Short | None
    kind: _Short
    step: _Short | None
    data: Annotated[dict[str, Any], AfterValidator(_checked_data)]
    submit: _Short | None


class _Message(_Strict):
    at: Annotated[str, Field(pattern=rf"^{_MOMENT}$")]
    actor: _Short
    role: Literal["user", "assistant", "system", "event"]
    text: Annotated[str, AfterValidator(_checked_text)]
    event: _Version | None


class _Document(_Strict):
    format: Literal["pipulate-run"]
    format_version: Literal[1]
    program: _Short
    run: _Run
    events: Annotated[list[_Event], Field(min_length=1, max_length=1_000_000)]
    messages: Annotated[list[_Message], Field(max_length=1_000_000)]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A run at one moment, ready to be written to its file.

    Attributes:
        row: Its row.
        text: The document: journal and conversation as JSON.
        files: The files its journal names.
        bare: SHA-256 -> content, of values that are written without their secrets.
    """

    row: RunRow
    text: str
    files: Sequence[str]
    bare: Mapping[str, bytes]

    def write(self, files: FileStore, out: IO[bytes]) -> None:
        """Write the file of the run: a zip with `run.json` and the files, however long they are.

        Raises:
            StoreDamagedError: If one of the files is not what it should be.
        """
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("run.json", self.text)
            for sha256 in self.files:
                with archive.open(f"files/{sha256}", "w", force_zip64=True) as entry:
                    for block in files.blocks(self.row.id, sha256):
                        entry.write(block)
            for sha256, content in self.bare.items():
                archive.writestr(f"files/{sha256}", content)


def export(tx: Transaction, files: FileStore, run: str, owner: str) -> Outgoing:
    """Return what the file of a run is made of, without the secrets that were typed.

    Raises:
        RunNotFoundError: If the person has no such run.
    """
    from pipulate.storage import lookups  # noqa: PLC0415 - lookups imports ledger, as this module does

    row = lookups.by_id(tx, run, owner)
    profile = profiles.find(tx, row.profile)
    said = []
    seq = 0
    while page := messages.after(tx, run, seq):
        said += [_said(each) for each in page if _goes_along(each)]
        seq = page[-1].seq
    rows = [{name: getattr(event, name) for name in EVENT_COLUMNS.split(", ")} for event in ledger.events(tx, run)]
    bare = Bare(rows, lambda sha256: json.loads(files.read(run, sha256)))
    document = {
        "format": "pipulate-run",
        "format_version": 1,
        "program": __version__,
        "run": {
            "app": row.app, "key": row.key, "profile": profile.name if profile else "", "created_at": row.created_at,
        },
        "events": bare.events,
        "messages": said,
    }  # fmt: skip
    kept = sorted(set(lookups.files_of(tx, run)) - bare.dropped)
    return Outgoing(row, json.dumps(document, ensure_ascii=True), kept, bare.files)


def _goes_along(message: Message) -> bool:
    """Of what a model did only its words go along: a call is a row of this store, and nothing to decide elsewhere."""
    return message.role != messages.CALL and (message.role != messages.ANSWER or bool(message.text))


def _said(message: Message) -> dict[str, Any]:
    is_answer = message.role == messages.ANSWER
    return {
        "at": message.at, "actor": message.actor, "role": "assistant" if is_answer else message.role,
        "text": message.text[:_TEXT_MAX], "event": message.event.version if message.event else None,
    }  # fmt: skip


class Incoming:
    """A run's file that was read and found good, but not taken in yet."""

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        """Read and check all of it.

        Raises:
            ImportRefusedError: If anything in it is not as it should be; says what.
        """
        try:
            self._packed = Packed(path, limit_bytes=limit_bytes, entries=100_000)
            content = json.loads(
                self._packed.read("run.json", limit_bytes=VALUE_BYTES), parse_constant=_refuse_constant
            )
            self.document = _Document.model_validate(content)
        except ArchiveError as error:
            raise ImportRefusedError(str(error)) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ImportRefusedError(f"{path.name} is not a run that this version can read ({where}).") from None
        except (ValueError, RecursionError) as error:
            raise ImportRefusedError(f"{path.name} is not the file of a run.") from error
        self._lengths: dict[str, int] = {}
        self.events = [Event(**each.model_dump()) for each in self.document.events]
        self.state = self._checked()

    def put_files(self, files: FileStore, run: str) -> None:
        """Put the files in place, before the run that names them is taken in."""
        for sha256 in sorted(self.named()):
            files.put_all(run, self._packed.chunks(f"files/{sha256}"))

    def close(self) -> None:
        """Close the file."""
        self._packed.close()

    def named(self) -> dict[str, int]:
        """Return the files the journal names, with their sizes."""
        return self._lengths

    def _checked(self) -> State:
        self._check_order()
        try:
            large = self._check_files()
            for event in self.events:
                self._check_value(event, large)
            return journal.fold(self.events)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise ImportRefusedError("The journal does not add up to a run.") from error

    def _check_order(self) -> None:
        for expected, event in enumerate(self.events, start=1):
            if event.version != expected:
                raise ImportRefusedError(f"The journal has a gap: version {expected} is missing.")
            if event.kind not in journal.KINDS:
                raise ImportRefusedError(f"The journal has an event this version does not know: {event.kind!r}.")
        if any(each.event is not None and each.event > len(self.events) for each in self.document.messages):
            raise ImportRefusedError("The conversation tells of an event that the journal does not have.")
        submits = [event.submit for event in self.events if event.submit is not None]
        if len(submits) != len(set(submits)):
            raise ImportRefusedError("The journal has the same form twice.")

    def _check_files(self) -> dict[str, str]:
        """Check every file; return the digest of each large value, by the name of its file."""
        self._check_names()
        values = {each["$file"]["sha256"]: each.get("files") for each in self._values() if "$file" in each}
        digests = {}
        for sha256, size_bytes in self.named().items():
            try:
                if sha256 in values:
                    digests[sha256] = self._checked_large(sha256, values[sha256])
                came, length = self._measured(sha256)
            except ArchiveError as error:
                raise ImportRefusedError(str(error)) from error
            if came != sha256 or length != size_bytes:
                raise ImportRefusedError(f"A file of the run was changed ({sha256[:12]}).")
        return digests

    def _checked_large(self, sha256: str, named: Any) -> str:
        """Return the digest of a large value, which names the same files as the journal says it does."""
        content = self._packed.read(f"files/{sha256}", limit_bytes=VALUE_BYTES)
        value = json.loads(content, parse_constant=_refuse_constant)
        digest = _digest(value)
        if value.get("files") != named or "$file" in value:
            raise ImportRefusedError(f"A large value was changed ({sha256[:12]}).")
        return digest

    def _measured(self, name: str) -> tuple[str, int]:
        """Return the SHA-256 of a file and its length in bytes."""
        digest, length = hashlib.sha256(), 0
        for chunk in self._packed.chunks(f"files/{name}"):
            digest.update(chunk)
            length += len(chunk)
        return digest.hexdigest(), length

    def _check_names(self) -> None:
        """Check what the journal names before anything is looked for under these names."""
        for event in self.events:
            if event.kind == journal.UPLOADED:
                file = _File.model_validate(event.data["$file"])
                self._lengths[file.sha256] = file.bytes
        for value in self._values():
            large = [_Large.model_validate(value).file] if "$file" in value else []
            for each in (*large, *(_Named.model_validate(named) for named in value.get("files", ()))):
                if self._lengths.setdefault(each.sha256, each.bytes) != each.bytes:
                    raise ImportRefusedError(f"A file of the run has two lengths ({each.sha256[:12]}).")

    def _values(self) -> Iterator[dict[str, Any]]:
        return (each.data["value"] for each in self.events if each.kind in journal.VALUED)

    def _check_value(self, event: Event, large: Mapping[str, str]) -> None:
        if event.kind not in journal.VALUED:
            return
        if not event.step:
            raise ImportRefusedError(f"Version {event.version} has no step.")
        value = event.data["value"]
        digest = large[value["$file"]["sha256"]] if "$file" in value else _digest(value)
        if digest != event.data["digest"]:
            raise ImportRefusedError(f"The value of version {event.version} was changed.")


def _digest(value: Any) -> str:
    if not isinstance(value, dict):
        raise TypeError("a value is an object")
    return journal.digest(value)


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python reads although JSON does not have them."""
    raise ValueError(f"{name} is not JSON")


def take_in(tx: Transaction, run: str, incoming: Incoming, author: Author, key: Key | None) -> tuple[RunRow, Written]:
    """Add a run from its file.

    Raises:
        KeyTakenError: If the person has a run of this app under its key already.
    """
    document, state = incoming.document, incoming.state
    wanted = key or check_key(document.run.key)
    profile = profiles.find_named(tx, document.run.profile)
    owner = profile.id if profile is not None else profiles.DEFAULT_ID
    if not ledger.insert_run(tx, run, document.run.app, wanted, owner, author):
        raise KeyTakenError(wanted.text)
    tx.many(
        f"INSERT INTO run_events (run, {EVENT_COLUMNS})"  # noqa: S608 - a constant
        " VALUES (:run, :version, :at, :actor, :tab, :kind, :step, :data, :submit)",
        [{**each.model_dump(), "run": run, "data": json.dumps(each.data)} for each in document.events],
    )
    ledger.put_state(tx, run, state)
    for sha256, size_bytes in incoming.named().items():
        tx.run(
            "INSERT INTO run_files (run, sha256, size_bytes) VALUES (:run, :sha256, :size)",
            run=run, sha256=sha256, size=size_bytes,
        )  # fmt: skip
    tx.run(
        "UPDATE runs SET version = :version, created_at = :created, editing = :editing, editing_version = :editing_at,"
        " locked_at = :locked_at, locked_by = :locked_by WHERE id = :run",
        version=state.version, created=document.run.created_at, editing=state.editing,
        editing_at=state.editing_version, locked_at=state.lock.at if state.lock else None,
        locked_by=state.lock.by if state.lock else None, run=run,
    )  # fmt: skip
    messages.open_conversation(tx, run)
    for each in document.messages:
        if each.event is not None:
            messages.add_event(tx, run, each.at, each.actor, each.event)
        else:
            messages.add(tx, run, each.at, each.actor, each.role, each.text)
    written = ledger.append_as_is(tx, ledger.find(tx, run), author, journal.IMPORTED, {"key": document.run.key})
    return ledger.find(tx, run), written
