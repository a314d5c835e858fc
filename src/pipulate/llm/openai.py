"""Anything that speaks the protocol of OpenAI: LM Studio, llama.cpp, vLLM, and providers elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from pipulate._threads import Threads
from pipulate.errors import ModelNonsenseError, ModelRefusedError
from pipulate.llm import words
from pipulate.llm.address import host
from pipulate.llm.port import Ask, Known, Part
from pipulate.llm.reading import count
from pipulate.llm.wire import Wire

if TYPE_CHECKING:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

_MODELS_MAX: Final = 1_000
_NAME_MAX: Final = 200
_CONTEXTS: Final = ("n_ctx", "max_model_len", "context_length", "context_window", "n_ctx_train")
_OWN: Final = "api.openai.com"  # Calls the most of an answer otherwise than all the others.


class OpenAI:
    """A server that speaks the protocol of OpenAI."""

    def __init__(self, url: str, key: str = "", *, model: str = "") -> None:
        """Stand before a server.

        Args:
            url: Its address, mostly with `/v1` at its end.
            key: What it lets in; "" where it asks for none.
            model: Name of a model that it has, whether it lists it or not.
        """
        self._wire = Wire(url, key, is_ollama=False)
        self._named = model
        self._threads = Threads(1, "import")
        self._provider: OpenAICompatibleProvider | None = None

    async def known(self) -> Sequence[Known]:
        """Return the models it lists, and the one that was named."""
        try:
            listed = _list(await self._wire.json("models"))
        except ModelRefusedError as error:
            if not self._named or str(error) != words.nothing_there(self._wire.url):
                raise
            listed = []  # Some servers have no list; one who names a model knows it.
        known = [_known(each) for each in listed]
        if self._named and all(each.name != self._named for each in known):
            known.append(Known(self._named))
        return known

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Yield an answer part by part."""
        wrapped = await self._threads.run(importlib.import_module, "pipulate.llm.wrapped")
        model = await self._threads.run(self._model, ask.model)  # Imports, and makes, what takes long.
        parts = wrapped.answer(model, ask, refused=self._wire.refused, down=words.down(self._wire.url, is_ollama=False))
        async with aclosing(parts):
            async for part in parts:
                yield part

    def _model(self, name: str) -> OpenAIChatModel:
        from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415 - heavy, and on a thread for that reason
        from pydantic_ai.profiles.openai import OpenAIModelProfile  # noqa: PLC0415 - as above

        if self._provider is None:
            self._provider = _provider(self._wire)
        profile = OpenAIModelProfile(openai_chat_supports_max_completion_tokens=host(self._wire.url) == _OWN)
        return OpenAIChatModel(name, provider=self._provider, profile=profile)

    async def close(self) -> None:
        """Let go of its connections."""
        self._threads.close(wait=False)
        await self._wire.close()


def _provider(wire: Wire) -> OpenAICompatibleProvider:
    from openai import AsyncOpenAI  # noqa: PLC0415 - as above
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider  # noqa: PLC0415 - as above

    sdk = AsyncOpenAI(
        base_url=wire.url,
        api_key="none",  # The client has it, and adds it. Without one the library would look for one.
        organization="",  # Given here, so that nothing of the environment is sent anywhere.
        project="",
        webhook_secret="",
        max_retries=0,  # A person waits. Whether to ask again is theirs to say.
        http_client=wire.client,
    )
    return OpenAICompatibleProvider("server", openai_client=sdk)


def _list(content: Any) -> list[Mapping[str, Any]]:
    models = content.get("data") if isinstance(content, Mapping) else None
    if not isinstance(models, list):
        raise ModelNonsenseError(words.NOT_OPENAI)
    named = [each for each in models[:_MODELS_MAX] if isinstance(each, Mapping) and isinstance(each.get("id"), str)]
    return [each for each in named if 0 < len(each["id"]) <= _NAME_MAX]


def _known(model: Mapping[str, Any]) -> Known:
    """Return what a list says of a model. Servers say it, if at all, in fields of their own."""
    meta = model.get("meta")
    more = {**(meta if isinstance(meta, Mapping) else {}), **model}
    contexts = (count(more.get(name)) for name in _CONTEXTS)
    return Known(
        name=model["id"],
        size_bytes=count(more.get("size")) or 0,
        context=next((each for each in contexts if each), 0),
        is_loaded=isinstance(meta, Mapping),  # As llama.cpp lists the one it was started with.
        can_chat="embed" not in model["id"].lower(),
    )
