"""The Web API as the rest of the bot calls it: typed answers, our two errors, retries where they are safe."""

import contextlib
import io
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from typing import Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from agent.redaction import SECRETS
from agent.tool import TooLate
from bot.errors import SlackRefused, SlackUnreachable
from bot.payloads import mapping
from sandbox.script import Json

_log = logging.getLogger(__name__)

SLACK_API_URL = "https://slack.com/api/"
TIMEOUT_SECONDS = 30
_PAGE = 999
"""Of a history Slack gives no more; of most other lists 1000."""
_UNSURE = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
"""Slack's codes for a fault of its own, after which part of the work may be done all the same."""


_before_sending: ContextVar[Callable[[], None] | None] = ContextVar("before_sending", default=None)


def sending_checks() -> aiohttp.TraceConfig:
    """Return hooks for a session, which aiohttp calls once it has a connection and before it writes a request."""

    async def check(*_: object) -> None:
        if (before_sending := _before_sending.get()) is not None:
            before_sending()

    checks = aiohttp.TraceConfig()
    checks.on_request_headers_sent.append(check)
    return checks


def open_client(
    token: str, *, base_url: str = SLACK_API_URL, session: aiohttp.ClientSession | None = None
) -> AsyncWebClient:
    """Return a client that waits out 429 and tries again after a 5xx or a lost connection.

    A session given here is the caller's to close, its timeout is the one that counts, and it has `sending_checks`.
    """
    return AsyncWebClient(
        token=token,
        base_url=base_url if base_url.endswith("/") else f"{base_url}/",
        timeout=TIMEOUT_SECONDS,
        session=session,
        retry_handlers=[
            AsyncRateLimitErrorRetryHandler(max_retry_count=3),
            AsyncServerErrorRetryHandler(max_retry_count=2),
            AsyncConnectionErrorRetryHandler(),
        ],
    )


