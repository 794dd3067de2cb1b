"""Personal data stay with the tools and the people: models read masks, which become the data again on their way out."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import URL

from infra.config.file import ConfigurationError, parse_configuration
from infra.dev.scripted_model.script import ModelRequest, Script
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, rows, states
from tests.acceptance.plans import ANSWERS, ENDS, concludes, fetch, package, planned, results_told, tool
from tests.acceptance.roles import call, calls, says, subagent

ADA, GRACE = "ada.lovelace@example.com", "grace@navy.example"
PHONE, IBAN, CARD, CODE = "+49 30 901820", "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111", "E12345"
PLANTED = (ADA, GRACE, PHONE, IBAN, CARD, CODE)
EVERYTHING: Mapping[str, Any] = {
    "mask": ["email", "phone", "iban", "card", "ip"],
    "patterns": {"employee": "E[0-9]{5}"},
}


class Customers:
    """A service that knows people, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.url = ""
        self.body: object = {"people": [{"mail": ADA, "phone": PHONE, "iban": IBAN}, {"mail": GRACE, "card": CARD}]}

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Customers"]:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/people", self._people)
        app.router.add_route("*", "/tell", self._tell)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _people(self, _request: web.Request) -> web.Response:
        return web.json_response(self.body)

    async def _tell(self, request: web.Request) -> web.Response:
        self.told.append(f"{request.query_string} {await request.text()}".strip())
        return web.json_response({"taken": len(self.told)})


@asynccontextmanager
async def privacy_scene(
    url: URL, data: Path, scripts: list[Script], privacy: Mapping[str, Any] = EVERYTHING, sandbox: str = "monty"
) -> AsyncGenerator[tuple[AppScene, Customers]]:
    """Open a scene with the service; what models may not read is masked."""
    customers = Customers()
    async with customers.serving():

        def configured(table: dict[str, object]) -> None:
            known = {"customers": customers.url}
            table["tools"] = {
                "http_get": {"known": known, "allow_private": True},
                "http_request": {"known": known, "allow_private": True},
            }
            table["approvals"] = {"http_request": {"self_approval": False}}
            table["privacy"] = privacy

        async with app_scene(url, data, scripts, configuration=configured, sandbox=sandbox) as scene:
            yield scene, customers


def read(scene: AppScene) -> str:
    """Return everything that models were sent."""
    return "\n".join(message.text for request in scene.model.requests for message in request.messages)


def leaked(scene: AppScene) -> list[str]:
    """Return the planted data that a model read, as it is or with its JSON escapes."""
    text = read(scene)
    return [datum for datum in PLANTED if datum in text or json.dumps(datum)[1:-1] in text]


def tells(text: str) -> Callable[[ModelRequest], str]:
    return lambda _: text


async def test_no_model_reads_a_datum_while_tools_and_people_get_it_as_it_is(database_url: URL, tmp_path: Path) -> None:
    answer = concludes("[email 1] has [phone 1] and [iban 1], \\[email 2\\] has [card 1]. [Employee 1] asked.")
    async with privacy_scene(database_url, tmp_path, [ENDS, answer]) as (scene, customers):
        people = fetch("people", f"{customers.url}/people")
        tell = tool(
            "tell",
            "http_request",
            {
                "method": "POST",
                "url": f"{customers.url}/tell",
                "text": "${people#/body/people/0/mail} [email 1] [employee 1]",
            },
        )
        scene.model.add(planned(people, tell))
        async with scene.asked(f"who is {GRACE}? {CODE} wants to know") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            card = json.dumps(observer.cards()[0].message, ensure_ascii=False)
            assert f"{ADA} {GRACE} {CODE}" in card
            assert "[email" not in card
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: seen.says(CARD), "the answer")
            assert observer.says(GRACE, PHONE, IBAN, ADA, CARD, CODE)
        assert customers.told == [f"{ADA} {GRACE} {CODE}"]
        assert leaked(scene) == []
        told = results_told(scene.model.requests_of("conclude")[-1])
        people_told = told["people"]["body"]["people"]
        assert [sorted(person.values()) for person in people_told] == [
            ["[email 2]", "[iban 1]", "[phone 1]"],
            ["[card 1]", "[email 1]"],
        ]
        stored = await rows(database_url, "SELECT kind, digest, number FROM masks")
        assert sorted((kind, number) for kind, _, number in stored) == [
            ("card", 1),
            ("email", 1),
            ("email", 2),
            ("employee", 1),
            ("iban", 1),
            ("phone", 1),
        ]
        assert not any(datum in str(stored) for datum in PLANTED)


