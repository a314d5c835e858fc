"""Markup as types of its own, so that a step can say what it returns: Markdown, and HTML that is safe as it is."""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Markdown(str):
    """Text that is shown as Markdown: `return Markdown("**Done.**")`. It is sanitised whenever it is shown."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


class Html(str):
    """Markup that is safe to put into a page as it is. Adding plain text to it makes plain text."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return itself, for libraries that know this convention."""
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.plain_serializer_function_ser_schema(str)
        )
