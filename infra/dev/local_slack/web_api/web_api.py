"""The Web API over HTTP: tokens, scopes, rate limits, injected faults, and the answer in Slack's form."""

import asyncio
import logging

from aiohttp import web

from infra.dev.local_slack.actions.backend import Backend
from infra.dev.local_slack.state.errors import SlackError, refuse_if
from infra.dev.local_slack.state.faults import MethodFault
from infra.dev.local_slack.state.payload import JsonObject, decoded, is_object, text_in
from infra.dev.local_slack.state.rates import Tier
from infra.dev.local_slack.web_api import apps, chat, conversations, files, pins, search, streams
from infra.dev.local_slack.web_api.call import METHODS, Call, require_scope

logger = logging.getLogger(__name__)

_MODULES = (apps, chat, conversations, files, pins, search, streams)
"""Their import fills METHODS."""


class WebApi:
    """Answers /api/METHOD."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        name = request.match_info["method"]
        backend = self._backend
        backend.calls[name] += 1
        raw = await _arguments(request)
        token = _token(request, raw)
        fault = backend.faults.for_method(name)
        if fault and fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault and not fault.after and (refused := _faulty(request, fault)):
            self._log(name, raw, fault.error or f"status {fault.status}")
            return refused
        try:
            self._admit(name, raw, token)
            body: JsonObject = {"ok": True, **await METHODS[name].handler(Call(method=name, raw=raw, backend=backend))}
        except SlackError as refusal:
            self._log(name, raw, refusal.error)
            return _refusal(refusal)
        self._log(name, raw, None)
        if fault and fault.after and (refused := _faulty(request, fault)):
            return refused
        return web.json_response(body, headers={"X-OAuth-Scopes": ",".join(sorted(backend.app.scopes))})

    def _admit(self, name: str, raw: JsonObject, token: str | None) -> None:
        """Let the call in.

        Raises:
            SlackError: unknown_method, not_authed, invalid_auth, not_allowed_token_type, missing_scope, ratelimited.
        """
        backend, app = self._backend, self._backend.app
        refuse_if(name not in METHODS, "unknown_method", req_method=name)
        method = METHODS[name]
        refuse_if(token is None, "not_authed")
        refuse_if(token not in (app.bot_token, app.app_token), "invalid_auth")
        refuse_if(token != (app.app_token if method.app_level else app.bot_token), "not_allowed_token_type")
        if method.scopes:
            require_scope(app.app_token_scopes if method.app_level else app.scopes, *method.scopes)
        key = f"{name}:{raw.get('channel')}" if method.tier is Tier.POST else name
        wait = backend.rates.take(key, method.tier, backend.clock.now())
        refuse_if(wait, "ratelimited", retry_after=wait)

    def _log(self, name: str, raw: JsonObject, error: str | None) -> None:
        backend = self._backend
        if error:
            backend.refusals[f"{name} {error}"] += 1
            logger.info("refused %s: %s", name, error)
        about = {"channel": raw.get("channel"), "ts": raw.get("ts")}
        backend.call_log.append({"method": name, "at": backend.clock.now(), "error": error, **about})


async def _arguments(request: web.Request) -> JsonObject:
    """Return query, form and JSON body together, as Slack takes them."""
    raw: JsonObject = dict(request.query)
    if request.content_type == "application/json":
        body: object = decoded(await request.text())
        return raw | body if is_object(body) else raw
    form = await request.post()
    return raw | {name: value for name, value in form.items() if isinstance(value, str)}


def _token(request: web.Request, raw: JsonObject) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else text_in(raw, "token")


def _faulty(request: web.Request, fault: MethodFault) -> web.StreamResponse | None:
    """Return the wrong answer of an injected fault; None when it only delays."""
    if fault.status == 0:
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=500)
    if fault.body is not None:
        content_type = {"Content-Type": fault.content_type} if fault.content_type else None
        return web.Response(status=fault.status, body=fault.body.encode(), headers=content_type)
    if fault.error is None and fault.status == 200:
        return None
    headers = {"Retry-After": str(fault.retry_after)} if fault.status == 429 else {}
    return web.json_response({"ok": False, "error": fault.error or "fatal_error"}, status=fault.status, headers=headers)


def _refusal(refusal: SlackError) -> web.Response:
    body = refusal.as_json()
    if refusal.error == "invalid_blocks":
        # Slack repeats the lines without their prefix.
        body["errors"] = [line.removeprefix("[ERROR] ") for line in refusal.messages]
    if (wait := body.pop("retry_after", None)) is not None:
        return web.json_response(body, status=429, headers={"Retry-After": str(wait)})
    return web.json_response(body)
