"""A language model behind any OpenAI-compatible address. The only file that imports langchain_openai."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias, cast

import openai
from langchain_core.messages import AIMessage, BaseMessage, BaseMessageChunk, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

from agent.budget.usage import ModelCall, account
from agent.errors import ContextExceeded, ModelUnavailable
from agent.ids import ThreadId
from agent.limits import ModelSettings, Role
from agent.ports import ChatMessage

# langchain-openai's own chunk timeout is an `asyncio.wait_for`, which on Python 3.11 can swallow a
# cancellation; `_next` watches the gap instead.
_NO_CHUNK_TIMEOUT = 0.0

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
"""Some servers leave a model's thinking in its answer."""

_CHARACTERS_PER_TOKEN = 4
"""The usual estimate, for servers that do not count."""

_CUT_OFF = frozenset({"length", "content_filter"})
"""Finish reasons of an answer that is not whole: half a plan or script must not pass for one."""


_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"})
"""Codes for a request that is longer than the model reads."""


@dataclass(kw_only=True)
class Usage:
    """What a role has cost so far, as far as the server says."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


Meter: TypeAlias = Callable[[ThreadId, ModelCall], None]
"""Is told of every call that ended, whole or not, and whom it is charged to."""


class OpenAILanguageModel:
    """A `LanguageModel` on langchain-openai's client. `usage` counts per role since the start."""

    def __init__(self, settings: ModelSettings, meter: Meter | None = None) -> None:
        self.usage: dict[Role, Usage] = {role: Usage() for role in Role}
        self._settings = settings
        self._meter = meter
        # A client of our own: the default ones are shared through a cache across event loops and
        # never closed.
        timeout = openai.Timeout(settings.silence_seconds, connect=settings.connect_seconds)
        self._http = openai.DefaultAsyncHttpxClient(timeout=timeout)
        self._chats: dict[str, ChatOpenAI] = {}
        for role in Role:
            self._chat(role)  # now, because the first one takes 0.16 s in which the event loop would stand still

    def __repr__(self) -> str:
        return f"OpenAILanguageModel({self._settings!r})"

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._http.aclose()

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        """Return the whole answer."""
        # Streamed like the others, so that a slow answer is told apart from a silent server.
        said: list[str] = []
        room = self._settings.answer_characters
        async with aclosing(self._metered(role, messages, account())) as pieces:
            async for piece in pieces:
                said.append(piece)
                if (room := room - len(piece)) < 0:
                    raise ModelUnavailable("the model does not stop")
        return _THOUGHT.sub("", "".join(said))

    def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives."""
        return self._metered(role, messages, account())

    async def _metered(
        self, role: Role, messages: Sequence[ChatMessage], charged: ThreadId | None
    ) -> AsyncGenerator[str, None]:
        """Yield the answer and tell the meter what it took, however it ended."""
        said = 0
        told = Usage()
        try:
            async with aclosing(self._stream(role, messages, told)) as pieces:
                async for piece in pieces:
                    said += len(piece)
                    yield piece
        finally:
            if self._meter is not None and charged is not None:
                self._meter(charged, self._call(role, messages, told, said))

    def _call(self, role: Role, messages: Sequence[ChatMessage], told: Usage, said: int) -> ModelCall:
        estimated = not told.input_tokens and not told.output_tokens
        heard = sum(len(each.text) for each in messages)
        return ModelCall(
            role=role,
            model=self._settings.by_role.get(role, self._settings.model),
            input_tokens=-(-heard // _CHARACTERS_PER_TOKEN) if estimated else told.input_tokens,
            output_tokens=-(-said // _CHARACTERS_PER_TOKEN) if estimated else told.output_tokens,
            estimated=estimated,
        )

    async def _stream(self, role: Role, messages: Sequence[ChatMessage], told: Usage) -> AsyncGenerator[str, None]:
        usage = self.usage[role]
        usage.calls += 1
        deadline = asyncio.get_running_loop().time() + self._settings.total_seconds
        said = False
        ending: str | None = None
        chunks = cast(
            "AsyncGenerator[BaseMessageChunk, None]", self._chat(role).astream([_message(each) for each in messages])
        )
        async with aclosing(chunks):
            while (chunk := await self._next(chunks, deadline)) is not None:
                _count(usage, chunk)
                _count(told, chunk)
                ending = _ending(chunk) or ending
                if text := chunk.text:
                    said = said or not text.isspace()
                    yield text
        if ending in _CUT_OFF:
            raise ModelUnavailable(f"the model's answer was cut off ({ending})")
        if not said:
            raise ModelUnavailable("the model answered nothing")

    async def _next(self, chunks: AsyncIterator[BaseMessageChunk], deadline: float) -> BaseMessageChunk | None:
        """Return the next chunk, or None at the end."""
        left = deadline - asyncio.get_running_loop().time()
        trouble: str
        kind = ModelUnavailable
        try:
            async with asyncio.timeout(min(left, self._settings.silence_seconds)):
                return await anext(chunks, None)
        except TimeoutError:
            trouble = "the model is silent for too long"
        except openai.APIStatusError as error:
            trouble = f"the model's server answered with status {error.status_code}"
            kind = ContextExceeded if _too_long(error) else ModelUnavailable
        except openai.APITimeoutError:
            trouble = "the model's server does not answer in time"
        except openai.APIConnectionError:
            trouble = "the connection to the model's server failed"
        except Exception as error:  # noqa: BLE001 -- a foreign server's rubbish surfaces as any type
            trouble = f"the model's server sent something unusable ({type(error).__name__})"
        # Raised outside the handlers: the client's errors quote the server, which may echo the key.
        raise kind(trouble)

    def _chat(self, role: Role) -> ChatOpenAI:
        name = self._settings.by_role.get(role, self._settings.model)
        if name not in self._chats:
            self._chats[name] = ChatOpenAI(
                model=name,
                base_url=self._settings.base_url,
                api_key=self._key,
                http_async_client=self._http,
                timeout=self._http.timeout,
                max_retries=self._settings.retries,
                stream_usage=True,
                stream_chunk_timeout=_NO_CHUNK_TIMEOUT,
                use_responses_api=False,
            )
        return self._chats[name]

    async def _key(self) -> str:
        # As a coroutine function the key is in no repr, and no blocking twin of the client is made.
        return self._settings.api_key


def _too_long(error: openai.APIStatusError) -> bool:
    """Tell whether the request was refused for its length. Servers that give no code say so in words only."""
    if error.status_code == 413 or error.code in _TOO_LONG:
        return True
    return error.status_code == 400 and "context length" in error.message.lower()


def _message(said: ChatMessage) -> BaseMessage:
    match said.by:
        case "system":
            return SystemMessage(said.text)
        case "human":
            return HumanMessage(said.text)
        case "ai":
            return AIMessage(said.text)


def _ending(chunk: BaseMessageChunk) -> str | None:
    """Return the finish reason, which comes with the last chunk that says anything."""
    reason: object = cast("Mapping[str, object]", chunk.response_metadata).get("finish_reason")
    return reason if isinstance(reason, str) else None


def _count(usage: Usage, chunk: BaseMessageChunk) -> None:
    figures = getattr(chunk, "usage_metadata", None)
    if isinstance(figures, Mapping):
        counted = cast("Mapping[str, int]", figures)
        usage.input_tokens += counted.get("input_tokens", 0)
        usage.output_tokens += counted.get("output_tokens", 0)
