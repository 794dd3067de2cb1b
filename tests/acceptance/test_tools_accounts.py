"""People's own accounts: connected in the middle of a run by them alone, kept encrypted, refreshed once, revoked."""

import json
import logging
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import URL

from bot.payloads import CONNECT_ACTION, DISCONNECT_ACTION, LINK_ACTION
from infra.accounts.settings import AccountsSettings
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.payload import JsonObject
from infra.doctor.accounts import account_findings
from infra.doctor.finding import State
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, direct_messages, rows, states, whispered, whispers
from tests.acceptance.plans import ANSWERS, ENDS, fetch, package, planned, results_told, tool
from tests.acceptance.roles import call, calls, says, subagent, told
from tests.acceptance.test_tools_secrets import stored
from tests.oauth.provider import OauthProvider, TokenApi, browser, free_port, oauth_provider

EXPIRE = "UPDATE accounts SET expires_at = now() RETURNING person"

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


def links(dump: JsonObject, who: str) -> list[str]:
    """Return the links that a person was given."""
    return [link for words in whispered(dump, f"U0{who.upper()}") for link in LINK.findall(words)[:1]]


def waits(observer: ThreadObserver, card: int = 0) -> bool:
    """Return whether a card asks for an account."""
    cards = [one.message for one in observer.cards()]
    return len(cards) > card and CONNECT_ACTION in json.dumps(cards[card])


def card_with(observer: ThreadObserver, words: str) -> int | None:
    """Return which of the open cards holds these words."""
    return next((at for at, one in enumerate(observer.cards()) if words in json.dumps(one.message)), None)


async def ephemeral_with(scene: AppScene, who: str, action: str) -> dict[str, Any]:
    """Return the newest message with such a button that a person alone reads, once there is one."""

    def found(dump: Mapping[str, Any]) -> list[dict[str, Any]]:
        mine = [one["message"] for one in dump["ephemerals"] if one["user"] == f"U0{who.upper()}"]
        return [message for message in mine if action in json.dumps(message)]

    return found(await scene.people.wait_for(lambda dump: bool(found(dump))))[-1]


async def disconnect(scene: AppScene, who: str) -> None:
    """Have a person disconnect the account in their list, and wait until both sides have let it go."""
    message = await ephemeral_with(scene, who, DISCONNECT_ACTION)
    await scene.people.click(who, "ops", str(message["ts"]), f"{DISCONNECT_ACTION}_0")
    await scene.people.wait_for(lambda dump: any("took back" in one for one in whispered(dump, f"U0{who.upper()}")))


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


async def test_twenty_calls_at_once_refresh_a_token_once(database_url: URL, tmp_path: Path) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        it.scene.model.add(planned(fetch("first", f"{it.api.url}/first"), contains="first"))
        async with it.scene.asked("the first") as observer:
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
        before = await it.provider.counts()
        names = [f"n{number}" for number in range(20)]
        it.scene.model.add(planned(*(fetch(name, f"{it.api.url}/{name}") for name in names), contains="many"))
        await rows(database_url, EXPIRE)
        async with it.scene.asked("many") as observer:
            await observer.until(answered, "the answer")
        told = results_told(it.scene.model.requests_of("conclude")[-1])
        assert {told[name]["body"]["you"] for name in names} == {"ada"}
        after = await it.provider.counts()
        assert after["refresh_token"] - before["refresh_token"] == 1
        assert after["errors"] == []


async def test_only_the_author_connects_and_disconnecting_fails_their_steps_alone(
    database_url: URL, tmp_path: Path
) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        it.scene.model.add(planned(fetch("mine", f"{it.api.url}/mine"), contains="ada's"))
        async with it.scene.asked("ada's") as observer:
            await observer.until(waits, "the card")
            ts = str(observer.cards()[0].message["ts"])
            await it.scene.people.click("Grace", observer.channel, ts, CONNECT_ACTION)
            assert "Only the person who asked for this" in (await whispers(it.scene, "U0GRACE"))[-1]
            assert links(await it.scene.people.dump(), "Grace") == []
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
        it.scene.model.add(planned(fetch("his", f"{it.api.url}/his"), contains="grace's"))
        async with it.scene.asked("grace's", by="Grace") as observer:
            await observer.until(waits, "her card")
            await it.connect(observer, "Grace", "grace")
            await observer.until(answered, "the answer")
        await it.scene.people.command("Ada", "ops", "/greenlight", "accounts")
        listed = json.dumps(await ephemeral_with(it.scene, "Ada", DISCONNECT_ACTION))
        assert "ada@example.com" in listed
        assert "grace@example.com" not in listed
        await disconnect(it.scene, "Ada")
        assert (await it.provider.counts())["revoked"] == 2
        for who in ("Ada", "Grace"):
            it.scene.model.add(planned(fetch("again", f"{it.api.url}/again"), contains=f"once more, {who}"))
        async with (
            it.scene.asked("once more, Ada") as hers,
            it.scene.asked("once more, Grace", by="Grace") as other,
        ):
            await hers.until(waits, "Ada's new card")
            await other.until(answered, "Grace's answer")
            await it.scene.click(hers, "Ada", "declined")
            await hers.until(answered, "the answer")
            assert states(hers)["again"].startswith("error")


