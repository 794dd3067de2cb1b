"""Facts in LangGraph's store: found by their words where they may be read, bounded, audited, and deleted as a whole."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from agent.facts import Fact, FactId, FactScope, Place, namespace_of, readable, search_words
from agent.ids import ChannelId, NodeId, Tenant, ThreadId, UserId
from bot.ports import Kept, Proposal
from infra.audit.checker import check_database
from infra.db.database import Database
from infra.stores.stores import Stores

TENANT, OPS, ADA, GRACE = Tenant("T1"), ChannelId("C1"), UserId("U1"), UserId("U2")
HERE = Place(tenant=TENANT, channel=OPS, public=True)
READ = readable(HERE, ADA)


def a_fact(words: str, id: str = "f1", scope: FactScope = FactScope.CHANNEL, **more: object) -> Fact:
    namespace = namespace_of(scope, HERE, ADA)
    assert namespace is not None
    fact = Fact(
        id=FactId(id),
        namespace=namespace,
        text=words,
        by=ADA,
        channel=OPS,
        public=True,
        at=datetime(2026, 5, 3, 12, tzinfo=UTC),
    )
    return replace(fact, **more)  # pyright: ignore[reportArgumentType] -- fields of the fact


async def found(stores: Stores, request: str) -> list[str]:
    return [fact.text for fact in await stores.facts.fitting(READ, search_words(request), 8)]


async def everything(database: Database) -> str:
    """Return all rows of all tables as text."""
    async with database.begin() as connection:
        names = await connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        pages = [
            str((await connection.execute(text(f'SELECT * FROM "{name}"'))).all())  # noqa: S608 -- our own tables
            for (name,) in names.all()
        ]
    return "\n".join(pages)


async def test_a_fact_is_kept_as_it_is_and_found_by_words_with_other_endings(stores: Stores) -> None:
    fact = a_fact("We deploy on Fridays only", link="https://x/1", expires_at=datetime.now(UTC) + timedelta(days=2))
    assert await stores.facts.keep(fact, most=5) is Kept.NEW
    assert await stores.facts.keep(a_fact("Lunch is at noon", "f2"), most=5) is Kept.NEW
    [kept] = await stores.facts.fitting(READ, search_words("when is the next deploying?"), 8)
    assert kept.expires_at is not None
    assert fact.expires_at is not None
    assert abs(kept.expires_at - fact.expires_at) < timedelta(minutes=1)
    assert replace(kept, expires_at=None) == replace(fact, expires_at=None)
    assert await found(stores, "is it the other one?") == []


async def test_the_better_fit_and_the_surer_fact_come_first_and_texts_without_spaces_are_found(stores: Stores) -> None:
    texts = ["the billing database is db-7", "the billing team sits in Oslo", "東京オフィスは三階です"]
    for number, words in enumerate(texts):
        await stores.facts.keep(a_fact(words, f"f{number}"), most=5)
    await stores.facts.keep(a_fact("the billing database is db-8", "f9", confidence=0.5), most=5)
    assert await found(stores, "restart the billing database") == [texts[0], "the billing database is db-8", texts[1]]
    assert await found(stores, "東京はどこ") == [texts[2]]
    assert await found(stores, "' | (drop) & :* \\") == []


async def test_a_namespace_holds_so_many_facts_and_the_same_words_once_however_many_come_at_once(
    stores: Stores,
) -> None:
    ends = await asyncio.gather(*(stores.facts.keep(a_fact(f"number {n}", f"f{n}"), most=3) for n in range(6)))
    assert sorted(ends) == [Kept.FULL] * 3 + [Kept.NEW] * 3
    [first, *_] = await stores.facts.standing(READ)
    assert await stores.facts.keep(replace(first, id=FactId("other")), most=9) is Kept.KNOWN
    other = a_fact("elsewhere", "g1", FactScope.TEAM)
    assert await stores.facts.keep(other, most=3) is Kept.NEW


async def test_a_corrected_fact_is_found_by_its_new_words_alone_and_one_that_is_gone_does_not_come_back(
    stores: Stores,
) -> None:
    fact = a_fact("the freeze begins on Monday")
    await stores.facts.keep(fact, most=5)
    await stores.facts.keep_vectors("some", [(fact, b"\x01\x02")])
    assert [vector for _, vector in await stores.facts.vectors(READ, "some", 9)] == [b"\x01\x02"]
    assert [vector for _, vector in await stores.facts.vectors(READ, "another", 9)] == [b""]
    changed = replace(fact, text="the freeze begins on Tuesday", corrected_by=GRACE)
    assert await stores.facts.correct(changed, place=OPS)
    assert await found(stores, "monday") == []
    assert await found(stores, "tuesday") == [changed.text]
    assert [vector for _, vector in await stores.facts.vectors(READ, "some", 9)] == [b""], "it was of other words"
    assert await stores.facts.find(TENANT, fact.id) == changed
    assert await stores.facts.forget([changed], by=ADA, place=OPS) == 1
    await stores.facts.keep_vectors("some", [(changed, b"\x01")])
    assert not await stores.facts.correct(changed, place=OPS)
    assert await stores.facts.forget([changed], by=ADA, place=OPS) == 0
    assert await stores.facts.find(TENANT, fact.id) is None


async def test_where_a_fact_comes_from_is_kept_with_it(stores: Stores) -> None:
    fact = a_fact(
        "page mk7 is the truth", approved_by=GRACE, outside=("the page", "a log"), confidence=0.8, shared=True
    )
    await stores.facts.keep(fact, most=5)
    assert await stores.facts.find(TENANT, fact.id) == fact
    thread = ThreadId("T1:C1:1.0")
    assert await stores.facts.noted(thread, [FactId("gone"), fact.id]) == [fact]
    assert await stores.facts.noted(ThreadId("T2:C1:1.0"), [fact.id]) == []
    assert await stores.facts.proposal(thread, NodeId("n")) == Proposal(outside=("unknown",)), "in doubt, strangers'"


async def test_a_deleted_fact_is_in_no_table_and_the_audit_does_not_confirm_a_guess_of_it(
    stores: Stores, database: Database
) -> None:
    fact = a_fact("the canary is called zwitschermaschine")
    await stores.facts.keep(fact, most=5)
    other = a_fact("the canary is called nachtigall")
    await stores.facts.forget([fact], by=ADA, place=OPS)
    await stores.facts.keep(other, most=5)
    await stores.facts.forget([other], by=ADA, place=OPS)
    digests = (await database.execute(text("SELECT digest FROM audit"))).scalars().all()
    assert len(digests) == 4
    assert len(set(digests)) == 1, "whatever it says"


async def test_a_deleted_fact_is_in_no_table_and_the_audit_holds_together(stores: Stores, database: Database) -> None:
    fact = a_fact("the canary is called zwitschermaschine")
    await stores.facts.keep(fact, most=5)
    await stores.facts.keep_vectors("some", [(fact, b"\x01\x02")])
    assert "zwitschermaschine" in await everything(database)
    await stores.facts.correct(replace(fact, text="the zwitschermaschine is yellow"), place=OPS)
    await stores.facts.forget([fact], by=ADA, place=OPS)
    assert "zwitschermaschine" not in await everything(database)
    events = await database.execute(text("SELECT event FROM audit ORDER BY id"))
    assert list(events.scalars()) == ["remembered", "corrected", "forgotten"]
    assert (await check_database(database, TENANT, frozenset())).faults == ()


async def test_an_expired_fact_is_read_nowhere_and_pruned(stores: Stores, database: Database) -> None:
    fact = a_fact("the code is 4711", expires_at=datetime.now(UTC) + timedelta(days=1))
    await stores.facts.keep(fact, most=5)
    assert await stores.facts.prune() == 0
    await database.execute(text("UPDATE store SET expires_at = now() - interval '1 second'"))
    assert await found(stores, "which code is it?") == []
    assert await stores.facts.standing(READ) == []
    assert await stores.facts.of_person(TENANT, ADA) == []
    assert await stores.facts.find(TENANT, fact.id) is None
    assert await stores.facts.among(READ, [fact.id]) == []
    assert await stores.facts.prune() == 1
    assert "4711" not in await everything(database)


async def test_what_is_read_is_what_the_place_allows_and_a_person_finds_all_of_theirs(stores: Stores) -> None:
    private = Place(tenant=TENANT, channel=ChannelId("C9"), public=False)
    direct = Place(tenant=TENANT, channel=ChannelId("D1"), public=False)
    shared = replace(HERE, shared=True)
    other = Place(tenant=Tenant("T2"), channel=OPS, public=True)
    said = {
        "here": (HERE, FactScope.CHANNEL, ADA),
        "common": (shared, FactScope.CHANNEL, ADA),
        "team": (HERE, FactScope.TEAM, GRACE),
        "mine": (HERE, FactScope.ME, ADA),
        "hers": (HERE, FactScope.ME, GRACE),
        "private": (private, FactScope.CHANNEL, ADA),
        "direct": (direct, FactScope.ME, ADA),
        "tenant": (other, FactScope.TEAM, ADA),
    }
    for number, (words, (place, scope, person)) in enumerate(said.items()):
        namespace = namespace_of(scope, place, person)
        assert namespace is not None
        await stores.facts.keep(
            a_fact(
                f"fact {words}", f"f{number}", namespace=namespace, by=person, public=place.public, shared=place.shared
            ),
            most=5,
        )

    async def read(place: Place, person: UserId) -> set[str]:
        facts = await stores.facts.fitting(readable(place, person), ["fact"], 20)
        assert facts == await stores.facts.among(readable(place, person), [fact.id for fact in facts])
        return {fact.text.removeprefix("fact ") for fact in facts}

    assert await read(HERE, ADA) == {"here", "common", "team", "mine"}
    assert await read(HERE, GRACE) == {"here", "common", "team", "hers"}
    assert await read(private, ADA) == {"private", "team"}
    assert await read(replace(private, public=True), ADA) == {"team"}, "it was private when that was said"
    assert await read(direct, ADA) == {"direct", "team"}
    assert await read(shared, ADA) == {"common"}, "who was invited since could not hear the rest"
    assert await read(other, ADA) == {"tenant"}
    theirs = {fact.text.removeprefix("fact ") for fact in await stores.facts.of_person(TENANT, ADA)}
    assert theirs == {"here", "common", "mine", "private", "direct"}
