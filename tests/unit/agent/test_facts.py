"""Facts: nothing said in a private place is read in another one, whoever asks; and how people say what to remember."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.facts import (
    LONGEST,
    SHOWN,
    SHOWN_CHARACTERS,
    Fact,
    FactId,
    FactScope,
    Place,
    fitting_in,
    is_used,
    may_be_corrected_in,
    may_change,
    namespace_of,
    readable,
    search_words,
    told_in,
    words_of_plan,
)
from agent.ids import ChannelId, NodeId, Tenant, ToolName, UserId
from agent.plan.operations import Add, Cancel, Node, NodeKind

TENANTS = st.sampled_from([Tenant("T1"), Tenant("T2")])
PEOPLE = st.sampled_from([UserId("U1"), UserId("U2")])
CHANNELS = st.sampled_from([ChannelId("C1"), ChannelId("C2"), ChannelId("G1"), ChannelId("D1"), ChannelId("D2")])


@st.composite
def places(draw: st.DrawFn) -> Place:
    """Draw a conversation; a direct message is neither public nor shared."""
    place = Place(tenant=draw(TENANTS), channel=draw(CHANNELS), public=draw(st.booleans()), shared=draw(st.booleans()))
    return replace(place, public=False, shared=False) if place.direct else place


def a_fact(place: Place, scope: FactScope, person: UserId, text: str = "a fact") -> Fact | None:
    namespace = namespace_of(scope, place, person)
    if namespace is None:
        return None
    return Fact(
        id=FactId("f1"),
        namespace=namespace,
        text=text,
        by=person,
        channel=place.channel,
        public=place.public,
        shared=place.shared,
        at=datetime(2026, 5, 3, tzinfo=UTC),
    )


@given(said=places(), asked=places(), scope=st.sampled_from(FactScope), by=PEOPLE, who=PEOPLE)
def test_a_fact_is_read_where_who_reads_there_could_read_it_before(
    said: Place, asked: Place, scope: FactScope, by: UserId, who: UserId
) -> None:
    fact = a_fact(said, scope, by)
    if fact is None or not readable(asked, who).allows(fact):
        return
    assert asked.tenant == said.tenant, "never across workspaces"
    same = asked.channel == said.channel
    assert same or said.public, "what was said in private is read there alone"
    assert said.public or not asked.public, "not even once the channel has become public"
    assert said.shared or not asked.shared, "people of another organisation read only what was said to them"
    assert same or not said.shared, "and what was said to them is read there alone"
    assert fact.owner in (None, who), "a person's fact is read when they ask, and never else"
    if same:
        assert scope is not FactScope.TEAM or said.public
    else:
        assert scope in (FactScope.TEAM, FactScope.EVERYWHERE), "elsewhere only what was said for elsewhere"


@given(place=places(), scope=st.sampled_from(FactScope), person=PEOPLE)
def test_a_fact_is_read_by_its_author_where_they_said_it(place: Place, scope: FactScope, person: UserId) -> None:
    fact = a_fact(place, scope, person)
    if fact is None:
        assert scope in (FactScope.TEAM, FactScope.EVERYWHERE)
        assert not place.public or place.shared
    else:
        assert readable(place, person).allows(fact)
        assert fact.scope is (FactScope.ME if place.direct else scope)


@pytest.mark.parametrize(
    ("scope", "who", "allowed"),
    [
        (FactScope.ME, {"person": "U1"}, True),
        (FactScope.ME, {"person": "U2", "is_admin": True, "in_channel": True}, False),
        (FactScope.EVERYWHERE, {"person": "U2", "is_admin": True}, False),
        (FactScope.CHANNEL, {"person": "U2", "in_channel": True}, True),
        (FactScope.CHANNEL, {"person": "U1", "is_admin": True}, False),
        (FactScope.TEAM, {"person": "U1"}, True),
        (FactScope.TEAM, {"person": "U2", "in_channel": True}, False),
        (FactScope.TEAM, {"person": "U2", "is_admin": True}, True),
    ],
)
def test_a_fact_is_changed_by_whose_it_is(scope: FactScope, who: dict[str, object], allowed: bool) -> None:
    place = Place(tenant=Tenant("T1"), channel=ChannelId("C1"), public=True)
    fact = a_fact(place, scope, UserId("U1"))
    assert fact is not None
    given_ = {"in_channel": False, "is_admin": False, **who}
    person = UserId(str(given_.pop("person")))
    assert may_change(fact, person, **given_) is allowed  # pyright: ignore[reportArgumentType] -- the two flags


def test_words_are_found_in_any_script_and_marks_are_none() -> None:
    assert search_words("Die web-7 in Zürich: 'DROP' web") == ["die", "web", "7", "in", "zürich", "drop"]
    assert search_words("東京です") == ["東京", "京で", "です"]


def test_a_request_shows_few_facts_and_little_of_them() -> None:
    place = Place(tenant=Tenant("T1"), channel=ChannelId("C1"), public=True)
    fact = a_fact(place, FactScope.CHANNEL, UserId("U1"))
    assert fact is not None
    assert len(fitting_in([fact] * (2 * SHOWN))) == SHOWN
    long = replace(fact, text="x" * LONGEST)
    assert len(fitting_in([long] * SHOWN)) == SHOWN_CHARACTERS // LONGEST


@given(said=places(), now=places(), asked=places(), scope=st.sampled_from(FactScope), who=PEOPLE)
def test_new_words_of_a_fact_are_read_where_words_said_there_could_be_read(
    said: Place, now: Place, asked: Place, scope: FactScope, who: UserId
) -> None:
    fact = a_fact(said, scope, who)
    now = replace(now, tenant=said.tenant)
    if fact is None or not may_be_corrected_in(fact, now):
        return
    corrected = replace(fact, public=now.public, shared=now.shared)
    if readable(asked, who).allows(corrected):
        assert now.public or asked.channel == now.channel, "what is said in private is read there alone"
        assert now.public or not asked.public
        assert now.shared or not asked.shared


@pytest.mark.parametrize("scope", [FactScope.TEAM, FactScope.EVERYWHERE, FactScope.CHANNEL])
def test_what_is_read_elsewhere_is_not_corrected_in_a_private_place(scope: FactScope) -> None:
    public = Place(tenant=Tenant("T1"), channel=ChannelId("C1"), public=True)
    fact = a_fact(public, scope, UserId("U1"))
    assert fact is not None
    for private in (
        Place(tenant=Tenant("T1"), channel=ChannelId("G1"), public=False),
        Place(tenant=Tenant("T1"), channel=ChannelId("D1"), public=False),
        Place(tenant=Tenant("T1"), channel=ChannelId("C2"), public=True, shared=True),
    ):
        assert not may_be_corrected_in(fact, private)
    assert may_be_corrected_in(fact, public)


@given(said=places(), now=places(), scope=st.sampled_from(FactScope), by=PEOPLE, to=st.none() | PEOPLE)
def test_a_fact_is_told_with_its_words_only_where_and_to_whom_it_may_be_read(
    said: Place, now: Place, scope: FactScope, by: UserId, to: UserId | None
) -> None:
    fact = a_fact(said, scope, by)
    if fact is None:
        return
    [told] = told_in([fact], now, to)
    if told.text:
        assert readable(now, by).allows(fact)
        assert now.direct or fact.owner in (None, to)
    else:
        assert (told.link, told.outside) == ("", ())
    assert told_in([fact], None, by)[0].text == "", "nobody knows who reads there"


@pytest.mark.parametrize(
    ("told", "used"),
    [
        ("I look at db-7 now.", True),
        ("The billing database is down.", False),
        ("It is in OSLO.", True),
        ("It is the one that is with this.", False),
        ("", False),
    ],
)
def test_a_fact_is_used_once_words_that_nobody_asked_with_are_said(told: str, used: bool) -> None:
    place = Place(tenant=Tenant("T1"), channel=ChannelId("C1"), public=True)
    fact = a_fact(place, FactScope.CHANNEL, UserId("U1"), "the billing database is db-7, in Oslo")
    assert fact is not None
    assert is_used(fact, "is the billing database down?", told) is used


@pytest.mark.parametrize(
    ("text", "told", "used"),
    [
        ("we must deploy with the release team this quarter", "I can do this with you.", False),
        ("posts of the canary go to the incidents channel", "The incident is over.", False),
        ("posts of the canary go to the incidents channel", "I posted it to the channel for incidents.", True),
        ("deployments are made on Fridays", "It was deployed on Friday.", True),
    ],
)
def test_one_word_in_common_is_no_use_of_a_longer_fact(text: str, told: str, used: bool) -> None:
    place = Place(tenant=Tenant("T1"), channel=ChannelId("C1"), public=True)
    fact = a_fact(place, FactScope.CHANNEL, UserId("U1"), text)
    assert fact is not None
    assert is_used(fact, "what now?", told) is used


def test_of_a_plan_its_words_count_and_not_the_names_of_tools_and_keys() -> None:
    node = Node(
        id=NodeId("secret-id"),
        kind=NodeKind.TOOL,
        title="Look it up",
        tool=ToolName("post_message"),
        args={"channel": {"deep": ["Oslo", 7]}},
    )
    words = words_of_plan([Add(node=node), Cancel(id=NodeId("x"), why="no")])
    assert list(filter(None, words)) == ["Look it up", "Oslo", "7"]
