"""Slack's own tools in real runs: what is found with the asker's rights, and what is changed, asked about and undone.

test_tools.py has those that read a channel and make one.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from bot import wording
from infra.dev.demo.thread_observer import ThreadObserver
from sandbox.script import Json
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, states
from tests.acceptance.clicks import open_calls
from tests.acceptance.plans import ANSWERS, ENDS, package, planned, post, results_told, tool
from tests.acceptance.stored_text import stored
from tests.acceptance.undo_steps import approve_all, finished, lines, reports, say

CHANNEL = "partners"
"""Ada, Grace and the app are in it, and a person of another organisation; Linus is not."""

ROWS = 20_000
"""Of a table that no card can show."""

PLACE: Mapping[str, Json] = {"channel": "${told#/channel}", "ts": "${told#/ts}"}

CHANGES: Mapping[str, Sequence[Mapping[str, Json]]] = {
    "update": [
        tool("change", "slack_update_message", {**PLACE, "text": "It is over & done <https://example.com|here>"})
    ],
    "update twice": [
        tool("change", "slack_update_message", {**PLACE, "text": "It is nearly over"}),
        tool("again", "slack_update_message", {**PLACE, "text": "It is over"}, depends_on=["change"]),
    ],
    "pin": [tool("pin", "slack_pin_message", PLACE)],
    "pin and unpin": [
        tool("pin", "slack_pin_message", PLACE),
        tool("unpin", "slack_unpin_message", PLACE, depends_on=["pin"]),
    ],
    "topic": [tool("topic", "slack_set_topic", {"channel": f"#{CHANNEL}", "topic": "Down & out ${told#/ts}"})],
    "invite": [tool("invite", "slack_invite_to_channel", {"channel": f"#{CHANNEL}", "users": ["U0LINUS", "U0GRACE"]})],
    "upload": [
        tool(
            "file",
            "slack_upload_file",
            {"channel": f"#{CHANNEL}", "name": "note.txt", "content": "It began."},
        )
    ],
    "upload into a thread": [
        tool(
            "file",
            "slack_upload_file",
            {"channel": f"#{CHANNEL}", "thread_ts": "${told#/ts}", "name": "note.json", "content": "${told}"},
        )
    ],
}
"""Steps behind `told`, which posts to the channel."""


def world(scene: AppScene) -> Mapping[str, Any]:
    """Return what people see of the channel: members, topic, messages with what is pinned, and files."""
    team = scene.workspace.backend.team
    (channel,) = [one for one in team.channels.values() if one.name == CHANNEL]
    return {
        "members": sorted(channel.members),
        "topic": channel.topic,
        "messages": [
            (message.text, bool(message.pinned_by), [file.get("name") for file in message.files])
            for message in channel.messages.values()
            if message.bot_id
        ],
        "files": sorted(file.name for file in team.files.values() if file.shared),
    }


def answered_twice(seen: ThreadObserver) -> bool:
    """Return whether the thread's second turn is over, too."""
    words = seen.words()
    return sum("ANSWER" in one for one in words) == 2 and sum(one.startswith("Done") for one in words) == 2


def told(scene: AppScene) -> str:
    return json.dumps(results_told(scene.model.requests_of("conclude")[-1]))


@pytest.mark.parametrize("change", CHANGES)
async def test_what_slacks_tools_change_waits_for_a_yes_and_is_undone_and_made_again(
    database_url: URL, tmp_path: Path, change: str
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(post("told", "It began.", channel=f"#{CHANNEL}"), contains="tell them"))
        async with scene.asked("tell them") as observer:
            await approve_all(scene, observer, answered)
            before = world(scene)
            scene.model.add(planned(*CHANGES[change], contains="change it"))
            await say(scene, observer, "change it")
            await observer.until(lambda seen: bool(open_calls(seen)), "the card")
            assert world(scene) == before
            await approve_all(scene, observer, answered_twice)
            after = world(scene)
            assert (after == before) == (change == "pin and unpin")
            titles = {f"Title of {step['id']}": "" for step in CHANGES[change]}
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(1))
            assert lines(reports(observer)[0]) == titles
            assert world(scene) == before
            if change.startswith("upload"):
                return
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(2))
            assert world(scene) == after


