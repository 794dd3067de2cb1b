"""The Slack app: bolt's AsyncApp with our middleware and listeners, built from a client and the ports."""

import asyncio
import functools
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.logger.messages import warning_client_prioritized_and_token_skipped
from slack_sdk.web.async_client import AsyncWebClient

from agent.approval import ApprovalPolicy, ApprovalRequest
from agent.ids import ToolName, UserId
from agent.limits import MemoryLimits
from agent.ports import Approvals, Artifacts, Effects, Files, Instructions, NodeStatuses, OperationLog
from agent.redaction import SECRETS
from agent.roles import SubagentRole
from agent.tool import Tool
from agent.tools.access import AccessRules, ToolAccess
from bot import wording
from bot.cards.card import PreviewsOf, no_previews
from bot.decisions.approvals import ApprovalHandler
from bot.decisions.click_policy import ClickPolicy
from bot.decisions.confidential import ConfidentialHandler
from bot.decisions.decision_forms import DecisionFormHandler
from bot.decisions.elsewhere import ElsewhereHandler
from bot.decisions.freezes import FreezeHandler
from bot.decisions.pending import PendingHandler
from bot.decisions.rules import RulesHandler
from bot.decisions.together import TogetherHandler
from bot.errors import BotError
from bot.handlers.accounts import AccountsHandler
from bot.handlers.commands import COMMAND, CommandHandler
from bot.handlers.corrections import CorrectionHandler
from bot.handlers.feedback import FeedbackHandler
from bot.handlers.files import FilesHandler
from bot.handlers.guidance import GuidanceHandler
from bot.handlers.memory import MemoryHandler
from bot.handlers.messages import MessageHandler
from bot.handlers.person_limits import DEFAULT_LIMITS, PersonLimiter, PersonLimits
from bot.handlers.runbooks import RunbookHandler
from bot.handlers.script_details import ScriptDetailsHandler
from bot.handlers.stop import StopHandler
from bot.handlers.tools import ToolsHandler
from bot.handlers.undo import UndoHandler
from bot.payloads import (
    ATTEMPT_ACTION,
    CONNECT_ACTION,
    DETAILS_ACTION,
    DISCONNECT_ACTION,
    FEEDBACK_ACTION,
    FEEDBACK_CALLBACK,
    FILE_POST_ACTION,
    FILE_SHOW_ACTION,
    FILES_ACTION,
    FILES_PAGE_ACTION,
    FORM_ACTION,
    FORM_CALLBACK,
    LINK_ACTION,
    RULE_ACTION,
    RULE_CALLBACK,
    SAVE_ACTION,
    SET_ACTION,
    SET_CALLBACK,
    SHOW_ACTION,
    STOP_ACTION,
    STOP_SHORTCUT,
    UNDO_ACTION,
    Payload,
)
from bot.ports import (
    ChannelInstructions,
    ClickLog,
    Explanations,
    FactBook,
    Feedback,
    Freezes,
    Grants,
    Inbox,
    OpenRequests,
    Packages,
    PersonalAccounts,
    Posted,
    RunViews,
)
from bot.slack.approvers import Approvers
from bot.slack.client import WebApi
from bot.slack.facts import FactKeeper, SlackPlaces
from bot.slack.membership import Principals
from bot.slack.names import SlackDirectory, StableNames
from bot.tools.catalogue import PERSONAL_TOOLS

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
DEFAULT_MEMORY = MemoryLimits()
_ANY = re.compile("")

Listener: TypeAlias = Callable[..., Awaitable[None]]
"""A function that bolt calls with the arguments its parameters name (`ack`, `body`, `context`, `next`)."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The stores that the app needs."""

    inbox: Inbox
    approvals: Approvals
    requests: OpenRequests
    views: RunViews
    posted: Posted
    packages: Packages
    files: Files
    artifacts: Artifacts
    clicks: ClickLog
    freezes: Freezes
    grants: Grants
    effects: Effects
    log: OperationLog
    statuses: NodeStatuses
    facts: FactBook
    instructions: Instructions
    written_instructions: ChannelInstructions
    explanations: Explanations
    feedback: Feedback
    #: None: nothing works with people's own accounts.
    accounts: PersonalAccounts | None = None


