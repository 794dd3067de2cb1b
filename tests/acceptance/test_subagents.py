"""Subagents over the wire: a role with its own model, tools and prompt does one step of a plan."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot import wording
from bot.payloads import Form
from infra.config.file import ConfigurationError
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, done, states
from tests.acceptance.forms import open_form, picked, submit
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told
from tests.acceptance.red_tools import Bank
from tests.acceptance.roles import Said, call, calls, says, subagent, told
from tests.acceptance.test_approvals_editing import edit
from tests.acceptance.test_budgets import go_on_until, questions

Configure = Callable[[dict[str, Any]], None]


def _roles(**roles: dict[str, Any]) -> Configure:
    def configured(table: dict[str, Any]) -> None:
        table["roles"] = roles

    return configured


SENDER = {"prompt": "You tell people things.", "tools": ["slack_post_message", "calculate"], "steps": 6}
"""A role with a red tool."""


def _state(seen: ThreadObserver, node: str) -> str:
    return states(seen).get(node, "")


@pytest.mark.parametrize("wire", ["chat", "responses"])
async def test_subagent_calls_tools_and_returns_its_artifact_to_the_plan(
    database_url: URL, tmp_path: Path, wire: str
) -> None:
    scripts = [
        planned(
            subagent("look", "researcher", "Find out how the service is"),
            subagent("note", "writer", "Write about ${look}", files=["${look}"]),
        ),
        says(
            "researcher",
            calls(call("calculate", expression="6 * 7"), call("current_time", zone="UTC")),
            lambda request: f"The figure is {told(request)[0]}.",
        ),
        says("writer", lambda request: f"Dear all. {request.messages[1].text.partition('File 1')[2].split('```')[1]}"),
        ENDS,
        ANSWERS,
    ]
    configured = _roles(researcher={"use_responses_api": wire == "responses"})
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=configured) as scene,
        scene.asked("how is it") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        asked = scene.model.requests_of("researcher")
        assert [request.api for request in asked] == ["responses" if wire == "responses" else "chat"] * 2
        assert {"calculate", "http_get"} <= {*asked[0].tools}
        results = results_told(scene.model.requests_of("conclude")[-1])
        assert results["look"].startswith('The figure is {"exact":true')
        assert results["note"].startswith("Dear all. \nThe figure is")
        assert seen.says("Title of look", "researcher · done", "Title of note", "writer · done")


async def test_plan_language_gives_work_to_a_role_by_its_name(database_url: URL, tmp_path: Path) -> None:
    plan = """
notes = researcher("Look it up")  # Look it up
review = critic(f"Is this true: {notes}?", files=[notes], expected_artifact="a verdict")  # Check it
if review.passes:
    note = writer("Tell it", inputs={"notes": notes})  # Tell it