class WebApi:
    """Slack's methods by name. Every call raises `SlackRefused` or `SlackUnreachable` when it fails.

    Arguments that are None are left out. No secret goes out, except as the credentials of the call.
    """

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._once = AsyncWebClient(
            token=client.token,
            base_url=client.base_url,
            timeout=client.timeout,
            session=client.session,
            retry_handlers=[
                handler for handler in client.retry_handlers if isinstance(handler, AsyncRateLimitErrorRetryHandler)
            ],
        )

    async def read(self, method: str, **arguments: str | int | bool | None) -> Mapping[str, Any]:
        """Call a method that only reads."""
        given = {key: _form(value) for key, value in arguments.items() if value is not None}
        return await self._call(self._client, method, http_verb="GET", params=given)

    async def write(self, method: str, **arguments: Json) -> Mapping[str, Any]:
        """Call a method whose second call changes nothing more."""
        return await self._call(self._client, method, json=_given(arguments))

    async def write_once(
        self, method: str, *, before_sending: Callable[[], None] | None = None, **arguments: Json
    ) -> Mapping[str, Any]:
        """Call a method whose second call would do the work twice.

        A lost response may mean success, so only a 429 is retried; the caller looks before it tries again.
        `before_sending` is called before each try, and in a session with `sending_checks` right before its bytes go
        out. What it raises ends the call; nothing was sent.
        """
        if before_sending is not None:
            before_sending()
        token = _before_sending.set(before_sending)
        try:
            return await self._call(self._once, method, json=_given(arguments))
        finally:
            _before_sending.reset(token)

    async def granted_scopes(self) -> frozenset[str] | None:
        """Return the scopes of the client's token, which Slack names in a header of every answer; None without it."""
        answer = await self._answer(self._client, "auth.test")
        headers = cast("Mapping[str, str]", answer.headers)  # pyright: ignore[reportUnknownMemberType] -- untyped in the SDK
        named = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), None)
        if named is None:
            return None
        return frozenset(scope.strip() for scope in named.split(",") if scope.strip())

    async def respond(self, response_url: str, **body: Json) -> None:
        """Answer an interaction through its own address, which costs no rate limit (5 times in 30 minutes)."""
        webhook = AsyncWebhookClient(response_url, timeout=TIMEOUT_SECONDS, session=self._client.session)
        try:
            answer = await webhook.send_dict(SECRETS.hide_in(body))  # pyright: ignore[reportUnknownMemberType] -- bare dicts
        except (SlackClientError, aiohttp.ClientError, OSError, ValueError) as error:
            raise SlackUnreachable("response_url") from error
        if answer.status_code != 200:
            raise SlackRefused("response_url", str(answer.status_code))

    async def upload(self, upload_url: str, content: bytes) -> None:
        """Send the bytes of a file to the address that Slack gave out for them."""
        async with contextlib.AsyncExitStack() as stack:
            session = self._client.session
            if session is None:
                timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
                session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            try:
                data = io.BytesIO(_without_secrets(content))
                answer = await stack.enter_async_context(session.post(upload_url, data=data))
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise SlackUnreachable("upload_url") from error
            if answer.status != 200:
                raise SlackRefused("upload_url", str(answer.status))

    async def pages(self, method: str, key: str, **arguments: str | int | bool | None) -> AsyncIterator[Any]:
        """Yield the elements of `key` over all pages of a method that reads."""
        cursor: str | None = None
        while True:
            page = await self.read(method, limit=_PAGE, cursor=cursor, **arguments)
            for element in listed(page, key):
                yield element
            if (cursor := next_cursor(page)) is None:
                return

    async def objects(
        self, method: str, key: str, **arguments: str | int | bool | None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the objects among the elements of `key` over all pages."""
        async for element in self.pages(method, key, **arguments):
            if isinstance(element, Mapping):
                yield cast("Mapping[str, Any]", element)

    async def _call(self, client: AsyncWebClient, method: str, **how: Any) -> Mapping[str, Any]:
        answer = await self._answer(client, method, **how)
        data = cast("object", answer.data)  # pyright: ignore[reportUnknownMemberType] -- untyped in the SDK
        if not isinstance(data, Mapping):
            raise SlackUnreachable(method)
        return cast("Mapping[str, Any]", data)

    async def _answer(self, client: AsyncWebClient, method: str, **how: Any) -> AsyncSlackResponse:
        try:
            return await client.api_call(method, **SECRETS.hide_in(how))  # pyright: ignore[reportUnknownMemberType] -- bare dicts
        except SlackApiError as error:
            code = _refusal_in(cast("object", error.response))  # pyright: ignore[reportUnknownMemberType] -- untyped in the SDK
            if code is None or code in _UNSURE:
                raise SlackUnreachable(method) from error
            raise SlackRefused(method, code) from error
        except (SlackClientError, aiohttp.ClientError, OSError) as error:
            raise SlackUnreachable(method) from error
        except TooLate:
            raise
        except Exception as error:  # the SDK's boundary: an answer that is no object raises whatever reading it raises
            _log.warning("Slack's answer to %s cannot be understood (%s)", method, type(error).__name__)
            raise SlackUnreachable(method) from error


def _without_secrets(content: bytes) -> bytes:
    """Return a file without secrets, if it is one of text."""
    try:
        return SECRETS.hide(content.decode()).encode()
    except UnicodeDecodeError:
        return content


def _refusal_in(response: object) -> str | None:
    """Return Slack's word for why it refused; None for an answer that is not Slack's, such as a proxy's page."""
    data, status = getattr(response, "data", None), getattr(response, "status_code", None)
    if not isinstance(data, Mapping) or not isinstance(status, int) or status >= 500:
        return None
    code = cast("Mapping[str, object]", data).get("error")
    return code if isinstance(code, str) and code else None


def listed(answer: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list at `key`, empty when there is none."""
    value = answer.get(key)
    return cast("list[Any]", value) if isinstance(value, list) else []


def objects_in(answer: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects of the list at `key`."""
    return [cast("Mapping[str, Any]", element) for element in listed(answer, key) if isinstance(element, Mapping)]


def next_cursor(page: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page, or None when this is the last."""
    return mapping(page.get("response_metadata")).get("next_cursor") or None


def _given(arguments: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in arguments.items() if value is not None}


def _form(value: str | int | bool) -> str | int:
    return ("true" if value else "false") if isinstance(value, bool) else value
