"""Questions of a server in the middle of a call: bounded, shown to people as they are, never about secrets.

A server of the current protocol ends the call with its questions and gets them answered by the next one. One of the
year before holds the call open: a call that only reads is given up then, and made again once a person has answered,
with the answers ready. A call that changes something is never given up half-way, so such a server is declined.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import mcp_types

from agent.plan.operations import digest_of
from agent.tool import InputAsked, InputGiven, InputRequired, ToolError
from sandbox.script import Json

MOST_QUESTIONS = 5
MOST_FIELDS = 20
MESSAGE_CHARACTERS = 2_000
SCHEMA_BYTES = 8 * 1024
STATE_BYTES = 64 * 1024
URL_CHARACTERS = 2_000

_SECRET = re.compile(
    r"pass(?:word|phrase|code|wd)|secret|credential|private.?key|api.?key|access.?key|token|cvv|cvc|one.?time.?code|\botp\b"
    r"|\bpin\b|seed.?phrase|card.?number",
    re.IGNORECASE,
)
"""What no form may ask for (the protocol forbids it): such things are entered on a page of the server's own."""

_WRITTEN_OUT = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
"""An address in the characters that one may hold (RFC 3986): nothing in it passes for the end of a link."""


def asked_by(server: str, requests: Mapping[str, mcp_types.InputRequest], state: str | None) -> InputAsked:
    """Return what a server asks.

    Raises:
        ToolError: `input_required`: it asks for a secret, for something else than people can answer, or for too much.
    """
    if len(requests) > MOST_QUESTIONS or len(state or "") > STATE_BYTES:
        raise _refused(server, "asks for too much")
    questions = {key: _question(server, request) for key, request in requests.items()}
    return InputAsked(by=server, questions=questions, state=state or "")


def question_of(server: str, params: mcp_types.ElicitRequestParams) -> Json:
    """Return a question in the form of `InputAsked.questions`.

    Raises:
        ToolError: as `asked_by`.
    """
    message = params.message[:MESSAGE_CHARACTERS]
    if isinstance(params, mcp_types.ElicitRequestURLParams):
        return {"message": message, "url": _checked_url(server, params.url)}
    schema = cast("Mapping[str, Json]", params.requested_schema)
    written = json.dumps(schema, ensure_ascii=False)
    properties = schema.get("properties")
    if len(written) > SCHEMA_BYTES or (isinstance(properties, Mapping) and len(properties) > MOST_FIELDS):
        raise _refused(server, "asks for too much")
    if _SECRET.search(written) or _SECRET.search(message):
        raise _refused(server, "asks for what looks like a secret, which no form may")
    return {"message": message, "schema": schema}


def responses_in(given: InputGiven) -> mcp_types.InputResponses:
    """Return the answers as the protocol has them."""
    return {key: result_of(answer) for key, answer in given.answers.items()}


def result_of(answer: Json) -> mcp_types.ElicitResult:
    """Return one answer as the protocol has it."""
    told: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    return mcp_types.ElicitResult.model_validate({"action": "cancel", **told})


@dataclass(kw_only=True)
class HeldCall:
    """A call that a server of the year before may hold open while it asks."""

    server: str
    #: Question -> its answer, of those that were asked before.
    answers: dict[str, Json] = field(default_factory=dict[str, Json])
    #: What it asks and nobody has answered; or why nobody is asked.
    asked: InputAsked | ToolError | None = None

    @classmethod
    def of(cls, server: str, given: InputGiven | None) -> "HeldCall":
        """Return the call with all answers that people gave so far."""
        if given is None:
            return cls(server=server)
        earlier: Json = json.loads(given.state) if given.state else {}
        return cls(server=server, answers={**cast("Mapping[str, Json]", earlier), **given.answers})

    def answer(self, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
        """Return a person's answer; without one note the question, and tell the server that nobody answers now."""
        try:
            question = question_of(self.server, params)
        except ToolError as error:
            self.asked = error
            return mcp_types.ElicitResult(action="decline")
        key = digest_of(question)
        if key in self.answers:
            return result_of(self.answers[key])
        self.asked = InputAsked(by=self.server, questions={key: question}, state=json.dumps(self.answers))
        return mcp_types.ElicitResult(action="cancel")

    def check(self) -> None:
        """Return unless the server asked what nobody has answered.

        Raises:
            InputRequired: people are to be asked.
            ToolError: nobody is asked that.
        """
        if isinstance(self.asked, ToolError):
            raise self.asked
        if self.asked is not None:
            raise InputRequired(self.asked)


def _question(server: str, request: mcp_types.InputRequest) -> Json:
    if not isinstance(request, mcp_types.ElicitRequest):
        raise _refused(server, "asks for what only a model or a file system has")
    return question_of(server, request.params)


def _checked_url(server: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.username is None
    except ValueError:
        good = False
    if not good or len(url) > URL_CHARACTERS or not _WRITTEN_OUT.fullmatch(url):
        raise _refused(server, "asks people to visit what is no plain address of a page")
    return url


def _refused(server: str, why: str) -> ToolError:
    return ToolError("input_required", f"the MCP server {server} {why}; nobody was asked")
