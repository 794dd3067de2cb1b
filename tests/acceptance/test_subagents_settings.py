"""`[roles.NAME]` of the settings file takes effect on what reaches models over the wire, and on what people read."""

import asyncio
import tomllib
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL

from infra.dev.scripted_model.script import ModelRequest, Script, Stall
from infra.dev.scripted_model.server import MODEL_NAME
from tests.acceptance.app_fixture import app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows
from tests.acceptance.plans import ANSWERS, ENDS, planned, results_told
from tests.acceptance.roles import Said, call, calls, says, subagent, told


def _file(text: str) -> Callable[[dict[str, object]], None]:
    """Return a configuration that has these tables of a file besides."""

    def configured(table: dict[str, object]) -> None:
        table |= tomllib.loads(text)

    return configured


async def test_role_of_the_file_has_its_own_model_prompt_effort_and_tools(database_url: URL, tmp_path: Path) -> None:
    file = """
[roles.editor]
prompt = "You mend sentences."
model = "editors-own"
reasoning_effort = "high"
tools = ["calculate", "current_*", "slack_post_message"]
steps = 4

[roles.writer]
model = "writers-own"
"""
    scripts = [
        planned(subagent("mend", "editor", "Mend it"), subagent("note", "writer", "Write it")),
        says("editor", "Mended."),
        says("writer", "Written."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_file(file)) as scene,
        scene.asked("mend it") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        (edits,) = scene.model.requests_of("editor")
        assert (edits.model, edits.effort) == ("editors-own", "high")
        assert edits.system == "# Greenlight: editor\n\nYou mend sentences."
        assert {*edits.tools} == {"calculate", "current_time", "slack_post_message"}
        assert "You may answer 4 times" in edits.messages[1].text
        (writes,) = scene.model.requests_of("writer")
        assert (writes.model, writes.effort, writes.tools) == ("writers-own", "", ())
        others = {request.model for request in scene.model.requests if request.role not in ("editor", "writer")}
        assert others == {MODEL_NAME}


async def test_result_that_breaks_the_files_schema_is_refused_and_corrected(database_url: URL, tmp_path: Path) -> None:
    file = """
[roles.counter]
prompt = "You count."
[roles.counter.result_schema]
type = "object"
required = ["boats"]
additionalProperties = false
[roles.counter.result_schema.properties.boats]
type = "integer"
"""
    scripts = [
        planned(subagent("count", "counter", "Count the boats")),
        says("counter", {"boats": "seventeen"}, {"boats": 17}),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_file(file)) as scene,
        scene.asked("count them") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        first, second = scene.model.requests_of("counter")
        assert '"boats": {"type": "integer"}' in first.messages[1].text
        assert "That does not fit: /boats" in second.last
        assert results_told(scene.model.requests_of("conclude")[-1])["count"] == {"boats": 17}


async def test_last_of_the_files_steps_has_no_tools_and_ends_the_work(database_url: URL, tmp_path: Path) -> None:
    def goes_on_or_ends(request: ModelRequest) -> Said:
        return calls(call("calculate", expression="6 * 7")) if request.tools else f"After {len(told(request))} steps."

    scripts = [
        planned(subagent("look", "analyst", "Look")),
        says("analyst", goes_on_or_ends),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_file("[roles.analyst]\nsteps = 2\n")) as scene,
        scene.asked("look") as seen,
    ):
        await seen.until(answered_and_done, "the answer")
        first, last = scene.model.requests_of("analyst")
        assert "calculate" in first.tools
        assert last.tools == ()
        assert "This answer is your last one" in last.last
        assert results_told(scene.model.requests_of("conclude")[-1])["look"] == "After 1 steps."


async def test_run_of_a_subagent_that_is_out_of_the_files_seconds_is_told_in_words(
    database_url: URL, tmp_path: Path
) -> None:
    scripts = [
        planned(subagent("look", "analyst", "Look"), subagent("note", "writer", "Write")),
        Script(role="analyst", answer=Stall(after="Well, ")),
        says("writer", "A note."),
        ENDS,
        ANSWERS,
    ]
    async with (
        app_scene(database_url, tmp_path, scripts, configuration=_file("[roles.analyst]\nseconds = 1\n")) as scene,
        scene.asked("look") as seen,
    ):
        await seen.until(answered, "the answer")
        assert len(scene.model.requests_of("analyst")) == 1
        results = results_told(scene.model.requests_of("conclude")[-1])
        assert "it was not done within 1 seconds" in str(results["look"])
        assert results["note"] == "A note."
        assert seen.says("1 done, 1 failed", "failed: it took too long")


USED_UP = """
    UPDATE subagent_steps SET content = (content::jsonb || jsonb_build_object('seconds', 600))::json RETURNING node
"""


async def test_files_seconds_count_over_a_card_and_a_restart_without_the_time_that_people_take(
    database_url: URL, tmp_path: Path
) -> None:
    file = """
[roles.sender]
prompt = "You tell people things."
tools = ["slack_post_message", "calculate"]
seconds = 600
"""
    hello = calls(call("calculate", expression="6 * 7"), call("slack_post_message", channel="#incidents", text="Hello"))
    again = calls(call("slack_post_message", channel="#incidents", text="Hello again"))
    scripts = [
        planned(subagent("tell", "sender", "Tell #incidents")),
        says("sender", hello, again, "Never said."),
        ENDS,
        ANSWERS,
    ]
    spent = "SELECT max((content->>'seconds')::float) FROM subagent_steps"
    async with (
        app_scene(database_url, tmp_path, scripts, approvals={}, configuration=_file(file)) as scene,
        scene.asked("tell them") as seen,
    ):
        await seen.until(lambda seen: "Hello" in str([card.message for card in seen.cards()]), "the card")
        ((first,),) = await rows(database_url, spent)
        await scene.stop_app()
        await asyncio.sleep(2)  # people take their time
        await scene.start_app()
        began = asyncio.get_running_loop().time()
        assert await scene.click(seen, "Grace", "approved")
        await seen.until(lambda seen: "Hello again" in str([card.message for card in seen.cards()]), "the next card")
        took = asyncio.get_running_loop().time() - began
        ((second,),) = await rows(database_url, spent)
        assert 0 < first < second <= first + took
        await rows(database_url, USED_UP)
        assert await scene.click(seen, "Grace", "approved")
        await seen.until(answered, "the answer")
        assert "it was not done within 600 seconds of work" in str(
            results_told(scene.model.requests_of("conclude")[-1])["tell"]
        )
