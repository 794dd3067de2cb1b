"""A language model behind any OpenAI-compatible address. The only file that imports langchain_openai."""

import asyncio
import logging
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import chain, repeat
from math import isfinite
from typing import Any, Protocol, TypeAlias, cast

import openai
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from agent.budget.usage import ModelCall, account
from agent.errors import ContextExceeded, ModelBusy, ModelSlow, ModelUnavailable
from agent.ids import ThreadId
from agent.limits import ModelSettings, Role, RoleModel
from agent.ports import UNREADABLE, AskedCall, ChatMessage, OfferedTool
from agent.redaction import SECRETS
from agent.roles import SubagentRole
from sandbox.script import Json

_log = logging.getLogger(__name__)

# langchain-openai's chunk timeout is an `asyncio.wait_for`, which on Python 3.11 can swallow a cancellation;
# `_next` bounds the wait for a chunk instead.
_NO_CHUNK_TIMEOUT = 0.0

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
"""A model's thinking, which some servers leave in its answer."""

_CHARACTERS_PER_TOKEN = 4
"""The usual estimate, for servers that do not count."""

_CUT_OFF = frozenset({"length", "max_output_tokens", "content_filter"})
"""Finish reasons, of both APIs, of an incomplete answer, which must not pass for a plan or a script."""

_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"})
"""Error codes for a request that is longer than the model reads."""

_NO_CREDIT = "insufficient_quota"
"""The error code of a 429 that waiting does not mend."""

_VECTORS_AT_ONCE = 100
"""Texts in one request for vectors: some servers take no more."""

_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before a busy server is asked again if it names no longer time; half of each is chance."""


class _Response(Protocol):
    """What we need of an answer of the client's HTTP package."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> MutableMapping[str, str]: ...


