"""Recall: what fits by words or by meaning, as far as the place allows, and nothing while the place is not known."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelUnavailable
from agent.facts import Fact, FactId, FactScope, Place, Readable, namespace_of, readable
from agent.ids import ChannelId, Tenant, ThreadId, UserId
from agent.llm.recall import Recall, encoded, recalled, similarity
from agent.ports import Message, Recalled, Run, RunStatus

THREAD, ADA, GRACE = ThreadId("T1:C1:1.0"), UserId("U1"), UserId("U2")
HERE = Place(tenant=Tenant("T1"), channel=ChannelId("C1"), public=True)
ASKED = Message(id=1, author=ADA, text="restart the billing database", at=datetime(2026, 5, 3, tzinfo=UTC))
MODEL = "vectors"


def a_fact(name: str, scope: FactScope = FactScope.CHANNEL) -> Fact:
    namespace = namespace_of(scope, HERE, ADA)
    assert namespace is not None
    at = datetime(2026, 5, 3, tzinfo=UTC)
    return Fact(id=FactId(name), namespace=namespace, text=name, by=ADA, channel=HERE.channel, public=True, at=at)


class FactsInMemory:
    """Facts that fit by words in the order given, with the vectors that are kept of them."""

    def __init__(self, *facts: Fact) -> None:
        self.facts = list(facts)
        self.by_words: list[Fact] = []
        self.kept: dict[Fact, bytes] = {}

    async def fitting(self, readable: Readable, words: Sequence[str], most: int) -> Sequence[Fact]:
        return self.by_words[:most]

    async def among(self, readable: Readable, ids: Collection[FactId]) -> Sequence[Fact]:
        return [fact for one in ids for fact in self.facts if fact.id == one]

    async def noted(self, thread: ThreadId, ids: Sequence[FactId]) -> Sequence[Fact]:
        return await self.among(readable(HERE, ADA), ids)

    async def vectors(self, readable: Readable, model: str, most: int) -> Sequence[tuple[Fact, bytes]]:
        assert model == MODEL
        return [(fact, self.kept.get(fact, b"")) for fact in self.facts[:most]]

    async def keep_vectors(self, model: str, vectors: Sequence[tuple[Fact, bytes]]) -> None:
        self.kept.update(vectors)


class Located:
    """Places, all of which are one."""

    def __init__(self, place: Place | None) -> None:
        self.place = place

    async def of(self, thread: ThreadId) -> Place | None:
        return self.place


class Directions:
    """Makes the vectors that a test gives texts; away when it knows none."""

    def __init__(self, known: dict[str, list[float]]) -> None:
        self.known = known
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if not self.known:
            raise ModelUnavailable("away")
        self.asked += texts
        return [self.known[text] for text in texts]


async def test_a_fact_near_in_meaning_comes_beside_one_with_the_words_and_a_far_one_does_not() -> None:
    near, far, worded = a_fact("near"), a_fact("far"), a_fact("worded")
    facts = FactsInMemory(near, far, worded)
    facts.by_words = [worded]
    directions = Directions({ASKED.text: [1, 0, 0], "near": [0.9, 0.1, 0], "far": [0, 1, 0], "worded": [0, 0, 1]})
    recall = Recall(facts=facts, places=Located(HERE), embedder=directions, vectors_of=MODEL)
    assert await recall.fitting(THREAD, ADA, [ASKED]) == [worded, near]
    assert set(facts.kept) == {near, far, worded}
    directions.asked.clear()
    assert await recall.fitting(THREAD, ADA, [ASKED]) == [worded, near]
    assert directions.asked == [ASKED.text], "vectors of facts are made once"


async def test_while_the_endpoint_is_away_words_find_facts() -> None:
    facts = FactsInMemory(a_fact("one"), a_fact("two"))
    facts.by_words = facts.facts[:1]
    recall = Recall(facts=facts, places=Located(HERE), embedder=Directions({}), vectors_of=MODEL)
    assert await recall.fitting(THREAD, ADA, [ASKED]) == facts.facts[:1]


async def test_nothing_is_recalled_where_nobody_knows_who_reads() -> None:
    facts = FactsInMemory(a_fact("one"))
    facts.by_words = facts.facts
    recall = Recall(facts=facts, places=Located(None))
    run = a_run(*recalled(ADA, facts.facts))
    assert await recall.fitting(THREAD, ADA, [ASKED]) == ()
    assert await recall.again(run, ADA) == ()


async def test_what_a_store_returns_beyond_the_place_is_left_out() -> None:
    private = Place(tenant=Tenant("T1"), channel=ChannelId("G9"), public=False)
    namespace = namespace_of(FactScope.CHANNEL, private, ADA)
    assert namespace is not None
    at = datetime(2026, 5, 3, tzinfo=UTC)
    secret = Fact(id=FactId("s"), namespace=namespace, text="s", by=ADA, channel=private.channel, public=False, at=at)
    facts = FactsInMemory(secret)
    facts.by_words = [secret]
    recall = Recall(facts=facts, places=Located(HERE))
    assert await recall.fitting(THREAD, ADA, [ASKED]) == []
    assert await recall.again(a_run(*recalled(ADA, [secret])), ADA) == []


def a_run(*told: Recalled) -> Run:
    return Run(thread=THREAD, turn=1, requester=ADA, status=RunStatus.RUNNING, recalled=told)


async def test_a_conclusion_is_shown_the_facts_of_its_persons_plan_and_a_common_answer_nobodys_own() -> None:
    own, common, hers = a_fact("own", FactScope.ME), a_fact("common"), a_fact("hers")
    recall = Recall(facts=FactsInMemory(own, common, hers), places=Located(HERE))
    run = a_run(*recalled(ADA, [own, common]), *recalled(GRACE, [hers]))
    assert await recall.again(run, ADA) == [own, common]
    assert await recall.again(run, GRACE) == [hers]
    assert await recall.again(run, None) == [common, hers]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.lists(st.floats(-1, 1), min_size=40, max_size=40))
def test_an_encoded_vector_keeps_its_direction(one: list[float], other: list[float]) -> None:
    kept = encoded(one)
    assert len(kept) == len(one)
    assert -1.01 <= similarity(encoded(other), kept) <= 1.01
    if any(abs(part) > 0.01 for part in one):
        assert similarity(kept, encoded([2 * part for part in one])) > 0.999
