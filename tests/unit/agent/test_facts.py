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
    Wish,
    fitting_in,
    is_used,
    may_change,
    namespace_of,
    read_addition,
    read_wish,
    readable,
    search_words,
)
from agent.ids import ChannelId, Tenant, UserId

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
    assert same or not (said.shared or asked.shared), "people of another organisation read only what was said to them"
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


@pytest.mark.parametrize(
    ("message", "wish"),
    [
        ("remember that we deploy on Fridays", Wish(text="we deploy on Fridays")),
        ("Please remember, that:  we deploy\non Fridays", Wish(text="we deploy on Fridays")),
        ("remember for the team that x", Wish(text="x", scope=FactScope.TEAM)),
        ("remember for everybody for 30 days that x", Wish(text="x", scope=FactScope.TEAM, days=30)),
        ("remember for 1 day for me everywhere, that x", Wish(text="x", scope=FactScope.EVERYWHERE, days=1)),
        ("Remember for me that that is so", Wish(text="that is so", scope=FactScope.ME)),
        ("remember for 9999 days that x", Wish(text="x", days=3650)),
        ("remember for this channel that x", Wish(text="x", scope=FactScope.CHANNEL)),
        ("remember to post the report", None),
        ("do you remember that incident?", None),
        ("remember that", None),
        ("remember for ever that x", None),
    ],
)
def test_a_message_says_what_to_remember_for_whom_and_for_how_long(message: str, wish: Wish | None) -> None:
    assert read_wish(message) == wish


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ("we deploy on Fridays", Wish(text="we deploy on Fridays")),
        ("for the team: we deploy", Wish(text="we deploy", scope=FactScope.TEAM)),
        ("for me for 2 days: that: x", Wish(text="x", scope=FactScope.ME, days=2)),
        ("for the record", Wish(text="for the record")),
        ("  ", None),
    ],
)
def test_a_command_says_the_same_without_the_word(words: str, wish: Wish | None) -> None:
    assert read_addition(words) == wish


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


@pytest.mark.parametrize(
    ("told", "used"),
    [
        ("I look at db-7 now.", True),
        ("The billing database is down.", False),
        ("It is in OSLO.", True),
        ("", False),
    ],
)
def test_a_fact_is_used_once_words_that_nobody_asked_with_are_said(told: str, used: bool) -> None:
    place = Place(tenant=Tenant("T1"), channel=ChannelId("C1"), public=True)
    fact = a_fact(place, FactScope.CHANNEL, UserId("U1"), "the billing database is db-7, in Oslo")
    assert fact is not None
    assert is_used(fact, "is the billing database down?", told) is used
