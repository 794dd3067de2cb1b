"""`http_get`: fetch a URL and give status, time and body; any status is a value, only no answer is an error."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from infra.tools.addresses import checked_url, connector, not_connected
from sandbox.script import Json

MAX_REDIRECTS = 5


REDIRECTS = frozenset({301, 302, 303, 307, 308})


ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"url": {"type": "string", "description": "An absolute http or https URL.", "maxLength": 2048}},
    "required": ["url"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """What `http_get` may reach. `known` is service name -> URL, named to the model.

    With `allow_private` false, hosts that are not on the public internet are refused, after name
    resolution and at every redirect.
    """

    known: Mapping[str, str] = field(default_factory=dict[str, str])
    allow_private: bool = False
    timeout_seconds: float = 10.0
    cache_seconds: float = 0.0
    body_bytes: int = 1024 * 1024


def http_get(config: HttpConfig) -> Tool:
    """Return the tool."""
    getter = _Getter(config)
    return Tool(
        name=ToolName("http_get"),
        description=_description(config),
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        call=getter.call,
        timeout_seconds=config.timeout_seconds + 5,
        retryable=True,
        cache_seconds=config.cache_seconds,
    )


def _description(config: HttpConfig) -> str:
    words = (
        "Fetch a URL with GET. Returns status, milliseconds, body (parsed when it is JSON, else text) and truncated. "
        "Every HTTP status is a result, also 4xx and 5xx; the call fails only when nothing answers."
    )
    known = ", ".join(f"{name} = {url}" for name, url in config.known.items())
    return f"{words} Known services: {known}" if known else words


class _Getter:
    """The tool's work."""

    def __init__(self, config: HttpConfig) -> None:
        self._config = config

    async def call(self, _context: CallContext, args: Mapping[str, Json]) -> Json:
        """Fetch `url`, following redirects."""
        url = self._allowed(str(args["url"]))
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_seconds)
        door = connector(allow_private=self._config.allow_private)
        try:
            async with aiohttp.ClientSession(connector=door, timeout=timeout) as session:
                for _ in range(MAX_REDIRECTS + 1):
                    async with session.get(url, allow_redirects=False) as response:
                        target = response.headers.get("Location")
                        if response.status not in REDIRECTS or target is None:
                            return await answer_json(response, started, self._config.body_bytes)
                        url = self._allowed(str(response.url.join(URL(target))))
        except TimeoutError as error:
            raise ToolError("timeout", f"{url.host} did not answer in {self._config.timeout_seconds:g} s.") from error
        except aiohttp.ClientConnectorError as error:
            raise not_connected(url, error) from error
        except aiohttp.InvalidURL as error:
            raise ToolError("bad_url", f"{str(url)!r} names no host that can be reached.") from error
        except aiohttp.ClientConnectionError as error:
            raise ToolError("unreachable", f"{url.host}:{url.port} hung up without an answer.") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise ToolError("bad_answer", f"{url.host} did not answer in HTTP: {type(error).__name__}.") from error
        raise ToolError("too_many_redirects", f"More than {MAX_REDIRECTS} redirects, the last to {url}.")

    def _allowed(self, text: str) -> URL:
        return checked_url(text, allow_private=self._config.allow_private)


METHODS = ("POST", "PUT", "PATCH", "DELETE")


BODY_CHARACTERS = 256 * 1024


REQUEST_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "method": {"enum": list(METHODS)},
        "url": {"type": "string", "description": "An absolute http or https URL.", "maxLength": 2048},
        "json": {"description": "The body, any JSON value."},
        "text": {"type": "string", "description": "The body as plain text instead.", "maxLength": BODY_CHARACTERS},
        "headers": {
            "type": "object",
            "description": "Further headers. Credentials are the operator's and are added by themselves.",
            "propertyNames": {"pattern": "^[A-Za-z0-9-]{1,64}$"},
            "additionalProperties": {"type": "string", "pattern": "^[\\t\\x20-\\x7e]*$", "maxLength": 2048},
            "maxProperties": 20,
        },
    },
    "required": ["method", "url"],
    "not": {"required": ["json", "text"]},
    "additionalProperties": False,
}


_OURS = frozenset({"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"})
"""Headers of the connection and of the body's frame, which the client writes itself."""


@dataclass(frozen=True, kw_only=True)
class HttpRequestConfig:
    """What `http_request` may reach, and how. `known` is service name -> URL, named to the model.

    `headers` is origin (`https://api.example.com`) -> header -> value: credentials that are sent to
    that origin only and shown to nobody. Every request carries its idempotency key as
    `idempotency_header`, equal for every try of the same approved call.
    """

    known: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]], repr=False)
    idempotency_header: str = "Idempotency-Key"
    allow_private: bool = False
    timeout_seconds: float = 20.0
    body_bytes: int = 256 * 1024


