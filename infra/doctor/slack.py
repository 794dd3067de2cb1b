"""Slack's part of the examination: tries both tokens, and compares the scopes with the manifest."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias, cast

import aiohttp

from bot.errors import BotError, SlackRefused
from bot.slack.client import SLACK_API_URL, WebApi, open_client
from infra.doctor.finding import Finding, host_of, missing, ok, wrong

BOT_TOKEN, APP_TOKEN, SCOPES = "bot token", "app token", "scopes"

_PACKAGED = Path(__file__).parents[1] / "manifest.json"
MANIFEST = _PACKAGED if _PACKAGED.exists() else Path(__file__).parents[2] / "manifest.json"
"""Inside the package when it is installed, in the top folder of a checkout."""

TIMEOUT_SECONDS = 10.0

_INSTALL = (
    "At api.slack.com/apps create the app from manifest.json and install it; then set SLACK_BOT_TOKEN to the Bot User "
    "OAuth Token (xoxb-...) on the page OAuth & Permissions."
)
_GENERATE = (
    "At api.slack.com/apps, Basic Information, App-Level Tokens, generate one with the scope connections:write; set "
    "SLACK_APP_TOKEN to it (xapp-...)."
)


_Api: TypeAlias = Callable[[str], WebApi]
"""Opens the Web API with a token."""


async def slack_findings(environ: Mapping[str, str]) -> list[Finding]:
    """Return the findings on the tokens and scopes. Calls Slack two or three times; changes nothing."""
    base = environ.get("SLACK_API_URL", SLACK_API_URL)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        def api(token: str) -> WebApi:
            return WebApi(open_client(token, base_url=base, session=session))

        return [*await _bot_findings(environ, api, base), await _app_finding(environ, api, base)]


async def _bot_findings(environ: Mapping[str, str], api: _Api, base: str) -> list[Finding]:
    token = environ.get("SLACK_BOT_TOKEN", "")
    if (unusable := _unusable(BOT_TOKEN, "SLACK_BOT_TOKEN", token, "xoxb-", _INSTALL)) is not None:
        return [unusable, wrong(SCOPES, "not known without a bot token", "Fix the bot token first.")]
    slack = api(token)
    try:
        who = await slack.write("auth.test")
        granted = await slack.granted_scopes()
    except BotError as error:
        return [
            _failed(BOT_TOKEN, error, base, _INSTALL),
            wrong(SCOPES, "not known without a bot token that works", "Fix the bot token first."),
        ]
    return [ok(BOT_TOKEN, f"{who.get('user')} in {who.get('team')} ({who.get('team_id')})"), _scope_finding(granted)]


async def _app_finding(environ: Mapping[str, str], api: _Api, base: str) -> Finding:
    token = environ.get("SLACK_APP_TOKEN", "")
    if (unusable := _unusable(APP_TOKEN, "SLACK_APP_TOKEN", token, "xapp-", _GENERATE)) is not None:
        return unusable
    slack = api(token)
    try:
        await slack.write("apps.connections.open")
    except BotError as error:
        return _failed(APP_TOKEN, error, base, _GENERATE)
    return ok(APP_TOKEN, "Socket Mode gives a connection")


def _unusable(check: str, variable: str, token: str, prefix: str, mend: str) -> Finding | None:
    if token in ("", prefix):
        return missing(check, f"{variable} is not set", mend)
    if not token.startswith(prefix):
        return wrong(check, f"{variable} does not start with {prefix}", mend)
    return None


def _failed(check: str, error: BotError, base: str, mend: str) -> Finding:
    if isinstance(error, SlackRefused):
        return wrong(check, f"Slack refuses it: {error.code}", mend)
    host = host_of(base) or "the address in SLACK_API_URL"
    return wrong(
        check, f"{host} gives no usable response", "Check the network, a proxy or firewall, and SLACK_API_URL."
    )


def wanted_scopes(manifest: Path = MANIFEST) -> frozenset[str]:
    """Return the bot scopes of the manifest."""
    scopes = json.loads(manifest.read_text(encoding="utf-8"))["oauth_config"]["scopes"]["bot"]
    return frozenset(cast("list[str]", scopes))


def _scope_finding(granted: frozenset[str] | None) -> Finding:
    if granted is None:
        return ok(SCOPES, "not checked: the answer of auth.test does not name them")
    wanted = wanted_scopes()
    lacking = sorted(wanted - granted)
    if lacking:
        return missing(
            SCOPES,
            f"the app lacks {', '.join(lacking)}",
            "At api.slack.com/apps, App Manifest, paste manifest.json; then install the app again.",
        )
    return ok(SCOPES, f"all {len(wanted)} of manifest.json")
