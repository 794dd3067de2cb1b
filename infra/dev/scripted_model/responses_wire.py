"""OpenAI's Responses API as plain data: requests read, answers written as events: text and function calls.

After the API reference, https://platform.openai.com/docs/api-reference/responses.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.dev.scripted_model.script import Effort, ModelRequest, RequestMessage, ToolCall
from infra.dev.scripted_model.wire import RequestRefused, json_body, token_count, tokens
from sandbox.script import Json

_PARTS_OF: Mapping[str, frozenset[str]] = {
    "assistant": frozenset({"output_text", "refusal"}),
    "user": frozenset({"input_text", "input_image", "input_file"}),
    "system": frozenset({"input_text", "input_image", "input_file"}),
    "developer": frozenset({"input_text", "input_image", "input_file"}),
}
"""Role -> the types of the parts that its messages may have."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: str
    text: str = ""


class _Item(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]


class _Call(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: Literal["function_call"]
    call_id: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    arguments: str


class _CallOutput(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: Literal["function_call_output"]
    call_id: str
    output: str | list[_Part]


class _Tool(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: Literal["function"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class _Reasoning(BaseModel):
    model_config = ConfigDict(extra="forbid")
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class _Body(BaseModel):
    # The service refuses fields it does not know, those of chat completions among them.
    model_config = ConfigDict(extra="forbid")
    model: Annotated[str, Field(min_length=1)]
    input: Annotated[str, Field(min_length=1)] | Annotated[list[_Call | _CallOutput | _Item], Field(min_length=1)]
    instructions: str | None = None
    stream: bool = False
    store: bool | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    metadata: dict[str, str] | None = None
    text: dict[str, Any] | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    previous_response_id: str | None = None
    tools: list[_Tool] = []
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None


def read_response_request(raw: bytes) -> ModelRequest:
    """Read the body of `POST /v1/responses`.

    Raises:
        RequestRefused: it is not JSON, or breaks one of the protocol's rules.
    """
    body = json_body(raw)
    try:
        parsed = _Body.model_validate(body)
    except ValidationError as error:
        raise _refusal(error) from error
    if parsed.previous_response_id is not None:
        message = f"Previous response with id '{parsed.previous_response_id}' not found."
        raise RequestRefused(message, "previous_response_id")
    return ModelRequest(
        model=parsed.model,
        messages=tuple(_messages(parsed)),
        stream=parsed.stream,
        include_usage=True,
        tools=tuple(tool.name for tool in parsed.tools),
        response_format="text",
        body=body,
        api="responses",
        effort=(parsed.reasoning and parsed.reasoning.effort) or "",
    )


def _refusal(error: ValidationError) -> RequestRefused:
    first = error.errors(include_url=False)[0]
    param = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        return RequestRefused(f"Unknown parameter: '{param}'.", param)
    if first["type"] == "missing":
        return RequestRefused(f"Missing required parameter: '{param}'.", param)
    return RequestRefused(f"Invalid value for '{param}': {first['msg']}.", param)


def _messages(body: _Body) -> Iterator[RequestMessage]:
    if body.instructions:
        yield RequestMessage(role="system", text=body.instructions)
    items = [_Item(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    asked: set[str] = set()
    for number, item in enumerate(items):
        if isinstance(item, _Call):
            asked.add(item.call_id)
            yield RequestMessage(role="assistant", text="")
            continue
        if isinstance(item, _CallOutput):
            if item.call_id not in asked:
                message = f"No tool call found for function call output with call_id {item.call_id}."
                raise RequestRefused(message, f"input[{number}]")
            yield RequestMessage(role="tool", text=_joined(item.output))
            continue
        for at, part in enumerate(item.content if isinstance(item.content, list) else ()):
            if part.type not in (known := _PARTS_OF[item.role]):
                supported = ", ".join(f"'{kind}'" for kind in sorted(known))
                message = f"Invalid value: '{part.type}'. Supported values are: {supported}."
                raise RequestRefused(message, f"input[{number}].content[{at}]")
        yield RequestMessage(role=item.role, text=_joined(item.content))


def _joined(content: str | list[_Part]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


class ResponseEnvelope:
    """One response: its id and the fields that are equal in all of its events."""

    def __init__(self, request: ModelRequest, number: int, created: int, cached_tokens: int = 0) -> None:
        self._request = request
        self._cached_tokens = cached_tokens
        self._id = f"resp_scripted_{number}"
        self._item = f"msg_scripted_{number}"
        self._created = created
        self._number = -1

    def opening(self) -> Sequence[bytes]:
        """Return the events before the first text."""
        item: dict[str, Json] = {**self._message(""), "status": "in_progress", "content": []}
        part: dict[str, Json] = {"type": "output_text", "text": "", "annotations": []}
        return [
            self._event("response.created", response=self.response("in_progress", "")),
            self._event("response.in_progress", response=self.response("in_progress", "")),
            self._event("response.output_item.added", output_index=0, item=item),
            self._event("response.content_part.added", **self._place, part=part),
        ]

    def delta(self, text: str) -> bytes:
        """Return the event of one more piece of text."""
        return self._event("response.output_text.delta", **self._place, delta=text)

    def closing(self, text: str, cut_off: str) -> Sequence[bytes]:
        """Return the events after the last text. `cut_off`: why the response is incomplete, or empty."""
        part: dict[str, Json] = {"type": "output_text", "text": text, "annotations": []}
        status = "incomplete" if cut_off else "completed"
        response = self.response(status, text, cut_off)
        return [
            self._event("response.output_text.done", **self._place, text=text),
            self._event("response.content_part.done", **self._place, part=part),
            self._event("response.output_item.done", output_index=0, item=self._message(text)),
            self._event(f"response.{status}", response=response),
        ]

    def calling(self, calls: Sequence[ToolCall]) -> Iterator[bytes]:
        """Yield the events of a response that asks for function calls."""
        for response in ("response.created", "response.in_progress"):
            yield self._event(response, response=self.response("in_progress", ""))
        items = self.calls(calls)
        for index, item in enumerate(items):
            item_id, arguments = item["id"], str(item["arguments"])
            begun: dict[str, Json] = {**item, "status": "in_progress", "arguments": ""}
            yield self._event("response.output_item.added", output_index=index, item=begun)
            for piece in tokens(arguments):
                yield self._event(
                    "response.function_call_arguments.delta", item_id=item_id, output_index=index, delta=piece
                )
            yield self._event(
                "response.function_call_arguments.done", item_id=item_id, output_index=index, arguments=arguments
            )
            yield self._event("response.output_item.done", output_index=index, item=item)
        yield self._event("response.completed", response=self.response("completed", "", output=items))

    def calls(self, calls: Sequence[ToolCall]) -> list[dict[str, Json]]:
        """Return the output items of function calls."""
        return [
            {
                "id": f"fc_{self._id}_{index}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_{self._id}_{index}",
                "name": call.name,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            }
            for index, call in enumerate(calls)
        ]

    def response(
        self, status: str, text: str, cut_off: str = "", output: Sequence[Json] | None = None
    ) -> dict[str, Json]:
        """Return the response itself; `output` are its items, by default one with the text."""
        ended = status != "in_progress"
        items: list[Json] = [self._message(text)] if output is None else [*output]
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": cut_off} if cut_off else None,
            "instructions": None,
            "model": self._request.model,
            "output": items if ended else [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "reasoning": {"effort": self._request.effort or None, "summary": None},
            "usage": self._usage(text) if ended else None,
        }

    @property
    def _place(self) -> dict[str, Json]:
        return {"item_id": self._item, "output_index": 0, "content_index": 0}

    def _message(self, text: str) -> dict[str, Json]:
        content: list[Json] = [{"type": "output_text", "text": text, "annotations": []}]
        return {"id": self._item, "type": "message", "status": "completed", "role": "assistant", "content": content}

    def _usage(self, text: str) -> dict[str, Json]:
        read, written = sum(token_count(message.text) for message in self._request.messages), token_count(text)
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": min(self._cached_tokens, read)},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        }

    def _event(self, type: str, **fields: Json) -> bytes:
        self._number += 1
        data = {"type": type, "sequence_number": self._number, **fields}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {type}\ndata: {text}\n\n".encode()
