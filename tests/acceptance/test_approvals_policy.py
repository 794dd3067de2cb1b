"""The policy decides what runs unasked, who must approve, what is refused, and what happens when nobody decides."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from agent.approval import Again
from agent.policy.call_policy import MOST_EXPIRIES
from bot import wording
from infra.config.file import read_configuration
from infra.db.database import Database
from infra.dev.demo.thread_observer import ThreadObserver
from infra.wiring import Part
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows, states, whispers
from tests.acceptance.plans import ANSWERS, ENDS, planned, post
from tests.acceptance.test_approvals_audit import greenlight, verified
from tests.acceptance.test_approvals_editing import edit, proven
from tests.acceptance.test_approvals_elsewhere import copy_in

ADA, GRACE, LINUS = "U0ADA", "U0GRACE", "U0LINUS"
ANYONE: Mapping[str, object] = {}


def with_rules(*rules: Mapping[str, object], **more: object) -> Any:
    """Return what puts rules into the configuration."""

    def put(table: dict[str, Any]) -> None:
        table["policy"] = {"rules": list(rules), **more}
        table["worker"] = {"sweep": 0.2}

    return put


def shown(observer: ThreadObserver, card: int = 0) -> str:
    return json.dumps(observer.cards()[card].message["blocks"], ensure_ascii=False)


def approved(observer: ThreadObserver) -> int:
    """Return how many cards say that somebody approved."""
    return sum(words.startswith("*Approved*") for words in observer.words())


async def posts(scene: AppScene, channel: str = "incidents") -> list[str]:
    return [str(message["text"]) for message in await scene.people.messages(channel)]


async def test_a_rule_that_allows_runs_a_call_unasked_and_the_audit_names_it(database_url: URL, tmp_path: Path) -> None:
    allow = {
        "name": "status notes",
        "tools": ["slack_post_message"],
        "targets": {"channel": ["#incidents"]},
        "when": "args.text.startsWith('status:') && red_calls < 1",
        "effect": "allow",
    }
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(allow)) as scene:
        scene.model.add(planned(post("tell", "status: fine"), post("more", "status: again", depends_on=["tell"])))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the second call's card")
            assert await posts(scene) == ["status: fine"]
            assert "Title of more" in shown(observer)
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["status: fine", "status: again"]
    decided = await rows(
        database_url, "SELECT by, details ->> 'rule' FROM audit WHERE event = 'decided' AND node = 'tell'"
    )
    assert decided == [(None, "status notes")]
    (version,) = (await rows(database_url, "SELECT policy ->> 'version' FROM approvals WHERE node = 'tell'"))[0]
    assert len(version) == 16


async def test_a_condition_that_cannot_be_evaluated_never_allows(database_url: URL, tmp_path: Path) -> None:
    doubt = {"name": "a", "tools": ["slack_post_message"], "when": "args.missing != 'x'", "effect": "allow"}
    later = {**doubt, "name": "b", "when": "tool != ''"}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(doubt, later)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            assert await posts(scene) == []


async def test_a_rule_that_refuses_says_why_and_asks_nobody(database_url: URL, tmp_path: Path) -> None:
    refuse = {"name": "no mass mentions", "tools": ["slack_*"], "when": "args.text.contains('everybody')"}
    refuse |= {"effect": "refuse", "words": "please don't call everybody"}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(refuse)) as scene:
        scene.model.add(planned(post("tell", "hello everybody")))
        async with scene.asked("tell them") as observer:
            await observer.until(answered, "the answer")
            assert "please don't call everybody" in states(observer)["tell"]
            assert observer.cards() == []
        (conclusion,) = scene.model.requests_of("conclude")
        assert "please don't call everybody" in conclusion.last
        assert await posts(scene) == []
    assert await rows(database_url, "SELECT count(*) FROM approvals") == [(0,)]
    denied = "SELECT node, by, details ->> 'rule' FROM audit WHERE event = 'denied'"
    assert await rows(database_url, denied) == [("tell", "U0ADA", "no mass mentions")]


TWO_STAGES = {
    "name": "two looks",
    "tools": ["slack_post_message"],
    "effect": "ask",
    "self_approval": False,
    "stages": [{"users": [GRACE, LINUS]}, {"users": [ADA, LINUS, GRACE]}],
}
GRACE_THEN_LINUS = {**TWO_STAGES, "stages": [{"users": [GRACE]}, {"users": [LINUS]}]}
QUORUM = {"name": "two people", "effect": "ask", "quorum": 2}


async def test_a_quorum_takes_different_people_and_the_card_says_who_approved(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(QUORUM)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: "0 of 2 approved" in shown(seen) if seen.cards() else False, "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "1 of 2 approved*: <@U0GRACE>" in shown(seen), "the first approval")
            await scene.click(observer, "Grace", "approved")
            assert wording.VOTED_ALREADY in json.loads((await whispers(scene, GRACE))[-1])["text"]
            assert await posts(scene) == []
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello"]
    votes = await rows(database_url, "SELECT event, by FROM audit WHERE event IN ('voted', 'decided') ORDER BY id")
    assert votes == [("voted", GRACE), ("voted", ADA), ("decided", ADA)]


async def test_stages_come_in_order_and_anybody_of_any_stage_may_reject(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(GRACE_THEN_LINUS)) as scene:
        scene.model.add(planned(post("one", "hello"), post("two", "never", depends_on=["one"])))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Linus", "approved")
            assert "not among the people" in (await whispers(scene, LINUS))[-1]
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "Step 2 of 2" in shown(seen), "the second stage")
            await scene.click(observer, "Linus", "approved")
            await observer.until(
                lambda seen: bool(seen.cards()) and "needed: Title of two" in shown(seen), "the next card"
            )
            assert await posts(scene) == ["hello"]
            await scene.click(observer, "Linus", "rejected")
            await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
            await observer.until(lambda seen: "rejected" in states(seen)["two"], "the end of the step")
        assert await posts(scene) == ["hello"]


@asynccontextmanager
async def votes_held_back(url: URL, count: int) -> AsyncGenerator[None]:
    """Lock the rows of requests; once so many approvals have been checked and wait for them, let them go."""
    database = Database(url, pool_size=2)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    try:
        async with database.begin() as connection:
            await connection.execute(text("SELECT id FROM approvals FOR UPDATE"))
            yield
            async with asyncio.timeout(60), database.autocommit() as other:
                while (await other.execute(text(waiting))).scalar_one() < count:
                    await other.execute(text("SELECT pg_sleep(0.02)"))
    finally:
        await database.close()


async def test_an_approval_counts_only_in_the_stage_that_its_person_was_checked_for(
    database_url: URL, tmp_path: Path
) -> None:
    stages = {**TWO_STAGES, "self_approval": True, "stages": [{"users": [GRACE, LINUS]}, {"users": [ADA]}]}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(stages)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            async with votes_held_back(database_url, 2):
                await asyncio.gather(*(scene.click(observer, who, "approved") for who in ("Grace", "Linus")))
            told = await scene.people.wait_for(lambda dump: len(dump["ephemerals"]) == 1)
            assert "not among the people" in str(told["ephemerals"])
            assert await posts(scene) == []
            await observer.until(lambda seen: "Step 2 of 2" in shown(seen), "the second stage")
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello"]


async def test_an_edit_voids_the_approvals_before_it_and_begins_the_stages_anew(
    database_url: URL, tmp_path: Path
) -> None:
    stages = {**TWO_STAGES, "stages": [{"users": [GRACE], "quorum": 1}, {"users": [LINUS]}]}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(stages)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "Step 2 of 2" in shown(seen), "the second stage")
            assert await edit(scene, observer, "Linus", text="hello, dears") == {}
            await observer.until(lambda seen: "Step 1 of 2" in shown(seen), "the first stage")
            assert wording.EDIT_SAVED in (await whispers(scene, LINUS))[-1]
            await scene.click(observer, "Linus", "approved")
            assert "not among the people" in (await whispers(scene, LINUS, 2))[-1]
            for who, after in (("Grace", "Step 2 of 2"), ("Linus", "")):
                assert await posts(scene) == []
                await scene.click(observer, who, "approved")
                if after:
                    await observer.until(lambda seen, after=after: after in shown(seen), after)
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello, dears"]
    await proven(database_url, tmp_path / "export.jsonl")


async def test_an_edit_voids_the_approvals_of_a_quorum(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(QUORUM)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "1 of 2 approved*: <@U0GRACE>" in shown(seen), "the first approval")
            assert await edit(scene, observer, "Ada", text="hello, dears") == {}
            await observer.until(lambda seen: "1 of 2 approved*: <@U0ADA>" in shown(seen), "the edit's own approval")
            assert await posts(scene) == []
            await scene.click(observer, "Ada", "approved")
            assert wording.VOTED_ALREADY in json.loads((await whispers(scene, ADA))[-1])["text"]
            assert await posts(scene) == []
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello, dears"]
    votes = "SELECT event, by FROM audit WHERE event IN ('voted', 'edited', 'decided') ORDER BY id"
    voted = [("voted", GRACE), ("edited", ADA), ("voted", ADA), ("voted", GRACE), ("decided", GRACE)]
    assert await rows(database_url, votes) == voted
    await proven(database_url, tmp_path / "export.jsonl")


async def test_votes_survive_a_restart_and_the_last_one_is_found_by_compare_and_set(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(QUORUM)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "1 of 2 approved" in shown(seen), "the first approval")
            await scene.stop_app()
            await scene.start_app()
            await asyncio.gather(*(scene.click(observer, who, "approved") for who in ("Ada", "Linus", "Grace")))
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello"]
    assert await rows(database_url, "SELECT count(*) FROM audit WHERE event = 'decided'") == [(1,)]
    assert await rows(database_url, "SELECT count(*) FROM audit WHERE event = 'voted'") == [(2,)]


def toml(*rules: str) -> str:
    return "\n".join(f"[[policy.rules]]\n{rule}\n" for rule in rules)


@asynccontextmanager
async def scene_of_file(
    url: URL, folder: Path, text: str, **tables: Mapping[str, object]
) -> AsyncGenerator[tuple[AppScene, Path]]:
    """Open a scene whose policy is a file; `tables` are others of the configuration."""

    def with_tables(table: dict[str, Any]) -> None:
        table.update(tables)

    file = folder / "greenlight.toml"
    file.write_text(text, encoding="utf-8")
    async with app_scene(
        url, folder, [ENDS, ANSWERS], approvals=ANYONE, configuration=with_tables, started=False
    ) as scene:
        configuration = scene.settings.configuration.model_copy(update={"policy": read_configuration(file).policy})
        scene.settings = replace(scene.settings, configuration=configuration, configuration_file=file)
        await scene.start_app()
        yield scene, file


ASKS_ONE = 'name = "one"\ntools = ["slack_post_message"]\neffect = "ask"'
ASKS_LINUS = 'name = "linus"\ntools = ["slack_post_message"]\neffect = "ask"\nusers = ["U0LINUS"]'
REFUSES = 'name = "none"\ntools = ["slack_post_message"]\neffect = "refuse"\nwords = "not this week"'


def write(file: Path, text: str) -> None:
    """Write the policy, and make it look as if that was a while ago: a file that is being written does not count."""
    file.write_text(text, encoding="utf-8")
    long_ago = file.stat().st_mtime - 60
    os.utime(file, (long_ago, long_ago))


async def test_a_stricter_policy_counts_at_the_click_and_a_broken_file_changes_nothing(
    database_url: URL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene_of_file(database_url, tmp_path, toml(ASKS_ONE)) as (scene, file):
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            write(file, "[[policy.rules]]\nname = 'x'\nefect = 'ask'\n")
            write(file, toml(REFUSES))
            await scene.click(observer, "Grace", "approved")
            assert "not this week" in (await whispers(scene, GRACE))[-1]
            write(file, toml(ASKS_LINUS))
            await scene.click(observer, "Grace", "approved")
            assert "not among the people" in (await whispers(scene, GRACE, 2))[-1]
            await observer.until(lambda seen: "U0LINUS" in shown(seen), "who may decide now")
            write(file, "[[policy.rules]]\nname = 'x'\nefect = 'ask'\n# broken\n")
            await scene.click(observer, "Grace", "approved")
            assert "not among the people" in (await whispers(scene, GRACE, 3))[-1]
            assert "the policy stays as it was" in caplog.text
            write(file, toml(ASKS_ONE))  # a laxer one: what the card was posted with still holds
            await scene.click(observer, "Grace", "approved")
            assert "not among the people" in (await whispers(scene, GRACE, 4))[-1]
            await scene.click(observer, "Linus", "approved")
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello"]
    tightened = await rows(database_url, "SELECT count(*) FROM audit WHERE event = 'tightened'")
    assert tightened == [(1,)]


async def test_lookups_that_fail_approve_nothing(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(QUORUM)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.people.act("faults", method="users.info", error="fatal_error", count=20)
            await scene.click(observer, "Grace", "approved")
            assert "couldn't check" in (await whispers(scene, GRACE))[-1]
    assert await rows(database_url, "SELECT count(*) FROM votes") == [(0,)]


SECOND = 1 / 60


async def test_a_reminder_then_an_escalation_that_lets_others_decide(database_url: URL, tmp_path: Path) -> None:
    rule = {
        "name": "slow",
        "effect": "ask",
        "users": [GRACE],
        "remind_minutes": SECOND,
        "escalate": {"after_minutes": 2 * SECOND, "users": [LINUS], "channel": "#general"},
    }
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(rule)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await observer.until(lambda seen: seen.says("still waits for a decision"), "the reminder")
            await observer.until(lambda seen: "I also asked" in shown(seen), "the escalation")
            assert "<#C0GENERAL>" in shown(observer)
            assert "decide_approved" in shown(observer)
            copy = await copy_in(scene, "C0GENERAL", "decide_approved", "hello")
            assert "so I ask here, too" in json.dumps(copy["blocks"])
            await scene.people.click("Linus", "general", str(copy["ts"]), "decide_approved")
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello"]


@pytest.mark.parametrize("ends", ["again", "park"])
async def test_what_an_expiry_means(ends: str, database_url: URL, tmp_path: Path) -> None:
    rule = {"name": "short", "effect": "ask", "expires_minutes": 2 * SECOND, "on_expiry": ends}
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(rule)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            if ends == "again":
                again = wording.ASKED_AGAIN[Again.EXPIRED]
                await observer.until(lambda seen: bool(seen.cards()) and again in shown(seen), "the second card")
                await observer.until(lambda seen: seen.says("ANSWER"), "the answer")
                await observer.until(lambda seen: not seen.cards(), "the end of the last card")
                expired = [words for words in observer.words() if words.startswith("*Expired*")]
                assert len(expired) == MOST_EXPIRIES + 1
                await observer.until(lambda seen: "expired" in states(seen)["tell"], "the end of the step")
                assert await posts(scene) == []
            else:
                await observer.until(lambda seen: seen.says("still waits for a decision"), "the reminder")
                await scene.click(observer, "Grace", "approved")
                await observer.until(answered_and_done, "the answer")
                assert await posts(scene) == ["hello"]


async def test_an_approval_that_is_too_old_is_asked_anew(database_url: URL, tmp_path: Path) -> None:
    rule = {"name": "fresh", "effect": "ask", "approval_age_minutes": 30}
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(rule), started=False
    ) as scene:
        await scene.start_app(frozenset({Part.BOT}))
        await scene.start_app(frozenset({Part.WORKER}))
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.stop_app()
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: seen.says("Approved"), "the decision")
            aged = "UPDATE approvals SET decided_at = decided_at - interval '31 minutes' RETURNING status"
            assert await rows(database_url, aged) == [("approved",)]
            await scene.start_app(frozenset({Part.WORKER}))
            await observer.until(lambda seen: bool(seen.cards()), "the second card")
            assert wording.ASKED_AGAIN[Again.TOO_OLD] in shown(observer)
            assert await posts(scene) == []
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert await posts(scene) == ["hello"]


@pytest.mark.parametrize("bound", ["open_cards_per_run", "open_cards_per_person"])
async def test_steps_beyond_the_most_open_cards_wait_and_none_is_lost(
    bound: str, database_url: URL, tmp_path: Path
) -> None:
    configuration = with_rules(**{bound: 2})
    async with app_scene(
        database_url, tmp_path, [ENDS, ANSWERS], approvals=ANYONE, configuration=configuration
    ) as scene:
        texts = [f"{number} " + "a card of its own " * 50 for number in range(5)]
        scene.model.add(planned(*(post(f"p{number}", text) for number, text in enumerate(texts))))
        async with scene.asked("tell them all") as observer:
            for closed in range(5):
                room = min(2, 5 - closed)
                await observer.until(
                    lambda seen, room=room, closed=closed: len(seen.cards()) == room and approved(seen) == closed,
                    f"{room} cards after {closed}",
                )
                await scene.click(observer, "Grace", "approved")
            await observer.until(answered_and_done, "the answer")
        assert sorted(text.strip() for text in await posts(scene)) == [text.strip() for text in texts]


async def test_the_audit_proves_rules_and_several_approvals_to_a_stranger(database_url: URL, tmp_path: Path) -> None:
    allow = {"name": "notes", "tools": ["slack_post_message"], "targets": {"text": ["note"]}, "effect": "allow"}
    heads = tmp_path / "heads.jsonl"

    def sealed(table: dict[str, Any]) -> None:
        with_rules(allow, QUORUM)(table)
        table["audit"] = {"seal_minutes": 0.005, "heads_file": str(heads)}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=sealed) as scene:
        scene.model.add(planned(post("note", "note"), post("tell", "hello", depends_on=["note"])))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: "1 of 2 approved" in shown(seen), "the first approval")
            await scene.click(observer, "Ada", "approved")
            await observer.until(answered_and_done, "the answer")
        async with scene.asked("wait for the seal") as observer:  # any other message: the worker seals meanwhile
            await observer.until(lambda _: heads.exists(), "a published head")
        await scene.close()
        key = greenlight(scene, "key").stdout.strip()
        export = tmp_path / "export.jsonl"
        export.write_text(greenlight(scene, "export").stdout, encoding="utf-8")
        found = verified(export, key)
        assert (found.returncode, found.stderr) == (0, "")
        assert "2 red calls, 0 faults" in found.stdout
        checked = greenlight(scene, "verify")
        assert (checked.returncode, checked.stderr) == (0, "")


async def test_recorded_calls_replay_against_another_policy(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=with_rules(QUORUM)) as scene:
        scene.model.add(planned(post("tell", "hello")))
        async with scene.asked("tell them") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
        await scene.close()
        same, other = tmp_path / "same.toml", tmp_path / "other.toml"
        same.write_text('[[policy.rules]]\nname = "two people"\neffect = "ask"\nquorum = 2\n', encoding="utf-8")
        other.write_text('[[policy.rules]]\nname = "none"\neffect = "refuse"\n', encoding="utf-8")
        found = greenlight(scene, "test", "--policy", str(same), command="policy")
        assert (found.returncode, found.stdout.startswith("1 calls against policy")) == (0, True)
        found = greenlight(scene, "test", "--policy", str(other), command="policy")
        assert found.returncode == 1
        assert "tell: slack_post_message: ask (2) by 'two people' -> refuse by 'none'" in found.stdout
