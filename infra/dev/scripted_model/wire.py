"""The OpenAI chat-completions protocol as plain data: requests read, answers and errors written.

After the API reference, https://platform.openai.com/docs/api-reference/chat.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.dev.scripted_model.script import Effort, ModelRequest, RequestMessage, ToolCall
from sandbox.script import Json

CHARACTERS_PER_TOKEN = 4
"""OpenAI's own rule of thumb for English; close enough for usage figures and the pace."""


class RequestRefused(Exception):
    """The request breaks the protocol; `param` is the offending field. Sent as status 400."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: str
    text: str = ""


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class _Function(BaseModel):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class _Tool(BaseModel):
    type: Literal["function"]
    function: _Function


class _JsonSchema(BaseModel):
    model_config = ConfigDict(extra="allow", populate_by_name=True)
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema_: dict[str, Any] = Field(alias="schema")


class _Format(BaseModel):
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: _JsonSchema | None = None


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow")
    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[_Message], Field(min_length=1)]
    stream: bool = False
    stream_options: _StreamOptions | None = None
    tools: list[_Tool] = []
    response_format: _Format = _Format()
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    reasoning_effort: Effort | None = None
    # Fields of the Responses API, which this one refuses.
    input: None = None
    reasoning: None = None


def json_body(raw: bytes) -> Mapping[str, Json]:
    """Return the JSON of a request's body.

    Raises:
        RequestRefused: it is not JSON.
    """
    try:
        return json.loads(raw)
    except ValueError as error:
        raise RequestRefused("We could not parse the JSON body of your request.") from error


def read_request(raw: bytes) -> ModelRequest:
    """Read the body of `POST /v1/chat/completions`.

    Raises:
        RequestRefused: it is not JSON, or breaks one of the protocol's rules.
    """
    body = json_body(raw)
    try:
        parsed = _Body.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param = ".".join(str(step) for step in first["loc"])
        raise RequestRefused(f"Invalid value for '{param}': {first['msg']}.", param) from error
    _check_rules(parsed)
    return ModelRequest(
        model=parsed.model,
        messages=tuple(RequestMessage(role=message.role, text=_text_of(message)) for message in parsed.messages),
        stream=parsed.stream,
        include_usage=parsed.stream_options is not None and parsed.stream_options.include_usage,
        tools=tuple(tool.function.name for tool in parsed.tools),
        response_format=parsed.response_format.type,
        body=body,
        effort=parsed.reasoning_effort or "",
    )


def _check_rules(body: _Body) -> None:
    """Refuse what the real service refuses and a schema cannot say."""
    if body.stream_options is not None and not body.stream:
        raise RequestRefused("'stream_options' is only allowed when 'stream' is true.", "stream_options")
    if body.response_format.type == "json_schema" and body.response_format.json_schema is None:
        raise RequestRefused("Missing required parameter: 'response_format.json_schema'.", "response_format")
    if body.response_format.type == "json_object" and not any("json" in _text_of(m).lower() for m in body.messages):
        raise RequestRefused(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
        )
    asked: set[str] = set()
    for message in body.messages:
        asked |= {str(call.get("id")) for call in message.tool_calls or []}
        if message.role == "tool" and message.tool_call_id not in asked:
            raise RequestRefused(
                "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.", "messages"
            )


def _text_of(message: _Message) -> str:
    if isinstance(message.content, list):
        return "".join(part.text for part in message.content if part.type == "text")
    return message.content or ""


class PromptCache:
    """What a server has read: it finds prompts that begin alike, from 1,024 tokens on and in steps of 128."""

    LEAST_TOKENS = 1024
    STEP_TOKENS = 128

    def __init__(self) -> None:
        self._read: list[str] = []

    def read(self, request: ModelRequest) -> int:
        """Return how many tokens of the request were read before, and keep it for the next one."""
        known = self.known_tokens(prompt_text(request))
        return known - known % self.STEP_TOKENS if known >= self.LEAST_TOKENS else 0

    def known_tokens(self, prompt: str) -> int:
        """Return how many tokens an earlier prompt begins with, too, and keep this one for the next."""
        known = max((_alike(prompt, before) for before in self._read), default=0) // CHARACTERS_PER_TOKEN
        self._read.append(prompt)
        return known


def prompt_text(request: ModelRequest) -> str:
    """Return what a model reads of a request, in the order in which a server caches it: tools, then messages."""
    tools = json.dumps(request.body.get("tools", []), ensure_ascii=False)
    return "\n".join([tools, *(f"{message.role}\n{message.text}" for message in request.messages)])


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin alike."""
    alike, differing = 0, min(len(one), len(other)) + 1
    while differing - alike > 1:
        middle = (alike + differing) // 2
        if one[:middle] == other[:middle]:
            alike = middle
        else:
            differing = middle
    return alike


