"""The tools `http_get` and `http_request`: one HTTP exchange each, in which every status is a result.

`http_get` may be repeated. `http_request` sends once: a lost response may mean success, so it has an error of its own.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import aiohttp
from pydantic import AfterValidator
from yarl import URL

from agent.ids import ToolName
from agent.plan.effects import Inverse, InverseCall, NoInverse
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import Preview, RequestPreview
from agent.tool import CallContext, Colour, Egress, Reversibility, Tool, ToolError, Undoing, WorldChanged
from infra.tools.addresses import Reach, checked_url, connector, host_name, not_connected, reach
from infra.tools.secret import Secret, secret_text
from sandbox.script import Json

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BODY_CHARACTERS = 256 * 1024
"""The largest body that `http_request` sends."""

OWN_HEADERS = frozenset(
    {"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers about the connection and the body's framing, which only the client sets."""

_AS_STORED: Mapping[str, str] = {"Accept-Encoding": "identity"}
"""A compressed answer has a version of its own."""

FORMER_BYTES = 16 * 1024
"""The largest value that is kept so that it can be put back: it stands on a card."""

_VERSION_SECONDS = 2.0
"""The time to ask for the version that a write left, where its answer does not say."""

_NO_HEAD = frozenset({405, 501})
_TRY_LATER = frozenset({408, 425, 429})
_OK = 200
_UNAUTHORIZED = 401
_CREATED = 201
_ACCEPTED = 202
_NO_SUCCESS = 300
_NOT_FOUND = 404
_PRECONDITION_FAILED = 412
_SERVER_ERROR = 500

_URL: Mapping[str, Json] = {"type": "string", "description": "An absolute http or https URL.", "maxLength": 2048}

GET_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {"url": _URL},
    "required": ["url"],
    "additionalProperties": False,
}

REQUEST_ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "method": {"enum": ["POST", "PUT", "PATCH", "DELETE"]},
        "url": _URL,
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


def origin_of(text: str) -> str:
    """Return the origin (`https://host:port`) of a configuration's text.

    Raises:
        ValueError: it is no origin.
    """
    if not re.fullmatch(r"https?://[^/?#@\s]+/?", text):
        raise ValueError("not an origin, such as https://api.example.com")
    return str(URL(text).origin())