@dataclass(kw_only=True)
class Usage:
    """The cost of model calls, as the server counted it."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    #: Of the input, what the server found in its cache.
    cached_tokens: int = 0


Meter: TypeAlias = Callable[[ThreadId, ModelCall], None]
"""Called after every model call, complete or not, with the thread that pays for it."""


class OpenAILanguageModel:
    """A `LanguageModel` and an `AgentModel` on langchain-openai's client."""

    def __init__(self, settings: ModelSettings, meter: Meter | None = None) -> None:
        #: Since the start.
        self.usage: dict[str, Usage] = {role: Usage() for role in Role}
        self._settings = settings
        self._meter = meter
        # Not the default client: that is cached across event loops and never closed.
        longest = max(settings.first_token_seconds, settings.silence_seconds)
        timeout = openai.Timeout(longest, connect=settings.connect_seconds)
        hooks = {"response": [_leave_waiting_to_us]}
        self._http = openai.DefaultAsyncHttpxClient(timeout=timeout, event_hooks=hooks)
        self._chats: dict[RoleModel, ChatOpenAI] = {}
        for role in Role:
            self._chat(settings.model_of(role))  # now: the first one blocks the event loop for 0.16 s

    def __repr__(self) -> str:
        return f"OpenAILanguageModel({self._settings!r})"

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._http.aclose()

    async def complete(self, role: Role, messages: Sequence[ChatMessage]) -> str:
        """Return the whole answer."""
        # Streamed, so that a slow answer is told apart from a silent server.
        answer: list[str] = []
        room = self._settings.answer_characters
        async with aclosing(self._metered(role, messages, account())) as pieces:
            async for piece in pieces:
                answer.append(piece)
                if (room := room - len(piece)) < 0:
                    raise ModelUnavailable("the model does not stop")
        return _THOUGHT.sub("", "".join(answer))

    def stream(self, role: Role, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives."""
        return self._metered(role, messages, account())

    async def respond(
        self, role: SubagentRole, messages: Sequence[ChatMessage], tools: Sequence[OfferedTool]
    ) -> ChatMessage:
        """Return the answer of the model of a role, which may ask for tool calls."""
        asked = RoleModel(
            name=role.model or self._settings.model, effort=role.reasoning_effort, responses=role.use_responses_api
        )
        counted, charged = Usage(), account()
        # Added up once: each sum reads the calls so far anew, which takes minutes for a call that holds a whole file.
        pieces, room = list[AIMessageChunk](), self._settings.answer_characters
        try:
            async with aclosing(self._counted(role.name, asked, messages, counted, tools)) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, AIMessageChunk):
                        pieces.append(chunk)
                        room -= _length(chunk)
                    if room < 0:
                        raise ModelUnavailable("the model does not stop")
        finally:
            if self._meter is not None and charged is not None:
                characters = self._settings.answer_characters - room
                self._meter(charged, _cost(role.name, asked, messages, counted, characters))
        said = _answer(AIMessageChunk(content="") + pieces)
        if not said.calls and not said.text.strip():
            raise ModelUnavailable("the model answered nothing")
        return said

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return a vector for each text, made by the model of the setting `embeddings`.

        Raises:
            ModelUnavailable: the server made none.
        """
        embeddings = OpenAIEmbeddings(
            model=self._settings.embeddings,
            base_url=self._settings.base_url,
            api_key=self._key,
            http_async_client=self._http,
            max_retries=self._settings.retries,
            chunk_size=_VECTORS_AT_ONCE,
            check_embedding_ctx_length=False,  # it would fetch the tokenizer of OpenAI's models from the net
        )
        problem: ModelUnavailable
        try:
            async with asyncio.timeout(self._settings.silence_seconds):
                return await embeddings.aembed_documents([SECRETS.hide(text) for text in texts])
        except openai.APIStatusError as error:
            problem = _refusal(error)
        except Exception as error:  # noqa: BLE001 -- as for answers: invalid bytes surface as any type
            problem = ModelUnavailable(f"the model's server made no vectors ({type(error).__name__})")
        raise problem

    async def _metered(
        self, role: Role, messages: Sequence[ChatMessage], charged: ThreadId | None
    ) -> AsyncGenerator[str, None]:
        """Yield the answer and meter the call, however it ends."""
        characters = 0
        counted = Usage()
        try:
            async with (
                aclosing(self._stream(role, messages, counted)) as answer,
                aclosing(SECRETS.hide_stream(answer)) as pieces,
            ):
                async for piece in pieces:
                    characters += len(piece)
                    yield piece
        finally:
            if self._meter is not None and charged is not None:
                self._meter(charged, _cost(role, self._settings.model_of(role), messages, counted, characters))

    async def _stream(self, role: Role, messages: Sequence[ChatMessage], counted: Usage) -> AsyncGenerator[str, None]:
        is_blank = True
        async with aclosing(self._counted(role, self._settings.model_of(role), messages, counted)) as chunks:
            async for chunk in chunks:
                if text := chunk.text:
                    is_blank = is_blank and text.isspace()
                    yield text
        if is_blank:
            raise ModelUnavailable("the model answered nothing")

    async def _counted(
        self,
        role: str,
        asked: RoleModel,
        messages: Sequence[ChatMessage],
        counted: Usage,
        tools: Sequence[OfferedTool] = (),
    ) -> AsyncGenerator[BaseMessageChunk, None]:
        """Yield the chunks of a whole answer, and count what it costs."""
        usage = self.usage.setdefault(role, Usage())
        usage.calls += 1
        deadline = asyncio.get_running_loop().time() + self._settings.total_seconds
        finish_reason: str | None = None
        async with aclosing(self._chunks(asked, messages, deadline, tools)) as chunks:
            async for chunk in chunks:
                _count(usage, chunk)
                _count(counted, chunk)
                finish_reason = _finish_reason(chunk) or finish_reason
                yield chunk
        if finish_reason in _CUT_OFF:
            raise ModelUnavailable(f"the model's answer was cut off ({finish_reason})")

    async def _chunks(
        self, asked: RoleModel, messages: Sequence[ChatMessage], deadline: float, tools: Sequence[OfferedTool]
    ) -> AsyncGenerator[BaseMessageChunk, None]:
        """Yield the answer's chunks; as long as the server is busy, ask again."""
        written = [_message(message) for message in messages]
        chat = self._chat(asked)
        # Typed by langchain with the schemas of every provider, which are not known here.
        loose: Any = chat
        model: Runnable[LanguageModelInput, BaseMessage] = (
            loose.bind_tools([*map(_definition, tools)]) if tools else chat
        )
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            stream = cast("AsyncGenerator[BaseMessageChunk, None]", model.astream(written))
            first_by = asyncio.get_running_loop().time() + self._settings.first_token_seconds
            begun = False
            async with aclosing(stream):
                try:
                    while (chunk := await self._next(stream, deadline, None if begun else first_by)) is not None:
                        begun = begun or bool(_length(chunk))
                        yield chunk
                        await asyncio.sleep(0)  # chunks that arrived together are read without a pause
                except ModelBusy as busy:
                    wait = max(busy.wait_seconds, pause * (0.75 + random.random() / 2))  # noqa: S311 -- no secret
                    if not self._settings.retries or asyncio.get_running_loop().time() + wait > deadline:
                        raise
                else:
                    return
            _log.info("the model's server is busy; asking again in %.1f s", wait)
            await asyncio.sleep(wait)

    async def _next(
        self, chunks: AsyncIterator[BaseMessageChunk], deadline: float, first_by: float | None
    ) -> BaseMessageChunk | None:
        """Return the next chunk, or None at the end. `first_by`: when the first words must be there, until they are."""
        now = asyncio.get_running_loop().time()
        patience = self._settings.silence_seconds if first_by is None else first_by - now
        problem: ModelUnavailable
        try:
            async with asyncio.timeout(min(deadline - now, patience)):
                return await anext(chunks, None)
        except TimeoutError:
            unheard = f"the model has not begun to answer within {self._settings.first_token_seconds:g} seconds"
            late = first_by is not None and first_by <= deadline
            problem = ModelSlow(unheard if late else "the model is silent for too long")
        except openai.APIStatusError as error:
            problem = _refusal(error)
        except openai.APITimeoutError:
            problem = ModelUnavailable("the model's server does not answer in time")
        except openai.APIConnectionError:
            problem = ModelUnavailable("the connection to the model's server failed")
        except Exception as error:  # noqa: BLE001 -- invalid bytes from a server surface as any type
            problem = ModelUnavailable(f"the model's server sent something unusable ({type(error).__name__})")
        # Raised outside the handlers, without a context: the client's errors quote the server, which may echo the key.
        raise problem

    def _chat(self, model: RoleModel) -> ChatOpenAI:
        if model not in self._chats:
            self._chats[model] = ChatOpenAI(
                model=model.name,
                base_url=self._settings.base_url,
                api_key=self._key,
                http_async_client=self._http,
                timeout=self._http.timeout,
                max_retries=self._settings.retries,
                stream_usage=True,
                stream_chunk_timeout=_NO_CHUNK_TIMEOUT,
                use_responses_api=model.responses,
                store=False if model.responses else None,  # its server would keep the thread's words otherwise
                reasoning_effort=model.effort.value if model.effort else None,
            )
        return self._chats[model]

    async def _key(self) -> str:
        # A coroutine function keeps the key out of every repr, and the client creates no blocking twin.
        return self._settings.api_key


def _refusal(error: openai.APIStatusError) -> ModelUnavailable:
    """Return what a status says."""
    message = f"the model's server answered with status {error.status_code}"
    if _too_long(error):
        return ContextExceeded(message)
    if error.code == _NO_CREDIT:
        return ModelUnavailable(f"{message}: the account has no credit left")
    if _is_busy(error.response):
        return ModelBusy(message, _seconds(error.response.headers.get("retry-after", "")))
    return ModelUnavailable(message)


def _is_busy(response: _Response) -> bool:
    """Return whether the server asks us to come back later."""
    return response.status_code == 429 or (response.status_code == 503 and "retry-after" in response.headers)


def _seconds(retry_after: str) -> float:
    """Return the seconds a Retry-After header names; 0 when it names none."""
    try:
        seconds = float(retry_after)
    except ValueError:
        return 0.0
    return seconds if isfinite(seconds) else 0.0


async def _leave_waiting_to_us(response: _Response) -> None:
    """Keep the client from asking a busy server again: it would sleep where we see but a silent server."""
    if _is_busy(response):
        response.headers["x-should-retry"] = "false"


def _too_long(error: openai.APIStatusError) -> bool:
    """Return whether the request was refused for its length, which some servers say in words only."""
    if error.status_code == 413 or error.code in _TOO_LONG:
        return True
    return error.status_code == 400 and "context length" in error.message.lower()


def _message(message: ChatMessage) -> BaseMessage:
    text = SECRETS.hide(message.text)
    match message.by:
        case "system":
            return SystemMessage(text)
        case "human":
            return HumanMessage(text)
        case "ai":
            calls = [
                {"id": call.id, "name": call.name, "args": SECRETS.hide_in(call.args), "type": "tool_call"}
                for call in message.calls
            ]
            return AIMessage(text, tool_calls=cast("list[ToolCall]", calls))
        case "tool":
            return ToolMessage(text, tool_call_id=message.answers)


def _definition(tool: OfferedTool) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.arguments)}
    return {"type": "function", "function": function}