def token_count(text: str) -> int:
    """Return about how many tokens a text is."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def tokens(text: str) -> Iterator[str]:
    """Cut a text into the pieces in which it is streamed; joined they are the text."""
    for start in range(0, len(text), CHARACTERS_PER_TOKEN):
        yield text[start : start + CHARACTERS_PER_TOKEN]


def calls_json(calls: Sequence[ToolCall], completion: str) -> list[dict[str, Json]]:
    """Return a whole answer's `tool_calls`."""
    return [
        {
            "id": f"call_{completion}_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for index, call in enumerate(calls)
    ]


class Completion:
    """One answer's envelope: the fields that are equal in all of its chunks."""

    def __init__(self, request: ModelRequest, number: int, created: int, cached_tokens: int | None = None) -> None:
        self._request = request
        #: Of the prompt; None: it says nothing about them, as servers without a cache do.
        self._cached_tokens = cached_tokens
        self._id = f"chatcmpl-scripted-{number}"
        self._created = created
        self._completion_tokens = 0
        self.short_id = str(number)

    def whole(self, message: Mapping[str, Json], finish_reason: str, text: str) -> dict[str, Json]:
        """Return the answer to a request that does not stream."""
        choice: dict[str, Json] = {
            "index": 0,
            "message": {"role": "assistant", "content": None, "refusal": None, **message},
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        return {**self._envelope("chat.completion"), "choices": [choice], "usage": self._usage(token_count(text))}

    def chunk(self, delta: Mapping[str, Json], finish_reason: str | None = None) -> dict[str, Json]:
        """Return one chunk of a streamed answer."""
        self._completion_tokens += bool(delta.get("content") or delta.get("tool_calls"))
        choice: dict[str, Json] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage: dict[str, Json] = {"usage": None} if self._request.include_usage else {}
        return {**self._envelope("chat.completion.chunk"), "choices": [choice], **usage}

    def usage_chunk(self) -> dict[str, Json]:
        """Return the last chunk, which `stream_options.include_usage` asks for: usage and no choice."""
        usage = self._usage(self._completion_tokens)
        return {**self._envelope("chat.completion.chunk"), "choices": [], "usage": usage}

    def _usage(self, completion_tokens: int) -> dict[str, Json]:
        prompt_tokens = sum(token_count(message.text) for message in self._request.messages)
        usage: dict[str, Json] = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        }
        if self._cached_tokens is not None:
            cached = min(self._cached_tokens, prompt_tokens)
            usage["prompt_tokens_details"] = {"cached_tokens": cached, "audio_tokens": 0}
        return usage

    def _envelope(self, kind: str) -> dict[str, Json]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._request.model}


def text_deltas(text: str) -> Iterator[dict[str, Json]]:
    """Return the deltas of a text, one per token, the role first."""
    yield {"role": "assistant", "content": ""}
    for piece in tokens(text):
        yield {"content": piece}


def endless_deltas(piece: str) -> Iterator[dict[str, Json]]:
    """Return the deltas of an answer that never ends."""
    yield {"role": "assistant", "content": ""}
    while True:
        yield {"content": piece}


def call_deltas(calls: Sequence[ToolCall], completion: str) -> Iterator[dict[str, Json]]:
    """Return the deltas of tool calls: each call's id and name first, then its arguments in pieces."""
    yield {"role": "assistant", "content": None}
    for index, call in enumerate(calls):
        head: dict[str, Json] = {"name": call.name, "arguments": ""}
        call_id = f"call_{completion}_{index}"
        yield {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": head}]}
        for piece in tokens(json.dumps(call.arguments, ensure_ascii=False)):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def error_json(message: str, type: str, code: str | None = None, param: str | None = None) -> dict[str, Json]:
    """Return an error body."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def event(data: Mapping[str, Json]) -> bytes:
    """Return one server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
