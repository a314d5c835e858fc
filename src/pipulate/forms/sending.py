"""Files that people send for a field of a form: what a form may name, and taking them in piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from mimetypes import guess_all_extensions
from typing import Any, NamedTuple

from pipulate._threads import Threads
from pipulate.errors import InvalidAnswersError, UploadRefusedError
from pipulate.fields import FormField, leaves
from pipulate.fields.files import KEPT, is_named, plain_name, plain_type
from pipulate.forms.decoding import Typed
from pipulate.storage.blobs import Part
from pipulate.storage.files import FileStore
from pipulate.storage.uploads import Limits, Room, in_mb

_BLOCK = 1_048_576  # Bytes that are written at once; less would be a change of thread for every packet.
_THREADS = 4


class Offer(NamedTuple):
    """A file that a form may name.

    Attributes:
        named: What is stored of it.
        field: The field it was sent for; None where it was there before.
        is_waiting: Whether no answer has taken it yet.
    """

    named: Mapping[str, Any]
    field: str | None = None
    is_waiting: bool = False


Offers = Mapping[str, Offer]
"""What a form may send for a file -> the file it means."""


def asks_for_files(fields: Sequence[FormField]) -> bool:
    """Tell whether any of the fields of a form is for files."""
    return any(each.widget == "upload" for each in leaves(fields))


def checked(fields: Sequence[FormField], typed: Typed, offers: Offers) -> dict[str, Mapping[str, Any]]:
    """Return the file that each text of a form means.

    Raises:
        InvalidAnswersError: If a field names a file that was sent for another one, or too many.
    """
    problems = {}
    for each in leaves(fields):
        texts = [text for text in typed.get(each.name, ()) if text] if each.widget == "upload" else []
        if any(text in offers and offers[text].field not in (None, each.name) for text in texts):
            problems[each.name] = "This file was sent for another field. Choose it again."
        elif each.max_files is not None and len(texts) > each.max_files:
            problems[each.name] = f"At most {each.max_files} files; these are {len(texts)}."
    if problems:
        raise InvalidAnswersError(problems)
    return {text: offer.named for text, offer in offers.items()}


def started_with(fields: Sequence[FormField], answers: Mapping[str, Any], offers: Offers) -> dict[str, list[str]]:
    """Return what a form starts with: field -> texts. What was sent and not used yet comes back, whatever happened."""
    texts = {}
    for each in leaves(fields):
        if each.widget != "upload":
            continue
        value: Any = answers
        for part in each.name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        held = value if isinstance(value, list) else [value]
        kept = [KEPT + file["sha256"] for file in held if is_named(file)]
        waiting = [text for text, offer in offers.items() if offer.is_waiting and offer.field == each.name]
        texts[each.name] = kept + waiting if each.multiple else (waiting or kept)[-1:]
    return texts


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as somebody sends it: what it is called, what it is said to be, and its content piece by piece."""

    name: str
    media_type: str
    blocks: AsyncIterator[bytes]


class Taken(NamedTuple):
    """A file that is in place, and that nothing names yet.

    Attributes:
        name: What it is called; text, never a path.
        media_type: Its kind.
        size_bytes: Its length.
        sha256: Its SHA-256.
    """

    name: str
    media_type: str
    size_bytes: int
    sha256: str


class Receiver:
    """Puts what people send into the store of files."""

    def __init__(self, files: FileStore) -> None:
        self.threads = Threads(_THREADS, "upload")
        self._files = files
        self._dropping: set[asyncio.Future[None]] = set()

    def close(self) -> None:
        """Let go of the threads."""
        self.threads.close(wait=False)

    async def take(self, folder: str, field: FormField, sent: Sent, left: Room) -> Taken:
        """Put a file for a field into a folder; what cannot be taken leaves nothing.

        Raises:
            UploadRefusedError: If it is of a kind the field does not take, or too large; says which limit.
            StoreFullError, StorageError: If it cannot be stored.
        """
        name = plain_name(sent.name)
        media_type = plain_type(sent.media_type, name)
        if not is_accepted(field.accept, name, media_type):
            raise UploadRefusedError(f"{name} cannot be used here. Choose {kinds_in_words(field.accept)}.")
        part = await self.threads.run(self._files.blobs.begin, folder)
        try:
            sha256, size_bytes = await self._write(part, sent.blocks, left)
        finally:
            # Whoever sent it may have gone, which ends this coroutine at once; the thread goes on all the same.
            dropping = asyncio.ensure_future(self.threads.run(part.drop))
            self._dropping.add(dropping)
            dropping.add_done_callback(self._dropping.discard)
            await asyncio.shield(dropping)
        return Taken(name, media_type, size_bytes, sha256)

    async def _write(self, part: Part, blocks: AsyncIterator[bytes], left: Room) -> tuple[str, int]:
        waiting, came = bytearray(), 0
        async for block in blocks:
            came += len(block)
            if came > left.left:
                raise left.refuse()
            waiting += block
            if len(waiting) >= _BLOCK:
                await self.threads.run(part.write, bytes(waiting))
                waiting.clear()
        if waiting:
            await self.threads.run(part.write, bytes(waiting))
        return await self.threads.run(part.keep)


def limits_of(field: FormField, limits: Limits) -> Limits:
    """Return the limits for a field: what its author says, and never more than the settings say."""
    return limits if field.max_bytes is None else replace(limits, file=min(limits.file, field.max_bytes))


def is_accepted(kinds: Sequence[str], name: str, media_type: str) -> bool:
    """Tell whether a file is of one of the kinds a field takes; any where it names none."""
    folded = name.lower()
    return not kinds or any(
        folded.endswith(kind.lower()) if kind.startswith(".") else _fits(kind.lower(), media_type) for kind in kinds
    )


def _fits(kind: str, media_type: str) -> bool:
    return kind in ("*/*", media_type) or (kind.endswith("/*") and media_type.startswith(kind[:-1]))


_WORDS = {"image/*": "an image", "text/*": "a text file", "audio/*": "a sound", "video/*": "a video", "*/*": "a file"}


def kinds_in_words(kinds: Sequence[str]) -> str:
    """Return what a field takes as people read it: `a .csv or .txt file or an image`.

    A type is left out where one of its endings is named: `text/csv` says nothing more beside `.csv`.
    """
    endings = [kind for kind in kinds if kind.startswith(".")]
    types = [kind for kind in kinds if not kind.startswith(".")]
    told = {kind for kind in types if not {each.lower() for each in endings}.isdisjoint(guess_all_extensions(kind))}
    files = [f"a {_either(endings)} file"] if endings else []
    return _either([*files, *(_WORDS.get(kind, kind) for kind in types if kind not in told)]) or "a file"


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def in_words(field: FormField, limits: Limits) -> str:
    """Return what a field takes, and how much, in one sentence."""
    what = kinds_in_words(field.accept)
    if field.multiple:
        most = f"Up to {field.max_files} files" if field.max_files else "Several files"
        return f"{most}{f' ({what} each)' if field.accept else ''}, up to {in_mb(limits.file)} each."
    return f"{what[:1].upper()}{what[1:]}, up to {in_mb(limits.file)}."