async def test_masks_stay_the_same_in_later_turns_and_after_a_restart(database_url: URL, tmp_path: Path) -> None:
    async with privacy_scene(database_url, tmp_path, [ENDS, concludes("[email 1] and [email 2]")]) as (
        scene,
        customers,
    ):
        people = fetch("people", f"{customers.url}/people")
        scene.model.add(planned(people, contains="first"))
        scene.model.add(planned({"op": "reply", "text": "That is [email 2]"}, contains="second"))
        async with scene.asked("first") as observer:
            await observer.until(lambda seen: seen.says(GRACE), "the answer")
            await scene.stop_app()
            await scene.start_app()
            await scene.people.post("Ada", "ops", "@Greenlight second", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("That is", GRACE), "the reply")
        past = scene.model.requests_of("planner")[-1]
        assert "[email 1] and [email 2]" in "\n".join(message.text for message in past.messages)
        assert leaked(scene) == []


async def test_a_mask_that_the_model_was_not_shown_is_a_fault_and_a_person_who_types_one_gets_no_datum(
    database_url: URL, tmp_path: Path
) -> None:
    async with privacy_scene(database_url, tmp_path, [ENDS, ANSWERS]) as (scene, customers):
        bad = fetch("bad", f"{customers.url}/tell?who=[email 7]")
        scene.model.add(planned(fetch("good", f"{customers.url}/tell?x=1"), contains="## Faults"))
        scene.model.add(planned(bad, contains="tell"))
        async with scene.asked("tell [email 7] something") as observer:
            await observer.until(answered, "the answer")
            assert set(states(observer)) == {"good"}
        assert customers.told == ["x=1"]
        [first, second] = scene.model.requests_of("planner")
        assert "(email 7)" in first.messages[-1].text
        assert "unknown_mask" in second.messages[-1].text


async def test_scripts_get_the_data_and_the_model_that_repairs_them_reads_masks(
    database_url: URL, tmp_path: Path
) -> None:
    crash = "def main(inputs):\n    mail = inputs['people'][0]['mail']\n    raise ValueError('no such mail: ' + mail)\n"
    fixed = "```python\ndef main(inputs):\n    return {'mail': inputs['people'][0]['mail'], 'same': '[email 1]'}\n```"
    scripts = [ENDS, ANSWERS, Script(role="repair", answer=fixed)]
    async with privacy_scene(database_url, tmp_path, scripts) as (scene, customers):
        work = package("work", crash, inputs={"people": "${people#/body/people}"})
        scene.model.add(planned(fetch("people", f"{customers.url}/people"), work))
        async with scene.asked("work") as observer:
            await observer.until(lambda seen: seen.says("ANSWER", ADA), "the answer")
        [repair] = scene.model.requests_of("repair")
        assert "no such mail: [email 1]" in repair.messages[-1].text
        assert leaked(scene) == []
        [(value,)] = await rows(database_url, "SELECT outcome -> 'value' FROM nodes WHERE node = 'work'")
        assert value == {"mail": ADA, "same": ADA}


