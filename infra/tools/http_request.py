"""`http_request`: one request that changes something elsewhere, sent once, and only to where the approval said."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from agent.ids import ToolName
from agent.tools.registry import CallContext, Colour, Tool, ToolError
from infra.tools.addresses import checked_url, connector, not_connected
from infra.tools.http_answer import answer_json
from sandbox.script import Json

METHODS = ("POST", "PUT", "PATCH", "DELETE")
BODY_CHARACTERS = 256 * 1024

ARGUMENTS: Mapping[str, Json] = {
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
        description=_description(config),
        arguments=ARGUMENTS,
        colour=Colour.RED,
        call=_Sender(config).call,
        timeout_seconds=config.timeout_seconds + 5,
    )


def _description(config: HttpRequestConfig) -> str:
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