@dataclass(frozen=True, kw_only=True)
class HttpGetConfig:
    """`[tools.http_get]`: the hosts that `http_get` may reach."""

    #: Service name -> URL, for the tool's description.
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The hosts that may be reached besides those of `known`; empty: any.
    hosts: frozenset[Annotated[str, AfterValidator(host_name)]] = frozenset()
    #: Whether hosts off the public internet are allowed; checked after name resolution and at every redirect. The
    #: machine itself, its link and metadata services: only the hosts of `known` and `hosts`.
    allow_private: bool = False
    timeout_seconds: float = field(default=10.0, metadata={"gt": 0})
    #: How long a result is reused for the same call; 0: never.
    cache_seconds: float = field(default=0.0, metadata={"ge": 0, "le": 24 * 3600})
    #: Origin -> the provider with whose account the person who asks is known there (`[accounts.NAME]`).
    accounts: Mapping[Annotated[str, AfterValidator(origin_of)], str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class HttpRequestConfig:
    """`[tools.http_request]`: the hosts that `http_request` may reach, and the credentials for them."""

    #: Service name -> URL, for the tool's description.
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Origin -> header -> value: credentials that are sent to this origin only and shown to nobody.
    headers: Mapping[Annotated[str, AfterValidator(origin_of)], Mapping[str, str | Secret]] = field(
        default_factory=dict[str, Mapping[str, str | Secret]], repr=False
    )
    #: The header for the idempotency key, which is the same for every attempt of an approved call.
    idempotency_header: str = field(default="Idempotency-Key", metadata={"pattern": r"^[A-Za-z0-9-]+$"})
    #: As for `http_get`.
    hosts: frozenset[Annotated[str, AfterValidator(host_name)]] = frozenset()
    allow_private: bool = False
    timeout_seconds: float = field(default=20.0, metadata={"gt": 0})
    #: As for `http_get`; where it has an account, a call never gets the app's `Authorization`.
    accounts: Mapping[Annotated[str, AfterValidator(origin_of)], str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Refuse two credentials for one origin.

        Raises:
            ValueError: an origin has an account and a header with the app's own credential.
        """
        for origin in self.accounts:
            if any(name.lower() == "authorization" for name in self.headers.get(origin, {})):
                raise ValueError(f"{origin} has both an account and an Authorization header")


def http_get(config: HttpGetConfig, *, body_bytes: int = 1024 * 1024) -> Tool:
    """Return the tool. A call fails only without an HTTP response; bodies are truncated to `body_bytes`."""
    allowed = reach(config.known, config.hosts, allow_private=config.allow_private)
    description = (
        "Fetch a URL with GET. Returns status, milliseconds, body (parsed when it is JSON, else text) and truncated. "
        "Every HTTP status is a result, also 4xx and 5xx; the call fails only when nothing answers."
    )
    return Tool(
        name=ToolName("http_get"),
        description=description + _known_services(config.known) + _only(config.hosts),
        arguments=GET_ARGUMENTS,
        colour=Colour.GREEN,
        returns_outside_text=True,
        call=partial(_get, config, body_bytes),
        timeout_seconds=config.timeout_seconds + 5,
        retryable=True,
        cache_seconds=config.cache_seconds,
        url_argument="url",
        account=config.accounts,
        personal=bool(config.accounts),
        egress=None if allowed.only_named else Egress(argument="url", known=allowed.named),
    )


def http_request(config: HttpRequestConfig, *, body_bytes: int = 256 * 1024) -> Tool:
    """Return the tool. When the connection breaks after sending, the call fails with `outcome_unknown`."""
    description = (
        "Send one HTTP request that changes something: POST, PUT, PATCH or DELETE, with a body in json or text. "
        "Returns status, milliseconds, body (parsed when it is JSON, else text), truncated and, for a redirect, "
        "location: redirects are not followed. Every HTTP status is a result, also 4xx and 5xx."
    )
    undoing = Undoing(inverse=_inverse, before=partial(_former, config), reversibility=_reversibility)
    return Tool(
        name=ToolName("http_request"),
        description=description + _known_services(config.known) + _only(config.hosts),
        arguments=REQUEST_ARGUMENTS,
        colour=Colour.RED,
        returns_outside_text=True,
        preview=_preview,
        call=partial(_request, config, body_bytes),
        check=partial(_check, config),
        precondition=partial(_state, config),
        undoing=undoing,
        targets=("method", "url"),
        timeout_seconds=config.timeout_seconds + 5,
        url_argument="url",
        account=config.accounts,
        personal=bool(config.accounts),
    )


def _preview(args: Mapping[str, Json]) -> Sequence[Preview]:
    return [RequestPreview(covers=("method", "url"), method=str(args["method"]), url=str(args["url"]))]


def _known_services(known: Mapping[str, str]) -> str:
    services = ", ".join(f"{name} = {url}" for name, url in known.items())
    return f" Known services: {services}" if services else ""


def _only(hosts: AbstractSet[str]) -> str:
    return f" Other hosts than the known ones and these are refused: {', '.join(sorted(hosts))}" if hosts else ""


def _provider(accounts: Mapping[str, str], url: URL) -> str:
    """Return the provider with whose account people are known at a URL; empty: there is none."""
    return {str(URL(origin).origin()): provider for origin, provider in accounts.items()}.get(str(url.origin()), "")


async def _bearer(accounts: Mapping[str, str], url: URL, context: CallContext, refused: str = "") -> str:
    """Return the author's access token for a URL; empty where nobody has an account.

    Raises:
        ToolError: `no_account`: it needs another account than the one that the call runs as.
    """
    provider = _provider(accounts, url)
    if not provider:
        return ""
    if context.account is not None and context.account.provider != provider:
        raise ToolError("no_account", f"{url.host} is of another account than the one with which this was asked.")
    return await context.token(refused)


async def _get(config: HttpGetConfig, body_bytes: int, context: CallContext, args: Mapping[str, Json]) -> Json:
    """Fetch `url`; a token that was refused is refreshed once."""
    url = checked_url(str(args["url"]), reach(config.known, config.hosts, allow_private=config.allow_private))
    token = await _bearer(config.accounts, url, context)
    found = await _fetched(config, body_bytes, token, args)
    if not token or found["status"] != _UNAUTHORIZED:
        return found
    return await _fetched(config, body_bytes, await _bearer(config.accounts, url, context, token), args)


async def _fetched(config: HttpGetConfig, body_bytes: int, token: str, args: Mapping[str, Json]) -> Mapping[str, Json]:
    """Fetch `url`, following redirects; from a host that the operator named only to one of those.

    Its addresses may hold what other steps returned, and it may send on whoever asks. The token goes only to origins
    of the same account.
    """
    allowed = reach(config.known, config.hosts, allow_private=config.allow_private)
    url = checked_url(str(args["url"]), allowed)
    provider = _provider(config.accounts, url)
    started = time.monotonic()
    try:
        async with aiohttp.ClientSession(
            connector=connector(allowed),
            timeout=aiohttp.ClientTimeout(total=config.timeout_seconds),
        ) as session:
            for _ in range(MAX_REDIRECTS + 1):
                known = token and _provider(config.accounts, url) == provider
                headers = {"Authorization": f"Bearer {token}"} if known else {}
                async with session.get(url, headers=headers, allow_redirects=False) as response:
                    target = response.headers.get("Location")
                    if response.status not in REDIRECTS or target is None:
                        return await _response_json(response, started, body_bytes)
                    next_url = checked_url(str(response.url.join(URL(target))), allowed)
                    if allowed.names(url.host or "") and not allowed.names(next_url.host or ""):
                        return {**await _response_json(response, started, body_bytes), "location": str(next_url)}
                    url = next_url
    except TimeoutError as error:
        raise ToolError("timeout", f"{url.host} did not answer in {config.timeout_seconds:g} s.") from error
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        raise not_connected(url, error) from error
    except aiohttp.ClientConnectionError as error:
        raise ToolError("unreachable", f"{url.host}:{url.port} hung up without an answer.") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise ToolError("bad_answer", f"{url.host} did not answer in HTTP: {type(error).__name__}.") from error
    raise ToolError("too_many_redirects", f"More than {MAX_REDIRECTS} redirects, the last to {url}.")


class ResponseLost(Exception):
    """The connection broke when the request may already have been sent."""


async def _check(config: HttpRequestConfig, context: CallContext, args: Mapping[str, Json]) -> None:
    """Refuse what would be refused before a connection is opened, or by a condition that the call has itself."""
    url = checked_url(str(args["url"]), reach(config.known, config.hosts, allow_private=config.allow_private))
    headers = await _headers(config, url, context, args)
    _body(args)
    condition = _strict_condition(headers)
    if not condition:
        return
    try:
        version = await _state(config, context, args)
    except ToolError:
        return  # the answer to the call itself will say
    if isinstance(version, Mapping) and _is_unmet(condition, version):
        raise ToolError("changed_since", "what it is to change is not the version that it goes by")


def _strict_condition(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers that make a write depend on one version, or on there being nothing."""
    named = {name.lower(): value for name, value in headers.items()}
    if (etag := named.get("if-match", "")) and _is_strong(etag):
        return {"If-Match": etag}
    return {"If-None-Match": "*"} if named.get("if-none-match") == "*" else {}


def _is_strong(etag: object) -> bool:
    """Return whether this is one strong ETag."""
    return isinstance(etag, str) and re.fullmatch(r'"[^"]*"', etag) is not None


def _is_unmet(condition: Mapping[str, str], version: Mapping[str, Json]) -> bool:
    status, etag = version.get("status"), version.get("etag")
    if "If-Match" in condition:
        return status == _NOT_FOUND or (status == _OK and _is_strong(etag) and etag != condition["If-Match"])
    return status == _OK


async def _state(config: HttpRequestConfig, context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return which version of it stands at the URL that is to be changed; None where nobody may ask unasked.

    POST makes something new. A host that the operator did not name hears nothing before a person said yes.
    """
    if (looked := await _reading(config, context, args)) is None:
        return None
    url, headers, allowed = looked
    try:
        async with aiohttp.ClientSession(
            connector=connector(allowed), timeout=aiohttp.ClientTimeout(total=config.timeout_seconds)
        ) as session:
            for method in ("HEAD", "GET"):
                asked = session.request(method, url, headers=headers, allow_redirects=False)
                async with asked as response:
                    if method == "GET" or response.status not in _NO_HEAD:
                        return _version_json(response)
    except TimeoutError as error:
        raise ToolError("timeout", f"{url.host} did not answer in {config.timeout_seconds:g} s.") from error
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        raise not_connected(url, error) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise ToolError("bad_answer", f"{url.host} did not answer in HTTP: {type(error).__name__}.") from error
    raise AssertionError("GET returned")


async def _reading(
    config: HttpRequestConfig, context: CallContext, args: Mapping[str, Json]
) -> tuple[URL, Mapping[str, str], Reach] | None:
    """Return how to read what a call would write: URL, headers, reach; None where nobody may ask for it unasked."""
    allowed = reach(config.known, config.hosts, allow_private=config.allow_private)
    url = checked_url(str(args["url"]), allowed)
    if args["method"] == "POST" or url.host is None or not allowed.names(url.host):
        return None
    given = await _headers(config, url, context, args)
    headers = {name: value for name, value in given.items() if not _is_about_writing(name, config)}
    return url, {**headers, **_AS_STORED}, allowed


def _is_about_writing(name: str, config: HttpRequestConfig) -> bool:
    name = name.lower()
    return name.startswith("if-") or name in {"content-type", "accept-encoding", config.idempotency_header.lower()}


def _version_json(response: aiohttp.ClientResponse) -> Json:
    """Return what an answer says of the version that stands there."""
    if response.status in _TRY_LATER or response.status >= _SERVER_ERROR:
        raise ToolError("unavailable", f"{response.url.host} answered with {response.status}.")
    version: dict[str, Json] = {"status": response.status}
    for key, name in (("etag", "ETag"), ("last_modified", "Last-Modified")):
        if (value := response.headers.get(name)) is not None:
            version[key] = value
    return version


def _condition(context: CallContext, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the header that makes a write depend on the version that the card showed, if there is one.

    A weak ETag never matches a write's. A plan that has a condition of its own keeps it.
    """
    version = context.expected
    if not isinstance(version, Mapping) or any(name.lower().startswith("if-") for name in headers):
        return {}
    status, etag, modified = (version.get(key) for key in ("status", "etag", "last_modified"))
    if status == _NOT_FOUND:
        return {"If-None-Match": "*"} if method == "PUT" else {}
    if not isinstance(status, int) or status >= _NO_SUCCESS:
        return {}
    if isinstance(etag, str) and etag.startswith('"'):
        return {"If-Match": etag}
    return {"If-Unmodified-Since": modified} if isinstance(modified, str) else {}


async def _former(config: HttpRequestConfig, context: CallContext, args: Mapping[str, Json]) -> Json:
    """Return what a call is about to replace: `{"status", "etag", "text", "content_type"}`, or that nothing is there.

    None where it cannot be put back as it is: nobody may ask for it, it has no version, or it is no short text.
    """
    version = context.expected
    if isinstance(version, Mapping) and version.get("status") == _OK and not _is_strong(version.get("etag")):
        return None
    if (looked := await _reading(config, context, args)) is None:
        return None
    url, headers, allowed = looked
    async with (
        aiohttp.ClientSession(
            connector=connector(allowed), timeout=aiohttp.ClientTimeout(total=config.timeout_seconds)
        ) as session,
        session.get(url, headers=headers, allow_redirects=False) as response,
    ):
        if response.status == _NOT_FOUND:
            return {"status": _NOT_FOUND}
        etag, coding = response.headers.get("ETag"), response.headers.get("Content-Encoding", "identity")
        if response.status != _OK or not _is_strong(etag) or coding != "identity":
            return None
        raw = await response.content.read(FORMER_BYTES + 1)
        while len(raw) <= FORMER_BYTES and (more := await response.content.read(FORMER_BYTES + 1 - len(raw))):
            raw += more
        text = _exact_text(raw)
        if text is None:
            return None
        return {"status": _OK, "etag": etag, "text": text, "content_type": response.headers.get("Content-Type", "")}


def _exact_text(raw: bytes) -> str | None:
    """Return the text that is these bytes in UTF-8 and can be stored; None when there is none, or it is too long."""
    if len(raw) > FORMER_BYTES or b"\0" in raw:
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _reversibility(args: Mapping[str, Json], before: Json) -> Reversibility:
    """Return whether a call can be taken back: what it replaces can be put back, or what it makes deleted."""
    removes_nothing = args["method"] == "DELETE" and isinstance(before, Mapping) and before.get("status") != _OK
    return Reversibility.FINAL if before is None or removes_nothing else Reversibility.REVERSIBLE


def _inverse(context: CallContext, args: Mapping[str, Json], output: Json, before: Json) -> Inverse:
    """Return the call that puts back what stood there before, or deletes what was made.

    What was read before is only known to be what was replaced where the write depended on its version.
    """
    status = output.get("status") if isinstance(output, Mapping) else None
    if not isinstance(output, Mapping) or not isinstance(status, int) or status >= _SERVER_ERROR:
        return NoInverse.IN_DOUBT
    if status >= _NO_SUCCESS:
        return NoInverse.NO_EFFECT
    method, url, left = str(args["method"]), str(args["url"]), output.get("etag")
    if method == "POST":
        location = output.get("location")
        return _deletion(url, location, args, left) if status == _CREATED and location else None
    given = args.get("headers")
    own = {name: str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
    condition = _strict_condition({**own, **_condition(context, method, own)})
    if not isinstance(before, Mapping) or status == _ACCEPTED:
        return None
    if before.get("status") == _NOT_FOUND:
        made = "If-None-Match" in condition and method != "DELETE" and _is_strong(left)
        return _deletion(url, url, args, left) if made else None
    if condition.get("If-Match") != before.get("etag") or not (method == "DELETE" or _is_strong(left)):
        return None
    return _restoration(url, args, before, None if method == "DELETE" else str(left))


def _deletion(url: str, location: Json, args: Mapping[str, Json], etag: Json) -> InverseCall | None:
    made = URL(url).join(URL(str(location)))
    if made.origin() != URL(url).origin():
        return None
    headers = _kept_headers(args) | ({"If-Match": str(etag)} if _is_strong(etag) else {})
    return _on_resource({"method": "DELETE", "url": str(made), **({"headers": headers} if headers else {})})


def _restoration(
    url: str, args: Mapping[str, Json], before: Mapping[str, Json], etag: str | None
) -> InverseCall | None:
    headers = _kept_headers(args)
    if kind := str(before.get("content_type", "")):
        headers["Content-Type"] = kind
    headers |= {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
    put_back: Mapping[str, Json] = {
        "method": "PUT",
        "url": url,
        "text": str(before.get("text", "")),
        "headers": headers,
    }
    return _on_resource(put_back, found=str(before.get("etag", "")))


def _on_resource(args: Mapping[str, Json], found: str = "") -> InverseCall:
    headers = args.get("headers")
    is_conditional = isinstance(headers, Mapping) and "If-Match" in headers
    return InverseCall(
        tool=ToolName("http_request"),
        args=args,
        resource=str(URL(str(args["url"])).with_fragment(None)),
        version_at="/headers/If-Match" if is_conditional else "",
        version_in="/etag",
        found=found,
    )


def _kept_headers(args: Mapping[str, Json]) -> dict[str, Json]:
    """Return the plan's headers that are about neither the body nor a version."""
    given = args.get("headers")
    return {
        name: value
        for name, value in (given.items() if isinstance(given, Mapping) else ())
        if not name.lower().startswith("if-") and name.lower() != "content-type"
    }


async def _left_version(
    config: HttpRequestConfig, context: CallContext, args: Mapping[str, Json], response: aiohttp.ClientResponse
) -> Mapping[str, Json]:
    """Return `{"etag"}` of what a write left, from its answer, or asked for right after it; {} when there is none."""
    etag = response.headers.get("ETag")
    if response.status >= _NO_SUCCESS or args["method"] == "DELETE":
        return {}
    if etag is None and args["method"] != "POST":
        try:
            async with asyncio.timeout(_VERSION_SECONDS):
                version = await _state(config, context, args)
        except (ToolError, TimeoutError):
            return {}
        found = version.get("etag") if isinstance(version, Mapping) else None
        etag = found if isinstance(found, str) else None
    return {"etag": etag} if _is_strong(etag) else {}


async def _request(config: HttpRequestConfig, body_bytes: int, context: CallContext, args: Mapping[str, Json]) -> Json:
    """Send the request once."""
    allowed = reach(config.known, config.hosts, allow_private=config.allow_private)
    url = checked_url(str(args["url"]), allowed)
    method, headers, body = str(args["method"]), await _headers(config, url, context, args), _body(args)
    condition, own = _condition(context, method, headers), _strict_condition(headers) or method == "POST"
    started = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector(allowed),
                timeout=aiohttp.ClientTimeout(total=config.timeout_seconds),
                middlewares=(send_once,),
                trace_configs=[checks_before_sending(context)],
            ) as session,
            session.request(
                method, url, data=body, headers={**headers, **condition}, allow_redirects=False
            ) as response,
        ):
            if condition and response.status == _PRECONDITION_FAILED:
                raise WorldChanged
            result = await _response_json(response, started, body_bytes)
            location = response.headers.get("Location")
            found = result if location is None else {**result, "location": location}
            return {**found, **(await _left_version(config, context, args, response) if condition or own else {})}
    except aiohttp.ConnectionTimeoutError as error:
        raise ToolError("unreachable", f"{url.host}:{url.port} takes no connection; nothing was sent.") from error
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        raise not_connected(url, error) from error
    except (TimeoutError, ResponseLost, aiohttp.ClientError, ValueError) as error:
        raise ToolError(
            OUTCOME_UNKNOWN, f"{url.host} gave no usable answer; whether it did what was asked is not known."
        ) from error


def checks_before_sending(context: CallContext) -> aiohttp.TraceConfig:
    """Return hooks that check the deadline once there is a connection: aiohttp calls them before it writes."""

    async def check(*_: object) -> None:
        context.check_not_late()

    checks = aiohttp.TraceConfig()
    checks.on_request_headers_sent.append(check)
    return checks


async def send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Prevent the client from repeating PUT and DELETE when the server hangs up."""
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except aiohttp.ClientConnectionError as error:
        raise ResponseLost from error


async def _headers(
    config: HttpRequestConfig, url: URL, context: CallContext, args: Mapping[str, Json]
) -> dict[str, str]:
    """Return the plan's headers and the operator's, which a plan may not set."""
    given = args.get("headers")
    headers = {name: str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
    credentials = {URL(origin).origin(): values for origin, values in config.headers.items()}
    own = {name: await secret_text(value) for name, value in credentials.get(url.origin(), {}).items()}
    if token := await _bearer(config.accounts, url, context):
        own["Authorization"] = f"Bearer {token}"
    operators = {**own, config.idempotency_header: context.idempotency_key}
    reserved = OWN_HEADERS | {name.lower() for name in operators}
    if refused := sorted(name for name in headers if name.lower() in reserved):
        raise ToolError("bad_header", f"These headers cannot be set by a plan: {', '.join(refused)}.")
    if "json" in args and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return {**headers, **operators}


def _body(args: Mapping[str, Json]) -> bytes | None:
    if "json" in args:
        body = json.dumps(args["json"], ensure_ascii=False, allow_nan=False).encode()
        if len(body) > BODY_CHARACTERS:
            raise ToolError("body_too_large", f"The body has more than {BODY_CHARACTERS} bytes.")
        return body
    text = args.get("text")
    return None if text is None else str(text).encode()


async def _response_json(response: aiohttp.ClientResponse, started: float, body_bytes: int) -> dict[str, Json]:
    """Return the response; reads at most `body_bytes` of its body. `started` is a time of `time.monotonic`."""
    raw = bytearray()
    while len(raw) <= body_bytes and (part := await response.content.read(min(body_bytes + 1 - len(raw), 65536))):
        raw += part
    milliseconds = round((time.monotonic() - started) * 1000)
    truncated = len(raw) > body_bytes
    return {
        "status": response.status,
        "milliseconds": milliseconds,
        "body": _body_json(bytes(raw[:body_bytes]), response, truncated),
        "truncated": truncated,
    }


def _body_json(raw: bytes, response: aiohttp.ClientResponse, truncated: bool) -> Json:
    """Return the body parsed when it is JSON, else as text."""
    subtype = response.content_type.rpartition("/")[2]
    if not truncated and (subtype == "json" or subtype.endswith("+json")):
        try:
            return json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError):
            pass
    try:
        return raw.decode(response.charset or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _refuse(constant: str) -> None:
    """Refuse NaN and infinities, which Python reads and JSON does not have."""
    raise ValueError(constant)
