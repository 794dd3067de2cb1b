"""Wishes to remember are read without a model, and what goes on with a request is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.facts import FactScope
from agent.wishes import MOST_PARTS, UnclearWish, Wish, read_addition, read_wish


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
        ("remember that outage on Friday? Find its cause", UnclearWish()),
        ("remember that outage on friday. find its cause", UnclearWish()),
        ("Remember that outage on Friday!\nFind its cause", UnclearWish()),
        ("remember that one\n- and that one", UnclearWish()),
        ("remember that 我们周五部署。请部署", UnclearWish()),
        ("remember that it is at https://x.example/a?b=1", Wish(text="it is at https://x.example/a?b=1")),
        ("remember that it is https://x.example/?", UnclearWish()),
        ("remember that web-1.2 is slow!", Wish(text="web-1.2 is slow!")),
    ],
)
def test_a_message_says_what_to_remember_for_whom_and_for_how_long(
    message: str, wish: Wish | UnclearWish | None
) -> None:
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


@pytest.mark.parametrize(
    "text",
    [
        "Ada and Grace own billing",
        "Ada and Mark own billing, search and payments",
        "staging and test environments share a database",
        "prod, staging and test share one cluster",
        "we build and deploy on Fridays",
        "we stop and restart the database on Fridays only",
        "users can search and compare products",
        "our services are in Go and run on Kubernetes",
        "billing and reports are slow at night",
        "Linus and Grace work in Oslo and report to Ada",
        "the shop opens at nine and closes at six",
        "the billing database may be restarted on Fridays only, and never by hand",
        "the window is from 22:00 to 23:00, and nobody is on call then",
        "if it is Friday, then we do not deploy",
        "if the shop is down, restart it with the runbook",
        "before you deploy, check the logs",
        "to restart billing, run the script in the repository",
        "we have lint, unit and end-to-end tests",
        "Ada knows what to do and whom to call",
        "my name is Ada, and I am the owner of billing",
        "the backup runs at two and then the report is written",
        "black and white printing is off; colour costs more",
        "the key words are \u201cfind it and send it\u201d",
        "it is at https://x.example/a,b;find?and=then",
        "customers must be told and asked",
        "open and closed issues are counted alike",
        "Bo & Kim are away until Monday",
        "our rules are short: no meetings on Fridays",
        "the report has to be plain and short",
        "we like to plan and review on Mondays",
        "payments need a second look and a reason",
    ],
)
def test_a_statement_with_an_and_in_it_is_remembered_whole(text: str) -> None:
    assert read_wish(f"remember that {text}") == Wish(text=text)


@pytest.mark.parametrize(
    "text",
    [
        "Ada owns billing and find out who owns search",
        "the shop was down on Friday and then find the cause",
        "the shop was down on Friday, then restart it",
        "the shop was down on Friday; check whether it is up now",
        "the shop was down on Friday - look for the cause",
        "the shop was down on Friday and please restart it",
        "the shop was down on Friday, please tell Grace",
        "the shop was down on Friday please tell Grace",
        "the shop was down on Friday and could you restart it",
        "the shop is down and can you find out why",
        "the shop is down and I want you to restart it",
        "the shop is down and we need to know why",
        "the shop is down, and what is the cause",
        "the shop is down and why did nobody see it",
        "the shop is down and how often did that happen",
        "the shop is down and restart it",
        "the shop is down and post it in #incidents",
        "the shop is down and post to #incidents",
        "the shop is down and write to me",
        "the fix is merged and deploy to staging",
        "deploys are frozen until Monday and list all open pull requests",
        "deploys are frozen until Monday, list all open pull requests",
        "deploys are frozen, and also list the open ones",
        "deploys are frozen & tell the team",
        "deploys are frozen (and tell the team)",
        "deploys are frozen\nand tell the team",
        "deploys are frozen\nlist the open ones",
        "Ada is away, afterwards remind Grace",
        "Ada is away and, once she is back, show her the report and then send it to her",
        "Ada is away but ask Grace",
        "Ada is away so page Linus",
        "Ada is away and search and compare the logs",
        "Ada is away, thanks, and now restart billing",
        "my customer is northwind and show me their invoices",
        "my customer is northwind and show their invoices",
        "1. the shop is slow 2. look into it",
        "(a) the shop is slow (b) the database is slow",
        "the shop is slow. Find out why",
        "the shop is slow! find out why",
        "is the shop slow?",
        "the shop is slow, why?",
        "these are slow:\n- shop\n- billing",
        "these are slow:\n• shop\n• billing",
        "x " * (MOST_PARTS + 1),
    ],
)
def test_what_goes_on_with_a_request_is_no_wish(text: str) -> None:
    assert read_wish(f"remember that {text}") == UnclearWish()
    assert read_wish(f"Please remember for the team for 30 days that: {text}") == UnclearWish()


@pytest.mark.parametrize("text", ["and", "that", ",", ", find", "and and and", "please", "then", "\n;\n", "find"])
def test_fragments_are_read_as_something(text: str) -> None:
    assert isinstance(read_wish(f"remember that {text}"), Wish | UnclearWish | None)


WORDS = ["that", "and", "then", ",", "find", "the", "shop", "please", "is", "remember", "for", "me", "\n", "("]


@given(words=st.lists(st.sampled_from(WORDS)))
def test_no_order_of_words_is_a_fault_and_a_wish_is_the_text_that_was_written(words: list[str]) -> None:
    text = " ".join(["the shop", *words])
    wish = read_wish(f"remember that {text}")
    if isinstance(wish, Wish):
        assert wish.text == " ".join(text.split())
        assert " then find" not in wish.text
        assert " please find" not in wish.text
