"""The scripted model's scripts: requests as scripts see them, replies, and the scripts that pair the two."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sandbox.script import Json

ROLE_LINE = re.compile(r"\A\s*# Greenlight: ([a-z_-]+)")
"""The first line of every prompt in `agent/llm/prompts/`, by which a role is recognised."""

TASK = "\n## Task\n"
"""The heading of a message's last section, which begins with the line of another role than the system message's."""

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
ResponseFormat: TypeAlias = Literal["text", "json_object", "json_schema"]


@dataclass(frozen=True, kw_only=True)
class RequestMessage:
    """One message of a request."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    #: Its text parts joined, without images and audio.
    text: str


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """One request, as a script sees it."""

    model: str
    messages: tuple[RequestMessage, ...]
    stream: bool
    include_usage: bool
    tools: tuple[str, ...]
    response_format: ResponseFormat
    #: The JSON as it came.
    body: Mapping[str, Json] = field(repr=False)
    api: Literal["chat", "responses"] = "chat"
    #: How much the model is to think first; empty when the caller does not say.
    effort: Effort | Literal[""] = ""

    @property
    def system(self) -> str:
        """Return the system (or developer) message's text, empty without one."""
        return next((message.text for message in self.messages if message.role in ("system", "developer")), "")

    @property
    def role(self) -> str:
        """Return `planner` for a system message that starts with `# Greenlight: planner`, or the role of the task with
        which the newest message ends; else empty."""
        found = self.last.rpartition(TASK)[1] and ROLE_LINE.match(self.last.rpartition(TASK)[2])
        found = found or ROLE_LINE.match(self.system)
        return found[1] if found else ""

    @property
    def last(self) -> str:
        """Return the newest message's text."""
        return self.messages[-1].text


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a streamed answer arrives. None: as fast as it can be sent."""

    first_seconds: float = 0.0
    tokens_per_second: float | None = None


@dataclass(frozen=True, kw_only=True)
class Text:
    """An ordinary answer."""

    text: str
    pace: Pace = Pace()
    #: `length`: the token limit cut it.
    finish_reason: Literal["stop", "length", "content_filter"] = "stop"


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One function the model asks its caller to call."""

    name: str
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, kw_only=True)
class ToolCalls:
    """An answer that asks for function calls instead of saying something."""

    calls: Sequence[ToolCall]
    pace: Pace = Pace()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An HTTP error in OpenAI's shape."""

    status: int
    message: str
    type: str = "server_error"
    code: str | None = None
    #: The header Retry-After.
    retry_after_seconds: float | None = None


CONTEXT_TOO_LONG = Failure(
    status=400,
    type="invalid_request_error",
    code="context_length_exceeded",
    message=(
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. "
        "Please reduce the length of the messages."
    ),
)


@dataclass(frozen=True, kw_only=True)
class Stall:
    """Say `after` (when streaming) and then nothing more until the caller hangs up."""

    after: str = ""
    pace: Pace = Pace()


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Say `after` and then drop the connection without an end."""

    after: str
    pace: Pace = Pace()


@dataclass(frozen=True, kw_only=True)
class Endless:
    """Say `piece` again and again until the caller hangs up. Only for requests that stream."""

    piece: str
    pace: Pace = Pace()


@dataclass(frozen=True, kw_only=True)
class Rubbish:
    """Bytes that are not what the protocol promises, with status 200."""

    body: bytes = b"<html><body>502 upstream</body></html>"
    content_type: str = "text/html"


Reply: TypeAlias = Text | ToolCalls | Failure | Stall | Cut | Endless | Rubbish

Answer: TypeAlias = str | Reply | Callable[[ModelRequest], str | Reply]
"""A fixed reply, or a function of the request. A bare str is a `Text` at the script's pace."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """Answers the requests it matches; of several that match, the first in the list answers.

    Every condition given must hold.
    """

    answer: Answer
    #: As in the first line of the system message.
    role: str | None = None
    #: A regular expression, searched in the newest message without regard to case.
    contains: str | None = None
    when: Callable[[ModelRequest], bool] | None = None
    #: How many requests it answers before the scripts after it do; None: all.
    times: int | None = None
    pace: Pace = Pace()

    def matches(self, request: ModelRequest) -> bool:
        """Return whether this script answers the request, `times` aside."""
        if self.role is not None and request.role != self.role:
            return False
        if self.contains is not None and not re.search(self.contains, request.last, re.IGNORECASE):
            return False
        return self.when is None or self.when(request)

    def reply_to(self, request: ModelRequest) -> Reply:
        """Return the reply to a request that matches."""
        reply = self.answer(request) if callable(self.answer) else self.answer
        return Text(text=reply, pace=self.pace) if isinstance(reply, str) else reply
