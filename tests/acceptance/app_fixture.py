"""The whole app in a scene: real database, queue, Socket Mode and model client; a local Slack and a scripted model."""

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

from agent.limits import ModelSettings
from infra.config.environment import Settings, SlackSettings
from infra.config.file import parse_configuration
from infra.dev.demo.thread_observer import ThreadObserver, watching
from infra.dev.local_slack.control.client import WorkspaceClient
from infra.dev.local_slack.server import Workspace
from infra.dev.local_slack.state.installed_app import InstalledApp
from infra.dev.scripted_model.script import Script
from infra.dev.scripted_model.server import MODEL_NAME, ScriptedModel
from infra.tools.mcp.settings import mcp_settings
from infra.wiring import Part, open_app
from tests.acceptance.effects import EffectServer

MANIFEST = Path(__file__).parents[2] / "manifest.json"

SECOND_PERSON: Mapping[str, object] = {"slack_post_message": {"self_approval": False}}


@dataclass(kw_only=True)
class AppScene:
    """Everything a test talks to. `start_app` and `stop_app` restart the product; the rest stays."""

    url: URL
    workspace: Workspace
    people: WorkspaceClient
    model: ScriptedModel
    effects: EffectServer
    settings: Settings
    _apps: list[AsyncExitStack] = field(default_factory=list[AsyncExitStack])

    async def start_app(self, parts: frozenset[Part] = frozenset(Part)) -> None:
        """Start one process's worth of the app."""
        stack = AsyncExitStack()
        await stack.enter_async_context(open_app(self.settings, self.url, parts))
        self._apps.append(stack)

    async def stop_app(self) -> None:
        """Stop the app started last, as on SIGTERM."""
        await self._apps.pop().aclose()

    async def close(self) -> None:
        """Stop every app."""
        while self._apps:
            await self.stop_app()

    @asynccontextmanager
    async def asked(self, text: str, *, by: str = "Ada", channel: str = "ops") -> AsyncGenerator[ThreadObserver]:
        """Have a person mention the app, and watch the thread."""
        ts = await self.people.post(by, channel, f"@Greenlight {text}")
        async with watching(self.people, channel, ts) as observer:
            yield observer

    async def click(self, observer: ThreadObserver, who: str, action: str, *, card: int = 0) -> bool:
        """Have a person use a card's button, once it is there; True when the app acknowledged it in time."""
        await observer.until(lambda seen: len(seen.cards()) > card, "the card")
        message = observer.cards()[card].message
        return await self.people.click(who, observer.channel, str(message["ts"]), f"decide_{action}")


@asynccontextmanager
async def app_scene(
    url: URL,
    data: Path,
    scripts: Sequence[Script],
    *,
    approvals: Mapping[str, object] = SECOND_PERSON,
    configuration: Callable[[dict[str, object]], None] = lambda _: None,
    rate_limits: bool = False,
    started: bool = True,
    sandbox: str = "monty",
) -> AsyncGenerator[AppScene]:
    """Open a scene on a migrated database. `configuration` may change the TOML table before it is read.

    Scripts run in Monty, which starts at once, unless the test is about Docker.
    `effects` is a loopback server that `http_get` and `http_request` may reach; it counts its calls.
    """
    async with (
        EffectServer() as effects,
        Workspace(app=InstalledApp.from_manifest(MANIFEST), rate_limits=rate_limits) as workspace,
        WorkspaceClient(workspace.base_url) as people,
        ScriptedModel(scripts) as model,
    ):
        table: dict[str, object] = {
            "tools": {"http_get": {"known": {"effects": effects.url}, "allow_private": True}},
            "approvals": dict(approvals),
            "sandbox": sandbox,
        }
        configuration(table)
        slack = SlackSettings(bot_token=workspace.bot_token, app_token=workspace.app_token, api_url=workspace.api_url)
        parsed = parse_configuration(table, "the scene")
        asked = ModelSettings(
            model=MODEL_NAME,
            api_key="scripted",
            base_url=await model.start(),
            **vars(parsed.model),
        )
        servers = mcp_settings(parsed.mcp, {"PATH": os.environ["PATH"]}, data / "greenlight.toml", data)
        settings = Settings(data=data, slack=slack, model=asked, configuration=parsed, mcp=servers)
        built = AppScene(url=url, workspace=workspace, people=people, model=model, effects=effects, settings=settings)
        try:
            if started:
                await built.start_app()
            yield built
        finally:
            await built.close()
