"""The functions of an app that take part when its records change: asked before, told after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from pipulate._log import get_logger
from pipulate.crud.change import Change
from pipulate.crud.checking import check
from pipulate.crud.resource import Moment, Resource
from pipulate.errors import FieldError, InvalidAnswersError, RecordRefusedError
from pipulate.fields.files import Files
from pipulate.security.who import Who
from pipulate.storage.files import FileStore
from pipulate.storage.records.files import folder_of
from pipulate.storage.records.rows import Record, Values

_NOT_ALLOWED: Final = "You may not do this."
_log = get_logger()


class Hooks:
    """Calls what authors wrote, apart from the event loop where it may be slow."""

    def __init__(self, apart: Callable[[Callable[[], Any]], Any], files: FileStore) -> None:
        self._apart, self._files = apart, files

    async def checked(
        self,
        resource: Resource[Any],
        answers: Mapping[str, Any],
        before: Values | None = None,
        files: Files | None = None,
    ) -> Values:
        """Return the values that answers make, checked as a whole with those that stay; on a thread where rules are."""
        call = partial(check, resource, answers, before, files)
        if resource.rules:
            values: Values = await self._apart(call)
            return values
        return call()

    async def refuse_forbidden(
        self, resource: Resource[Any], action: str, records: Sequence[Record | None], who: Who
    ) -> None:
        """Ask the app whether somebody may do something to each of some records.

        Raises:
            RecordRefusedError: If they may not.
        """
        may = resource.may
        if may is None:
            return
        for one in [resource.typed(each.values) if each is not None else None for each in records]:
            if not await self._apart(partial(may, who.actor, action, one)):
                raise RecordRefusedError(_NOT_ALLOWED)

    async def asked(
        self, moment: Moment, resource: Resource[Any], before: Record | None, values: Any, profile: str | None, who: Who
    ) -> Any:
        """Let the app look at a change before it is made; return the values that are to be stored.

        Raises:
            RecordRefusedError, InvalidAnswersError: If the app refuses it.
        """
        await self.refuse_forbidden(resource, moment.partition("_")[2], [before], who)
        was = resource.typed(before.values) if before is not None else None
        for hook in resource.hooks[moment]:
            is_now = resource.typed(values) if values is not None else None
            files = self._kept_by(resource)
            change = Change(before.id if before else None, was, is_now, profile, who.actor, files)
            try:
                result = await self._called(hook, change)
            except FieldError as error:
                raise InvalidAnswersError({error.field: error.reason}) from None
            except ValueError as error:
                raise RecordRefusedError(str(error)) from None
            if result is not None and values is not None:
                given = result.model_dump() if hasattr(result, "model_dump") else vars(result)
                values = await self.checked(resource, given, None, files)
        return values

    async def told(
        self, moment: Moment, resource: Resource[Any], changed: Sequence[tuple[Record | None, Record | None]], who: Who
    ) -> None:
        """Tell the app of what was done; what its functions fail at is for the log."""
        for hook in resource.hooks[moment]:
            for before, after in changed:
                one = after or before
                assert one is not None  # noqa: S101 - one of them is there
                was = resource.typed(before.values) if before is not None else None
                is_now = resource.typed(after.values) if after is not None else None
                change = Change(one.id, was, is_now, one.profile, who.actor, self._kept_by(resource))
                try:
                    await self._called(hook, change)
                except Exception:  # noqa: BLE001 - plugin border: it is stored; an error would say that it is not
                    _log.exception("record.hook_failed", resource=resource.name, record=one.id, moment=moment)

    def _kept_by(self, resource: Resource[Any]) -> Files:
        """Return what a hook keeps files with; they go where those of all records of the table are."""
        return Files(self._files, folder_of(resource.name))

    async def _called(self, hook: Callable[..., Any], change: Change[Any]) -> Any:
        if asyncio.iscoroutinefunction(hook):
            return await hook(change)
        return await self._apart(lambda: hook(change))
