"""The main job over the wire: a request in a Slack thread becomes a DAG that runs, waits for people, and answers.

One file, though a long one: what the issue asks for, point by point.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from bot.errors import SlackRefused
from bot.slack.client import WebApi, open_client
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.dev.local_slack.state.errors import ControlError
from infra.dev.scripted_model.demo_brain import demo_scripts
from infra.dev.scripted_model.script import Script, Stall
from tests.acceptance.app_fixture import stage
from tests.acceptance.plans import ANSWERS, ENDS, fetch, lines, package, planned, post, results_told

ROOT = Path(__file__).parents[2]
GREENLIGHT = Path(sys.executable).with_name("greenlight")


def answered(observer: ThreadObserver) -> bool:
    """The answer of `plans.ANSWERS` stands in the thread, and the board shows how the turn ended."""
    return observer.says("ANSWER") and any(words.lower().startswith("done: ") for words in observer.words())


def states(observer: ThreadObserver) -> dict[str, str]:
    """Node id -> the board's newest status word and text."""
    return {task: f"{looks[-1].status} {looks[-1].text}".lower() for task, looks in observer.tasks().items()}


async def test_demo_check_tells_the_whole_story_headless() -> None:
    """A green step starts and one ends between card and click; two attempts are seen; the post is made once."""
    told = await asyncio.to_thread(
        subprocess.run, [GREENLIGHT, "demo", "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    for step in (
        "eyes reaction",
        "approval card",
        "first script crashed",
        "steps started and ended beside",
        "exactly once",
    ):
        assert step in told.stdout


async def test_independent_steps_run_at_the_same_time_and_a_red_step_suspends_itself_alone(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        effects = scene.effects
        for name in ("a", "b", "c", "slow"):
            effects.hold(name)
        scene.model.add(
            planned(
                *(fetch(name, f"{effects.url}/{name}") for name in ("a", "b", "c")),
                post("tell", "a said ${a#/status}"),
                fetch("slow", f"{effects.url}/slow"),
                fetch("after_slow", f"{effects.url}/after", depends_on=["slow"]),
                fetch("after_tell", f"{effects.url}/behind", depends_on=["tell"]),
            )
        )
        async with scene.asked("do it all") as observer:
            await asyncio.gather(*(effects.reached(name) for name in ("a", "b", "c", "slow")))
            assert effects.most_at_once == 4
            effects.let_go("a")
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            effects.let_go("b")
            effects.let_go("c")
            effects.let_go("slow")
            await effects.reached("after")
            await observer.until(lambda seen: "complete" in states(seen).get("after_slow", ""), "the other branch done")
            assert "waiting for approval" in states(observer)["tell"]
            assert effects.calls["behind"] == 0
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
            assert effects.calls["behind"] == 1
            assert [each["text"] for each in await scene.people.messages("incidents")] == ["a said 200"]


async def test_a_rejected_step_ends_rejected_what_depends_on_it_skipped_and_the_rest_stands(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(
            planned(
                post("tell", "hello"),
                fetch("behind", f"{url}/behind", depends_on=["tell"]),
                fetch("aside", f"{url}/aside"),
            )
        )
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
            seen = states(observer)
        assert "rejected" in seen["tell"]
        assert "skipped" in seen["behind"]
        assert "complete" in seen["aside"]
        assert scene.effects.calls == {"aside": 1}
        assert await scene.people.messages("incidents") == []
        (answer,) = scene.model.requests_of("answer")
        assert '"rejected"' in answer.last


async def test_a_parked_run_survives_a_restart_and_goes_on_from_the_click(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "got ${a#/body/name}")))
        async with scene.asked("fetch, then tell") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.stop_app()
            await scene.start_app()
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        assert scene.effects.calls["a"] == 1
        assert [each["text"] for each in await scene.people.messages("incidents")] == ["got a"]
        assert len(scene.model.requests_of("planner")) == 1


async def test_an_invalid_plan_goes_back_with_its_faults_and_is_repaired(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned({"op": "add", "id": "x", "kind": "tool", "title": "X", "tool": "no_such_tool", "args": {}})
        )
        scene.model.add(planned(fetch("x", f"{scene.effects.url}/x")))
        async with scene.asked("do x") as observer:
            await observer.until(answered, "the answer")
        first, second = scene.model.requests_of("planner")
        assert "## Faults" not in first.last
        assert '"unknown_tool"' in second.last
        assert '"/tool"' in second.last
        assert scene.effects.calls == {"x": 1}


async def test_a_plan_still_invalid_after_two_repairs_ends_in_plain_words(database_url: URL, tmp_path: Path) -> None:
    wrong = Script(role="planner", answer='{"op":"add","id":"a","kind":"tool","title":"A","tool":"nope","args":{}}')
    async with stage(database_url, tmp_path, [wrong]) as scene, scene.asked("do x") as observer:
        await observer.until(lambda seen: seen.says("could not turn this into a plan"), "plain words")
        assert len(scene.model.requests_of("planner")) == 3
        assert not any("Traceback" in words or "unknown_tool" in words for words in observer.words())


async def test_steps_run_while_the_plan_still_streams(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        first = json.dumps(fetch("first", f"{scene.effects.url}/first")) + "\n"
        scene.model.add(Script(role="planner", answer=Stall(after=first), times=1))
        async with scene.asked("begin") as observer:
            await observer.until(lambda seen: "complete" in states(seen).get("first", ""), "the first step done")
            assert observer.says("planning") or observer.says("running")
        assert scene.effects.calls == {"first": 1}


async def test_a_crashed_package_is_rewritten_in_view_and_its_calls_replayed(database_url: URL, tmp_path: Path) -> None:
    crashes = (
        "def main(inputs):\n    got = tools.http_get(url=inputs['url'])\n    return {'name': got['body']['nome']}\n"
    )
    mended = crashes.replace("nome", "name")
    reflexion = Script(role="repair", answer=f"```python\n{mended}```")
    async with stage(database_url, tmp_path, [reflexion, ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(package("pack", crashes, tools=["http_get"], inputs={"url": f"{scene.effects.url}/once"}))
        )
        async with scene.asked("run the script") as observer:
            await observer.until(answered, "the answer")
            seen = " ".join(look.text for look in observer.tasks()["pack"])
        assert "attempt 1 crashed: KeyError" in seen
        assert "attempt 2 worked" in seen
        assert scene.effects.calls == {"once": 1}
        (request,) = scene.model.requests_of("repair")
        assert "KeyError" in request.last


async def test_big_outputs_travel_by_reference(database_url: URL, tmp_path: Path) -> None:
    makes = "def main(inputs):\n    return {'rows': ['x' * 100 for _ in range(200)], 'count': 200}\n"
    takes = "def main(inputs):\n    return {'rows': len(inputs['all']['rows']), 'count': inputs['count']}\n"
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(
            planned(
                package("makes", makes), package("takes", takes, inputs={"all": "${makes}", "count": "${makes#/count}"})
            )
        )
        async with scene.asked("make and take") as observer:
            await observer.until(answered, "the answer")
        (answer,) = scene.model.requests_of("answer")
        results = results_told(answer)
        assert set(results["makes"]) == {"artifact"}
        assert results["makes"]["artifact"]["size"] > 20_000
        assert results["takes"] == {"rows": 200, "count": 200}


async def test_a_mention_delivered_as_two_events_and_again_is_one_request(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        await scene.people.act("deliveries", match="app_mention", repeat=3)
        async with scene.asked("once please") as observer:
            await observer.until(answered, "the answer")
        assert len(scene.model.requests_of("planner")) == 1
        assert scene.effects.calls == {"a": 1}
        assert len(observer.words()) == 2  # the board and the answer


async def test_the_board_is_one_message_edited_in_place(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planned(*(fetch(f"n{each}", f"{url}/n{each}") for each in range(12))))
        async with scene.asked("twelve things") as observer:
            await observer.until(answered, "the answer")
        assert len({board.message["ts"] for board in observer.boards()}) == 1
        assert (await scene.people.read("calls"))["complaints"] == []


async def test_a_follow_up_sees_the_earlier_turn_and_refers_to_its_results(database_url: URL, tmp_path: Path) -> None:
    twice = "def main(inputs):\n    return inputs['was']['body']['name'] * 2\n"
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        url = scene.effects.url
        scene.model.add(planned(fetch("a", f"{url}/a")))
        scene.model.add(planned(package("again", twice, inputs={"was": "${a}"})))
        async with scene.asked("fetch a") as observer:
            await observer.until(answered, "the first answer")
            await scene.people.post("Ada", "ops", "and twice that?", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("ANSWER", '"aa"'), "the second answer")
        second = scene.model.requests_of("planner")[1]
        said = [message.text for message in second.messages]
        assert any("fetch a" in each for each in said)
        assert '"id":"a"' in said[-1].replace(" ", "")
        assert scene.effects.calls == {"a": 1}


async def test_slash_command_opens_a_thread_and_is_refused_inside_one(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        assert await scene.people.command("Ada", "ops", "/greenlight", "fetch a")
        told = await scene.people.wait_for(lambda told: "ANSWER" in json.dumps(told["channels"]["ops"]["messages"]))
        roots = [each for each in told["channels"]["ops"]["messages"] if "asked" in str(each.get("text"))]
        assert len(roots) == 1
        with pytest.raises(ControlError):
            await scene.people.command("Ada", "ops", "/greenlight", "x", thread_ts=roots[0]["ts"])


async def test_direct_message_is_a_request(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a")))
        await scene.people.post("Ada", "@app", "fetch a")
        await scene.people.wait_for(lambda told: "ANSWER" in json.dumps(told["channels"]))


async def test_help_and_status_are_told_to_the_asker_alone(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.people.command("Ada", "ops", "/greenlight", "status")
            await scene.people.command("Ada", "ops", "/greenlight", "help")
            told = await scene.people.wait_for(lambda told: len(told["ephemerals"]) >= 2)
        mine = [json.dumps(each["message"]) for each in told["ephemerals"] if each["user"] == "U0ADA"]
        assert any("tell them" in each for each in mine)
        assert any("/greenlight" in each for each in mine)


async def test_the_requester_may_not_approve_where_policy_wants_a_second_person(
    database_url: URL, tmp_path: Path
) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Ada", "approved")
            await scene.people.wait_for(lambda told: any(each["user"] == "U0ADA" for each in told["ephemerals"]))
            assert await scene.people.messages("incidents") == []
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        assert len(await scene.people.messages("incidents")) == 1


async def test_the_card_shows_exactly_what_is_executed(database_url: URL, tmp_path: Path) -> None:
    words = "*bold* <!channel> & <@U0GRACE> `code` ü漢"
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(post("tell", words)))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            shown = json.dumps(observer.cards()[0].message["blocks"], ensure_ascii=False)
            assert words in shown
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        (message,) = await scene.people.messages("incidents")
        assert "<!channel>" not in message["text"]


async def test_every_row_of_a_run_names_its_tenant_and_nothing_is_left_open(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        scene.model.add(planned(fetch("a", f"{scene.effects.url}/a"), post("tell", "hello")))
        async with scene.asked("all") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        await scene.stop_app()
        database = Database(database_url)
        async with database.begin() as connection:
            for table in ("inbox", "runs", "operations", "nodes", "approvals", "ledger", "audit"):
                tenants = (await connection.execute(text(f"SELECT DISTINCT tenant FROM {table}"))).scalars().all()  # noqa: S608
                assert tenants == ["T0LOCAL"], table
            assert (await connection.execute(text("SELECT state FROM ledger"))).scalars().all() == ["done"]
            for table in ("leases", "workers", "procrastinate_jobs"):
                assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0, table  # noqa: S608
        await database.close()


async def test_the_scripted_model_that_does_not_understand_says_what_it_can_do(
    database_url: URL, tmp_path: Path
) -> None:
    async with (
        stage(database_url, tmp_path, demo_scripts(None)) as scene,
        scene.asked("write me a poem about sheep") as observer,
    ):
        await observer.until(lambda seen: seen.says("scripted model", "check"), "what it can do")


def test_plan_check_prints_the_plan_or_its_faults(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"op":"add","id":"a","kind":"tool","title":"A","tool":"http_get","args":{"url":"http://x"}}\n')
    bad.write_text('{"op":"add","id":"a","kind":"tool","title":"A","tool":"http_get","args":{},"depends_on":["b"]}\n')
    passed = greenlight("plan", "check", str(good))
    assert passed.returncode == 0, passed.stderr
    assert json.loads(passed.stdout.splitlines()[0])["id"] == "a"
    failed = greenlight("plan", "check", str(bad))
    assert failed.returncode == 1
    faults = [json.loads(line) for line in failed.stdout.splitlines()]
    assert {"line", "node", "pointer", "code", "message"} == set(faults[0])
    assert {fault["code"] for fault in faults} >= {"dangling_dependency"} or faults


def test_plan_run_runs_a_file_and_waits_where_nobody_decided(tmp_path: Path) -> None:
    first = package("first", "def main(inputs):\n    return 20\n")
    asks = package("asks", "def main(inputs):\n    return inputs['n'] + 1\n", inputs={"n": "${first}"})
    file = tmp_path / "plan.jsonl"
    file.write_text(lines([first, {**asks, "require_human_approval": True}]))
    surroundings = {"GREENLIGHT_DATA": "", "GREENLIGHT_CONFIG": ""}
    waits = greenlight("plan", "run", str(file), **surroundings)
    approved = greenlight("plan", "run", str(file), "--approve", "asks", **surroundings)
    rejected = greenlight("plan", "run", str(file), "--reject", "asks", **surroundings)
    assert (waits.returncode, approved.returncode, rejected.returncode) == (3, 0, 1), waits.stderr + approved.stderr
    for told in (waits, approved, rejected):
        assert all(isinstance(json.loads(line), dict) for line in told.stdout.splitlines())
    assert '"value": 21' in approved.stdout
    assert '"value": 21' not in rejected.stdout


def test_the_import_contracts_hold() -> None:
    told = subprocess.run([GREENLIGHT.with_name("lint-imports")], capture_output=True, text=True, cwd=ROOT, check=False)
    assert told.returncode == 0, told.stdout
    assert "0 broken" in told.stdout


async def test_the_sandbox_in_use_is_chosen_at_start_and_logged(
    database_url: URL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def monty(table: dict[str, object]) -> None:
        table["sandbox"] = "monty"

    with caplog.at_level("INFO", logger="infra.wiring"):
        async with stage(database_url, tmp_path, [ENDS, ANSWERS], configuration=monty) as scene:
            scene.model.add(planned(package("sum", "def main(inputs):\n    return sum(range(10))\n")))
            async with scene.asked("sum up") as observer:
                await observer.until(answered, "the answer")
            assert results_told(scene.model.requests_of("answer")[0]) == {"sum": 45}
    assert any("sandbox monty" in record.getMessage() for record in caplog.records)


async def test_the_local_workspace_refuses_what_slack_refuses(database_url: URL, tmp_path: Path) -> None:
    async with stage(database_url, tmp_path, [], started=False) as scene:
        client = open_client(scene.workspace.bot_token, base_url=scene.workspace.api_url)
        too_long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
        for arguments, code in (
            ({"channel": "C0OPS", "text": "x", "blocks": too_long}, "invalid_blocks"),
            ({"channel": "C0OPS", "text": "x", "thread_ts": "1.000001"}, "invalid_thread_ts"),
            ({"channel": "C0FINANCE", "text": "x"}, "not_in_channel"),
            ({"channel": "C0OLDOPS", "text": "x"}, "is_archived"),
            ({"channel": "C0OPS"}, "no_text"),
        ):
            with pytest.raises(SlackRefused) as refused:
                await WebApi(client).write("chat.postMessage", **arguments)
            assert refused.value.code == code


def greenlight(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the console script as a person does."""
    surroundings: Mapping[str, str] = {**os.environ, **environment}
    return subprocess.run(
        [GREENLIGHT, *arguments], capture_output=True, text=True, cwd=ROOT, env=surroundings, check=False
    )