async def test_a_link_or_an_answer_that_is_forged_used_or_too_old_changes_nothing(
    database_url: URL, tmp_path: Path
) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        it.scene.model.add(planned(fetch("mine", f"{it.api.url}/mine")))
        async with it.scene.asked("mine") as observer, browser("mallory") as mallory, browser("ada") as ada:
            link = await it.link(observer, "Ada")
            base = link.partition("/accounts/")[0]
            assert "Not connected" in (await ada.get(f"{base}/accounts/connect?ticket=forged")).text
            forged = await ada.get(f"{base}/accounts/callback?state=forged&code=x")
            assert (forged.status, "Nothing changed" in forged.text) == (400, True)
            page = await ada.get(link)
            assert "for Ada" in page.text
            at_provider, ada.stays = await ada.submit(page), True
            assert "Not connected" in (await ada.get(link)).text  # the link counts once
            back, ada.stays = (await ada.agree(at_provider)).url, False
            # somebody else's browser, with all that Ada's was sent
            assert "Not connected" in (await mallory.get(back)).text
            assert await rows(database_url, "SELECT count(*) FROM accounts") == [(0,)]
            assert "Connected" in (await ada.get(back)).text
            await observer.until(answered, "the answer")
            assert "Not connected" in (await ada.get(back)).text
        assert (await rows(database_url, "SELECT person, subject FROM accounts")) == [("U0ADA", "ada@example.com")]
        async with it.scene.asked("mine, again") as observer:
            await rows(database_url, "DELETE FROM accounts RETURNING person")
            it.scene.model.add(planned(fetch("late", f"{it.api.url}/late")))
            link = await it.link(observer, "Ada")
            await rows(database_url, "UPDATE account_flows SET expires_at = now() RETURNING person")
            async with browser("ada") as late:
                assert "Not connected" in (await late.get(link)).text


async def test_a_lost_key_means_to_connect_again_and_nothing_worse(database_url: URL, tmp_path: Path) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        it.scene.model.add(planned(fetch("mine", f"{it.api.url}/mine"), contains="one"))
        async with it.scene.asked("one") as observer:
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
        key = tmp_path / "account-keys"
        assert key.stat().st_mode & 0o777 == 0o600
        await it.scene.stop_app()
        key.unlink()
        await it.scene.start_app()
        it.scene.model.add(planned(fetch("again", f"{it.api.url}/again"), contains="two"))
        async with it.scene.asked("two") as observer:
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
            assert states(observer)["again"].startswith("complete")


async def test_a_red_call_waits_for_the_account_and_its_card_and_the_audit_say_whose_it_runs_as(
    database_url: URL, tmp_path: Path
) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        send: dict[str, Json] = {"method": "POST", "url": f"{it.api.url}/order", "json": {"pizzas": 2}}
        other: dict[str, Json] = {"method": "POST", "url": f"{it.scene.effects.url}/order", "json": {}}
        it.scene.model.add(planned(tool("order", "http_request", send), tool("app", "http_request", other)))
        async with it.scene.asked("order") as observer:
            await observer.until(lambda seen: len(seen.cards()) == 2, "both cards")
            assert card_with(observer, "Runs as the app") is not None
            await it.connect(observer, "Ada", "ada", card=card_with(observer, CONNECT_ACTION) or 0)
            mine = "Runs as ada@example.com at example"
            await observer.until(lambda seen: card_with(seen, mine) is not None, "the card of the call")
            assert it.api.calls == {}
            await it.scene.click(observer, "Ada", "approved", card=card_with(observer, "Runs as the app") or 0)
            await it.scene.click(observer, "Ada", "approved", card=card_with(observer, mine) or 0)
            await observer.until(answered, "the answer")
        assert dict(it.api.calls) == {"POST order ada": 1}
        started = await rows(database_url, "SELECT node, details->>'account' FROM audit WHERE event = 'started'")
        assert sorted(started) == [("app", None), ("order", "example")]


async def test_another_persons_question_reads_nothing_of_what_an_account_read_in_an_earlier_turn(
    database_url: URL, tmp_path: Path
) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        it.scene.model.add(planned(fetch("mine", f"{it.api.url}/private-of-ada"), contains="ada's"))
        async with it.scene.asked("ada's") as observer:
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
            root = observer.thread_ts
            it.scene.model.add(planned(fetch("his", f"{it.scene.effects.url}/x"), contains="grace's"))
            await it.scene.people.post("Grace", "ops", "grace's", thread_ts=root)
            await observer.until(lambda seen: "his" in states(seen) and seen.says("his"), "the second answer")
        [asked] = [request for request in it.scene.model.requests_of("planner") if "grace's" in request.last]
        so_far = asked.last.partition("## Plan so far")[2].partition("\n## ")[0]
        assert "personal_to" in so_far
        assert "private-of-ada" not in so_far


