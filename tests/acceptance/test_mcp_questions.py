"""MCP servers that ask people in the middle of a call: a card in the thread, answered once, also over a restart."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot.payloads import Form
from infra.dev.demo.thread_observer import ThreadObserver
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, leaks, states, whispers
from tests.acceptance.forms import open_form, picked, submit
from tests.acceptance.plans import ANSWERS, ENDS, fetch, planned, results_told, tool
from tests.mcp.http_server import SIGN_PAGE, http_server
from tests.mcp.servers import Table, hostile_server, pin


def cards_asking(seen: ThreadObserver) -> int:
    """Return how many open cards of tools that ask there are."""
    return sum("A tool asks you" in json.dumps(card.message) for card in seen.cards())


async def asked(scene: AppScene, observer: ThreadObserver, words: str) -> dict[str, Any]:
    """Return the form of the tool that asks this, as Ada opens it."""
    await observer.until(lambda seen: words in json.dumps([card.message for card in seen.cards()]), "the card")
    return await open_form(scene, observer, "Ada", Form.INPUT)


@pytest.mark.parametrize("colour", ["green", "red"])
async def test_a_server_that_asks_gets_its_answers_once_while_the_rest_goes_on_and_after_a_restart(
    colour: str, database_url: URL, tmp_path: Path
) -> None:
    async with http_server() as server:
        table: Table = {"url": server.url, "colours": {"adopt": colour}}
        await pin(tmp_path, {"pets": table}, {})
        async with app_scene(
            database_url, tmp_path, [ENDS, ANSWERS], configuration=lambda c: c.update(mcp={"pets": table})
        ) as scene:
            adopt = tool("adopt", "pets_adopt", {"text": "one"})
            scene.model.add(planned(adopt, fetch("aside", f"{scene.effects.url}/aside")))
            async with scene.asked("adopt a pet") as observer:
                if colour == "red":
                    await scene.click(observer, "Grace", "approved")
                form = await asked(scene, observer, "Which pet is it?")
                shown = json.dumps(observer.cards()[0].message, ensure_ascii=False)
                assert "pets" in shown
                assert "never enter a password" in shown
                assert "It wants to know: name, legs, kind" in shown
                await scene.effects.reached("aside")
                assert server.adopted == []
                assert "How it is called." in json.dumps(form["blocks"])
                await scene.stop_app()  # the question is a row: no process waits for it
                await scene.start_app()
                form = await asked(scene, observer, "Which pet is it?")
                kind = picked("1", form, "question-0-2")
                entered = {"question-0-0": "x", "question-0-1": "4", "question-0-2": kind}
                wrong = await submit(scene, "Ada", entered)
                assert list(wrong) == ["question-0-0"]
                assert await submit(scene, "Ada", {**entered, "question-0-0": "Rex"}) == {}
                form = await asked(scene, observer, SIGN_PAGE)
                card = json.dumps(observer.cards()[0].message)
                assert "pets.example" in card
                assert await submit(scene, "Ada", {"question-0-0": picked("visited", form, "question-0-0")}) == {}
                await observer.until(answered, "the answer")
                assert states(observer)["adopt"].startswith("complete")
                assert leaks(observer) == []
            told = results_told(scene.model.requests_of("conclude")[-1])
        assert told["adopt"] == "adopted"
        assert server.adopted == ["Rex"]
        pet = {"name": "Rex", "legs": 4, "kind": "dog"}
        assert server.answers == [
            {"pet": {"action": "accept", "content": pet}},
            {"sign": {"action": "accept"}},
        ]
        assert len([call for call in server.calls if call[0] == "adopt"]) == 3


async def test_only_who_asked_answers_and_a_declined_question_is_told(database_url: URL, tmp_path: Path) -> None:
    async with http_server() as server:
        table: Table = {"url": server.url, "colours": {"adopt": "green"}}
        await pin(tmp_path, {"pets": table}, {})
        async with app_scene(
            database_url, tmp_path, [ENDS, ANSWERS], configuration=lambda c: c.update(mcp={"pets": table})
        ) as scene:
            scene.model.add(planned(tool("adopt", "pets_adopt", {})))
            async with scene.asked("adopt a pet") as observer:
                await observer.until(lambda seen: cards_asking(seen) == 1, "the card")
                await scene.click(observer, "Grace", "declined")
                assert "Only the person who asked for this" in (await whispers(scene, "U0GRACE"))[-1]
                await scene.click(observer, "Ada", "declined")
                await observer.until(answered, "the answer")
                assert observer.says("Declined")
        assert server.answers == [{"pet": {"action": "decline"}}]
        assert server.adopted == []


async def test_a_server_that_asks_for_a_secret_gets_none_and_nobody_is_asked(database_url: URL, tmp_path: Path) -> None:
    async with http_server() as server:
        tables: dict[str, Table] = {
            "web": {"url": server.url, "trusted_hints": True},
            "old": hostile_server(tmp_path, trusted_hints=True),
        }
        await pin(tmp_path, tables, {})
        async with app_scene(
            database_url, tmp_path, [ENDS, ANSWERS], configuration=lambda c: c.update(mcp=tables)
        ) as scene:
            scene.model.add(planned(tool("new", "web_ask", {}), tool("old", "old_ask", {})))
            async with scene.asked("do it") as observer:
                await observer.until(answered, "the answer")
                assert cards_asking(observer) == 0
            told: Any = results_told(scene.model.requests_of("conclude")[-1])
        assert "looks like a secret" in told["new"]["message"]
        assert "looks like a secret" in told["old"]["message"]
        assert json.loads((tmp_path / "asked").read_text())["result"] == {"action": "decline"}
