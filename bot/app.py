"""The Slack app: bolt's AsyncApp with our middleware and listeners, built from a client and the ports."""

import asyncio
import functools
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from agent.approval import ApprovalPolicy
from agent.ids import ToolName
from bot import wording
from bot.approvals import Approvals
from bot.command_desk import CommandDesk
from bot.errors import BotError
from bot.identity import Identities
from bot.listeners.binding import Listener
from bot.listeners.commands import COMMAND, on_command
from bot.listeners.decisions import on_click
from bot.listeners.messages import on_message, store_first
from bot.payloads import ACTION_PREFIX
from bot.ports import Decisions, Inbox, Posted, RunViews
from bot.principals import Principals
from bot.reception import FrontDesk
from bot.web_api import WebApi

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What the app needs of the stores."""

    inbox: Inbox
    decisions: Decisions
    views: RunViews
    posted: Posted


class SlackApp:
    """The bolt app and what belongs to it. `bolt` goes to a Socket Mode handler or an HTTP server."""

    def __init__(
        self,
        client: AsyncWebClient,
        ports: Ports,
        policy_for: Callable[[ToolName], ApprovalPolicy],
        *,
        signing_secret: str = "",
    ) -> None:
        """`client` comes from `bot.web_api.open_client`; `signing_secret` is needed for HTTP only."""
        self.api = WebApi(client)
        self.identities = Identities(self.api)
        self.principals = Principals(self.api)
        self._running: set[asyncio.Task[Any]] = set()
        token = client.token
        if token is None:
            raise ValueError("the client has no token")
        self.bolt = AsyncApp(
            name="greenlight",
            client=_without_token(client),
            authorize=self._authorize(token),
            signing_secret=signing_secret,
        )
        self._bind(ports, policy_for)

    async def drain(self) -> None:
        """Let listeners that are at work finish, for a few seconds at most."""
        if self._running:
            await asyncio.wait(self._running, timeout=DRAIN_SECONDS)

    def _bind(self, ports: Ports, policy_for: Callable[[ToolName], ApprovalPolicy]) -> None:
        desk = FrontDesk(ports.inbox, self.principals, self.api)
        commands = CommandDesk(ports.inbox, ports.views, self.principals, self.api)
        approvals = Approvals(ports.decisions, ports.posted, self.principals, self.api, policy_for)
        bolt = cast("Any", self.bolt)  # its decorators are typed with bare dicts and Patterns
        bolt.middleware(store_first(desk, self.identities))
        bolt.event("app_mention")(self._kept(on_message(desk)))
        bolt.event("message")(self._kept(on_message(desk)))
        bolt.command(COMMAND)(self._kept(on_command(commands, self.identities, self.api)))
        bolt.action(re.compile(f"^{ACTION_PREFIX}"))(self._kept(on_click(approvals, self.identities, self.api)))
        bolt.error(self._on_error)

    def _kept(self, listener: Listener) -> Listener:
        """Remember the listener's task while it runs: bolt keeps no reference of its own."""

        @functools.wraps(listener)
        async def run(*args: Any, **kwargs: Any) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            await listener(*args, **kwargs)

        return run

    def _authorize(self, token: str) -> Callable[..., Any]:
        async def authorize(team_id: str | None) -> AuthorizeResult:  # noqa: ARG001 -- bolt passes it by this name
            identity = await self.identities.current()
            return AuthorizeResult(
                enterprise_id=identity.enterprise,
                team_id=identity.tenant,
                bot_user_id=identity.user,
                bot_id=identity.bot,
                bot_token=token,
            )

        return authorize

    async def _on_error(self, error: Exception, request: AsyncBoltRequest, response: BoltResponse | None) -> None:  # noqa: ARG002 -- bolt injects by name
        """Log what a listener or the middleware raised, and tell the person where there is a way to."""
        _log.error("a %s from Slack failed", request.body.get("type", "payload"), exc_info=error)
        url: object = request.body.get("response_url")
        if isinstance(url, str) and url:
            words = wording.SLACK_DID_NOT_ANSWER if isinstance(error, BotError) else wording.SOMETHING_WENT_WRONG
            try:
                await self.api.respond(url, response_type="ephemeral", replace_original=False, text=words)
            except BotError:
                _log.warning("could not tell the person either")


def _without_token(client: AsyncWebClient) -> AsyncWebClient:
    """Return the client without its token, as bolt wants it beside `authorize`."""
    return AsyncWebClient(
        base_url=client.base_url,
        timeout=client.timeout,
        session=client.session,
        retry_handlers=client.retry_handlers.copy(),
    )