class SlackApp:
    """The bolt app and what belongs to it. `bolt` goes to a Socket Mode handler or an HTTP server."""

    def __init__(
        self,
        client: AsyncWebClient,
        ports: Ports,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
        *,
        limits: PersonLimits = DEFAULT_LIMITS,
        signing_secret: str = "",
        admins: frozenset[UserId] = frozenset(),
        is_tool: Callable[[str], bool] = lambda _: False,
        previews_of: PreviewsOf = no_previews,
        find_tool: Callable[[ToolName], Tool | None] = lambda _: None,
        offered: Iterable[Tool] = (),
        roles: Iterable[SubagentRole] = (),
        access_rules: AccessRules | None = None,
        click_policy: Callable[[SlackDirectory], ClickPolicy] | None = None,
        memory: MemoryLimits = DEFAULT_MEMORY,
    ) -> None:
        """`client` comes from `bot.slack.client.open_client`; `signing_secret` is needed for HTTP only.

        `admins` may freeze besides the workspace's own; `is_tool` says which names a freeze may have; `previews_of`
        says how a tool's arguments look on cards; `find_tool` returns the tool of a name, by which people edit its
        arguments and approve calls ahead; `offered` are those that are switched on, and `access_rules` say where and
        by whom they may be used. `roles` are those that plans may give work to. `click_policy` builds what applies
        today's policy to a click; without it a request takes what it was posted with. `memory` bounds what
        people have remembered.
        """
        self.api = WebApi(client)
        self.principals = Principals(self.api)
        self.directory = SlackDirectory(self.principals)
        self.names = StableNames(self.directory)
        self._click_policy = None if click_policy is None else click_policy(self.directory)
        self.approvers = Approvers(self.principals, policy_for)
        self._running: set[asyncio.Task[Any]] = set()
        token = client.token
        if token is None:
            raise ValueError("the client has no token")
        logging.getLogger("slack_bolt.AsyncApp").addFilter(_worth_reading)
        self.bolt = AsyncApp(
            name="greenlight",
            client=_without_token(client),
            authorize=self._authorize(token),
            signing_secret=signing_secret,
        )
        freezes = FreezeHandler(ports.freezes, self.principals, admins=admins, is_tool=is_tool)
        rules = RulesHandler(ports.grants, ports.views, self.principals, self.approvers, self.api, admins=admins)
        self.previews_of = previews_of
        self.access = ToolAccess(access_rules or AccessRules(), self.principals.known_groups)
        offered = tuple(offered)
        self._tools = ToolsHandler(offered, roles, self.access)
        self.facts = FactKeeper(ports.facts, self.principals, self.api, memory, admins=admins)
        self._personal = frozenset(tool.name for tool in offered if tool.personal)
        self._bind(ports, policy_for, PersonLimiter(ports.inbox, limits), freezes, rules, find_tool)

    async def drain(self) -> None:
        """Let listeners that are at work finish, for a few seconds at most."""
        if self._running:
            await asyncio.wait(self._running, timeout=DRAIN_SECONDS)

    def _bind(
        self,
        ports: Ports,
        policy_for: Callable[[ApprovalRequest], ApprovalPolicy],
        limiter: PersonLimiter,
        freezes: FreezeHandler,
        rules: RulesHandler,
        find_tool: Callable[[ToolName], Tool | None],
    ) -> None:
        elsewhere = ElsewhereHandler(ports.views, ports.posted, self.principals, self.approvers, policy_for)
        undo = UndoHandler(ports.effects, ports.inbox, self.principals, self.api, limiter)
        memory = MemoryHandler(self.facts, self.principals)
        guidance = GuidanceHandler(
            ports.instructions,
            ports.written_instructions,
            ports.explanations,
            self.facts,
            self.principals,
            SlackPlaces(self.principals),
        )
        corrections = CorrectionHandler(ports.log, ports.statuses, self.principals, self.api, limiter)
        messages = MessageHandler(
            ports.inbox,
            ports.views,
            self.principals,
            self.api,
            policy_for,
            elsewhere,
            limiter,
            undo,
            memory,
            guidance,
            corrections,
        )
        approvals = ApprovalHandler(
            ports.approvals,
            ports.views,
            ports.posted,
            ports.clicks,
            self.principals,
            self.api,
            policy_for,
            self.names,
            rules,
            self.previews_of,
            self._click_policy,
        )
        confidential = ConfidentialHandler(
            ports.views, ports.posted, ports.clicks, self.principals, self.api, approvals.grant_refusal
        )
        together = TogetherHandler(
            ports.approvals, ports.views, ports.grants, approvals, self.approvers, self.api, find_tool
        )
        forms = DecisionFormHandler(
            ports.approvals, ports.requests, ports.views, approvals, self.principals, self.api, together, find_tool
        )
        pending = PendingHandler(requests=ports.requests, principals=self.principals, clicks=approvals, api=self.api)
        accounts = AccountsHandler(ports.accounts, ports.views, approvals, self.principals, self.directory, self.api)
        commands = CommandHandler(
            ports.inbox,
            ports.views,
            self.principals,
            self.api,
            limiter,
            self.names,
            freezes,
            rules,
            pending,
            self._tools,
            memory,
            guidance,
            accounts,
        )
        runbooks = RunbookHandler(self.principals, self.api, limiter)
        stops = StopHandler(ports.inbox, ports.views, self.principals, self.api)
        details = ScriptDetailsHandler(ports.packages, self.principals, self.api, PERSONAL_TOOLS | self._personal)
        files = FilesHandler(ports.files, ports.artifacts, self.principals, self.api)
        feedback = FeedbackHandler(ports.feedback, self.principals, self.api)
        bolt = cast("Any", self.bolt)  # its decorators are typed with bare dicts and Patterns
        bolt.middleware(_hide_secrets)
        bolt.middleware(messages.store)
        bolt.middleware(stops.store)
        bolt.event("app_mention")(self._kept(messages.on_message))
        bolt.event("message")(self._kept(messages.on_message))
        bolt.event("agent_session_stopped")(self._kept(_ignore))  # the middleware has stored it
        bolt.command(COMMAND)(self._kept(commands.on_command))
        bolt.message_shortcut(STOP_SHORTCUT)(self._kept(stops.on_shortcut))
        bolt.event(_ANY)(self._kept(_ignore))  # an event without a listener gets a 404, and Slack tries it again
        bolt.action(re.compile(STOP_ACTION))(self._kept(stops.on_click))
        bolt.action(UNDO_ACTION)(self._kept(undo.on_click))
        bolt.action(SET_ACTION)(self._kept(corrections.on_click))
        bolt.view(SET_CALLBACK)(self._kept(corrections.on_form))
        bolt.action(SAVE_ACTION)(self._kept(runbooks.on_click))
        bolt.action(re.compile(f"^{FEEDBACK_ACTION}_"))(self._kept(feedback.on_click))
        bolt.view(FEEDBACK_CALLBACK)(self._kept(feedback.on_form))
        bolt.action(CONNECT_ACTION)(self._kept(accounts.on_connect_click))
        bolt.action(re.compile(f"^{LINK_ACTION}"))(self._kept(accounts.on_link_click))
        bolt.action(re.compile(f"^{DISCONNECT_ACTION}"))(self._kept(accounts.on_disconnect_click))
        bolt.action(re.compile(DETAILS_ACTION))(self._kept(details.on_details_click))
        bolt.action(re.compile(ATTEMPT_ACTION))(self._kept(details.on_attempt_click))
        bolt.action(FILES_ACTION)(self._kept(files.on_files_click))
        bolt.action(re.compile(f"^{FILES_PAGE_ACTION}_"))(self._kept(files.on_page_click))
        bolt.action(re.compile(f"^{FILE_SHOW_ACTION}_"))(self._kept(files.on_file_click))
        bolt.action(re.compile(f"^{FILE_POST_ACTION}_"))(self._kept(files.on_file_click))
        bolt.action(re.compile(f"^{RULE_ACTION}_"))(self._kept(rules.on_click))
        bolt.view(RULE_CALLBACK)(self._kept(rules.on_form))
        bolt.action(SHOW_ACTION)(self._kept(confidential.on_show_click))
        bolt.action(re.compile(FORM_ACTION))(self._kept(forms.on_click))
        bolt.view(re.compile(FORM_CALLBACK))(self._kept(forms.on_submission))
        bolt.action(_ANY)(self._kept(approvals.on_click))
        bolt.error(_unacknowledged)

    def _kept(self, listener: Listener) -> Listener:
        """Return the listener as a boundary of the process: `drain` waits for its task, its errors end here.

        bolt keeps no reference to a listener's task, and takes an ack back when the listener raises
        before the ack went out.
        """

        @functools.wraps(listener)
        async def run(**injected: Any) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            try:
                await listener(**injected)
            except Exception as error:  # noqa: BLE001 -- a process boundary: logged, and reported to the person
                await self._report(error, injected["body"])

        return run

    def _authorize(self, token: str) -> Callable[..., Any]:
        async def authorize(team_id: str | None) -> AuthorizeResult:  # noqa: ARG001 -- bolt passes it by this name
            identity = await self.principals.identity()
            return AuthorizeResult(
                enterprise_id=identity.enterprise,
                team_id=identity.tenant,
                bot_user_id=identity.user,
                bot_id=identity.bot,
                bot_token=token,
            )

        return authorize

    async def _report(self, error: Exception, body: Payload) -> None:
        """Log what a listener raised, and tell the person where Slack gave an address for it."""
        _log.error("a %s from Slack failed", body.get("type", "command"), exc_info=error)
        url = body.get("response_url")
        if not isinstance(url, str) or not url:
            return
        words = wording.SLACK_DID_NOT_ANSWER if isinstance(error, BotError) else wording.SOMETHING_WENT_WRONG
        try:
            await self.api.respond(url, response_type="ephemeral", replace_original=False, text=words)
        except BotError:
            _log.warning("could not answer the person either")


async def _hide_secrets(body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> None:
    """Let nobody tell us a secret that we have: it would stand in tables and prompts."""
    body.update(SECRETS.hide_in(body))
    await next()


async def _ignore(body: Payload) -> None:
    """Do nothing but ack: the manifest may name events nobody here needs."""
    _log.debug("nothing to do for %s", body.get("type"))


async def _unacknowledged(error: Exception, body: Payload) -> None:
    """Log what the middleware raised; without an ack Slack delivers again."""
    _log.error("a %s from Slack was not stored", body.get("type", "payload"), exc_info=error)


def _worth_reading(record: logging.LogRecord) -> bool:
    """Return false for bolt's warning that SLACK_BOT_TOKEN is in the environment too: the client has it from there."""
    return record.msg != warning_client_prioritized_and_token_skipped()


def _without_token(client: AsyncWebClient) -> AsyncWebClient:
    """Return the client without its token, as bolt wants it beside `authorize`."""
    return AsyncWebClient(
        base_url=client.base_url,
        timeout=client.timeout,
        session=client.session,
        retry_handlers=client.retry_handlers.copy(),
    )