def _answer(answer: AIMessageChunk) -> ChatMessage:
    """Return an answer without a model's thinking."""
    broken = [(call["id"], call["name"], {UNREADABLE: True}) for call in answer.invalid_tool_calls]
    whole = [(call["id"], call["name"], call["args"]) for call in answer.tool_calls]
    calls = (
        AskedCall(id=asked or "", name=SECRETS.hide(name or ""), args=SECRETS.hide_in(cast("Mapping[str, Json]", args)))
        for asked, name, args in (*whole, *broken)
    )
    return ChatMessage(by="ai", text=SECRETS.hide(_THOUGHT.sub("", answer.text)), calls=tuple(calls))


def _length(chunk: BaseMessageChunk) -> int:
    """Return how many characters a chunk adds to an answer, those of tool calls included."""
    calls = chunk.tool_call_chunks if isinstance(chunk, AIMessageChunk) else ()
    return len(chunk.text) + sum(len(call["args"] or "") + len(call["name"] or "") for call in calls)


def _cost(role: str, asked: RoleModel, messages: Sequence[ChatMessage], counted: Usage, characters: int) -> ModelCall:
    """Return a call's cost: as the server counted it, or estimated from the characters of both sides."""
    estimated = not counted.input_tokens and not counted.output_tokens
    read = sum(len(message.text) for message in messages)
    return ModelCall(
        role=role,
        model=asked.name,
        input_tokens=-(-read // _CHARACTERS_PER_TOKEN) if estimated else counted.input_tokens,
        output_tokens=-(-characters // _CHARACTERS_PER_TOKEN) if estimated else counted.output_tokens,
        cached_tokens=counted.cached_tokens,
        estimated=estimated,
    )


def _finish_reason(chunk: BaseMessageChunk) -> str | None:
    """Return the finish reason, which only the last chunk with content has; of the Responses API, why it is cut off."""
    metadata = cast("Mapping[str, object]", chunk.response_metadata)
    reason, cut_off = metadata.get("finish_reason"), metadata.get("incomplete_details")
    if isinstance(cut_off, Mapping):
        reason = cast("Mapping[str, object]", cut_off).get("reason")
    return reason if isinstance(reason, str) else None


def _count(usage: Usage, chunk: BaseMessageChunk) -> None:
    figures = getattr(chunk, "usage_metadata", None)
    if isinstance(figures, Mapping):
        tokens = cast("UsageMetadata", figures)
        usage.input_tokens += tokens.get("input_tokens", 0)
        usage.output_tokens += tokens.get("output_tokens", 0)
        usage.cached_tokens += tokens.get("input_token_details", {}).get("cache_read", 0)