async def test_undo_overwrites_no_topic_that_a_person_set_since(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(tool("topic", "slack_set_topic", {"channel": "#ops", "topic": "An outage"})))
        async with scene.asked("say so above") as observer:
            await approve_all(scene, observer, answered)
            channel = scene.workspace.backend.team.channels["C0OPS"]
            assert channel.topic == "An outage"
            channel.topic = "Grace's own"
            await say(scene, observer, "!undo")
            await approve_all(scene, observer, finished(1))
            assert lines(reports(observer)[0]) == {"Title of topic": wording.failure("changed_since")}
            assert channel.topic == "Grace's own"


async def test_what_cannot_be_changed_is_refused_before_anybody_is_asked(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        grace = await scene.people.post("Grace", "ops", "words of my own")
        place: Mapping[str, Json] = {"channel": "#ops", "ts": grace}
        refused: Mapping[str, tuple[str, Mapping[str, Json]]] = {
            "cant_update_message": ("slack_update_message", {**place, "text": "words of others"}),
            "no_pin": ("slack_unpin_message", place),
            "message_not_found": ("slack_pin_message", {"channel": "#ops", "ts": "1.000001"}),
            "not_in_channel": ("slack_set_topic", {"channel": "#finance", "topic": "ours"}),
            "already_in_channel": ("slack_invite_to_channel", {"channel": "#ops", "users": ["U0GRACE"]}),
            "user_not_found": ("slack_invite_to_channel", {"channel": "#ops", "users": ["U0OTHER"]}),
            "not_invited": ("slack_remove_from_channel", {"channel": "#ops", "users": ["U0LINUS"]}),
            "file_not_found": ("slack_delete_file", {"channel": "#ops", "file": "F0NOBODYS"}),
            "not_allowed": ("slack_upload_file", {"channel": "#leads", "name": "a.txt", "content": "text"}),
            "empty_file": ("slack_upload_file", {"channel": "#ops", "name": "a.txt", "content": ""}),
        }
        scene.model.add(planned(*(tool(code, name, args) for code, (name, args) in refused.items())))
        async with scene.asked("change all that", by="Linus") as observer:
            await observer.until(answered, "the answer")
            assert open_calls(observer) == []
            shown = states(observer)
            for code in refused:
                assert wording.failure(code).lower() in shown[code]
        results = results_told(scene.model.requests_of("conclude")[-1])
        assert {code: results[code]["error"] for code in refused} == {code: code for code in refused}


async def test_a_thread_is_read_page_by_page_by_those_who_may(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        root = await scene.people.post("Grace", "leads", "numbers for the leads")
        for number in range(5):
            await scene.people.post("Ada", "leads", f"reply {number}", thread_ts=root)
        place: Mapping[str, Json] = {"channel": "#leads", "ts": root, "limit": 3}
        first = tool("first", "slack_read_thread", place)
        rest = tool("rest", "slack_read_thread", {**place, "after": "${first#/next}"})
        scene.model.add(planned(first, rest))
        async with scene.asked("read it") as observer:
            await observer.until(answered, "the answer")
        read = results_told(scene.model.requests_of("conclude")[-1])
        assert [one["text"] for one in read["first"]["messages"]] == ["numbers for the leads", "reply 0", "reply 1"]
        assert [one["text"] for one in read["rest"]["messages"]] == ["reply 2", "reply 3", "reply 4"]
        assert "next" not in read["rest"]
        scene.model.add(planned(first))
        async with scene.asked("read it", by="Linus") as observer:
            await observer.until(answered, "the answer")
        assert "not_allowed" in told(scene)
        assert "numbers" not in told(scene)


SEARCH = tool("search", "slack_search", {"query": "pear launch"})


async def test_a_search_finds_what_the_person_may_read_and_nothing_of_a_private_channel(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await scene.people.post("Grace", "leads", "the pear launch is off, tell nobody")
        await scene.people.post("Grace", "finance", "the Pear launch costs <12 & more, says @Ada")
        await scene.people.post("Ada", "ops", "the launch of the apple")
        for by in ("Ada", "Linus"):
            scene.model.add(planned(SEARCH))
            async with scene.asked("look for it", by=by) as observer:
                await observer.until(answered, "the answer")
            (hit,) = results_told(scene.model.requests_of("conclude")[-1])["search"]["messages"]
            assert hit["text"] == "the Pear launch costs <12 & more, says @Ada Lovelace"
            assert hit["channel"] == {"id": "C0FINANCE", "name": "finance"}
            assert "tell nobody" not in told(scene)


async def test_the_right_to_search_is_in_no_table_prompt_message_or_log(
    database_url: URL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(SEARCH))
        async with scene.asked("look for it") as observer:
            await observer.until(answered, "the answer")
        tokens = list(scene.workspace.backend.tickets.action_tokens)
        kept = [(table, row) async for table, row in stored(database_url)]
        said = [request.system + request.last for request in scene.model.requests]
        assert tokens
        assert [table for table, _ in kept].count("search_tokens") == 1
        places = "\n".join([*(row for _, row in kept), *said, json.dumps(await scene.people.dump()), caplog.text])
        assert [token for token in tokens if token in places] == []


async def test_the_right_to_search_outlives_the_process_that_was_given_it(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        await scene.people.post("Grace", "general", "the pear launch is on")
        scene.model.add(planned(post("tell", "wait"), SEARCH | {"depends_on": ["tell"]}))
        async with scene.asked("look for it") as observer:
            await observer.until(lambda seen: bool(open_calls(seen)), "the card")
            await scene.stop_app()
            await scene.start_app()
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
        assert "the pear launch is on" in told(scene)


async def test_a_search_whose_right_is_over_says_so_and_forgets_it(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        scene.model.add(planned(post("tell", "wait"), SEARCH | {"depends_on": ["tell"]}))
        async with scene.asked("look for it") as observer:
            await observer.until(lambda seen: bool(open_calls(seen)), "the card")
            await scene.people.act("clock", seconds=3600)
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered, "the answer")
            assert wording.failure("search_expired").lower() in states(observer)["search"]
        assert "search_tokens" not in [table async for table, _ in stored(database_url)]


@pytest.mark.parametrize("why", ["no_search_token", "feature_not_enabled", "missing_scope"])
async def test_a_search_that_is_not_possible_says_why(database_url: URL, tmp_path: Path, why: str) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(SEARCH))
        if why == "feature_not_enabled":
            await scene.people.act("switches", search=False)
        if why == "missing_scope":
            await scene.people.act("faults", method="assistant.search.context", error="missing_scope")
        if why == "no_search_token":  # a command brings none
            await scene.people.command("Ada", "ops", "/greenlight", "look for it")
        else:
            await scene.people.post("Ada", "ops", "@Greenlight look for it")
        await scene.people.wait_for(lambda _: bool(scene.model.requests_of("conclude")))
        assert results_told(scene.model.requests_of("conclude")[-1])["search"]["error"] == why


async def test_a_large_output_is_uploaded_by_reference_whole(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], approvals={}) as scene:
        code = f"def main(inputs):\n    return '\\n'.join(str(i) + ',' + 'x' * 30 for i in range({ROWS}))"
        upload = tool(
            "file",
            "slack_upload_file",
            {"channel": "#ops", "name": "rows.csv", "content": "${rows}", "comment": "All & more"},
        )
        scene.model.add(planned(package("rows", code), upload))
        async with scene.asked("make the table") as observer:
            await observer.until(lambda seen: bool(open_calls(seen)), "the card")
            content = "\n".join(f"{i},{'x' * 30}" for i in range(ROWS)).encode()
            assert open_calls(observer, hashlib.sha256(content).hexdigest())
            await approve_all(scene, observer, answered)
        (file,) = [one for one in scene.workspace.backend.team.files.values() if one.name == "rows.csv"]
        assert file.content == content
        assert not any("x" * 30 in request.last[2_000:] for request in scene.model.requests_of("planner"))
        assert results_told(scene.model.requests_of("conclude")[-1])["file"]["bytes"] == file.length