"""
    scripts = [
        Script(role="planner", answer=plan, times=1),
        says("researcher", "It is so."),
        says("critic", {"passes": True, "faults": []}),
        says("writer", "So it is."),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("tell it") as seen:
        await seen.until(answered_and_done, "the answer")
        results = results_told(scene.model.requests_of("conclude")[-1])
        assert results["note"] == "So it is."
        assert "Is this true: It is so.?" in scene.model.requests_of("critic")[0].messages[1].text


async def test_red_call_of_a_subagent_is_a_card_of_its_own_while_the_rest_goes_on(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(
            subagent("tell", "sender", "Tell #incidents the figure"),
            subagent("note", "writer", "Write a note"),
        ),
        says(
            "sender",
            calls(
                call("calculate", expression="6 * 7"),
                call("slack_post_message", channel="#incidents", text="It is 42"),
            ),
            lambda request: f"Told them: {told(request)[-1][:30]}",
        ),
        says("writer", "A note."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_roles(sender=SENDER)) as scene,
        scene.asked("tell them") as seen,
    ):
        await seen.until(lambda seen: bool(seen.cards()) and "done" in _state(seen, "note"), "card and the other's end")
        await seen.until(lambda seen: "waiting for decisions" in _state(seen, "tell"), "what it waits for")
        before = len(scene.model.requests_of("sender"))
        assert before == 1
        await scene.stop_app()  # a restart while a person thinks
        await scene.start_app()
        assert await scene.click(seen, "Grace", "approved")
        await seen.until(answered_and_done, "the answer")
        assert len(scene.model.requests_of("sender")) == 2, "the first answer came from the journal"
        assert told(scene.model.requests_of("sender")[1])[0].startswith('{"exact":true')
        posted = [message["text"] for message in await scene.people.messages("incidents")]
        assert posted.count("It is 42") == 1
        assert results_told(scene.model.requests_of("conclude")[-1])["tell"].startswith("Told them: {")


async def test_rejected_call_is_told_to_the_subagent_with_the_persons_reason(database_url: URL, tmp_path: Path) -> None:
    reason = "nobody reads that channel, ask #ops"
    scripts = [
        planned(subagent("tell", "sender", "Tell #incidents")),
        says(
            "sender",
            calls(
                call("calculate", expression="6 * 7"),
                call("slack_post_message", channel="#incidents", text="Hello"),
            ),
            calls(call("calculate", expression="6 * 8")),
            lambda request: f"I was told: {told(request)[1]}",
        ),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_roles(sender=SENDER)) as scene,
        scene.asked("tell them") as seen,
    ):
        await seen.until(lambda seen: bool(seen.cards()), "the card")
        view = await open_form(scene, seen, "Grace", Form.COMMENT)
        chosen = picked("rejected", view, "decision")
        assert await submit(scene, "Grace", {"decision": chosen, "words": reason}) == {}
        await seen.until(answered_and_done, "the answer")
        _, second, third = scene.model.requests_of("sender")
        rejected = f"a person rejected this call: {reason}"
        assert told(second)[1] == told(third)[1] == rejected
        assert told(third)[2].startswith('{"exact":true'), "it goes on"
        assert results_told(scene.model.requests_of("conclude")[-1])["tell"] == f"I was told: {rejected}"
        assert not await scene.people.messages("incidents")


async def _nobody_decides(_scene: AppScene, _seen: ThreadObserver) -> None:
    """Leave the card alone until it has expired."""


async def _edited(scene: AppScene, seen: ThreadObserver) -> None:
    """Change what is posted, which approves it."""
    await seen.until(lambda seen: bool(seen.cards()), "the card")
    assert await edit(scene, seen, "Grace", text="Good evening") == {}


async def _taken_back(scene: AppScene, seen: ThreadObserver) -> None:
    await seen.until(lambda seen: bool(seen.cards()), "the card")
    await scene.people.post("Ada", seen.channel, "forget the message", thread_ts=seen.thread_ts)


ENDS_OF_A_CARD: dict[str, tuple[Callable[[AppScene, ThreadObserver], Awaitable[None]], str, list[str]]] = {
    "expired": (_nobody_decides, "slack_post_message: expired: nobody decided in time", []),
    "edited": (_edited, '{"channel":"C0INCIDENTS","ts":', ["Good evening"]),
    "taken back": (_taken_back, "slack_post_message: cancelled: not needed", []),
}


@pytest.mark.parametrize("case", ENDS_OF_A_CARD)
async def test_subagent_is_told_how_its_card_ended_and_goes_on(database_url: URL, tmp_path: Path, case: str) -> None:
    ends, words, posted = ENDS_OF_A_CARD[case]

    def configured(table: dict[str, Any]) -> None:
        table["roles"] = {"sender": SENDER}
        if case == "expired":
            table["limits"] = {"approval_hours": 3 / 3600}
            table["worker"] = {"sweep": 0.2}

    scripts = [
        planned(subagent("tell", "sender", "Tell #incidents")),
        planned({"op": "cancel", "id": "tell-0", "why": "not needed"}, contains="forget the message"),
        says("sender", calls(call("slack_post_message", channel="#incidents", text="Hello")), _tells_the_last),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=configured) as scene,
        scene.asked("tell them") as seen,
    ):
        await ends(scene, seen)
        await seen.until(answered, "the answer")
        assert len(scene.model.requests_of("sender")) == 2
        assert words in told(scene.model.requests_of("sender")[-1])[0]
        assert words in str(results_told(scene.model.requests_of("conclude")[-1])["tell"])
        assert [message["text"] for message in await scene.people.messages("incidents")] == posted


async def test_subagent_is_told_which_arguments_a_person_changed_but_no_confidential_one(
    database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    scripts = [
        planned(subagent("pay", "payer", "Pay Bob")),
        says("payer", calls(call("pay", to="Bob", pin="1234")), _tells_the_last),
        ENDS,
        ANSWERS,
    ]
    payer = {"prompt": "You pay.", "tools": ["pay"]}
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_roles(payer=payer)) as scene,
        scene.asked("pay him") as seen,
    ):
        await seen.until(lambda seen: bool(seen.cards()), "the card")
        assert await edit(scene, seen, "Grace", to="Alice") == {}
        await seen.until(answered_and_done, "the answer")
        assert bank.paid == [{"to": "Alice", "pin": "1234"}]
        changed = 'It ran with: {"pin":"(confidential)","to":"Alice"}'
        assert told(scene.model.requests_of("payer")[-1]) == [
            f"paid\n\nA person changed the arguments of this call before it ran. {changed}"
        ]


async def test_subagent_whose_call_ran_as_it_wrote_it_is_told_of_no_change(
    database_url: URL, tmp_path: Path, bank: Bank
) -> None:
    scripts = [
        planned(subagent("pay", "payer", "Pay Bob")),
        says("payer", calls(call("pay", to="Bob", pin="1234")), _tells_the_last),
        ENDS,
        ANSWERS,
    ]
    payer = {"prompt": "You pay.", "tools": ["pay"]}
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_roles(payer=payer)) as scene,
        scene.asked("pay him") as seen,
    ):
        assert await scene.click(seen, "Grace", "approved")
        await seen.until(answered_and_done, "the answer")
        assert bank.paid == [{"to": "Bob", "pin": "1234"}]
        assert told(scene.model.requests_of("payer")[-1]) == ["paid"]


LEAD = {"prompt": "You lead a team.", "lead": True, "roles": ["writer", "analyst"], "steps": 5}


async def test_lead_hands_out_work_that_becomes_nodes_below_it(database_url: URL, tmp_path: Path) -> None:
    def hands_out(request: ModelRequest) -> Said:
        assert "hand_out" in request.tools
        return calls(
            call("hand_out", role="analyst", instruction="Count to one"),
            call("hand_out", role="writer", instruction="Write a ${line}", inputs={"tone": "calm"}),
        )

    scripts = [
        planned(subagent("lead", "chief", "Make a report")),
        says("chief", hands_out, lambda request: " / ".join(told(request))),
        says("analyst", "One."),
        says("writer", "A calm line."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_roles(chief=LEAD)) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        results = results_told(scene.model.requests_of("conclude")[-1])
        assert results["lead"] == "analyst returned:\nOne. / writer returned:\nA calm line."
        assert {"lead-0", "lead-1"} <= results.keys()
        assert all("hand_out" not in request.tools for request in scene.model.requests_of("writer"))
        assert "Write a ${line}" in scene.model.requests_of("writer")[0].messages[1].text


@pytest.mark.parametrize("why", ["the plan asks first", "its instruction names a strange host"])
async def test_lead_that_a_person_let_begin_hands_out_work_and_asks_again_about_red_calls(
    database_url: URL, tmp_path: Path, why: str
) -> None:
    asks = why == "the plan asks first"
    given: dict[str, Json] = {"require_human_approval": True} if asks else {}
    text = "Make a report" if asks else "Make a report on https://strange.example/page"
    lead = {**LEAD, "tools": ["slack_post_message"] if asks else ["slack_post_message", "http_get"]}
    scripts = [
        planned(subagent("lead", "chief", text, **given)),
        says(
            "chief",
            calls(
                call("hand_out", role="writer", instruction="Write a line"),
                call("slack_post_message", channel="#incidents", text="We are at it"),
            ),
            calls(call("hand_out", role="writer", instruction="Write another line")),
            lambda request: " / ".join(told(request)),
        ),
        says("writer", "A line."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_roles(chief=lead)) as scene,
        scene.asked("a report") as seen,
    ):
        await seen.until(lambda seen: bool(seen.cards()), "the card")
        assert not scene.model.requests_of("chief")
        assert await scene.click(seen, "Grace", "approved")
        await seen.until(lambda seen: "We are at it" in str([card.message for card in seen.cards()]), "its call's card")
        await scene.stop_app()  # a restart while a person thinks: the yes stays good, and nothing is asked for twice
        await scene.start_app()
        assert len(scene.model.requests_of("chief")) == 1
        assert await scene.click(seen, "Grace", "approved")
        await seen.until(answered_and_done, "the answer")
        told_of_it = str(results_told(scene.model.requests_of("conclude")[-1])["lead"])
        assert told_of_it.startswith("writer returned:\nA line. / {")
        assert told_of_it.endswith("/ writer returned:\nA line.")
        assert len(scene.model.requests_of("writer")) == 2
        posted = [message["text"] for message in await scene.people.messages("incidents")]
        assert posted.count("We are at it") == 1


async def test_role_with_a_tool_that_does_not_exist_is_refused_at_the_start(database_url: URL, tmp_path: Path) -> None:
    configured = _roles(sender={**SENDER, "tools": ["no_such_tool"]})
    with pytest.raises(ConfigurationError, match=r"roles\.sender\.tools: there is no tool no_such_tool"):
        async with app_scene(database_url, tmp_path, [], configuration=configured):
            pass


def _repeats(request: ModelRequest) -> Said:
    """Return what its tool told it."""
    return told(request)[0]


def _tells_the_last(request: ModelRequest) -> Said:
    return told(request)[-1]


MISBEHAVES: dict[str, tuple[list[Any], str]] = {
    "loops": ([calls(call("calculate", expression="1"))], "came to no result in 3 steps"),
    "floods": ([calls(*[call("calculate", expression="1")] * 40), _tells_the_last], "was not made"),
    "unknown tool": ([calls(call("rm_rf", path="/")), _repeats], "there is no tool 'rm_rf'"),
    "gives up": (["CANNOT: nobody told me where"], "nobody told me where"),
    "bad arguments": ([calls(call("calculate", wrong=1)), _repeats], "bad_arguments"),
}


@pytest.mark.parametrize("case", MISBEHAVES)
async def test_model_that_misbehaves_ends_its_own_step_in_words(database_url: URL, tmp_path: Path, case: str) -> None:
    answers, words = MISBEHAVES[case]
    scripts = [planned(subagent("look", "analyst", "Look")), says("analyst", *answers), ENDS, ANSWERS]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_roles(analyst={"steps": 3})) as scene,
        scene.asked("look") as seen,
    ):
        await seen.until(answered, "the answer")
        assert len(scene.model.requests_of("analyst")) <= 3
        assert words in str(results_told(_last(scene.model.requests))["look"])


def _last(requests: list[ModelRequest]) -> ModelRequest:
    return [request for request in requests if request.role in ("conclude", "answer", "replan")][-1]


@pytest.mark.parametrize("mends", [True, False])
async def test_result_that_breaks_its_schema_is_asked_for_once_more(
    database_url: URL, tmp_path: Path, mends: bool
) -> None:
    second: Said = {"passes": False, "faults": []} if mends else '{"passes": "perhaps"}'
    scripts = [
        planned(subagent("check", "critic", "Check it")),
        says("critic", "It is fine, I think.", second),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("check") as seen:
        await seen.until(answered, "the answer")
        assert len(scene.model.requests_of("critic")) == 2
        assert "That does not fit: it is not JSON" in scene.model.requests_of("critic")[1].last
        result = results_told(_last(scene.model.requests))["check"]
        assert result == {"passes": False, "faults": []} if mends else "does not fit, twice" in str(result)


async def test_stop_ends_a_subagent_in_the_middle_of_its_models_answer(database_url: URL, tmp_path: Path) -> None:
    scripts = [planned(subagent("look", "writer", "Write")), says("writer", Stall(after="Well, ")), ENDS, ANSWERS]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("write") as seen:
        await seen.until(lambda seen: "step 1 of 8" in _state(seen, "look"), "its first step")
        await scene.people.post("Ada", seen.channel, "!stop", thread_ts=seen.thread_ts)
        await seen.until(done, "the stop")
        assert len(scene.model.requests_of("writer")) == 1


async def test_card_says_which_arguments_a_subagent_wrote_that_had_read_outside_text(
    database_url: URL, tmp_path: Path
) -> None:
    def fetches(request: ModelRequest) -> Said:
        return calls(call("http_get", url=f"{url}/page"))

    scripts = [
        planned(subagent("tell", "sender", "Read the page and tell #incidents")),
        says(
            "sender",
            fetches,
            calls(call("slack_post_message", channel="#incidents", text="Hello")),
            "Done.",
        ),
        ENDS,
        ANSWERS,
    ]
    role = {**SENDER, "tools": ["slack_post_message", "http_get"]}
    async with app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_roles(sender=role)) as scene:
        url = scene.effects.url
        async with scene.asked("tell them") as seen:
            await seen.until(lambda seen: bool(seen.cards()), "the card")
            words = str(seen.cards()[0].message)
            assert "*Careful:* *text* holds text from outside: “Title of tell”" in words


async def test_details_show_the_steps_of_a_subagent_and_the_answer_shows_none(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(subagent("look", "analyst", "Look")),
        says("analyst", calls(call("calculate", expression="6 * 7")), "It is so."),
        ENDS,
        ANSWERS,
    ]
    async with app_scene(database_url, tmp_path, scripts) as scene, scene.asked("look") as seen:
        await seen.until(answered_and_done, "the answer")
        assert all("6 * 7" not in request.last for request in scene.model.requests_of("conclude"))
        board = seen.boards()[-1].message
        await scene.people.act("click", user="Ada", channel="ops", ts=str(board["ts"]), action_id="script_details_0")
        dump = await scene.people.wait_for(lambda dump: "calculate returned" in str(dump["views"]))
        words = str(dump["views"])
        assert wording.ITS_STEPS in words
        assert "2. It is so." in words


async def test_budget_holds_a_subagent_back_and_goes_on_from_its_journal(database_url: URL, tmp_path: Path) -> None:
    def bounded(table: dict[str, Any]) -> None:
        table["budgets"] = {"run": {"model_calls": 2}}

    scripts = [
        planned(subagent("look", "analyst", "Look")),
        says("analyst", calls(call("calculate", expression="6 * 7")), "It is so."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=bounded) as scene,
        scene.asked("look") as seen,
    ):
        await seen.until(lambda seen: bool(questions(seen)), "the question")
        assert len(scene.model.requests_of("analyst")) == 1
        await scene.stop_app()
        await scene.start_app()
        await go_on_until(scene, seen, answered_and_done)
        assert len(scene.model.requests_of("analyst")) == 2


async def test_subagent_has_no_tool_that_the_person_may_not_use_here(database_url: URL, tmp_path: Path) -> None:
    def allowed(table: dict[str, Any]) -> None:
        table["channels"] = {"C0OPS": {"tools": ["calculate"]}}

    scripts = [
        planned(subagent("look", "analyst", "Look")),
        says("analyst", calls(call("current_time", zone="UTC")), lambda request: told(request)[0]),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=allowed) as scene,
        scene.asked("look") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        own_files = {"files_write", "files_read", "files_grep"}
        assert {*scene.model.requests_of("analyst")[0].tools} == {"calculate"} | own_files
        assert "there is no tool 'current_time'" in results_told(scene.model.requests_of("conclude")[-1])["look"]