def http_request(config: HttpRequestConfig) -> Tool:
    """Return the tool."""
    return Tool(
        name=ToolName("http_request"),
        description=_request_description(config),
        arguments=REQUEST_ARGUMENTS,
        colour=Colour.RED,
        call=_Sender(config).call,
        timeout_seconds=config.timeout_seconds + 5,
    )


def _request_description(config: HttpRequestConfig) -> str:
    words = (
        "Send one HTTP request that changes something: POST, PUT, PATCH or DELETE, with a body in json or text. "
        "Returns status, milliseconds, body (parsed when it is JSON, else text), truncated and, for a redirect, "
        "location: redirects are not followed. Every HTTP status is a result, also 4xx and 5xx."
    )
    known = ", ".join(f"{name} = {url}" for name, url in config.known.items())
    return f"{words} Known services: {known}" if known else words


class AnswerLost(Exception):
    """The connection broke after the request may have been sent."""


class _Sender:
    """The tool's work."""

    def __init__(self, config: HttpRequestConfig) -> None:
        self._config = config
        self._headers = {URL(origin).origin(): dict(headers) for origin, headers in config.headers.items()}

    async def call(self, context: CallContext, args: Mapping[str, Json]) -> Json:
        """Send the request once. A break after the sending is `outcome_unknown`, never tried again."""
        config = self._config
        url = checked_url(str(args["url"]), allow_private=config.allow_private)
        headers, body = self._headers_for(url, context, args), _body(args)
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=config.timeout_seconds)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector(allow_private=config.allow_private), timeout=timeout, middlewares=(_once,)
                ) as session,
                session.request(
                    str(args["method"]), url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                answer = await answer_json(response, started, config.body_bytes)
                location = response.headers.get("Location")
                return answer if location is None else {**answer, "location": location}
        except aiohttp.ConnectionTimeoutError as error:
            raise ToolError("unreachable", f"{url.host}:{url.port} takes no connection; nothing was sent.") from error
        except aiohttp.ClientConnectorError as error:
            raise not_connected(url, error) from error
        except aiohttp.InvalidURL as error:
            raise ToolError("bad_url", f"{str(url)!r} names no host that can be reached.") from error
        except (TimeoutError, AnswerLost, aiohttp.ClientError, ValueError) as error:
            raise ToolError(
                "outcome_unknown", f"{url.host} gave no usable answer; whether it did what was asked is not known."
            ) from error

    def _headers_for(self, url: URL, context: CallContext, args: Mapping[str, Json]) -> dict[str, str]:
        given = args.get("headers")
        headers = {name: str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
        operators = {**self._headers.get(url.origin(), {}), self._config.idempotency_header: context.idempotency_key}
        reserved = _OURS | {name.lower() for name in operators}
        if refused := sorted(name for name in headers if name.lower() in reserved):
            raise ToolError("bad_header", f"These headers are not a plan's to set: {', '.join(refused)}.")
        if "json" in args and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        return {**headers, **operators}


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the client from sending again: it repeats PUT and DELETE by itself when the server hangs up."""
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except aiohttp.ClientConnectionError as error:
        raise AnswerLost from error


def _body(args: Mapping[str, Json]) -> bytes | None:
    if "json" in args:
        body = json.dumps(args["json"], ensure_ascii=False, allow_nan=False).encode()
        if len(body) > BODY_CHARACTERS:
            raise ToolError("body_too_large", f"The body has more than {BODY_CHARACTERS} bytes.")
        return body
    text = args.get("text")
    return None if text is None else str(text).encode()


def origin_of(text: str) -> str:
    """Return the origin (`https://host:port`) that a configuration names.

    Raises:
        ValueError: it is no origin.
    """
    if not re.fullmatch(r"https?://[^/?#@\s]+/?", text):
        raise ValueError("not an origin, such as https://api.example.com")
    return str(URL(text).origin())


async def answer_json(response: aiohttp.ClientResponse, started: float, body_bytes: int) -> dict[str, Json]:
    """Return the answer; at most `body_bytes` of its body are read. `started` is of `time.monotonic`."""
    raw = await _head(response, body_bytes + 1)
    milliseconds = round((time.monotonic() - started) * 1000)
    truncated = len(raw) > body_bytes
    return {
        "status": response.status,
        "milliseconds": milliseconds,
        "body": _answer_body(raw[:body_bytes], response, truncated),
        "truncated": truncated,
    }


async def _head(response: aiohttp.ClientResponse, size: int) -> bytes:
    """Return the first `size` bytes of the body."""
    parts: list[bytes] = []
    missing = size
    while missing > 0 and (part := await response.content.read(min(missing, 65536))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _answer_body(raw: bytes, response: aiohttp.ClientResponse, truncated: bool) -> Json:
    subtype = response.content_type.rpartition("/")[2]
    if not truncated and (subtype == "json" or subtype.endswith("+json")):
        try:
            return json.loads(raw, parse_constant=_refused)
        except (ValueError, RecursionError):
            pass
    try:
        return raw.decode(response.charset or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _refused(constant: str) -> None:
    """NaN and infinities are Python's, not JSON's."""
    raise ValueError(constant)
