"""The scripted model: an HTTP server on loopback that speaks OpenAI's chat completions and its Responses API."""

import asyncio
import base64
import itertools
import time
from array import array
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NoReturn, Self, assert_never

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.dev.scripted_model import wire
from infra.dev.scripted_model.responses_wire import ResponseEnvelope, read_response_request
from infra.dev.scripted_model.script import (
    Cut,
    Endless,
    Failure,
    ModelRequest,
    Pace,
    Reply,
    Rubbish,
    Script,
    Stall,
    Text,
    ToolCalls,
)
from sandbox.script import Json

MODEL_NAME = "greenlight-scripted"
MAX_REQUEST_BYTES = 32 * 1024 * 1024


class ScriptedModel:
    """Answers requests with scripts. With `api_key` set it accepts only that bearer key, else any."""

    def __init__(self, scripts: Sequence[Script], *, api_key: str | None = None) -> None:
        #: Every well-formed request in order of arrival.
        self.requests: list[ModelRequest] = []
        #: Makes the vectors of texts; None: there is no such model here.
        self.vectors: Callable[[str], Sequence[float]] | None = None
        #: How many texts vectors were asked for in each request.
        self.embedded: list[int] = []
        self._scripts = list(scripts)
        self._answered = [0] * len(self._scripts)
        #: Whether it says in its usage which part of a prompt it has read before, as servers with a cache do.
        self.caches = False
        self._cache = wire.PromptCache()
        self._api_key = api_key
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> str:
        """Listen on 127.0.0.1 (port 0: any free one) and return the base URL, which ends in `/v1`."""
        app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[self._require_key])
        app.router.add_post("/v1/chat/completions", partial(self._complete, wire.read_request))
        app.router.add_post("/v1/responses", partial(self._complete, read_response_request))
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_get("/v1/models", self._models)
        # A caller that hangs up ends its handler: a stalled answer would otherwise live until the server stops.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Drop every connection and stop listening. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def add(self, script: Script) -> None:
        """Put a script behind the others."""
        self._scripts.append(script)
        self._answered.append(0)

    def requests_of(self, role: str) -> list[ModelRequest]:
        """Return the requests of one role, in order."""
        return [request for request in self.requests if request.role == role]

    @web.middleware
    async def _require_key(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            message = "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'."
            return _error(401, message, "invalid_request_error")
        if self._api_key is not None and key.strip() != self._api_key:
            return _error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
        try:
            return await handler(request)
        except web.HTTPException as problem:
            message = f"{problem.reason} ({request.method} {request.path})"
            return _error(problem.status, message, "invalid_request_error")

    async def _models(self, _request: web.Request) -> web.Response:
        model: dict[str, Json] = {"id": MODEL_NAME, "object": "model", "created": 0, "owned_by": "greenlight"}
        return web.json_response({"object": "list", "data": [model]})

    async def _embed(self, http: web.Request) -> web.Response:
        asked = await http.json()
        texts: list[str] = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        self.embedded.append(len(texts))
        if self.vectors is None:
            return _error(
                404, f"The model {asked['model']!r} does not exist.", "invalid_request_error", "model_not_found"
            )
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(self.vectors(text), asked)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": sum(map(wire.token_count, texts)), "total_tokens": sum(map(wire.token_count, texts))}
        return web.json_response({"object": "list", "data": data, "model": asked["model"], "usage": usage})

    async def _complete(self, read: Callable[[bytes], ModelRequest], http: web.Request) -> web.StreamResponse:
        try:
            request = read(await http.read())
        except wire.RequestRefused as refusal:
            return _error(400, str(refusal), "invalid_request_error", param=refusal.param)
        self.requests.append(request)
        reply = self._reply_to(request)
        match reply:
            case Failure():
                return _failure(reply)
            case Rubbish(body=body, content_type=content_type):
                return web.Response(body=body, content_type=content_type)
            case Text() | ToolCalls() | Stall() | Cut() | Endless():
                number = len(self.requests)
                cached = self._cache.read(request) if self.caches else None
                if request.api == "responses":
                    envelope = ResponseEnvelope(request, number, int(time.time()), cached or 0)
                    return await _respond(http, request, reply, envelope)
                completion = wire.Completion(request, number, int(time.time()), cached)
                answer = _Answer(http, request, completion)
                return await (answer.stream(reply) if request.stream else answer.whole(reply))
            case _:
                assert_never(reply)

    def _reply_to(self, request: ModelRequest) -> Reply:
        for index, script in enumerate(self._scripts):
            spent = script.times is not None and self._answered[index] >= script.times
            if not spent and script.matches(request):
                self._answered[index] += 1
                return script.reply_to(request)
        return Failure(
            status=500,
            code="no_script",
            message=f"No script answers a request of role {request.role!r} that ends in {request.last[-200:]!r}.",
        )


class _Answer:
    """One answer on its way to the caller."""

    def __init__(self, http: web.Request, request: ModelRequest, completion: wire.Completion) -> None:
        self._http = http
        self._request = request
        self._completion = completion

    async def whole(self, reply: Text | ToolCalls | Stall | Cut | Endless) -> web.StreamResponse:
        """Answer a request that does not stream, after the time the streamed answer would have taken."""
        match reply:
            case Text(text=text, finish_reason=finish_reason):
                message: Mapping[str, Json] = {"content": text}
            case ToolCalls(calls=calls):
                message = {"tool_calls": wire.calls_json(calls, self._completion.short_id)}
                text, finish_reason = str(message), "tool_calls"
            case Stall() | Endless() | Cut():
                await _hang(self._http, reply)
            case _:
                assert_never(reply)
        await asyncio.sleep(_seconds(reply.pace, wire.token_count(text)))
        return web.json_response(self._completion.whole(message, finish_reason, text))

    async def stream(self, reply: Text | ToolCalls | Stall | Cut | Endless) -> web.StreamResponse:
        """Answer as server-sent events at the reply's pace."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(self._http)
        events = (wire.event(self._completion.chunk(delta)) for delta in self._deltas(reply))
        await _paced(events, reply.pace, response.write)
        match reply:
            case Text(finish_reason=reason):
                await self._finish(response, reason)
            case ToolCalls():
                await self._finish(response, "tool_calls")
            case Stall() | Endless() | Cut():
                await _hang(self._http, reply)
            case _:
                assert_never(reply)
        return response

    def _deltas(self, reply: Text | ToolCalls | Stall | Cut | Endless) -> Iterator[dict[str, Json]]:
        match reply:
            case Text(text=text) | Stall(after=text) | Cut(after=text):
                return wire.text_deltas(text)
            case Endless(piece=piece):
                return wire.endless_deltas(piece)
            case ToolCalls(calls=calls):
                return wire.call_deltas(calls, self._completion.short_id)
            case _:
                assert_never(reply)

    async def _finish(self, response: web.StreamResponse, reason: str) -> None:
        await response.write(wire.event(self._completion.chunk({}, reason)))
        if self._request.include_usage:
            await response.write(wire.event(self._completion.usage_chunk()))
        await response.write(wire.DONE)
        await response.write_eof()


async def _respond(
    http: web.Request,
    request: ModelRequest,
    reply: Text | ToolCalls | Stall | Cut | Endless,
    envelope: ResponseEnvelope,
) -> web.StreamResponse:
    """Answer a request of the Responses API at the reply's pace."""
    if isinstance(reply, ToolCalls):
        return await _respond_with_calls(http, request, reply, envelope)
    match reply:
        case Text(text=text) | Stall(after=text) | Cut(after=text):
            pieces = wire.tokens(text)
        case Endless(piece=text):
            pieces = itertools.repeat(text)
    cut_off = _CUT_OFF[reply.finish_reason] if isinstance(reply, Text) else ""
    if not request.stream:
        if not isinstance(reply, Text):
            await _hang(http, reply)
        await asyncio.sleep(_seconds(reply.pace, wire.token_count(text)))
        return web.json_response(envelope.response("incomplete" if cut_off else "completed", text, cut_off))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(http)
    for event in envelope.opening():
        await response.write(event)
    await _paced((envelope.delta(piece) for piece in pieces), reply.pace, response.write)
    if not isinstance(reply, Text):
        await _hang(http, reply)
    for event in envelope.closing(text, cut_off):
        await response.write(event)
    await response.write_eof()
    return response


async def _respond_with_calls(
    http: web.Request, request: ModelRequest, reply: ToolCalls, envelope: ResponseEnvelope
) -> web.StreamResponse:
    if not request.stream:
        await asyncio.sleep(_seconds(reply.pace, 0))
        return web.json_response(envelope.response("completed", "", output=envelope.calls(reply.calls)))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(http)
    await _paced(envelope.calling(reply.calls), reply.pace, response.write)
    await response.write_eof()
    return response


_CUT_OFF = {"stop": "", "length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reason of chat completions -> the Responses API's reason of an incomplete response."""


async def _paced(events: Iterable[bytes], pace: Pace, write: Callable[[bytes], Awaitable[None]]) -> None:
    """Send each event when its moment has come; moments are counted from the start, so delays do not add up."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number, event in enumerate(events):
        wait = start + _seconds(pace, number) - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        await write(event)


async def _hang(http: web.Request, reply: Stall | Endless | Cut) -> NoReturn:
    """Wait until the caller hangs up; for a `Cut` close the connection under it, after everything was sent."""
    if not isinstance(reply, Cut):
        await asyncio.Event().wait()
    elif http.transport is not None:
        http.transport.close()
    raise asyncio.CancelledError


def _vector(vector: Sequence[float], asked: Mapping[str, Json]) -> Json:
    """Return a vector in the form that was asked for: the official client asks for base64."""
    if asked.get("encoding_format") == "base64":
        return base64.b64encode(array("f", vector).tobytes()).decode()
    return list(vector)


def _seconds(pace: Pace, tokens: int) -> float:
    rate = pace.tokens_per_second
    return pace.first_seconds + (tokens / rate if rate else 0.0)


def _failure(failure: Failure) -> web.Response:
    response = _error(failure.status, failure.message, failure.type, failure.code)
    if failure.retry_after_seconds is not None:
        response.headers["Retry-After"] = f"{failure.retry_after_seconds:g}"
    return response


def _error(status: int, message: str, type: str, code: str | None = None, *, param: str | None = None) -> web.Response:
    return web.json_response(wire.error_json(message, type, code, param), status=status)