async def test_a_role_reads_masks_and_its_calls_and_its_artifact_are_real(database_url: URL, tmp_path: Path) -> None:
    scripts = [
        ENDS,
        ANSWERS,
        says(
            "researcher",
            lambda _: calls(call("http_get", url=f"{where[0]}/tell?who=[email 9]")),
            lambda _: calls(call("http_get", url=f"{where[0]}/tell?who=[email 1]")),
            "I told [email 1].",
        ),
    ]
    where: list[str] = []
    async with privacy_scene(database_url, tmp_path, scripts) as (scene, customers):
        where.append(customers.url)
        people = fetch("people", f"{customers.url}/people")
        scene.model.add(planned(people, subagent("look", "researcher", "Tell ${people#/body/people/0/mail}")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: seen.says("ANSWER", f"I told {ADA}."), "the answer")
        assert customers.told == [f"who={ADA}"]
        assert "[email 9] stands for nothing here" in read(scene) or "(email 9) stands for nothing here" in read(scene)
        assert leaked(scene) == []


async def test_where_tools_are_named_only_what_their_results_hold_is_masked_wherever_it_stands(
    database_url: URL, tmp_path: Path
) -> None:
    privacy = {"mask": ["email"], "tools": ["http_get"]}
    async with privacy_scene(database_url, tmp_path, [ENDS, ANSWERS], privacy) as (scene, customers):
        code = "def main(inputs):\n    return 'first: ' + inputs['people'][0]['mail']\n"
        work = package("work", code, inputs={"people": "${people#/body/people}"})
        scene.model.add(planned(fetch("people", f"{customers.url}/people"), work))
        async with scene.asked("who? linus@example.org asks") as observer:
            await observer.until(lambda seen: seen.says("ANSWER", ADA), "the answer")
        assert "linus@example.org" in read(scene)
        told = results_told(scene.model.requests_of("conclude")[-1])
        assert told["work"].startswith("first: [email ")
        assert not {ADA, GRACE} & set(leaked(scene))


async def test_a_huge_and_hostile_result_is_masked_and_the_run_ends(database_url: URL, tmp_path: Path) -> None:
    async with privacy_scene(database_url, tmp_path, [ENDS, ANSWERS]) as (scene, customers):
        customers.body = {"log": f"{ADA} " + "+1 1 1 1 a@b. DE12 [email 1] \\n" * 20_000 + f" {GRACE}"}
        scene.model.add(planned(fetch("people", f"{customers.url}/people")))
        async with scene.asked("read it") as observer:
            await observer.until(answered, "the answer")
        assert leaked(scene) == []


async def test_without_settings_models_read_everything_and_nothing_is_stored(database_url: URL, tmp_path: Path) -> None:
    async with privacy_scene(database_url, tmp_path, [ENDS, ANSWERS], {}) as (scene, customers):
        scene.model.add(planned(fetch("people", f"{customers.url}/people")))
        async with scene.asked("who?") as observer:
            await observer.until(answered, "the answer")
        assert {ADA, GRACE, PHONE} <= set(leaked(scene))
        assert await rows(database_url, "SELECT * FROM masks") == []


@pytest.mark.parametrize(
    ("privacy", "words"),
    [
        ({"mask": ["names"]}, "privacy.mask"),
        ({"patterns": {"email": "x"}}, "'email' is no name for a kind"),
        ({"patterns": {"Odd name": "x"}}, "is no name for a kind"),
        ({"patterns": {"odd": "(?=x)"}}, "patterns.odd: no pattern of RE2"),
        ({"patterns": {"odd": "x*"}}, "patterns.odd: it matches the empty text"),
        ({"mask": ["phone"], "region": "Germany"}, "no telephone numbers of 'Germany'"),
        ({"tools": ["http_get"]}, "mask or patterns is needed"),
        ({"mask": ["email"], "tools": ["http_gett"]}, "no tool is called 'http_gett'"),
    ],
    ids=["kind", "taken", "name", "lookahead", "empty", "region", "nothing", "tool"],
)
def test_settings_that_would_not_mask_what_they_say_are_refused(privacy: Mapping[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_configuration({"privacy": privacy}, "the test")