async def test_no_token_is_anywhere_but_encrypted(
    database_url: URL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with accounts_scene(database_url, tmp_path) as it:
        script = 'def main(inputs):\n    page = tools.http_get(url=inputs["url"])\n    print(page)\n    return page\n'
        it.scene.model.add(
            planned(
                package("script", script, tools=["http_get"], inputs={"url": f"{it.api.url}/echo"}),
                tool("order", "http_request", {"method": "POST", "url": f"{it.api.url}/order", "json": {}}),
            )
        )
        async with it.scene.asked("all of it") as observer:
            await observer.until(waits, "the cards")
            await it.connect(observer, "Ada", "ada")
            await observer.until(lambda seen: card_with(seen, "decide_approved") is not None, "the card of the call")
            at = card_with(observer, "decide_approved") or 0
            await rows(database_url, EXPIRE)
            await it.scene.click(observer, "Ada", "approved", card=at)
            await observer.until(answered, "the answer")
        await it.scene.people.command("Ada", "ops", "/greenlight", "accounts")
        await disconnect(it.scene, "Ada")
        tokens = {token for token in it.api.tokens if token}
        assert tokens
        seen = {
            "Slack": json.dumps(await it.scene.people.dump()),
            "the model": "".join(message.text for request in it.scene.model.requests for message in request.messages),
            "the log": caplog.text,
            **{f"the table {table}": row async for table, row in stored(database_url)},
        }
        for token in tokens:
            for where, text in seen.items():
                assert token not in text, where
        assert "[secret a token of example]" in seen["the model"]


async def test_an_account_connected_from_the_list_lets_a_later_step_run_at_once(
    database_url: URL, tmp_path: Path
) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        await it.scene.people.command("Ada", "ops", "/greenlight", "accounts")
        offered = await ephemeral_with(it.scene, "Ada", f"{LINK_ACTION}_0")
        await it.scene.people.click("Ada", "ops", str(offered["ts"]), f"{LINK_ACTION}_0")
        dump = await it.scene.people.wait_for(lambda dump: bool(links(dump, "Ada")))
        async with browser("ada") as opened:
            assert "Connected" in (await opened.connect(links(dump, "Ada")[-1])).text
        it.scene.model.add(planned(fetch("mine", f"{it.api.url}/mine")))
        async with it.scene.asked("what is mine?") as observer:
            await observer.until(answered, "the answer")
            assert not waits(observer)
        assert dict(it.api.calls) == {"GET mine ada": 1}


async def test_a_subagent_goes_on_with_its_authors_account_and_asks_its_model_nothing_twice(
    database_url: URL, tmp_path: Path
) -> None:
    async with accounts_scene(database_url, tmp_path) as it:
        it.scene.model.add(planned(subagent("look", "researcher", f"Read {it.api.url}/mine")))
        asked = calls(call("calculate", expression="6 * 7"), call("http_get", url=f"{it.api.url}/mine"))
        it.scene.model.add(says("researcher", asked, lambda request: f"It says {told(request)[1]}"))
        async with it.scene.asked("look into it") as observer:
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
        assert len(it.scene.model.requests_of("researcher")) == 2
        assert dict(it.api.calls) == {"GET mine ada": 1}
        assert '"you":"ada"' in str(results_told(it.scene.model.requests_of("conclude")[-1])["look"])


MY_TOKEN = '''
from agent.tools.decorator import CallContext, tool


@tool(colour="green", account="example")
async def my_token(context: CallContext) -> int:
    """Return how long the token of whoever asks is."""
    return len(await context.token())
'''


async def test_a_tool_in_python_gets_the_token_of_who_asks(database_url: URL, tmp_path: Path) -> None:
    (file := tmp_path / "my_token.py").write_text(MY_TOKEN)

    def configure(table: dict[str, Any]) -> None:
        table["tools"]["paths"] = [str(file)]

    async with accounts_scene(database_url, tmp_path, configure) as it:
        it.scene.model.add(planned(tool("mine", "my_token", {})))
        async with it.scene.asked("how long is my token?") as observer:
            await it.connect(observer, "Ada", "ada")
            await observer.until(answered, "the answer")
        assert int(str(results_told(it.scene.model.requests_of("conclude")[-1])["mine"])) > 10


async def test_the_doctor_tries_each_provider_and_reads_the_keys(tmp_path: Path) -> None:
    async with oauth_provider("http://127.0.0.1:1/accounts/callback") as provider:
        table = TypeAdapter(AccountsSettings).validate_python({"example": provider.table()})
        assert [finding.state for finding in await account_findings(table, None, tmp_path)] == [State.OK, State.OK]
        wrong = await account_findings(table, "no key", tmp_path)
        assert [finding.state for finding in wrong] == [State.WRONG, State.OK]
    away = await account_findings(table, None, tmp_path)
    assert [finding.state for finding in away] == [State.OK, State.WRONG]
