"""People's own accounts: connected in the middle of a run by them alone, kept encrypted, refreshed once, revoked."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot.payloads import CONNECT_ACTION
from infra.dev.demo.thread_observer import ThreadObserver, watching
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, direct_messages, states, whispered, whispers
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, results_told, tool
from tests.oauth.provider import OauthProvider, TokenApi, browser, free_port, oauth_provider

LINK = re.compile(r"<(http://127\.0\.0\.1:\d+/accounts/connect\?ticket=[\w-]+)\|")


@dataclass(kw_only=True)
class Accounts:
    """A scene with a provider, and an API that takes its tokens."""

    scene: AppScene
    provider: OauthProvider
    api: TokenApi

    async def link(self, observer: ThreadObserver, who: str, *, card: int = 0) -> str:
        """Have a person press the button that connects an account; return the link that only they get."""
        await observer.until(lambda seen: waits(seen, card), "the card")
        before = len(links(await self.scene.people.dump(), who))
        message = observer.cards()[card].message
        await self.scene.people.click(who, observer.channel, str(message["ts"]), CONNECT_ACTION)
        dump = await self.scene.people.wait_for(lambda dump: len(links(dump, who)) > before)
        return links(dump, who)[-1]

    async def connect(self, observer: ThreadObserver, who: str, login: str, *, card: int = 0) -> str:
        """Have a person connect an account; return the page that they see at the end."""
        link = await self.link(observer, who, card=card)
        async with browser(login) as opened:
            return (await opened.connect(link)).text


def links(dump: Mapping[str, Any], who: str) -> list[str]:
    """Return the links that a person was given."""
    return [link for words in whispered(dump, f"U0{who.upper()}") for link in LINK.findall(words)[:1]]


def waits(observer: ThreadObserver, card: int = 0) -> bool:
    cards = [one.message for one in observer.cards()]
    return len(cards) > card and CONNECT_ACTION in json.dumps(cards[card])


@asynccontextmanager
async def accounts_scene(
    url: URL, folder: Path, configure: Callable[[dict[str, Any]], None] = lambda _: None, **options: Any
) -> AsyncGenerator[Accounts]:
    """Open a scene in which `http_get` and `http_request` know people by their accounts at one API."""
    port = free_port()
    listen = f"127.0.0.1:{port}"
    async with (
        oauth_provider(f"http://{listen}/accounts/callback", **options) as provider,
        TokenApi(provider).serving() as api,
    ):

        def configured(table: dict[str, Any]) -> None:
            known = {"known": {"api": api.url}, "allow_private": True, "accounts": {api.url: "example"}}
            known["known"] |= table["tools"]["http_get"]["known"]
            table["tools"] = {"http_get": known, "http_request": known}
            table["accounts"] = {"listen": listen, "example": provider.table()}
            configure(table)

        async with app_scene(url, folder, [ENDS, ANSWERS], approvals={}, configuration=configured) as scene:
            yield Accounts(scene=scene, provider=provider, api=api)


async def test_a_step_waits_for_its_authors_account_and_goes_on_by_itself_also_after_a_restart(
    database_url: URL, tmp_path: Path
) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        it.scene.model.add(
            planned(fetch("mine", f"{it.api.url}/mine"), fetch("aside", f"{it.scene.effects.url}/aside"))
        )
        async with it.scene.asked("what is mine?") as observer:
            await observer.until(waits, "the card")
            await it.scene.effects.reached("aside")
            card = json.dumps(observer.cards()[0].message, ensure_ascii=False)
            assert "works with the account of <@U0ADA> at Example" in card
            assert any("Connect your account" in text for text in await direct_messages(it.scene, "U0ADA"))
            await it.scene.stop_app()
            await it.scene.start_app()
            page = await it.connect(observer, "Ada", "ada")
            assert "ada@example.com" in page
            await observer.until(answered, "the answer")
            assert states(observer)["mine"].startswith("complete")
            assert observer.says("Connected")
        told = results_told(it.scene.model.requests_of("conclude")[-1])
        assert told["mine"]["body"]["you"] == "ada"
        assert dict(it.api.calls) == {"GET mine ada": 1}
